//! What `tandem real-server` prints and finds, on a machine of the world.

use super::namespace::Namespace;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The set-up of one pool on one machine, from a policy file.
#[derive(Debug)]
pub(crate) struct Printed<'world> {
    machine: &'world Namespace,
    pool: String,
    policy: PathBuf,
    script: PathBuf,
    state: PathBuf,
}

/// The settings that a script may change.
const SETTINGS: [&str; 3] = ["arp_ignore", "arp_announce", "rp_filter"];

impl<'world> Printed<'world> {
    /// Prints the script of the policy's pool `web`.
    pub(crate) fn new(machine: &'world Namespace, folder: &Path, policy: &str) -> Self {
        Self::of_pool(machine, folder, policy, "web")
    }

    /// The same of another pool. All of a machine share what the scripts remember.
    pub(crate) fn of_pool(machine: &'world Namespace, folder: &Path, policy: &str, pool: &str) -> Self {
        let folder = folder.join(format!("printed-{}", machine.name()));
        fs::create_dir_all(&folder).expect("a folder");
        let printed = Self {
            machine,
            pool: pool.to_owned(),
            policy: folder.join(format!("{pool}.yaml")),
            script: folder.join(format!("{pool}.sh")),
            state: folder.join("state"),
        };
        fs::write(&printed.policy, policy).expect("the policy");
        let output = printed.tandem(&[]);
        assert!(output.status.success(), "{output:?}");
        fs::write(&printed.script, output.stdout).expect("the script");
        printed
    }

    fn tandem(&self, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command.args(["real-server", &self.pool, "--config"]).arg(&self.policy).args(more);
        self.machine.output(&mut command)
    }

    fn shell(&self, what: &str) -> Output {
        let mut shell = Command::new("sh");
        shell.arg(&self.script).arg(what).env("TANDEM_REAL_SERVER_STATE", &self.state);
        self.machine.output(&mut shell)
    }

    /// Runs the script, which must succeed and complain of nothing.
    #[track_caller]
    pub(crate) fn run(&self, what: &str) {
        let output = self.shell(what);
        assert!(output.status.success() && output.stderr.is_empty(), "{what}: {output:?}");
    }

    /// Runs the script, which must refuse; what it says.
    #[track_caller]
    pub(crate) fn refused(&self) -> String {
        let output = self.shell("up");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).expect("text")
    }

    /// The codes of what `--check` finds to be looked at.
    #[track_caller]
    pub(crate) fn found(&self) -> Vec<String> {
        let code = |line: &String| line.rsplit('[').next().expect("a code").trim_end_matches(']').to_owned();
        self.told("look").iter().map(code).collect()
    }

    /// What `--check` says with this mark (`ok`, `note`, `look`), a line each: `WHAT: EVIDENCE; REMEDY [CODE]`.
    #[track_caller]
    pub(crate) fn told(&self, mark: &str) -> Vec<String> {
        let output = self.tandem(&["--check"]);
        let text = String::from_utf8(output.stdout).expect("text");
        let looks = text.lines().any(|line| line.starts_with("look"));
        assert_eq!(output.status.code(), Some(i32::from(looks)), "{text}");
        assert!(!text.is_empty(), "something is said");
        let has_remedy = |line: &str| line.starts_with("ok") || line.contains(": ") && line.contains("; ");
        assert!(text.lines().all(has_remedy), "what is not good has evidence and a remedy: {text}");
        let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
        lines.map(|line| line.trim_start().to_owned()).collect()
    }

    /// Whether the script has left files of its own.
    pub(crate) fn has_state(&self) -> bool {
        self.state.exists()
    }

    /// Everything of the machine that a script may change.
    pub(crate) fn everything(&self) -> String {
        let setting =
            |name| format!("{name}={}", self.machine.read_sysctl(&format!("net.ipv4.conf.all.{name}")));
        let addresses = self.machine.run("ip -o address show").replace(char::is_whitespace, " ");
        let links = self.machine.run("ip -br link show");
        format!("{addresses}\n{links}\n{}", SETTINGS.map(setting).join(" "))
    }
}
