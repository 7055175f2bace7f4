//! A director's machine alone, on a link that leads nowhere: for cases about the table and not about traffic. It is there
//! in a moment, where a whole world takes seconds.

use std::path::Path;
use std::process::{Command, Output};

use crate::world::addresses::near;
use crate::world::director::{Director, binary};
use crate::world::namespace::Namespace;

/// The machine; its `eth0` is 192.168.101.200.
pub(crate) struct Lone {
    pub(crate) machine: Namespace,
    folder: tempfile::TempDir,
}

impl Lone {
    pub(crate) fn new() -> Self {
        let machine = Namespace::new("director");
        machine.ip("link add eth0 type dummy");
        machine.configure(&[("eth0", near(200))], None);
        Self { machine, folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts Tandem with a policy and waits until it is ready.
    #[track_caller]
    pub(crate) fn start(&self, policy: &str) -> Director<'_> {
        Director::start(&self.machine, self.folder(), policy)
    }

    /// Runs Tandem with a policy that it is expected to refuse: it has 20 s to say so.
    pub(crate) fn try_run(&self, policy: &str) -> Output {
        self.try_run_by(&[], &self.folder().join("state"), policy)
    }

    /// The same by way of another program (say one that takes privileges away), with a state directory.
    pub(crate) fn try_run_by(&self, way: &[&str], state: &Path, policy: &str) -> Output {
        let file = self.folder().join("tried.yaml");
        std::fs::write(&file, policy).expect("a policy file");
        let mut command = Command::new("timeout");
        command.arg("20").args(way).args([&binary(), "run", "--config"]).arg(file);
        self.machine.output(command.args(["--socket", "none", "--state-directory"]).arg(state))
    }

    /// Everything that a director may change here, as other programs tell it.
    pub(crate) fn picture(&self) -> Vec<String> {
        let mut lines = self.machine.ipvs_saved();
        lines.sort();
        lines.push(self.machine.run("ipvsadm -Ln --timeout"));
        // Counters change by themselves, and handles when a table is made anew.
        lines.push(format!("{:?}", self.machine.nft_table("inet", "tandem")));
        lines.push(self.machine.run("ip -o addr show dev eth0"));
        for sysctl in SYSCTLS {
            lines.push(format!("{sysctl} = {}", self.machine.read_sysctl(sysctl)));
        }
        lines
    }
}

const SYSCTLS: [&str; 7] = [
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv4.conf.all.send_redirects",
    "net.ipv4.conf.eth0.send_redirects",
    "net.ipv4.vs.conntrack",
    "net.ipv4.vs.expire_nodest_conn",
    "net.ipv4.vs.conn_reuse_mode",
];

/// What a program said on standard error.
pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
