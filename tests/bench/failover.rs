//! How long clients are without service when a director of a pair ends, and how steady a pair stands: Tandem and keepalived
//! by turns, in one run.
//!
//! For each setting (version 3 at 100 ms and at 10 ms, version 2 at 1 s, and each program's own defaults) and each fault, a
//! client pings the VIP every 2 ms. A fault is made at a chosen phase of the advertisement interval; the phases are spread
//! evenly over the repetitions and are the same for both programs. Beside each runs a canary, a bare real-time sleeper: what
//! it was late is the machine's own delay.
//!
//! Last, both cores are kept busy for a minute at an interval of 10 ms, Tandem with 1,000 probes: nobody may take over.
//!
//! Needs root and network namespaces, no IPVS: `tests/lab/run bench failover`. Arguments:
//! `--repetitions N` (20), `--only tandem|keepalived`, `--setting v3-100ms|v3-10ms|v2-1s|default` and
//! `--cycle link|terminate|kill|kill-taken|release|steady` (everything, unless some are named), `--seconds N` (60).
//!
//! The exit status is 1 when Tandem breaks what is promised.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(
    dead_code,
    reason = "world and stage are libraries for the lab's cases, and the bench uses a part of them"
)]

#[path = "failover/arguments.rs"]
mod arguments;
#[path = "failover/cycle.rs"]
mod cycle;
#[path = "failover/pair.rs"]
mod pair;
#[path = "failover/promise.rs"]
mod promise;
#[path = "../pair/stage/mod.rs"]
mod stage;
#[path = "failover/steady.rs"]
mod steady;
#[path = "failover/table.rs"]
mod table;
#[path = "../lab/world/mod.rs"]
mod world;

use arguments::{Arguments, NamedSetting};
use cycle::{Cycle, Results};
use pair::Pair;
use std::process::ExitCode;
use std::time::Duration;

/// From one ping of the client to the next.
const PING_EVERY: Duration = Duration::from_millis(2);

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(complaint) => {
            println!("{complaint}");
            return ExitCode::from(2);
        }
    };
    let mut kept = true;
    for setting in &arguments.settings {
        let results = measure(&arguments, *setting);
        table::print(*setting, arguments.repetitions, &results);
        kept &= promise::print(*setting, &results);
    }
    if arguments.steady {
        kept &= steady::run(&arguments);
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All cycles of one setting. Both pairs stand all the time, each on a stage of its own; only one is troubled at a time.
fn measure(arguments: &Arguments, setting: NamedSetting) -> Results {
    let mut results = Results::new();
    if arguments.cycles.is_empty() {
        return results;
    }
    let mut pairs: Vec<Pair> =
        arguments.programs.iter().map(|program| Pair::start(*program, setting.of(*program), "")).collect();
    for cycle in &arguments.cycles {
        for repetition in 0..arguments.repetitions {
            for pair in pairs.iter_mut().filter(|pair| cycle.exists_for(pair.program)) {
                cycle.run(pair, phase(repetition, arguments.repetitions), &mut results);
            }
        }
        eprint_progress(setting, *cycle);
    }
    results
}

/// The phases are the middles of equal parts of the interval, in an order without a trend.
fn phase(repetition: usize, repetitions: usize) -> f64 {
    let coprime = |step: &usize| (2..=*step).all(|part| step % part + repetitions % part > 0);
    let step = (repetitions * 2 / 5 + 1..).find(coprime).unwrap_or(1);
    let part = repetition * step % repetitions;
    (part as f64 + 0.5) / repetitions as f64
}

#[allow(clippy::print_stderr, reason = "a run takes long, and the table goes to stdout")]
fn eprint_progress(setting: NamedSetting, cycle: Cycle) {
    eprintln!("measured: {setting}, {cycle}");
}
