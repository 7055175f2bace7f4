//! Looks after the director's threads, with or without systemd: one that has given no sign of life for long is told, and one
//! that hangs ends the director, so that whoever started it starts it anew; its table serves meanwhile, and the kernel takes its
//! addresses away. The loop of the pools, which does this, is looked after by [`super::guard`].
//!
//! Where the unit asks for it (`WatchdogSec`), systemd is told that the director is alive, as long as no thread is silent.
//!
//! Source: sd_watchdog_enabled(3).

use super::error::RunError;
use crate::stillness::Stillness;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// The loop that feeds the dog.
const OWN_LOOP: &str = "pools";
/// The thread that waits for the kernel and for the disk, in good order for longer than the others.
const KERNEL: &str = "kernel";

/// How long a thread may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Patience {
    /// Longer is told: the address thread may wait for the kernel's network lock for seconds.
    told: Duration,
    /// Longer ends the director; as long as systemd waits for the loop of the pools.
    ended: Duration,
}

/// Ten thousand elements took `nft` 1.5 s, and its time-out is 30 s; together with what the loop is given afterwards.
const OF_KERNEL: Patience = Patience { told: Duration::from_secs(20), ended: Duration::from_secs(40) };
const OF_OTHERS: Patience = Patience { told: Duration::from_secs(5), ended: Duration::from_secs(20) };

impl Patience {
    fn with(thread: &str) -> Self {
        if thread == KERNEL { OF_KERNEL } else { OF_OTHERS }
    }
}

/// The dog, and what keeps it quiet.
#[derive(Debug, Default)]
pub(super) struct Watchdog {
    /// Whether the unit asks for signs of life at all.
    asked: bool,
    /// The thread whose silence was told.
    told: Option<&'static str>,
    /// When it was last fed.
    fed: Option<Instant>,
    /// What was seen of each thread.
    seen: BTreeMap<&'static str, Stillness>,
    /// By thread: how often it was silent for too long.
    silences: BTreeMap<&'static str, u64>,
}

impl Watchdog {
    /// As the unit says.
    pub(super) fn of_unit() -> Self {
        Self { asked: sd_notify::watchdog_enabled().is_some(), ..Self::default() }
    }

    /// Says that the director is alive, unless one of its threads is not; called by the loop, so that its own silence is one,
    /// too. Each thread comes with the instant of its last sign of life.
    ///
    /// # Errors
    /// [`RunError::Hangs`]: a thread has been silent for so long that the director has to end.
    pub(super) fn feed(&mut self, now: Instant, pulses: &[(&'static str, Instant)]) -> Result<(), RunError> {
        self.count_own(now);
        self.seen.retain(|thread, _| pulses.iter().any(|(there, _)| there == thread));
        let mut silent = None;
        for (thread, pulse) in pulses {
            self.silences.entry(thread).or_default();
            let still = self.seen.entry(thread).or_default().look(pulse.as_micros(), now);
            let patience = Patience::with(thread);
            if still > patience.ended {
                return Err(RunError::Hangs { thread, seconds: still.as_secs() });
            }
            silent = silent.or((still > patience.told).then_some((*thread, still)));
        }
        self.tell(silent);
        if self.asked && silent.is_none() {
            // Without systemd nobody listens, and nothing is lost.
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        }
        Ok(())
    }

    fn tell(&mut self, silent: Option<(&'static str, Duration)>) {
        let thread = silent.map(|(thread, _)| thread);
        if std::mem::replace(&mut self.told, thread) == thread {
            return;
        }
        if let Some((thread, still)) = silent {
            *self.silences.entry(thread).or_default() += 1;
            tracing::error!(
                "the thread `{thread}` has given no sign of life for {} s: the director ends if this lasts, to be started anew",
                still.as_secs()
            );
        }
    }

    /// Whether a thread has been silent for too long.
    pub(super) const fn misses_one(&self) -> bool {
        self.told.is_some()
    }

    /// By thread: how often it was silent for too long.
    pub(super) const fn silences(&self) -> &BTreeMap<&'static str, u64> {
        &self.silences
    }

    /// The loop that feeds the dog is silent, too, while it does not.
    fn count_own(&mut self, now: Instant) {
        let stood = self.fed.replace(now).map(|before| now.saturating_since(before)).unwrap_or_default();
        let count = self.silences.entry(OWN_LOOP).or_default();
        if stood > OF_OTHERS.told {
            *count += 1;
            tracing::error!(
                "the loop of the pools stood still for {} s: is this machine overloaded?",
                stood.as_secs()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// Feeds every half second from then on, with the same signs; what came of it, and when.
    fn feed(
        watchdog: &mut Watchdog,
        from: u64,
        to: u64,
        pulses: &[(&'static str, Instant)],
    ) -> Option<(u64, RunError)> {
        let mut times = (from..=to).step_by(500);
        times.find_map(|millis| Some((millis, watchdog.feed(at(millis), pulses).err()?)))
    }

    #[test]
    fn a_thread_that_hangs_is_told_once_and_ends_the_director() {
        let mut watchdog = Watchdog::default();
        let pulses = [("addresses", at(0)), ("adverts", at(0))];
        assert!(feed(&mut watchdog, 60_000, 65_000, &pulses).is_none());
        assert_eq!(watchdog.told, None);
        assert!(feed(&mut watchdog, 65_500, 80_000, &pulses).is_none());
        assert_eq!(*watchdog.silences(), [("addresses", 1), ("adverts", 0), ("pools", 0)].into());
        let (when, error) = feed(&mut watchdog, 80_500, 90_000, &pulses).expect("it ends");
        assert!(matches!(error, RunError::Hangs { thread: "addresses", .. }), "{error}");
        assert_eq!(when, 80_500);
    }

    #[test]
    fn a_silence_that_is_over_is_told_again_when_it_comes_again() {
        let mut watchdog = Watchdog::default();
        for begun in [0, 10_000] {
            assert!(feed(&mut watchdog, begun, begun + 6_000, &[("adverts", at(begun))]).is_none());
            assert_eq!(watchdog.told, Some("adverts"));
        }
        assert_eq!(*watchdog.silences(), [("adverts", 2), ("pools", 0)].into());
    }

    #[test]
    fn the_kernel_may_take_longer() {
        let mut watchdog = Watchdog::default();
        assert!(feed(&mut watchdog, 0, 40_000, &[("kernel", at(0))]).is_none());
        assert!(feed(&mut watchdog, 40_500, 41_000, &[("kernel", at(0))]).is_some());
    }

    /// After SIGSTOP and SIGCONT the loop of the pools may be the first that goes on.
    #[test]
    fn a_director_that_stood_still_as_a_whole_is_given_time() {
        let mut watchdog = Watchdog::default();
        let pulses = [("adverts", at(0))];
        assert!(feed(&mut watchdog, 0, 1_000, &pulses).is_none());
        assert!(feed(&mut watchdog, 600_000, 602_000, &pulses).is_none());
        assert_eq!(watchdog.told, None);
        assert_eq!(*watchdog.silences(), [("adverts", 0), ("pools", 1)].into());
    }
}
