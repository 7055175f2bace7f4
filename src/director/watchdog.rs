//! Tells systemd that the director is alive, where its unit asks for that (`WatchdogSec`): the loop of the pools says it, as
//! long as both real-time threads have given a sign of life. One that hangs has the director killed and started again; its
//! table serves meanwhile, and the kernel takes its addresses away.
//!
//! Source: sd_watchdog_enabled(3).

use crate::time::Instant;
use std::time::Duration;

/// A thread that is silent for longer hangs: the address thread may wait for the kernel's network lock for seconds.
const SILENT_AFTER: Duration = Duration::from_secs(5);

/// The dog, and what keeps it quiet.
#[derive(Debug)]
pub(super) struct Watchdog {
    /// Whether the unit asks for signs of life at all.
    asked: bool,
    /// The thread whose silence was told.
    told: Option<&'static str>,
}

impl Watchdog {
    /// As the unit says.
    pub(super) fn of_unit() -> Self {
        Self { asked: sd_notify::watchdog_enabled().is_some(), told: None }
    }

    /// Says that the director is alive, unless one of its threads is not; called by the loop, so that its own silence is one,
    /// too.
    pub(super) fn feed(&mut self, now: Instant, pulses: &[(&'static str, Instant)]) {
        let silent = silent(now, pulses);
        if silent != self.told {
            self.told = silent;
            if let Some(thread) = silent {
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
        let mut watchdog = Watchdog { asked: false, told: None };
        let now = Instant::from_millis(60_000);
        watchdog.feed(now, &[("adverts", Instant::ZERO)]);
        assert_eq!(watchdog.told, Some("adverts"));
        watchdog.feed(now, &[("adverts", now)]);
        assert_eq!(watchdog.told, None);
    }
}
