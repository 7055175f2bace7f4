//! The figures, and what is promised of them.

use crate::Results;
use crate::arguments::Arguments;
use crate::contender::Program;
use crate::site::Kind;
use crate::trial::{Figures, Load};

/// Of keepalived's processor time, with a connection for each probe.
const TIME_MAX: f64 = 1.0;
/// The same with kept connections, against its probes with one each.
const KEPT_TIME_MAX: f64 = 0.4;
/// Of keepalived's memory.
const MEMORY_MAX: f64 = 1.5;
/// From so many servers on the memory is promised.
const MEMORY_FROM: usize = 10_000;

/// Prints everything; whether all promises were kept.
pub(crate) fn print(arguments: &Arguments, results: &Results) -> bool {
    let mut kept = true;
    for servers in arguments.servers.iter().copied() {
        println!(
            "\n{servers} real servers, every {:?}, {} repetitions: median (least to most)",
            arguments.interval(servers),
            arguments.repetitions
        );
        println!(
            "{:<10} {:<11} {:>24} {:>24} {:>22} {:>8} {:>8}",
            "", "", "ms a probe", "the same less idle time", "MiB resident", "own MiB", "canary"
        );
        for ((_, load, program), figures) in results.iter().filter(|((size, ..), _)| *size == servers) {
            line(*load, *program, figures, idle(results, servers, *program));
        }
        for kind in &arguments.kinds {
            kept &= judge_time(results, servers, *kind);
        }
        kept &= judge_memory(results, servers);
    }
    kept
}

fn line(load: Load, program: Program, figures: &[Figures], idle: f64) {
    let each = |figures: &Figures| figures.each() * 1000.0;
    let less_idle = |figures: &Figures| probe_alone(figures, idle) * 1000.0;
    let mebibytes = |kibibytes: u64| kibibytes as f64 / 1024.0;
    let canary = figures.iter().map(|figures| figures.canary).max().unwrap_or_default();
    let (first, second) = match load {
        Load::Idle => (format!("{:.1} ms a second", median(figures, Figures::share) * 1000.0), String::new()),
        Load::Probes(_) => (spread(figures, each), spread(figures, less_idle)),
    };
    println!(
        "{load:<10} {program:<11} {first:>24} {second:>24} {:>22} {:>8.1} {:>5.0} ms",
        spread(figures, |figures| mebibytes(figures.memory.resident)),
        median(figures, |figures| mebibytes(figures.memory.proportional)),
        canary.as_secs_f64() * 1000.0
    );
}

/// Processor time a second of a program that hardly probes.
fn idle(results: &Results, servers: usize, program: Program) -> f64 {
    results.get(&(servers, Load::Idle, program)).map_or(0.0, |figures| median(figures, Figures::share))
}

/// Seconds a probe, less what the program takes without.
fn probe_alone(figures: &Figures, idle: f64) -> f64 {
    let used = figures.used.total().as_secs_f64() - idle * figures.window.as_secs_f64();
    used / figures.probes.max(1) as f64
}

fn judge_time(results: &Results, servers: usize, kind: Kind) -> bool {
    let rival = if kind.is_kept() { Kind::Http } else { kind };
    let of = |kind, program| results.get(&(servers, Load::Probes(kind), program));
    let (Some(ours), Some(theirs)) = (of(kind, Program::Tandem), of(rival, Program::Keepalived)) else {
        println!("  {kind}: nothing to compare with");
        return true;
    };
    let all = median(ours, Figures::each) / median(theirs, Figures::each);
    let [of_ours, of_theirs] =
        [(ours, Program::Tandem), (theirs, Program::Keepalived)].map(|(figures, program)| {
            median(figures, |figures| probe_alone(figures, idle(results, servers, program)))
        });
    let most = if kind.is_kept() { KEPT_TIME_MAX } else { TIME_MAX };
    let alone = of_ours / of_theirs;
    let kept = alone <= most;
    println!(
        "  {} {kind}: at most {most} of keepalived's time for each {rival} probe; it is {alone:.2} (with idle time {all:.2})",
        if kept { "kept:  " } else { "BROKEN:" }
    );
    kept
}

fn judge_memory(results: &Results, servers: usize) -> bool {
    let most = |program: Program| {
        let of_program = results.iter().filter(|((size, _, of), _)| (*size, *of) == (servers, program));
        let medians =
            of_program.map(|(_, figures)| median(figures, |figures| figures.memory.resident as f64));
        medians.fold(0.0, f64::max)
    };
    let ratio = most(Program::Tandem) / most(Program::Keepalived).max(1.0);
    if servers < MEMORY_FROM {
        println!("  memory: {ratio:.2} of keepalived's (promised from {MEMORY_FROM} servers on)");
        return true;
    }
    let kept = ratio <= MEMORY_MAX;
    println!(
        "  {} memory: at most {MEMORY_MAX} of keepalived's; it is {ratio:.2}",
        if kept { "kept:  " } else { "BROKEN:" }
    );
    kept
}

fn median(figures: &[Figures], value: impl Fn(&Figures) -> f64) -> f64 {
    let mut values: Vec<f64> = figures.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn spread(figures: &[Figures], value: impl Fn(&Figures) -> f64) -> String {
    let values = || figures.iter().map(&value);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    format!("{:.3} ({least:.3} to {most:.3})", median(figures, &value))
}
