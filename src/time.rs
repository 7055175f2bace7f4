//! Time as data. The pure modules never read a clock: an [`Instant`] comes in with each input.
//!
//! It counts microseconds since the start of the process (or of the simulation), so tests write times as
//! literals and every deadline is comparable. The shells convert from `tokio::time::Instant` at the edge.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment: microseconds since start, never negative. 64 bits last for half a million years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The start of time.
    pub const ZERO: Self = Self(0);

    /// The moment `micros` microseconds after start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `millis` milliseconds after start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Whole microseconds of a duration; what is longer than 64 bits hold is "never".
fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_exact_to_the_microsecond_and_saturates() {
        let start = Instant::from_millis(1_500);
        assert_eq!((start + Duration::from_micros(1)).as_micros(), 1_500_001);
        assert_eq!(start - Duration::from_secs(9), Instant::ZERO);
        assert_eq!(Instant::ZERO.saturating_since(start), Duration::ZERO);
        assert_eq!(start.to_string(), "1.500000s");
    }
}
