//! An IPVS table that is kept in memory, and the faults that a case can give it while the director runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;
use tandem::kernel::{Kernel, KernelError};
use tandem::model::{Connections, Counters, DestinationCounts, Observed, Scope};
use tandem::reconcile::{Change, assume};

/// What is wrong with a director's kernel stands in this file of its folder.
const FILE: &str = "kernel-fault";
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What can be wrong with a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It has lost its daemons that synchronise connections, and refuses every change.
    Refuses,
    /// It gives no answer as long as this lasts.
    Hangs,
    /// A real server was taken out of it by another program, once.
    Forgets,
    /// A thread of the director panics over it, once.
    Panics,
}

impl Fault {
    const ALL: [(&str, Self); 4] = [
        ("refuses", Self::Refuses),
        ("hangs", Self::Hangs),
        ("forgets", Self::Forgets),
        ("panics", Self::Panics),
    ];

    /// Gives it to the director whose folder this is.
    pub(crate) fn begin(self, folder: &Path) {
        let (word, _) = Self::ALL.iter().find(|(_, fault)| *fault == self).expect("all have a word");
        fs::write(folder.join(FILE), word).expect("a word for the kernel");
    }

    /// From now on the kernel of this director is well.
    pub(crate) fn end(folder: &Path) {
        let _ = fs::remove_file(folder.join(FILE));
    }

    fn of(file: &Path) -> Option<Self> {
        let text = fs::read_to_string(file).ok()?;
        Self::ALL.iter().find(|(word, _)| *word == text).map(|(_, fault)| *fault)
    }
}

/// A kernel that accepts everything while it is well, and has some traffic.
pub(crate) struct Memory {
    tables: Observed,
    looks: u64,
    fault: PathBuf,
}

impl Memory {
    /// Of the director whose folder this is.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { tables: Observed::default(), looks: 0, fault: folder.join(FILE) }
    }

    fn suffer(&mut self) {
        match Fault::of(&self.fault) {
            None => {}
            Some(Fault::Refuses) => self.tables.sync_daemons.clear(),
            Some(Fault::Hangs) => {
                while Fault::of(&self.fault) == Some(Fault::Hangs) {
                    thread::sleep(LOOK_EVERY);
                }
            }
            Some(Fault::Forgets) => {
                for entry in self.tables.services.values_mut() {
                    entry.destinations_mut().pop_first();
                }
                let _ = fs::remove_file(&self.fault);
            }
            Some(Fault::Panics) => {
                let _ = fs::remove_file(&self.fault);
                // The kernel's own thread would end the director with it.
                let errand = thread::Builder::new().name("errand".to_owned());
                let _ = errand.spawn(|| panic!("on purpose")).expect("a thread").join();
            }
        }
    }
}

impl Kernel for Memory {
    fn observe(&mut self, _scope: &Scope) -> Result<Observed, KernelError> {
        self.suffer();
        self.looks += 1;
        let counters = Counters {
            connections: self.looks,
            incoming_packets: self.looks * 10,
            outgoing_packets: self.looks * 8,
            incoming_bytes: self.looks * 1_000,
            outgoing_bytes: self.looks * 9_000,
        };
        let counts = DestinationCounts {
            counters,
            connections: Connections { active: 3, inactive: 1, persistent: 0 },
        };
        let mut observed = self.tables.clone();
        for (service, entry) in &self.tables.services {
            let each = entry.destinations.keys().map(|key| (*key, counts));
            observed.destination_counts.insert(*service, each.collect());
            observed.service_counters.insert(*service, counters);
        }
        Ok(observed)
    }

    fn apply(&mut self, changes: &[Change]) -> Vec<Result<(), KernelError>> {
        if Fault::of(&self.fault) == Some(Fault::Refuses) {
            let error = KernelError { errno: None, message: "the kernel refuses it on purpose".to_owned() };
            return vec![Err(error); changes.len()];
        }
        changes.iter().for_each(|change| assume(&mut self.tables, change));
        vec![Ok(()); changes.len()]
    }
}
