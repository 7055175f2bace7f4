//! A terminal that a person sits at: tmux, with a server of its own that ends with it.

use crate::world::namespace::Namespace;
use crate::world::wait::until;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// From a key until the screen shows what it does.
const SHOWN: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Terminal<'stage> {
    machine: &'stage Namespace,
    socket: PathBuf,
}

impl<'stage> Terminal<'stage> {
    /// Runs a line of a shell on a screen of this size.
    pub(crate) fn run(
        machine: &'stage Namespace,
        folder: &Path,
        (width, height): (u16, u16),
        line: &str,
    ) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        // One that ends still answers at its own socket.
        let socket = folder.join(format!("tmux-{}.sock", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let terminal = Self { machine, socket };
        let (width, height) = (width.to_string(), height.to_string());
        let shell = format!("exec sh -c '{line}'");
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &width, "-y", &height, &shell]);
        terminal
    }

    /// Names of keys (`Escape`, `Down`), or letters.
    pub(crate) fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    pub(crate) fn resize(&self, (width, height): (u16, u16)) {
        self.tmux(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    /// What is on the screen.
    pub(crate) fn screen(&self) -> String {
        self.text(&["capture-pane", "-p"])
    }

    /// The same with its colours, as a terminal is told of them.
    pub(crate) fn coloured(&self) -> String {
        self.text(&["capture-pane", "-p", "-e"])
    }

    /// The process id of what runs in the foreground of the shell.
    pub(crate) fn shell(&self) -> u32 {
        self.text(&["display-message", "-p", "#{pane_pid}"]).trim().parse().expect("a process id")
    }

    #[track_caller]
    pub(crate) fn shows(&self, words: &str) {
        self.becomes(words, |screen| screen.contains(words));
    }

    #[track_caller]
    pub(crate) fn hides(&self, words: &str) {
        self.becomes(&format!("screen without {words}"), |screen| !screen.contains(words));
    }

    #[track_caller]
    pub(crate) fn becomes(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        until(what, SHOWN, || {
            let screen = self.screen();
            if is_so(&screen) { Ok(()) } else { Err(format!("the screen is\n{screen}")) }
        });
    }

    fn text(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.tmux(arguments).stdout).expect("text")
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(arguments).env_remove("TMUX").env_remove("NO_COLOR");
        let output = self.machine.output(command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8"));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {complaint}");
        output
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).arg("kill-server");
        // It has ended already where its shell has.
        let _ = self.machine.inside(|| command.output());
    }
}
