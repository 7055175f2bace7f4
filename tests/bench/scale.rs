//! Fifty thousand real servers at as many addresses, each probed every five seconds, on this machine's own kernel: whether
//! the probes start on time, and what they cost.
//!
//! Everything of the director is the real thing, from the policy file to the sockets, but for IPVS: its table is kept in
//! memory, so that no special kernel is needed and the figures are those of a real machine and not of an emulated one. The
//! servers are an nginx, on the same machine: the cores are shared with it.
//!
//! How late probes start is told twice: by the director's own metric, as late after the instant when they were due; and by
//! a capture of their first packets, as late after the earliest of the same server, less whole intervals. A canary, a bare
//! real-time sleeper, tells how late the machine itself was.
//!
//! Needs root and network namespaces, no IPVS: `tests/lab/run bench scale`. Arguments: `--servers N` (50000), `--pools N`
//! (100), `--interval SECONDS` (5), `--kind tcp|http|http-kept` (tcp), `--seconds N` (30).
//!
//! The promise: 99 of 100 probes start less than 50 ms late. The exit status is 1 when it is broken.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(
    dead_code,
    reason = "world and stage are libraries for the lab's cases, and the bench uses a part of them"
)]

#[path = "scale/arguments.rs"]
mod arguments;
#[path = "scale/director.rs"]
mod director;
#[path = "scale/metric.rs"]
mod metric;
#[path = "servers.rs"]
mod servers;
#[path = "site.rs"]
mod site;
#[path = "../pair/stage/mod.rs"]
mod stage;
#[path = "usage.rs"]
mod usage;
#[path = "scale/wire.rs"]
mod wire;
#[path = "../lab/world/mod.rs"]
mod world;

use arguments::Arguments;
use metric::Lateness;
use servers::{Asked, Servers};
use site::Site;
use stage::canary::Canary;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use world::capture::Capture;
use world::namespace::Namespace;
use world::process::Process;
use world::wait::until_true;

/// Of the 99th percentile.
const LATENESS_MAX: Duration = Duration::from_millis(50);
const CANARY_PERIOD: Duration = Duration::from_millis(2);
/// All servers have been probed once by then.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Intervals until what was late in the beginning has been made up for.
const SETTLES: u32 = 3;
/// A first packet: SYN without ACK.
const FIRST_PACKETS: &str = "tcp port 80 and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((folder, name)) = director::asked_for(&words) {
        director::run(&folder, name);
        return ExitCode::SUCCESS;
    }
    match Arguments::read(words.into_iter()) {
        Ok(arguments) if measure(&arguments) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(complaint) => {
            println!("{complaint}");
            ExitCode::from(2)
        }
    }
}

/// Whether the promise was kept.
fn measure(arguments: &Arguments) -> bool {
    let site = &arguments.site;
    let namespace = Namespace::new("site");
    namespace.ip("link set lo up");
    let folder = tempfile::tempdir().expect("a folder");
    let servers = Servers::start(&namespace, folder.path());
    fs::write(folder.path().join(director::POLICY), site.policy()).expect("the policy file");
    let before = servers.asked(&namespace);
    let started = Instant::now();
    let director = director::start(&namespace, folder.path());
    until_true("first probe of each server", START_LIMIT, || {
        let asked = servers.asked(&namespace).connections - before.connections;
        asked >= site.servers as u64
    });
    println!("{site}: all probed once {:.1} s after the start", started.elapsed().as_secs_f64());
    // From the second probe on each server is asked at its own place within the interval. While the second ones come among
    // the first, more are due than in the long run, and some are late.
    std::thread::sleep(site.interval * SETTLES);

    let capture = Capture::start(&namespace, "lo", FIRST_PACKETS, folder.path());
    let canary = Canary::start(CANARY_PERIOD);
    let first = Reading::take(&namespace, &servers, &director);
    std::thread::sleep(arguments.time);
    let last = Reading::take(&namespace, &servers, &director);
    let canary_late = canary.worst_since(first.at);
    canary.finish();
    let memory = usage::memory(director.pid());
    // A capture is complete when nothing comes any more.
    drop(director);
    let seen = wire::lateness(&capture.finish(), site.interval);
    report(site, &first, &last, &seen);
    println!(
        "  memory: {:.1} MiB resident, {:.1} MiB of its own share",
        mebibytes(memory.resident),
        mebibytes(memory.proportional)
    );
    println!("  canary: late by {:.1} ms at most", milliseconds(canary_late));
    let kept = last.lateness.within(&first.lateness, LATENESS_MAX) >= 0.99;
    let verdict = if kept { "kept:  " } else { "BROKEN:" };
    println!("  {verdict} 99 of 100 probes start less than {LATENESS_MAX:?} late");
    kept
}

/// Everything at one moment.
struct Reading {
    at: Instant,
    used: usage::Time,
    asked: Asked,
    lateness: Lateness,
}

impl Reading {
    fn take(namespace: &Namespace, servers: &Servers, director: &Process) -> Self {
        let lateness = Lateness::read(namespace);
        Self {
            at: Instant::now(),
            used: usage::time(director.pid()),
            asked: servers.asked(namespace),
            lateness,
        }
    }
}

fn report(site: &Site, first: &Reading, last: &Reading, seen: &[Duration]) {
    let time = last.at - first.at;
    let used = last.used - first.used;
    let asked = last.asked.since(first.asked);
    let probes = if site.kind.is_kept() { asked.requests } else { asked.connections };
    let rate = probes as f64 / time.as_secs_f64();
    println!("  probes: {probes} seen by the servers in {:.1} s, {rate:.0} a second", time.as_secs_f64());
    println!(
        "  processor: {:.3} s a second (user {:.3}), {:.1} µs a probe",
        used.total().as_secs_f64() / time.as_secs_f64(),
        used.user.as_secs_f64() / time.as_secs_f64(),
        used.total().as_secs_f64() * 1e6 / probes as f64
    );
    println!("  late by its own metric: {}", last.lateness.words(&first.lateness));
    if let Some(worst) = seen.last() {
        let [half, most] = [50, 99].map(|percent| seen[seen.len() * percent / 100]);
        println!(
            "  late on the wire: half {:.1} ms, 99 of 100 {:.1} ms, worst {:.1} ms, of {} probes",
            milliseconds(half),
            milliseconds(most),
            milliseconds(*worst),
            seen.len()
        );
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn mebibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / 1024.0
}
