//! The figures of a setting, a line for each event and program.

use crate::arguments::NamedSetting;
use crate::cycle::{Event, Results, key};
use crate::pair::Outcome;
use crate::stage::program::Program;
use std::time::Duration;

/// What is said of many repetitions.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Summary {
    pub(crate) median: Duration,
    pub(crate) worst: Duration,
    pub(crate) least: Duration,
}

pub(crate) fn summary(values: impl Iterator<Item = Duration>) -> Summary {
    let mut values: Vec<Duration> = values.collect();
    values.sort();
    let (Some(least), Some(worst)) = (values.first(), values.last()) else { return Summary::default() };
    let median = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2;
    Summary { median, worst: *worst, least: *least }
}

/// The blackouts of an event.
pub(crate) fn blackouts(outcomes: &[Outcome]) -> Summary {
    summary(outcomes.iter().map(|outcome| outcome.blackout))
}

/// The worst blackout, less what the machine itself was late in the same repetition.
pub(crate) fn worst_without_machine(outcomes: &[Outcome]) -> Duration {
    summary(outcomes.iter().map(|outcome| outcome.blackout.saturating_sub(outcome.canary))).worst
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

pub(crate) fn print(setting: NamedSetting, repetitions: usize, results: &Results) {
    if results.is_empty() {
        return;
    }
    println!("\n{setting}, {repetitions} repetitions, a ping every 2 ms; blackouts in ms");
    println!(
        "{:<23} {:<10} {:>8} {:>8} {:>8} {:>9} {:>7} {:>7} {:>6} {:>7}  two holders",
        "", "", "median", "worst", "least", "-machine", "lost", "worst", "ratio", "canary"
    );
    for ((event, program), outcomes) in results {
        print_line(*event, program, outcomes, results);
    }
    println!(
        "  -machine: the worst, less what the canary was late in that repetition. lost: pings in all repetitions, and in \
         the worst. ratio: of the median to keepalived's. canary: the most that it was late."
    );
}

fn print_line(event: Event, program: &str, outcomes: &[Outcome], results: &Results) {
    let Summary { median, worst, least } = blackouts(outcomes);
    let theirs = results.get(&(event, key(Program::Keepalived))).map(|outcomes| blackouts(outcomes).median);
    let ratio = theirs
        .filter(|theirs| !theirs.is_zero() && program != key(Program::Keepalived))
        .map_or(String::new(), |theirs| format!("{:.2}", median.as_secs_f64() / theirs.as_secs_f64()));
    let canary = summary(outcomes.iter().map(|outcome| outcome.canary)).worst;
    println!(
        "{event:<23} {program:<10} {:>8.1} {:>8.1} {:>8.1} {:>9.1} {:>7} {:>7} {ratio:>6} {:>7.1}  {}",
        milliseconds(median),
        milliseconds(worst),
        milliseconds(least),
        milliseconds(worst_without_machine(outcomes)),
        outcomes.iter().map(|outcome| outcome.lost).sum::<usize>(),
        outcomes.iter().map(|outcome| outcome.lost).max().unwrap_or_default(),
        milliseconds(canary),
        two_holders(outcomes),
    );
}

/// For how long two directors held the VIP, where that was watched.
fn two_holders(outcomes: &[Outcome]) -> String {
    let watched: Vec<(Duration, bool)> = outcomes.iter().filter_map(|outcome| outcome.both).collect();
    if watched.is_empty() {
        return String::new();
    }
    let Summary { median, worst, .. } = summary(watched.iter().map(|(time, _)| *time));
    if watched.iter().any(|(_, still)| *still) {
        return format!("no end seen in {:.0} ms", milliseconds(worst));
    }
    format!("median {:.0} ms, worst {:.0} ms", milliseconds(median), milliseconds(worst))
}
