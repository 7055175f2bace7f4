//! A director in a process of its own: `tandem run`; or, on a kernel without IPVS, all of it but for IPVS, whose table is kept in
//! memory: the policy file, the probes, the election, the addresses, the socket and the listener are the real ones.

use crate::memory::Memory;
use crate::world::director::binary;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tandem::cli::loader::Loader;
use tandem::director::history::History;
use tandem::director::loading::PolicyLoader as _;
use tandem::director::run::{Parts, run as run_director};
use tandem::director::runtime;
use tandem::director::state_directory::StateDirectory;
use tandem::kernel::{epoch, host_facts};
use tandem::panics;
use tandem::policy::Colour;
use tokio::sync::mpsc;

/// The policy's name in the director's folder.
pub(crate) const POLICY: &str = "tandem.yaml";
/// The socket's.
pub(crate) const SOCKET: &str = "tandem.sock";
/// Tell this program that it is a director: where, and which.
const FOLDER: &str = "TANDEM_MONITORING_FOLDER";
const NAME: &str = "TANDEM_MONITORING_NAME";

/// Which IPVS a director has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ipvs {
    /// The kernel's, where it has one.
    Real,
    /// One in memory in any case, which can be given faults.
    InMemory,
}

pub(crate) fn kernel_has_ipvs() -> bool {
    Path::new("/proc/net/ip_vs").exists()
}

/// Starts the director `name`, whose policy is in `folder`.
pub(crate) fn start(namespace: &Namespace, folder: &Path, name: &str, ipvs: Ipvs) -> Process {
    let path = |file: &str| folder.join(file).to_str().expect("a plain path").to_owned();
    let log = folder.join("tandem.log");
    if kernel_has_ipvs() && ipvs == Ipvs::Real {
        let (config, state, socket) = (path(POLICY), path("state"), path(SOCKET));
        let places =
            ["--config", &config, "--state-directory", &state, "--socket", &socket, "--director", name];
        return Process::start(namespace, &binary(), &[&["run"][..], &places].concat(), &log);
    }
    let this = env::current_exe().expect("this program");
    let (folder, name) = (format!("{FOLDER}={}", path("")), format!("{NAME}={name}"));
    let this = this.to_str().expect("a plain path");
    let case = "director::the_director_of_the_other_cases";
    Process::start(namespace, "env", &[&folder, &name, this, "--exact", case, "--nocapture"], &log)
}

/// No case of its own: the others start this program again, and this is what runs then.
#[test]
fn the_director_of_the_other_cases() {
    if let (Ok(folder), Ok(name)) = (env::var(FOLDER), env::var(NAME)) {
        run(&PathBuf::from(folder), name);
    }
}

/// Runs for ever.
fn run(folder: &Path, name: String) {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    panics::watch();
    let loader = Loader::new(folder.join(POLICY), Some(name), Colour::Plain);
    let state = folder.join("state");
    let parts = Parts {
        candidate: loader.read_files().unwrap_or_else(|problems| panic!("{problems}")),
        loader: Arc::new(loader),
        history: History::open(&state, &mut |warning| panic!("{warning}")),
        hangups: mpsc::channel(1).1,
        kernel: Memory::new(folder),
        state: StateDirectory::lock(&state).expect("a state directory"),
        ask_host: host_facts,
        epoch: epoch().expect("this boot"),
        seed: 7,
        socket: folder.join(SOCKET),
        observe: None,
        predecessor: None,
        successor: Vec::new(),
    };
    let runtime = runtime::start().expect("a runtime");
    runtime::drive(&runtime, run_director(parts, std::future::pending())).expect("it ends never");
}
