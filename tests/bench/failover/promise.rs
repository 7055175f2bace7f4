//! What Tandem promises, held against the figures.

use crate::arguments::NamedSetting;
use crate::cycle::{Event, Results, key};
use crate::stage::program::Program;
use crate::table::{blackouts, milliseconds, summary, worst_without_machine};
use std::time::Duration;

/// Of the median at an equal interval: what is allowed beyond keepalived's, the larger of the two.
const RATIO_MAX: f64 = 1.05;
const BEYOND_MAX: Duration = Duration::from_millis(2);
/// Two holders after SIGKILL: the lifetime of an address and a second.
const TWO_HOLDERS_MAX: Duration = Duration::from_secs(4);
/// Events in which nothing may be lost.
const PLANNED: [Event; 5] =
    [Event::LinkReturn, Event::Terminate, Event::Return, Event::Release, Event::ReturnAfterRelease];

/// Prints each promise of a setting; whether all were kept.
pub(crate) fn print(setting: NamedSetting, results: &Results) -> bool {
    let mut kept = true;
    let mut judge = |what: String, holds: bool| {
        println!("  {} {what}", if holds { "kept:  " } else { "BROKEN:" });
        kept &= holds;
    };
    for event in PLANNED {
        if let Some(outcomes) = results.get(&(event, key(Program::Tandem))) {
            let lost: usize = outcomes.iter().map(|outcome| outcome.lost).sum();
            judge(format!("{event}: no ping lost; it is {lost}"), lost == 0);
        }
    }
    if let Some(outcomes) = results.get(&(Event::LinkCut, key(Program::Tandem))) {
        let (median, worst) = (blackouts(outcomes).median, worst_without_machine(outcomes));
        for (name, value, limit) in limits(setting, results, median, worst) {
            let [value_ms, limit_ms] = [value, limit].map(milliseconds);
            judge(format!("link cut: {name} at most {limit_ms:.1} ms; it is {value_ms:.1}"), value <= limit);
        }
    }
    if let Some(outcomes) = results.get(&(Event::Kill, key(Program::Tandem))) {
        let worst = summary(outcomes.iter().filter_map(|outcome| Some(outcome.both?.0))).worst;
        judge(format!("SIGKILL: two holders for 4 s at most; it is {worst:.2?}"), worst <= TWO_HOLDERS_MAX);
    }
    kept
}

/// The limits of a link cut: name, value, limit.
fn limits(
    setting: NamedSetting,
    results: &Results,
    median: Duration,
    worst: Duration,
) -> Vec<(&'static str, Duration, Duration)> {
    let fixed = |median_ms, worst_ms| {
        let [median_max, worst_max] = [median_ms, worst_ms].map(Duration::from_millis);
        vec![("median", median, median_max), ("worst", worst, worst_max)]
    };
    let mut limits = match setting {
        NamedSetting::Default => fixed(340, 400),
        NamedSetting::V3At10Ms => fixed(34, 42),
        NamedSetting::V3At100Ms | NamedSetting::V2 => Vec::new(),
    };
    let theirs = results.get(&(Event::LinkCut, key(Program::Keepalived)));
    if let Some(theirs) = theirs.filter(|_| setting != NamedSetting::Default) {
        let theirs = blackouts(theirs).median;
        limits.push((
            "median beside keepalived's",
            median,
            theirs.mul_f64(RATIO_MAX).max(theirs + BEYOND_MAX),
        ));
    }
    limits
}
