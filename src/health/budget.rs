//! How many probes may start in a second, over all targets: what is due beyond that waits, and is late.
//!
//! A policy that asks for more than a director can do must not take the loop's time for everything else, and a mistyped interval
//! must not flood the servers. Probes start at beats, so those of some beats may start at once.

use super::schedule::BEAT;
use crate::model::ProbeSettings;
use crate::time::Instant;
use std::time::Duration;

/// Starts of so long a time may come at once: one beat's, and the next one's where a turn was late.
const BURST: Duration = BEAT.saturating_mul(2);

/// What is left of the starts of now. Each start takes its share of a second, one after the other; they may be ahead of the clock
/// by the burst.
///
/// Source: the generic cell rate algorithm (ITU-T I.371, annex A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The share of one start.
    each: Duration,
    /// Until when all of the time is taken.
    taken: Instant,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(ProbeSettings::default())
    }
}

impl Budget {
    /// One of which nothing is taken.
    #[must_use]
    pub fn new(settings: ProbeSettings) -> Self {
        Self { each: share(settings), taken: Instant::ZERO }
    }

    /// From now on by other settings; what is taken stays so.
    pub fn renew(&mut self, settings: ProbeSettings) {
        self.each = share(settings);
    }

    /// From when on another probe may start.
    #[must_use]
    pub fn free_at(&self) -> Instant {
        self.taken - BURST
    }

    /// A probe starts at `at`, whether it may or not.
    pub fn spend(&mut self, at: Instant) {
        self.taken = self.taken.max(at) + self.each;
    }
}

/// In whole microseconds, rounded up: never more starts than were said.
fn share(settings: ProbeSettings) -> Duration {
    Duration::from_micros(1_000_000_u64.div_ceil(u64::from(settings.per_second.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `wanted` starts at each millisecond are made within `millis`.
    fn started(budget: &mut Budget, millis: std::ops::Range<u64>, wanted: usize) -> usize {
        let mut count = 0;
        for at in millis.map(Instant::from_millis) {
            for _ in 0..wanted {
                if budget.free_at() <= at {
                    budget.spend(at);
                    count += 1;
                }
            }
        }
        count
    }

    #[test]
    fn what_is_within_it_starts_when_it_is_due() {
        let mut budget = Budget::new(ProbeSettings { per_second: 1_000 });
        assert_eq!(started(&mut budget, 0..5_000, 1), 5_000);
    }

    #[test]
    fn no_second_has_more_than_its_starts_and_one_burst() {
        let mut budget = Budget::new(ProbeSettings { per_second: 1_000 });
        let burst = usize::try_from(BURST.as_millis()).expect("a small number") + 1;
        assert_eq!(started(&mut budget, 0..1, 10_000), burst, "the burst comes at once");
        assert_eq!(started(&mut budget, 1..1_001, 10_000), 1_000, "the rest as time passes");
        assert_eq!(started(&mut budget, 9_000..9_001, 10_000), burst, "what was not used is not saved up");
    }

    #[test]
    fn a_share_that_is_no_whole_number_is_rounded_up() {
        let mut budget = Budget::new(ProbeSettings { per_second: 300_000 });
        let second = started(&mut budget, 1_000..2_000, 1_000);
        assert!((250_000..=300_000).contains(&second), "{second}");
    }

    #[test]
    fn another_budget_holds_from_now_on() {
        let mut budget = Budget::new(ProbeSettings { per_second: 1_000 });
        started(&mut budget, 0..1_000, 10);
        budget.renew(ProbeSettings { per_second: 10_000 });
        let second = started(&mut budget, 1_000..2_000, 100);
        assert!((9_900..=10_000).contains(&second), "{second}: less what was ahead of the clock");
    }
}
