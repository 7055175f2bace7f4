//! Callers without a token who stall what they can: a thousand slow connections, requests that are too large, and ten thousand
//! requests a second, at the metrics in plain and at the API over TLS, which are both open to the network. Whether a pair with
//! 200 probed servers goes on meanwhile: advertisements on time, no change of Master, no server out, the control socket and
//! the scrapes of another address answered. At last as many requests come from so many addresses that none of them comes too
//! often: what is answered then is shown, and all else is promised.
//!
//! Everything of the directors is the real thing but IPVS, whose table is kept in memory. The callers run on this machine, with
//! a niceness of 10: on a site they have processors of their own. A canary, a bare real-time sleeper, tells how late the
//! machine itself was.
//!
//! Needs root and network namespaces, no IPVS: `tests/lab/run bench flood [SECONDS [SLOW_SECONDS]]`: how long the flood lasts
//! (60), and each of the other phases (20). The exit status is 1 when a promise is broken.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(
    dead_code,
    reason = "world and stage are libraries for the lab's cases, and the bench uses a part of them"
)]

#[path = "flood/callers.rs"]
mod callers;
#[path = "scale/director.rs"]
mod director;
#[path = "scale/metric.rs"]
mod metric;
#[path = "probed.rs"]
mod probed;
#[path = "punctual.rs"]
mod punctual;
#[path = "servers.rs"]
mod servers;
#[path = "flood/site.rs"]
mod site;
#[path = "../pair/stage/mod.rs"]
mod stage;
#[path = "usage.rs"]
mod usage;
#[path = "flood/watch.rs"]
mod watch;
#[path = "../lab/world/mod.rs"]
mod world;

use callers::Phase;
use probed::INTERVAL;
use site::Pair;
use stage::adverts::Adverts;
use stage::canary::Canary;
use stage::{PREFERRED, Stage};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use watch::{Picture, Watched};
use world::process::Process;
use world::wait::until_true;

const SECONDS: u64 = 60;
const SLOW_SECONDS: u64 = 20;
const START: Duration = Duration::from_secs(60);
/// The verdicts of the start have come by then.
const SETTLES: Duration = Duration::from_secs(5);
const CANARY_PERIOD: Duration = Duration::from_millis(1);
/// What callers that have come to their end may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((folder, name)) = director::asked_for(&words) {
        director::run(&folder, name);
        return ExitCode::SUCCESS;
    }
    if let Some(calls) = callers::asked_for(&words) {
        calls.run();
        return ExitCode::SUCCESS;
    }
    let mut numbers = words.iter().filter_map(|word| word.parse().ok());
    let flood = Duration::from_secs(numbers.next().unwrap_or(SECONDS).max(2));
    let slow = Duration::from_secs(numbers.next().unwrap_or(SLOW_SECONDS).max(2));
    if measure(flood, slow) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether the promise was kept.
fn measure(flood: Duration, slow: Duration) -> bool {
    let stage = Stage::new();
    stage.client.sysctl(&[("net.ipv4.ip_local_port_range", "2000 65001"), ("net.ipv4.tcp_tw_reuse", "1")]);
    let adverts = Adverts::listen(&stage);
    site::add_sources(&stage);
    let pair = Pair::start(&stage);
    until_true("an advertisement", START, || adverts.next_of(PREFERRED, INTERVAL * 5).is_some());
    until_true("the API", START, || pair.listens());
    std::thread::sleep(SETTLES);
    let phases = [
        (Phase::Quiet, slow / 2),
        (Phase::Slow, slow),
        (Phase::Large, slow),
        (Phase::Many, flood),
        (Phase::Spread, slow),
    ];
    phases.map(|(phase, time)| endure(&pair, &adverts, phase, time)) == [true; 5]
}

/// Has callers come for a while; whether what was promised held.
fn endure(pair: &Pair<'_>, adverts: &Adverts, phase: Phase, time: Duration) -> bool {
    println!("{phase}, for {time:?}:");
    let before = Picture::take(pair);
    let canary = Canary::start(CANARY_PERIOD);
    let begun = Instant::now();
    let mut callers = callers::start(pair, phase, time);
    let watched = Watched::until_ended(pair, || has_ended(&mut callers, begun, time));
    let ended = Instant::now();
    let machine = canary.worst_since(begun);
    let real_time = canary.finish();
    callers.log().lines().for_each(|line| println!("  {line}"));
    let late = punctual::lateness(adverts, INTERVAL, begun, ended);
    let kept = [
        punctual::on_time(&late, machine, real_time),
        judged(
            adverts.changes_since(begun) == 0,
            &format!("{} changes of Master", adverts.changes_since(begun)),
        ),
        // Addresses without end take all places that there are.
        watched.is_answered(!matches!(phase, Phase::Spread)),
        Picture::take(pair).is_like(&before),
    ];
    kept == [true; 4]
}

fn has_ended(callers: &mut Process, begun: Instant, time: Duration) -> bool {
    assert!(begun.elapsed() < time + LAST_WORDS, "the callers do not end: {}", callers.log());
    callers.ended().is_some()
}

/// Prints what came of a promise, and hands it back.
fn judged(kept: bool, words: &str) -> bool {
    println!("  {} {words}", if kept { "kept:  " } else { "BROKEN:" });
    kept
}
