//! A host with one real server on it, and the checks that are asked of it: as the policy writes them, on the host's own network.

use crate::world::namespace::Namespace;
use crate::world::process::Process;
use crate::world::wait::until;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tandem::cli::files::Disk;
use tandem::model::{Condition, Failure, Outcome};
use tandem::policy::{self, Colour, View};
use tandem::probe::{Probe, Prober, TlsProfiles};
use tempfile::TempDir;

/// The server's address. The loopback interface holds it: a policy knows no server at 127.0.0.1.
pub(crate) const ADDRESS: &str = "192.168.101.110";

/// Time-out of the probes, where a case does not say another.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Time for the last word of a probe, which follows its verdict.
const FAREWELL: Duration = Duration::from_millis(50);
/// A server that is slow to start on a loaded machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65_534;

/// A network of its own, and a folder for what its server keeps.
#[derive(Debug)]
pub(crate) struct Host {
    namespace: Namespace,
    folder: TempDir,
}

impl Host {
    pub(crate) fn new() -> Self {
        let namespace = Namespace::new("server");
        namespace.ip(&format!("link set lo up\naddr add {ADDRESS}/32 dev lo\n"));
        let folder = tempfile::tempdir().expect("a folder for the server");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a folder for all");
        Self { namespace, folder }
    }

    /// A host that reaches the server's address through a router alone, and the router, which knows no way to it.
    pub(crate) fn behind_a_lost_router() -> (Self, Namespace) {
        let (host, router) = (Self::new(), Namespace::new("router"));
        let cable = router.name();
        host.namespace.ip(&format!(
            "addr del {ADDRESS}/32 dev lo\nlink add eth0 type veth peer name eth0 netns {cable}\n\
             addr add 192.168.102.1/24 dev eth0\nlink set eth0 up\n"
        ));
        router.ip(&format!(
            "link set lo up\naddr add 192.168.102.2/24 dev eth0\nlink set eth0 up\nroute add unreachable {ADDRESS}/32\n"
        ));
        router.sysctl(&[("net.ipv4.ip_forward", "1")]);
        host.namespace.ip(&format!("route add {ADDRESS}/32 via 192.168.102.2\n"));
        (host, router)
    }

    pub(crate) const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// A path in the host's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text, for command lines and configurations.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("a plain path").to_owned()
    }

    /// Writes a file into the host's folder; its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).expect("a file of the server");
        self.text(name)
    }

    /// A new folder that belongs to `nobody`; its path.
    pub(crate) fn folder_of_nobody(&self, name: &str) -> String {
        fs::create_dir(self.path(name)).expect("a folder");
        chown(self.path(name), Some(NOBODY), Some(NOBODY)).expect("it can be given away");
        self.text(name)
    }

    /// Starts a program as root; it ends with its handle. Its output is in `log`, in the host's folder.
    pub(crate) fn start(&self, program: &str, arguments: &[&str]) -> Process {
        Process::start(&self.namespace, program, arguments, &self.log_file())
    }

    /// The same as `nobody`, for servers that refuse to be root.
    pub(crate) fn start_as_nobody(&self, program: &str, arguments: &[&str]) -> Process {
        let as_nobody = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--", program];
        self.start("setpriv", &[&as_nobody, arguments].concat())
    }

    fn log_file(&self) -> PathBuf {
        self.path("log")
    }

    /// What the server wrote, for the message of a case that fails.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// One probe of the server's `port`. `kind` is the check as the policy writes it: `tcp: {redis: {}}`.
    pub(crate) fn probe(&self, kind: &str, port: u16) -> Outcome {
        self.probe_within(TIMEOUT, kind, port)
    }

    /// The same with a time-out of its own.
    pub(crate) fn probe_within(&self, timeout: Duration, kind: &str, port: u16) -> Outcome {
        self.write("policy.yaml", &policy_of(timeout, kind, port));
        probe_of(&self.path("policy.yaml"), &self.namespace)
    }

    /// Several probes of one prober, a pause before each but the first: as a director makes them.
    pub(crate) fn probe_again_and_again(
        &self,
        kind: &str,
        port: u16,
        times: usize,
        pause: Duration,
    ) -> Vec<Outcome> {
        self.write("policy.yaml", &policy_of(TIMEOUT, kind, port));
        probes_of(&self.path("policy.yaml"), &self.namespace, times, pause)
    }

    /// Probes until one succeeds: the server has started.
    #[track_caller]
    pub(crate) fn comes_up(&self, kind: &str, port: u16) {
        until(&format!("success of {kind}"), START_LIMIT, || {
            self.probe(kind, port).result.map(drop).map_err(|failure| format!("{failure}\n{}", self.log()))
        });
    }

    #[track_caller]
    pub(crate) fn succeeds(&self, kind: &str, port: u16) {
        let outcome = self.probe(kind, port);
        assert!(outcome.result.is_ok(), "{kind}: {outcome:?}\n{}", self.log());
    }

    /// One probe that fails for this reason; its words must contain `words`.
    #[track_caller]
    pub(crate) fn fails(&self, kind: &str, port: u16, reason: &str, words: &str) {
        let failure = self.failure(kind, port).unwrap_or_else(|| panic!("{kind} succeeds\n{}", self.log()));
        assert!(is(&failure, reason, words), "{kind}: {failure:?}, {failure}\n{}", self.log());
    }

    /// Probes until one fails for this reason and in these words.
    #[track_caller]
    pub(crate) fn comes_to_fail(&self, kind: &str, port: u16, reason: &str, words: &str) {
        until(&format!("{reason}: {words}"), START_LIMIT, || match self.failure(kind, port) {
            Some(failure) if is(&failure, reason, words) => Ok(()),
            Some(failure) => Err(format!("{failure:?}, {failure}\n{}", self.log())),
            None => Err("it succeeds".to_owned()),
        });
    }

    fn failure(&self, kind: &str, port: u16) -> Option<Failure> {
        self.probe(kind, port).result.err()
    }
}

fn is(failure: &Failure, reason: &str, words: &str) -> bool {
    failure.reason() == reason && failure.to_string().contains(words)
}

/// The policy of one server with one check.
fn policy_of(timeout: Duration, kind: &str, port: u16) -> String {
    format!(
        "policy_version: 1\n\
             virtual_addresses: [{{address: 192.168.101.100/24, interface: eth0}}]\n\
             pools:\n  \
               web:\n    \
                 virtual_services: [tcp://192.168.101.100:{port}]\n    \
                 forwarding: nat\n    \
                 real_servers: [{ADDRESS}:{port}]\n    \
                 check: {{{kind}, interval: 60s, timeout: {}ms}}\n",
        timeout.as_millis()
    )
}

/// Loads the policy and probes the one server of its pool, in `namespace`.
#[track_caller]
fn probe_of(path: &Path, namespace: &Namespace) -> Outcome {
    probes_of(path, namespace, 1, Duration::ZERO).remove(0)
}

/// The same several times.
#[track_caller]
fn probes_of(path: &Path, namespace: &Namespace, times: usize, pause: Duration) -> Vec<Outcome> {
    let loaded = policy::load(path, &Disk, View::First);
    let shown: String = loaded
        .diagnostics
        .iter()
        .map(|found| policy::render(found, &loaded.sources, Colour::Plain))
        .collect();
    let policy = loaded.policy.unwrap_or_else(|| panic!("{shown}"));
    let Some(Condition::Check(target)) = &policy.pools["web"].servers[0].check else {
        panic!("no check:\n{shown}")
    };
    let prober = Prober::new(&policy.checks[&target.check], &mut TlsProfiles::default())
        .unwrap_or_else(|error| panic!("{error}"));
    namespace.inside(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let mut outcomes = Vec::new();
            for number in 0..times {
                if number > 0 {
                    tokio::time::sleep(pause).await;
                }
                outcomes.push(prober.probe(target.address).await);
            }
            // A director lives on, and says its farewells meanwhile.
            tokio::time::sleep(FAREWELL).await;
            outcomes
        })
    })
}
