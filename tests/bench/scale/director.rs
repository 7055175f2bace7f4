//! A director in a process of its own, as `tandem run` would be, with IPVS kept in memory.

use crate::world::namespace::Namespace;
use crate::world::process::Process;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tandem::cli::loader::Loader;
use tandem::director::history::History;
use tandem::director::loading::PolicyLoader as _;
use tandem::director::run::{Parts, run as run_director};
use tandem::director::runtime;
use tandem::director::state_directory::StateDirectory;
use tandem::kernel::{Kernel, KernelError, epoch};
use tandem::model::{HostFacts, Observed, Scope};
use tandem::policy::Colour;
use tandem::reconcile::{Change, assume};
use tokio::sync::mpsc;

/// The policy's name in the director's folder.
pub(crate) const POLICY: &str = "tandem.yaml";
/// Asks this program to be the director.
const WORD: &str = "--be-the-director";

/// Starts this program again, as the director that has this machine's name, or as the only one.
pub(crate) fn start(namespace: &Namespace, folder: &Path) -> Process {
    begin(namespace, folder, &[])
}

/// Starts this program again, as the director of this name.
pub(crate) fn start_as(namespace: &Namespace, folder: &Path, name: &str) -> Process {
    begin(namespace, folder, &[name])
}

fn begin(namespace: &Namespace, folder: &Path, name: &[&str]) -> Process {
    let program = std::env::current_exe().expect("this program");
    let [program, place] = [&program, folder].map(|path| path.to_str().expect("a plain path"));
    Process::start(namespace, program, &[&[WORD, place], name].concat(), &folder.join("tandem.log"))
}

/// The folder and the director's name, if this program was started as one.
pub(crate) fn asked_for(words: &[String]) -> Option<(PathBuf, Option<String>)> {
    let (word, [folder, name @ ..]) = words.split_first()? else { return None };
    (word == WORD).then(|| (folder.into(), name.first().cloned()))
}

/// Runs for ever.
pub(crate) fn run(folder: &Path, name: Option<String>) {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("the limit of open files");
    let loader = Loader::new(folder.join(POLICY), name, Colour::Plain);
    let state = folder.join("state");
    let parts = Parts {
        candidate: loader.read_files().unwrap_or_else(|problems| panic!("{problems}")),
        loader: Arc::new(loader),
        history: History::open(&state, &mut |warning| panic!("{warning}")),
        hangups: mpsc::channel(1).1,
        kernel: Memory(Observed::default()),
        state: StateDirectory::lock(&state).expect("a state directory"),
        ask_host,
        epoch: epoch().expect("this boot"),
        seed: 7,
        socket: folder.join("tandem.sock"),
        observe: None,
        predecessor: None,
        successor: Vec::new(),
    };
    let runtime = runtime::start().expect("a runtime");
    runtime::drive(&runtime, run_director(parts, std::future::pending())).expect("it ends never");
}

fn ask_host(_addresses: &BTreeSet<IpAddr>) -> Result<HostFacts, KernelError> {
    Ok(HostFacts::default())
}

/// A kernel that accepts everything.
struct Memory(Observed);

impl Kernel for Memory {
    fn observe(&mut self, _scope: &Scope) -> Result<Observed, KernelError> {
        let mut observed = self.0.clone();
        for (service, entry) in &self.0.services {
            let counted = entry.destinations.keys().map(|key| (*key, Default::default()));
            observed.destination_counts.insert(*service, counted.collect());
            observed.service_counters.insert(*service, Default::default());
        }
        Ok(observed)
    }

    fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
        changes.iter().for_each(|change| assume(&mut self.0, change));
        vec![Ok(()); changes.len()]
    }
}
