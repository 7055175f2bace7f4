//! From the request to the plan for the kernel: the file is read, validated, compared and taken over. The kernel's part is recorded
//! and not done: it must be one change.
//!
//! The parts before the takeover run on a thread of their own; the takeover holds up the loop of the pools (and no
//! advertisement), so it is told apart.

use super::large::{self, SERVERS, SERVICES};
use super::report;
use std::path::Path;
use std::time::Duration;
use tandem::cli::files::Disk;
use tandem::director::core::{Beginning, Core, Input, Output};
use tandem::director::reconciler::Work;
use tandem::model::{HostFacts, Observed, Policy, Roles};
use tandem::policy::{Known, View};
use tandem::reconcile::{Change, Ownership};
use tandem::time::Instant;

const PROMISED: Duration = Duration::from_millis(300);

/// Whether the promise was kept.
pub(crate) fn measure(rounds: usize) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tandem.yaml");
    std::fs::write(&path, large::policy(large::ALIVE, 1)).expect("a file");
    // What the director read when it began.
    let mut known = Known::default();
    let policy = load(&mut known, &path);
    std::fs::write(&path, large::policy(large::UNCHECKED, 1)).expect("a file");
    let mut core = director(policy, load(&mut Known::default(), &path));
    let (mut totals, mut takeovers) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        std::fs::write(&path, large::policy(large::ALIVE, round + 2)).expect("a file");
        let begun = std::time::Instant::now();
        let policy = load(&mut known, &path);
        let loaded = begun.elapsed();
        let at = Instant::from_millis(1_000 * (round as u64 + 1));
        let difference = core.difference(&policy);
        let guards = core.guards(&policy, &difference);
        core.handle(Input::Policy { at, policy: policy.into(), facts: HostFacts::default() });
        let changes = next(&mut core, at).expect("there is something to change");
        let total = begun.elapsed();
        assert_eq!((changes.len(), guards.len(), difference.servers_changed.len()), (1, 0, 1));
        applied(&mut core, &changes, at);
        totals.push(total);
        takeovers.push(total - loaded);
    }
    println!(
        "{SERVERS} real servers in {SERVICES} services, one weight changed, {rounds} rounds, median (least to most):"
    );
    report("takeover, which holds up the loop", &mut takeovers);
    let median = report("in all: from the request to the plan", &mut totals);
    println!("  promised: at most {PROMISED:?} in all");
    median <= PROMISED
}

/// The changes that the core wants made next; `None`: it waits. A look that is due finds everything as it was.
fn next(core: &mut Core, at: Instant) -> Option<Vec<Change>> {
    loop {
        match core.poll() {
            Output::Wait { .. } => return None,
            Output::Kernel(Work::Apply { changes, .. }) => return Some(changes),
            Output::Kernel(Work::Observe(_)) => {
                let result = Ok(core.observed().clone());
                core.handle(Input::Observed { at, result });
            }
            Output::StartProbe { .. }
            | Output::Record(_)
            | Output::Overrides(_)
            | Output::Sights(_)
            | Output::Tell(_)
            | Output::Stopped => {}
        }
    }
}

/// Says that they were made.
fn applied(core: &mut Core, changes: &[Change], at: Instant) {
    let results = changes.iter().map(|_| Ok(())).collect();
    core.handle(Input::Applied { at, took: Duration::ZERO, results });
}

/// A director that has adopted a table in which all servers stand, and has nothing left to do. `unchecked` is the same site, whose
/// servers stand in the table from the start on.
fn director(policy: Policy, unchecked: Policy) -> Core {
    let beginning = |policy: Policy, observed: Observed| Beginning {
        policy,
        generation: 1,
        roles: Roles::default(),
        host: HostFacts::default(),
        observed,
        owned: Ownership::default(),
        overrides: Vec::new(),
        epoch: Duration::ZERO,
        seed: 0,
        now: Instant::ZERO,
    };
    let tables = Core::new(beginning(unchecked, Observed::default())).tables();
    let observed = Observed { services: tables.services, sysctls: tables.sysctls, ..Observed::default() };
    let mut core = Core::new(beginning(policy, observed));
    while let Some(changes) = next(&mut core, Instant::ZERO) {
        applied(&mut core, &changes, Instant::ZERO);
    }
    core
}

fn load(known: &mut Known, path: &Path) -> Policy {
    known.read(path, &Disk, View::First).policy.expect("a good policy")
}
