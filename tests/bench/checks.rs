//! What health checks cost: Tandem and keepalived by turns, in one run, with the same real servers and the same intervals.
//!
//! The servers are one nginx in a namespace of its own, which answers on ten thousand addresses behind a veth cable. A probe
//! is counted there: a connection that the kernel accepted, or a request that nginx answered; what a program says of itself
//! counts for nothing. Its cost is the processor time of all processes of a program in steady state, as the kernel counts
//! it, divided by the probes of that time. Some of that time is not the probes' (Tandem looks at the kernel's table every
//! two seconds, which keepalived never does): so each program is also measured while it probes hardly at all, and the
//! figure without that is printed beside. Tandem's probe with a kept connection stands beside keepalived's HTTP_GET, which
//! keeps none.
//!
//! Memory is what all processes of a program hold at the end: resident, and each one's own share.
//!
//! What is installed is built with cargo's profile `dist`, and that holds less than a release build does:
//! `cargo build --profile dist`, and `TANDEM_LAB_BINARY` with the whole path of it, which the bench then measures.
//!
//! Needs IPVS, without which keepalived checks nothing: `tests/lab/run bench checks`. The interval grows with the servers,
//! so that both sizes make the same number of probes a second and an emulated machine stands it. Arguments: `--servers
//! 1000,10000`, `--kind tcp,http,http-kept`, `--repetitions N` (3), `--rate N` (200 probes a second), `--seconds N` (30, of
//! each measurement, at least one interval).
//!
//! The promises: processor time at most 1.0 of keepalived's with a connection for each probe, 0.4 with kept connections;
//! memory at most 1.5 of keepalived's at 10,000 servers. The exit status is 1 when one is broken.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::print_stdout, reason = "a bench prints")]
#![allow(
    dead_code,
    reason = "world and stage are libraries for the lab's cases, and the bench uses a part of them"
)]

#[path = "checks/arguments.rs"]
mod arguments;
#[path = "checks/contender.rs"]
mod contender;
#[path = "servers.rs"]
mod servers;
#[path = "site.rs"]
mod site;
#[path = "../pair/stage/mod.rs"]
mod stage;
#[path = "checks/table.rs"]
mod table;
#[path = "checks/trial.rs"]
mod trial;
#[path = "usage.rs"]
mod usage;
#[path = "../lab/world/mod.rs"]
mod world;

use arguments::Arguments;
use contender::Program;
use std::collections::BTreeMap;
use std::process::ExitCode;
use trial::{Bench, Figures, Load};

/// Of a program at a size, under a load.
type Results = BTreeMap<(usize, Load, Program), Vec<Figures>>;

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(complaint) => {
            println!("{complaint}");
            return ExitCode::from(2);
        }
    };
    let mut bench = Bench::start();
    let mut results = Results::new();
    for servers in &arguments.servers {
        for repetition in 0..arguments.repetitions {
            for (load, program) in order(&arguments, repetition) {
                let figures = bench.run(&arguments, *servers, load, program);
                progress(*servers, load, program, &figures);
                results.entry((*servers, load, program)).or_default().push(figures);
            }
        }
    }
    if table::print(&arguments, &results) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Who goes first changes with each repetition.
fn order(arguments: &Arguments, repetition: usize) -> Vec<(Load, Program)> {
    let mut order = Vec::new();
    let loads = std::iter::once(Load::Idle).chain(arguments.kinds.iter().copied().map(Load::Probes));
    for load in loads {
        let mut programs = vec![Program::Keepalived, Program::Tandem];
        // It has no kept connections: its own HTTP_GET is what they are measured by.
        programs.retain(|program| load.is_of(*program));
        if repetition % 2 == 1 {
            programs.reverse();
        }
        order.extend(programs.into_iter().map(|program| (load, program)));
    }
    order
}

#[allow(clippy::print_stderr, reason = "a run takes long, and the table goes to stdout")]
fn progress(servers: usize, load: Load, program: Program, figures: &Figures) {
    eprintln!("measured: {servers} servers, {load}, {program}: {figures}");
}
