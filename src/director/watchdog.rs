//! Tells systemd that the director is alive, where its unit asks for that (`WatchdogSec`): the loop of the pools says it, as
//! long as both real-time threads have given a sign of life. One that hangs has the director killed and started again; its
//! table serves meanwhile, and the kernel takes its addresses away.
//!
//! Source: sd_watchdog_enabled(3).

use crate::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// A thread that is silent for longer hangs: the address thread may wait for the kernel's network lock for seconds.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// The loop that feeds the dog.
const OWN_LOOP: &str = "pools";

/// The dog, and what keeps it quiet.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    /// Whether the unit asks for signs of life at all.
    asked: bool,
    /// The thread whose silence was told.
    told: Option<&'static str>,
    /// When it was last fed.
    fed: Option<Instant>,
    /// By thread: how often it was silent for too long.
    silences: BTreeMap<&'static str, u64>,
}

impl Watchdog {
    /// As the unit says.
    pub(super) fn of_unit() -> Self {
        Self { asked: sd_notify::watchdog_enabled().is_some(), ..Self::default() }
    }

    /// Says that the director is alive, unless one of its threads is not; called by the loop, so that its own silence is one,
    /// too.
    pub(super) fn feed(&mut self, now: Instant, pulses: &[(&'static str, Instant)]) {
        self.count_own(now);
        for (thread, _) in pulses {
            self.silences.entry(thread).or_default();
        }
        let silent = silent(now, pulses);
        if silent != self.told {
            self.told = silent;
            if let Some(thread) = silent {
                *self.silences.entry(thread).or_default() += 1;
                tracing::error!(
                    "the thread `{thread}` has given no sign of life for {} s: where systemd watches, it will start the \
                     director anew; else restart it",
                    SILENT_AFTER.as_secs()
                );
            }
        }
        if self.asked && silent.is_none() {
            // Without systemd nobody listens, and nothing is lost.
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        }
    }

    /// By thread: how often it was silent for too long.
    pub(super) const fn silences(&self) -> &BTreeMap<&'static str, u64> {
        &self.silences
    }

    /// The loop that feeds the dog is silent, too, while it does not.
    fn count_own(&mut self, now: Instant) {
        let stood = self.fed.replace(now).map(|before| now.saturating_since(before)).unwrap_or_default();
        let count = self.silences.entry(OWN_LOOP).or_default();
        if stood > SILENT_AFTER {
            *count += 1;
            tracing::error!(
                "the loop of the pools stood still for {} s: is this machine overloaded?",
                stood.as_secs()
            );
        }
    }
}

/// The first thread that has been silent for too long.
fn silent(now: Instant, pulses: &[(&'static str, Instant)]) -> Option<&'static str> {
    let hangs = |(_, at): &&(&'static str, Instant)| now.saturating_since(*at) > SILENT_AFTER;
    pulses.iter().find(hangs).map(|(thread, _)| *thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dog_is_fed_only_while_every_thread_has_given_a_sign_of_life() {
        let now = Instant::from_millis(60_000);
        let pulses = |adverts: u64, addresses: u64| {
            [("adverts", Instant::from_millis(adverts)), ("addresses", Instant::from_millis(addresses))]
        };
        assert_eq!(silent(now, &pulses(59_990, 55_000)), None);
        assert_eq!(silent(now, &pulses(59_990, 54_999)), Some("addresses"));
        assert_eq!(silent(now, &pulses(1_000, 60_000)), Some("adverts"));
        assert_eq!(silent(now, &[]), None, "a director without a pair has no such threads");
    }

    #[test]
    fn a_silence_is_told_once_and_again_after_it_was_over() {
        let mut watchdog = Watchdog::default();
        let now = Instant::from_millis(60_000);
        watchdog.feed(now, &[("adverts", Instant::ZERO)]);
        assert_eq!(watchdog.told, Some("adverts"));
        watchdog.feed(now, &[("adverts", now)]);
        assert_eq!(watchdog.told, None);
        assert_eq!(*watchdog.silences(), [("adverts", 1), ("pools", 0)].into());
    }

    #[test]
    fn a_loop_that_stood_still_has_been_silent_itself() {
        let mut watchdog = Watchdog::default();
        for seconds in [10, 15, 21, 22] {
            watchdog.feed(Instant::from_millis(seconds * 1_000), &[]);
        }
        assert_eq!(*watchdog.silences(), [("pools", 1)].into());
    }
}
