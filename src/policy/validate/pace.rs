//! How often a check asks: its intervals and their jitter, and what decides at the first time.

use crate::model::{Check, FailAtOnce, ProbeSpec};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Field, OneOrMore};
use crate::policy::scalar::duration_words;
use crate::policy::schema::{AtOnceText, CheckUseText, Interval};
use crate::policy::source::Span;
use std::time::Duration;

/// From start to start of a check's probes.
pub(super) struct Pace {
    pub(super) interval: Duration,
    pub(super) down: Duration,
    pub(super) changing: Duration,
    pub(super) timeout: Duration,
    pub(super) jitter_percent: u8,
}

/// The pace of a check; an interval that is not said is the one of a target that is up.
pub(super) fn pace(text: &CheckUseText, problems: &mut Problems) -> Pace {
    let interval = text.interval.value().map_or(defaults::INTERVAL, |interval| interval.0);
    let timeout = text.timeout.value().map_or(defaults::TIMEOUT, |timeout| timeout.0);
    let or_interval = |field: &Field<Interval>| field.value().map_or(interval, |said| said.0);
    let jitter = text.jitter.value().map_or(defaults::JITTER_PERCENT, |jitter| jitter.0);
    let said = text.timeout.span().or(text.interval.span());
    timeout_within(interval, timeout, said, problems);
    for field in [&text.interval_down, &text.interval_changing] {
        if let Some(said) = field.given().filter(|_| timeout <= interval) {
            timeout_within(said.value.0, timeout, Some(said.span), problems);
        }
    }
    Pace {
        interval,
        down: or_interval(&text.interval_down),
        changing: or_interval(&text.interval_changing),
        timeout,
        jitter_percent: u8::try_from(jitter).unwrap_or(u8::MAX),
    }
}

fn timeout_within(interval: Duration, timeout: Duration, said: Option<Span>, problems: &mut Problems) {
    let Some(span) = said.filter(|_| timeout > interval) else { return };
    let (interval, timeout) = (duration_words(interval), duration_words(timeout));
    let message = format!("a probe may last {timeout}, longer than the {interval} to the next one");
    problems.push(
        Diagnostic::new(Code::TimeoutOverInterval, span, message)
            .help(format!("write a timeout of at most {interval}, or a longer interval")),
    );
}

/// The failures that decide at the first time.
pub(super) fn at_once(field: &Field<OneOrMore<AtOnceText>>) -> FailAtOnce {
    let mut at_once = FailAtOnce::default();
    for said in field.value().map(|list| list.0.as_slice()).unwrap_or_default() {
        match &said.value {
            AtOnceText::Status(status) => at_once.statuses.push(status.0.clone()),
            AtOnceText::Reason(reason) => drop(at_once.reasons.insert(reason)),
        }
    }
    at_once
}

/// Warns of what can never come about: a status of a probe that has none, or one that counts as success.
pub(super) fn at_once_can_happen(check: &Check, text: &CheckUseText, whole: Span, problems: &mut Problems) {
    let kind = check.probe.kind();
    for said in text.fail_at_once.value().map(|list| list.0.as_slice()).unwrap_or_default() {
        let AtOnceText::Status(status) = &said.value else { continue };
        let range = &status.0;
        let words = if range.start() == range.end() {
            range.start().to_string()
        } else {
            format!("{}-{}", range.start(), range.end())
        };
        let message = match &check.probe {
            ProbeSpec::Http(spec) => {
                let accepted = |status| spec.status.iter().any(|range| range.contains(&status));
                if !range.clone().all(accepted) {
                    continue;
                }
                format!("{} counts as success, so it never fails at once", quoted(&words))
            }
            _ => format!("`fail_at_once: {words}` means nothing to {kind}, whose answer has no status"),
        };
        if whole.contains(said.span) {
            problems.push(
                Diagnostic::new(Code::CheckKeyUnused, said.span, message)
                    .help("leave it out, or name another failure"),
            );
        }
    }
}
