//! Whether advertisements came on time: each against the one before, and all against a canary that slept beside them.

use crate::stage::adverts::Adverts;
use crate::stage::{OTHER, PREFERRED};
use std::time::{Duration, Instant};

/// An advertisement later than the canary by more than this breaks the promise.
const LATER: Duration = Duration::from_millis(5);

/// How late each advertisement came after the one before of the same director, ascending. Between two terms of a Master there
/// is none.
pub(crate) fn lateness(
    adverts: &Adverts,
    interval: Duration,
    since: Instant,
    until: Instant,
) -> Vec<Duration> {
    let of = |director| adverts.times_of(director, since, until);
    let mut late: Vec<Duration> = [PREFERRED, OTHER]
        .into_iter()
        .flat_map(|director| of(director).windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>())
        .filter(|gap| *gap < interval * 10)
        .map(|gap| gap.saturating_sub(interval))
        .collect();
    late.sort();
    late
}

/// Prints whether the promise is kept, and says so. `machine` is the worst of the canary.
pub(crate) fn on_time(late: &[Duration], machine: Duration, real_time: bool) -> bool {
    let Some(worst) = late.last() else {
        println!("  BROKEN: no advertisement was heard");
        return false;
    };
    let kept = *worst <= machine + LATER;
    let verdict = if kept { "kept:  " } else { "BROKEN:" };
    let note = if real_time { "" } else { ", without real time" };
    println!(
        "  {verdict} {} advertisements, late by {worst:.1?} at most; the canary {machine:.1?}{note}",
        late.len()
    );
    kept
}
