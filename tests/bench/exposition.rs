//! What one scrape of 10,000 real servers in 100 pools costs: taking the snapshot, which the event loop does, and writing it
//! out, which it does not wait for. Each server has a check and stands in the table.
//!
//! `cargo bench --bench exposition`.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tandem::cli::files::Disk;
use tandem::director::core::{Beginning, Core};
use tandem::director::snapshot::Snapshot;
use tandem::model::{HostFacts, Observed, Policy};
use tandem::observe::{Format, render};
use tandem::reconcile::Ownership;
use tandem::time::Instant;

const POOLS: u8 = 100;
const SERVERS_PER_POOL: u8 = 100;
const ROUNDS: usize = 5;

fn main() {
    let core = director(policy());
    let (taking, snapshot) = fastest(|| core.snapshot(Instant::ZERO, Duration::ZERO));
    let snapshot: Arc<Snapshot> = Arc::new(snapshot);
    let servers = u32::from(POOLS) * u32::from(SERVERS_PER_POOL);
    println!("{servers} real servers in {POOLS} pools, fastest of {ROUNDS} rounds:");
    println!("  snapshot: {taking:.1?}");
    for format in [Format::Text, Format::OpenMetrics] {
        let (writing, text) = fastest(|| render(&snapshot, format).expect("a string takes everything"));
        println!("  {format:?}: {writing:.1?}, {} lines, {} bytes", text.lines().count(), text.len());
    }
}

/// Does something several times: the shortest time, and the last result.
fn fastest<T>(work: impl Fn() -> T) -> (Duration, T) {
    let round = || {
        let start = std::time::Instant::now();
        let result = black_box(work());
        (start.elapsed(), result)
    };
    let rounds = (1..ROUNDS).map(|_| round());
    rounds.fold(round(), |best, (time, result)| (best.0.min(time), result))
}

/// A director that has adopted a table in which all servers stand.
fn director(policy: Policy) -> Core {
    let beginning = |observed| Beginning {
        policy: policy.clone(),
        generation: 1,
        roles: tandem::model::Roles::default(),
        host: HostFacts::default(),
        observed,
        owned: Ownership::default(),
        overrides: Vec::new(),
        epoch: Duration::ZERO,
        seed: 0,
        now: Instant::ZERO,
    };
    let tables = Core::new(beginning(Observed::default())).tables();
    Core::new(beginning(Observed { services: tables.services, ..Observed::default() }))
}

fn policy() -> Policy {
    let mut text =
        "policy_version: 1\ndefaults: {pool: {forwarding: nat, check: {tcp: {}}, initial: up}}\npools:\n"
            .to_owned();
    for pool in 0..POOLS {
        let _ = writeln!(
            text,
            "  pool-{pool}:\n    virtual_services: [tcp://192.0.2.{pool}:80]\n    real_servers:"
        );
        for server in 0..SERVERS_PER_POOL {
            let _ = writeln!(text, "      - 10.{pool}.{server}.1:8080");
        }
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a file");
    tandem::policy::load(file.path(), &Disk, tandem::policy::View::First).policy.expect("a good policy")
}
