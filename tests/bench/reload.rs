//! What a reload costs that changes one weight of a large site: 37,000 real servers in 2,000 services.
//!
//! - `cargo bench --bench reload`: from the request to the plan, on this machine. Promised: at most 300 ms (median).
//! - `tests/lab/run bench reload adverts`: how late advertisements are meanwhile, on this machine's own kernel. Promised: at most 5
//!   ms later than a bare real-time sleeper beside them.
//! - `tests/lab/run bench reload beside`: until the kernel has it, by turns with keepalived and its equal file; needs IPVS.
//!   Promised: one change of the kernel, and a third of keepalived's time at most (median).
//!
//! A number is that of the rounds (7). The exit status is 1 when a promise is broken.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(
    dead_code,
    reason = "world and stage are libraries for the lab's cases, and the bench uses a part of them"
)]

#[path = "reload/adverts.rs"]
mod adverts;
#[path = "reload/beside.rs"]
mod beside;
#[path = "scale/director.rs"]
mod director;
#[path = "reload/large.rs"]
mod large;
#[path = "reload/plan.rs"]
mod plan;
#[path = "../pair/stage/mod.rs"]
mod stage;
#[path = "../lab/world/mod.rs"]
mod world;

use std::process::ExitCode;
use std::time::Duration;

const ROUNDS: usize = 7;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((folder, name)) = director::asked_for(&words) {
        director::run(&folder, name);
        return ExitCode::SUCCESS;
    }
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS).max(1);
    let says = |wanted: &str| words.iter().any(|word| word == wanted);
    let kept = match (says("adverts"), says("beside")) {
        (true, _) => adverts::measure(rounds),
        (_, true) => beside::measure(rounds),
        (false, false) => plan::measure(rounds),
    };
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the median, the least and the most; the median.
fn report(what: &str, times: &mut [Duration]) -> Duration {
    times.sort();
    let median = times[times.len() / 2];
    println!("  {what}: {median:.1?} ({:.1?} to {:.1?})", times[0], times[times.len() - 1]);
    median
}
