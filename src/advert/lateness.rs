//! How late the advert thread wakes up, and when that is too late. Pure.
//!
//! A Backup takes over when it has heard nothing for three intervals and its skew time (RFC 9568, section 6.1). A Master that
//! wakes up late by L leaves a gap of one interval and L. So that even one lost advertisement does not cost the mastership,
//! L must stay below interval + skew: that is the margin. Beyond half of it a warning is due, while nothing has happened yet.

use crate::director::histogram::Histogram;
use crate::time::Instant;
use std::time::Duration;

/// Lateness is told at most so often.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Bounds for the lateness of a wake-up: from a good real-time thread to one that has lost its mastership.
pub const WAKE_UP_BOUNDS: &[Duration] = &[
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// Whether a wake-up that was `late` has eaten more than half of the margin of a router with this interval and skew time.
#[must_use]
pub fn margin_eaten(late: Duration, interval: Duration, skew: Duration) -> bool {
    late > interval.saturating_add(skew) / 2
}

/// The wake-ups of one thread or one router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lateness {
    pub histogram: Histogram,
    /// The worst since the start.
    pub worst: Duration,
    /// Wake-ups that ate the margin.
    pub margin_eaten: u64,
    /// When one of them was last told.
    told_at: Option<Instant>,
}

impl Default for Lateness {
    fn default() -> Self {
        Self {
            histogram: Histogram::new(WAKE_UP_BOUNDS),
            worst: Duration::ZERO,
            margin_eaten: 0,
            told_at: None,
        }
    }
}

impl Lateness {
    /// Counts a wake-up at `at`, and says whether to tell that it ate the margin: on a host that stands still again and again
    /// each one would.
    pub fn record(&mut self, at: Instant, late: Duration, interval: Duration, skew: Duration) -> bool {
        self.histogram.record(late);
        self.worst = self.worst.max(late);
        let eaten = margin_eaten(late, interval, skew);
        self.margin_eaten += u64::from(eaten);
        let tells = eaten && self.told_at.is_none_or(|last| last + TELL_EVERY <= at);
        if tells {
            self.told_at = Some(at);
        }
        tells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Priority 100 at 100 ms: skew time 60.9 ms, margin 160.9 ms.
    const INTERVAL: Duration = Duration::from_millis(100);
    const SKEW: Duration = Duration::from_micros(60_900);

    #[test]
    fn the_margin_is_eaten_above_half_of_interval_and_skew_time() {
        assert!(!margin_eaten(Duration::from_micros(80_450), INTERVAL, SKEW));
        assert!(margin_eaten(Duration::from_micros(80_451), INTERVAL, SKEW));
        assert!(!margin_eaten(Duration::from_secs(1), Duration::MAX, SKEW));
    }

    #[test]
    fn wake_ups_are_counted_by_range_with_the_worst_and_the_dangerous() {
        let mut lateness = Lateness::default();
        let at = Instant::from_millis(500);
        assert!(!lateness.record(at, Duration::from_micros(100), INTERVAL, SKEW));
        assert!(lateness.record(at, Duration::from_millis(90), INTERVAL, SKEW));
        assert!(!lateness.record(at, Duration::from_micros(101), INTERVAL, SKEW));
        assert_eq!((lateness.worst, lateness.margin_eaten), (Duration::from_millis(90), 1));
        let counts: Vec<u64> = lateness.histogram.ranges().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    }

    #[test]
    fn lateness_that_goes_on_is_counted_each_time_and_told_every_ten_seconds() {
        let mut lateness = Lateness::default();
        let late = |step: u64| {
            lateness.record(Instant::from_millis(step * 100), Duration::from_millis(90), INTERVAL, SKEW)
        };
        assert_eq!((1..=250).map(late).filter(|told| *told).count(), 3);
        assert_eq!(lateness.margin_eaten, 250);
    }
}
