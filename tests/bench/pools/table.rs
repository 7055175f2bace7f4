//! The figures, a line for each event and pool, and what is promised of them.

use crate::cycle::{Event, Outcome, Results};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) fn print(repetitions: usize, results: &Results) {
    println!(
        "\nconf/pair.yaml, {repetitions} repetitions, a new connection every 10 ms through each pool; times in ms"
    );
    println!(
        "{:<21} {:<9} {:>11} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8} {:>9} {:>7}",
        "", "", "connections", "failed", "worst", "late", "worst", "median", "worst", "-machine", "canary"
    );
    for ((event, pool), outcomes) in results {
        let sum = |count: fn(&Outcome) -> usize| outcomes.iter().map(count).sum::<usize>();
        let most = |count: fn(&Outcome) -> usize| outcomes.iter().map(count).max().unwrap_or_default();
        let (median, worst) = median_and_worst(outcomes.iter().map(|outcome| outcome.account.blackout));
        let without =
            outcomes.iter().map(|outcome| outcome.account.blackout.saturating_sub(outcome.canary)).max();
        let canary = outcomes.iter().map(|outcome| outcome.canary).max();
        println!(
            "{event:<21} {pool:<9} {:>11} {:>7} {:>7} {:>7} {:>7} {:>8.0} {:>8.0} {:>9.0} {:>7.0}",
            sum(|outcome| outcome.account.connections),
            sum(|outcome| outcome.account.failed),
            most(|outcome| outcome.account.failed),
            sum(|outcome| outcome.account.late),
            most(|outcome| outcome.account.late),
            milliseconds(median),
            milliseconds(worst),
            milliseconds(without.unwrap_or_default()),
            milliseconds(canary.unwrap_or_default()),
        );
    }
    for ((event, pool), outcomes) in results {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for (reason, count) in outcomes.iter().flat_map(|outcome| &outcome.reasons) {
            *reasons.entry(reason).or_default() += count;
        }
        if !reasons.is_empty() {
            println!("  {event}, {pool}: {reasons:?}");
        }
    }
    for ((event, pool), outcomes) in results {
        for outcome in outcomes.iter().filter(|outcome| !outcome.troubled.is_empty()) {
            println!("  {event}, {pool}: {}", outcome.troubled.join("; "));
        }
    }
    println!(
        "  failed: refused, reset or unanswered after 3 s, in all repetitions and in the worst. late: answered, but a packet was \
         sent again.\n  median, worst: the longest time without a success. -machine: the worst, less what the canary was late in \
         that repetition.\n  canary: the most that it was late."
    );
}

/// Prints each promise; whether all were kept.
pub(crate) fn judge(results: &Results) -> bool {
    let events: BTreeSet<Event> = results.keys().map(|(event, _)| *event).collect();
    let mut kept = true;
    for event in events.into_iter().filter(|event| event.is_planned()) {
        let of_event = results.iter().filter(|((found, _), _)| *found == event);
        let failed: usize =
            of_event.flat_map(|(_, outcomes)| outcomes).map(|outcome| outcome.account.failed).sum();
        println!(
            "  {} {event}: no failed connection; it is {failed}",
            if failed == 0 { "kept:  " } else { "BROKEN:" }
        );
        kept &= failed == 0;
    }
    kept
}

fn median_and_worst(values: impl Iterator<Item = Duration>) -> (Duration, Duration) {
    let mut values: Vec<Duration> = values.collect();
    values.sort();
    let Some(worst) = values.last() else { return Default::default() };
    ((values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2, *worst)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
