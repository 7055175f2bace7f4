//! A running `ip -batch -` in a namespace, to which lines are typed: a cable is pulled within a fraction of a millisecond,
//! where starting a program would take several. It does not wait for an effect, and does not see failures (`-force`).

use crate::world::namespace::Namespace;
use std::io::Write;
use std::process::{Child, Command, Stdio};

#[derive(Debug)]
pub(crate) struct Typist {
    child: Child,
}

impl Typist {
    pub(crate) fn new(namespace: &Namespace) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "ip", "-force", "-batch", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = namespace.inside(|| command.spawn()).expect("ip starts");
        Self { child }
    }

    /// One command of `ip`, without the word `ip`.
    pub(crate) fn type_line(&self, line: &str) {
        let mut pipe = self.child.stdin.as_ref().expect("a pipe");
        writeln!(pipe, "{line}").expect("ip reads");
    }
}

impl Drop for Typist {
    fn drop(&mut self) {
        // Both fail only if it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
