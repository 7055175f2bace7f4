//! A site that is watched:
//!
//! ```text
//!   monitor .10      lb-a .200      lb-b .201      servers .110, .210
//!   ───┴────────────────┴──────────────┴────────────────┴─────────────  192.168.101.0/24      VIP: .100
//! ```
//!
//! The policy is `policy.yaml` beside this file, unless a case has its own.

use crate::director::{self, Ipvs, POLICY, SOCKET};
use crate::prometheus::{Haste, Prometheus, pace};
use crate::servers::{self, Acceptor};
use crate::world::addresses::{far, near};
use crate::world::certificates::{self, Certificates};
use crate::world::director::binary;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use crate::world::wait::until;
use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// Names of the directors, as in the policy; the first is the preferred one.
pub(crate) const DIRECTORS: [&str; 2] = ["lb-a", "lb-b"];
const HOSTS: [u16; 2] = [200, 201];
const MONITOR: u16 = 10;
pub(crate) const SERVERS: [u16; 2] = [110, 210];
const PORT: u16 = 8080;
const TLS_PORT: u16 = 8443;
const METRICS_PORT: u16 = 9752;
const START_LIMIT: Duration = Duration::from_secs(60);

/// What differs from case to case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// The policy's file. `FOLDER` in it is the site's folder.
    pub(crate) policy: &'static str,
    pub(crate) ipvs: Ipvs,
    pub(crate) haste: Haste,
    /// Puts into the folder what the policy names.
    pub(crate) prepare: fn(&Path),
}

const USUAL: Setting = Setting {
    policy: "tests/monitoring/policy.yaml",
    ipvs: Ipvs::Real,
    haste: Haste::Waits,
    prepare: |_| {},
};

/// Everything ends with it, in this order.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) prometheus: Prometheus,
    pub(crate) directors: Vec<Option<Process>>,
    pub(crate) acceptors: Vec<Option<Acceptor>>,
    tls: Process,
    pub(crate) machines: Vec<Namespace>,
    pub(crate) monitor: Namespace,
    pub(crate) servers: Namespace,
    switches: [Namespace; 2],
    folder: tempfile::TempDir,
    setting: Setting,
}

/// Where a director's metrics are.
pub(crate) fn metrics_of(director: usize) -> SocketAddr {
    SocketAddr::new(near(HOSTS[director]).ipv4.into(), METRICS_PORT)
}

impl Site {
    /// The pair runs, both are ready, and Prometheus scrapes them.
    pub(crate) fn new() -> Self {
        Self::of(USUAL)
    }

    pub(crate) fn of(setting: Setting) -> Self {
        let [switch, far_switch, monitor, servers] =
            ["switch", "far-switch", "monitor", "servers"].map(Namespace::new);
        let machines: Vec<_> = DIRECTORS.map(Namespace::new).into();
        switch.connect(&machines.iter().chain([&monitor, &servers]).collect::<Vec<_>>(), "eth0");
        // A router tracks it.
        far_switch.connect(&machines.iter().collect::<Vec<_>>(), "eth1");
        monitor.configure(&[("eth0", near(MONITOR))], None);
        servers.configure(&[("eth0", near(SERVERS[0]))], None);
        servers.add_address(near(SERVERS[1]).ipv4.into(), "eth0");
        for (machine, host) in machines.iter().zip(HOSTS) {
            machine.configure(&[("eth0", near(host)), ("eth1", far(host))], None);
        }
        let folder = tempfile::tempdir().expect("a folder for the site");
        (setting.prepare)(folder.path());
        let tls = servers::start_tls(&servers, folder.path(), TLS_PORT, certificates::shared());
        let acceptors = SERVERS.map(|host| Some(Acceptor::start(&servers, address(host)))).into();
        let directors = DIRECTORS
            .iter()
            .zip(&machines)
            .map(|(name, machine)| Some(begin(machine, folder.path(), name, setting)));
        let directors = directors.collect();
        let prometheus = Prometheus::start(&monitor, folder.path(), setting.haste);
        let site = Self {
            prometheus,
            directors,
            acceptors,
            tls,
            machines,
            monitor,
            servers,
            switches: [switch, far_switch],
            folder,
            setting,
        };
        for (director, name) in DIRECTORS.into_iter().enumerate() {
            until(name, START_LIMIT * pace(), || {
                let ready = site.monitor.fetch(metrics_of(director), "/readyz");
                ready.map_err(|error| format!("{error}\n{}", site.log(director)))
            });
        }
        site
    }

    /// Stops or starts the acceptor of one of the servers.
    pub(crate) fn set_server(&mut self, server: usize, runs: bool) {
        self.acceptors[server] = runs.then(|| Acceptor::start(&self.servers, address(SERVERS[server])));
    }

    /// Starts a director that has ended.
    pub(crate) fn start_again(&mut self, director: usize) {
        let (machine, name) = (&self.machines[director], DIRECTORS[director]);
        self.directors[director] = Some(begin(machine, self.folder.path(), name, self.setting));
    }

    /// Gives another certificate to the real server that speaks TLS.
    pub(crate) fn certify(&mut self, certificates: &Certificates) {
        // The port is free once it has ended.
        self.tls.stop(START_LIMIT);
        self.tls = servers::start_tls(&self.servers, self.folder.path(), TLS_PORT, certificates);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn folder_of(&self, director: usize) -> PathBuf {
        self.folder.path().join(DIRECTORS[director])
    }

    pub(crate) fn log(&self, director: usize) -> String {
        fs::read_to_string(self.folder_of(director).join("tandem.log")).unwrap_or_default()
    }

    /// Changes a place of a director's policy file, which must be there once, and asks for a reload.
    pub(crate) fn reload(&self, director: usize, from: &str, to: &str) -> Output {
        let path = self.folder_of(director).join(POLICY);
        let text = fs::read_to_string(&path).expect("the policy");
        assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
        fs::write(&path, text.replace(from, to)).expect("the policy");
        self.ask(director, &["reload"])
    }

    /// What a subcommand prints with `--json`; null where it prints none.
    pub(crate) fn json(&self, director: usize, arguments: &[&str]) -> Value {
        let output = self.ask(director, &[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    /// A pool in a director's status; null where it is not there.
    pub(crate) fn pool(&self, director: usize, name: &str) -> Value {
        let mut status = self.json(director, &["status"]);
        let mut pools = status["pools"].as_array_mut().into_iter().flatten();
        pools.find(|pool| pool["name"] == name).map(Value::take).unwrap_or_default()
    }

    /// A subcommand that asks a director.
    pub(crate) fn ask(&self, director: usize, arguments: &[&str]) -> Output {
        self.ask_by(Command::new(binary()), director, arguments)
    }

    /// The same by a user who has no rights.
    pub(crate) fn ask_as_nobody(&self, director: usize, arguments: &[&str]) -> Output {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(binary());
        self.ask_by(command, director, arguments)
    }

    fn ask_by(&self, mut command: Command, director: usize, arguments: &[&str]) -> Output {
        command.args(arguments).arg("--socket").arg(self.folder_of(director).join(SOCKET));
        self.machines[director].output(&mut command)
    }
}

fn address(host: u16) -> SocketAddr {
    SocketAddr::new(near(host).ipv4.into(), PORT)
}

fn begin(machine: &Namespace, folder: &Path, name: &str, setting: Setting) -> Process {
    let own = folder.join(name);
    fs::create_dir_all(own.join("state")).expect("a state directory");
    let policy = fs::read_to_string(crate::project(setting.policy)).expect("the policy");
    let policy = policy.replace("FOLDER", folder.to_str().expect("a plain path"));
    fs::write(own.join(POLICY), policy).expect("the policy");
    fs::write(own.join("peer.key"), "k".repeat(32)).expect("a key");
    fs::copy(&certificates::shared().authority, own.join("ca.pem")).expect("the authority");
    director::start(machine, &own, name, setting.ipvs)
}

/// After a failure the end of each log is wanted.
impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (director, name) in DIRECTORS.into_iter().enumerate() {
                let log = self.log(director);
                let lines: Vec<&str> = log.lines().collect();
                let end = lines[lines.len().saturating_sub(30)..].join("\n");
                println!("--- the end of the log of {name}:\n{end}\n---");
            }
        }
    }
}
