//! What clients of each pool live through when a director of the pair ends or comes back: a new TCP connection every 10 ms
//! through each of NAT, DR, TUN and full-NAT to a real server, on the kernel's IPVS, with `conf/pair.yaml` as it is shipped.
//! One pool at a time has clients: an emulated machine can't make more connections than these.
//!
//! A connection is one request to nginx on a real server. It has failed if it was refused, reset or not answered in 3 s; it
//! is late if a packet of it had to be sent again (no answer within half a second). The longest time without a success is
//! that between the beginnings of two consecutive connections that were neither, less the 10 ms.
//!
//! Beside it runs a canary, a bare real-time sleeper: what it was late is the machine's own delay. In an emulated machine
//! these figures say little of a real one; `failover` measures the blackout itself natively.
//!
//! Needs IPVS: `tests/lab/run bench pools`. Arguments: `--repetitions N` (5) and
//! `--cycle stop|release|kill|link|links|pause` and `--pool NAT|DR|TUN|full-NAT` (all, unless some are named).
//!
//! The exit status is 1 when a planned takeover failed a connection.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(
    dead_code,
    reason = "world and stage are libraries for the lab's cases, and the bench uses a part of them"
)]

#[path = "pools/cycle.rs"]
mod cycle;
#[path = "../pair/stage/mod.rs"]
mod stage;
#[path = "pools/table.rs"]
mod table;
#[path = "../lab/world/mod.rs"]
mod world;

use cycle::{CYCLES, Cycle, Results};
use std::process::ExitCode;
use world::pair::Pair;
use world::site::{POLICY, POOLS, Pool, Site};

const REPETITIONS: usize = 5;

#[derive(Debug)]
struct Arguments {
    repetitions: usize,
    cycles: Vec<Cycle>,
    pools: Vec<Pool>,
}

fn main() -> ExitCode {
    let arguments = match read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(complaint) => {
            println!("{complaint}");
            return ExitCode::from(2);
        }
    };
    let site = Site::new();
    let mut pair = Pair::start(&site, POLICY);
    let mut results = Results::new();
    for cycle in &arguments.cycles {
        for _ in 0..arguments.repetitions {
            for pool in arguments.pools.iter().copied() {
                cycle.run(&site, &mut pair, pool, &mut results);
            }
        }
        progress(*cycle);
    }
    table::print(arguments.repetitions, &results);
    if table::judge(&results) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[allow(clippy::print_stderr, reason = "a run takes long, and the table goes to stdout")]
fn progress(cycle: Cycle) {
    eprintln!("measured: {}", cycle.name());
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { repetitions: REPETITIONS, cycles: Vec::new(), pools: Vec::new() };
    while let Some(word) = words.next() {
        // What `cargo bench` says to every bench.
        if word == "--bench" {
            continue;
        }
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        match word.as_str() {
            "--repetitions" => {
                arguments.repetitions = value.parse().map_err(|error| format!("{word} {value}: {error}"))?;
            }
            "--cycle" => {
                let cycle = CYCLES.into_iter().find(|cycle| cycle.name() == value);
                arguments.cycles.push(cycle.ok_or(format!("{word}: `{value}` is not known"))?);
            }
            "--pool" => {
                let pool = POOLS.into_iter().find(|pool| pool.to_string() == value);
                arguments.pools.push(pool.ok_or(format!("{word}: `{value}` is not known"))?);
            }
            _ => return Err(format!("`{word}` is not known: see the head of tests/bench/pools.rs")),
        }
    }
    if arguments.cycles.is_empty() {
        arguments.cycles = CYCLES.into();
    }
    if arguments.pools.is_empty() {
        arguments.pools = POOLS.into();
    }
    Ok(arguments)
}
