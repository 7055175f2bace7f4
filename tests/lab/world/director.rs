//! Tandem itself, running in a director's namespace.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;
use std::{env, fs, thread};

use super::installed::{self, Edition, install};
use super::namespace::Namespace;
use super::process::Process;
use super::wait::until;

const READY_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(20);
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9752);

/// A running Tandem. Its state directory and its policy file outlive a restart.
#[derive(Debug)]
pub(crate) struct Director<'world> {
    process: Process,
    namespace: &'world Namespace,
    folder: PathBuf,
    /// Its name in the policy, where that names directors: all of the lab has one host name.
    name: Option<&'static str>,
}

impl<'world> Director<'world> {
    /// Writes the policy, starts Tandem and waits until it says that it is ready.
    #[track_caller]
    pub(crate) fn start(namespace: &'world Namespace, folder: &Path, policy: &str) -> Self {
        let mut director = Self::launch(namespace, folder, policy, None);
        director.wait_until_ready();
        director
    }

    /// The same without waiting; `name` is the director's in the policy of a pair.
    pub(crate) fn launch(
        namespace: &'world Namespace,
        folder: &Path,
        policy: &str,
        name: Option<&'static str>,
    ) -> Self {
        let folder = folder_of(folder, namespace);
        fs::create_dir_all(folder.join("state")).expect("a state directory");
        fs::write(folder.join("tandem.yaml"), policy).expect("the policy file");
        let process = spawn(namespace, &folder, name);
        Self { process, namespace, folder, name }
    }

    #[track_caller]
    pub(crate) fn wait_until_ready(&mut self) {
        until("ready director", READY_LIMIT, || {
            if let Some(status) = self.process.ended() {
                panic!("tandem ended, {status}");
            }
            self.namespace.fetch(METRICS, "/readyz")
        });
    }

    /// SIGTERM, and waits for its end.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.process.stop(STOP_LIMIT)
    }

    /// SIGKILL: it can save and tidy nothing.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.process.signal(nix::sys::signal::Signal::SIGKILL);
        self.process.wait_until_ended(STOP_LIMIT);
    }

    /// Starts again after `stop` or `kill`, with the same policy and state.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.launch_again();
        self.wait_until_ready();
    }

    /// The same without waiting.
    pub(crate) fn launch_again(&mut self) {
        self.process = spawn(self.namespace, &self.folder, self.name);
    }

    /// Puts another program in the place of its own, which it runs from its next start on.
    #[track_caller]
    pub(crate) fn install(&self, edition: Edition) {
        install(&self.folder, edition);
    }

    /// Another process goes on in its place, as at an upgrade; waits for the end of the one before.
    #[track_caller]
    pub(crate) fn succeed(&mut self) {
        let successor = spawn_with(self.namespace, &self.folder, self.name, &["--takeover"]);
        let status = self.process.wait_until_ended(STOP_LIMIT);
        assert!(status.success(), "the one before: {status}: {}", self.log());
        self.process = successor;
    }

    #[track_caller]
    pub(crate) fn wait_until_ended(&mut self) -> ExitStatus {
        self.process.wait_until_ended(STOP_LIMIT)
    }

    /// Replaces the policy file, without telling Tandem.
    pub(crate) fn write_policy(&self, policy: &str) {
        fs::write(self.folder.join("tandem.yaml"), policy).expect("the policy file");
    }

    /// Runs a subcommand in the director's namespace: `tandem(&["status", "--json"])`.
    pub(crate) fn tandem(&self, arguments: &[&str]) -> Output {
        self.namespace.output(Command::new(binary()).args(arguments))
    }

    /// Runs a subcommand that asks the running director: `ask(&["release"])`.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let socket = self.folder.join("tandem.sock");
        self.tandem(&[arguments, &["--socket", socket.to_str().expect("a plain path")]].concat())
    }

    /// `tandem plan` of its policy, as an operator would ask while it runs or after it has stopped.
    pub(crate) fn plan(&self) -> Output {
        let path = |name: &str| self.folder.join(name).to_str().expect("a plain path").to_owned();
        let (policy, state) = (path("tandem.yaml"), path("state"));
        let named = self.name.map_or(vec![], |name| vec!["--director", name]);
        self.tandem(&[&["plan", &policy, "--state-directory", &state][..], &named].concat())
    }

    pub(crate) fn state_directory(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// Memory that it holds now, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        self.process.signal(signal);
    }

    /// All metrics, as text.
    #[track_caller]
    pub(crate) fn metrics(&self) -> String {
        self.namespace.fetch(METRICS, "/metrics").expect("metrics")
    }

    /// The value of one series, named as it is printed: `tandem_pool_up{pool="web"}`.
    #[track_caller]
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let metrics = self.metrics();
        metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
    }

    pub(crate) fn log(&self) -> String {
        self.process.log()
    }
}

/// After a failure the log is wanted: its end is printed, all of it is kept with the lab's results.
impl Drop for Director<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let log = self.log();
        let end: Vec<&str> = log.lines().rev().take(40).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        println!("--- the end of the log of {}:\n{}\n---", self.namespace.name(), end.join("\n"));
        if let Ok(results) = env::var("TANDEM_LAB_OUT") {
            let name = thread::current().name().unwrap_or("case").replace("::", "-");
            let _ = fs::write(Path::new(&results).join(format!("{name}.log")), log);
        }
    }
}

/// Where a director has its files, below the world's.
pub(crate) fn folder_of(world: &Path, namespace: &Namespace) -> PathBuf {
    world.join(format!("tandem-{}", namespace.name()))
}

fn spawn(namespace: &Namespace, folder: &Path, name: Option<&str>) -> Process {
    spawn_with(namespace, folder, name, &[])
}

fn spawn_with(namespace: &Namespace, folder: &Path, name: Option<&str>, more: &[&str]) -> Process {
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let (policy, state, socket) = (path("tandem.yaml"), path("state"), path("tandem.sock"));
    let mut arguments = vec!["run", "--config", &policy, "--state-directory", &state, "--socket", &socket];
    arguments.extend(name.into_iter().flat_map(|name| ["--director", name]));
    arguments.extend(more);
    Process::start(namespace, &installed::program(folder), &arguments, &folder.join("tandem.log"))
}

/// The program that cargo built beside this one; TANDEM_LAB_BINARY names another, say an older release.
pub(crate) fn binary() -> String {
    env::var("TANDEM_LAB_BINARY").unwrap_or_else(|_| env!("CARGO_BIN_EXE_tandem").to_owned())
}
