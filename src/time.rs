//! Time as data. The pure modules never read a clock: an [`Instant`] comes in with each input.
//!
//! It counts microseconds since the start of the process (or of the simulation), so tests write times as
//! literals and every deadline is comparable. The shells convert from `tokio::time::Instant` at the edge.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::num::{NonZeroU16, NonZeroU64};
use std::ops::{Add, Sub};
use std::time::Duration;

/// Whole milliseconds of a duration, as JSON has them; the largest number where there are more than it can say.
#[must_use]
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A moment: microseconds since start, never negative. 64 bits last for half a million years. As JSON it is their number: what one
/// process hands on to another that counts from the same start.
///
/// Held as one more than that, so that no moment is 0 and an `Option` of one takes no more room: each check of each server keeps
/// several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Instant(NonZeroU64);

impl Instant {
    /// The start of time.
    pub const ZERO: Self = Self(NonZeroU64::MIN);

    /// The moment `micros` microseconds after start.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(micros))
    }

    /// The moment `millis` milliseconds after start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self::from_micros(millis.saturating_mul(1_000))
    }

    /// Microseconds since start.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0.get() - 1
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::ZERO
    }
}

impl From<u64> for Instant {
    fn from(micros: u64) -> Self {
        Self::from_micros(micros)
    }
}

impl From<Instant> for u64 {
    fn from(instant: Instant) -> Self {
        instant.as_micros()
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
        Self::from_micros(self.as_micros().saturating_sub(micros(duration)))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:06}s", self.as_micros() / 1_000_000, self.as_micros() % 1_000_000)
    }
}

/// The unit of VRRP version 3's advertisement interval (RFC 9568, section 5.2.7): 1..=4095 centiseconds, so 10 ms to 40.95 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Centiseconds(NonZeroU16);

impl Centiseconds {
    /// The field on the wire has 12 bits.
    pub const MOST: u16 = 0x0fff;

    /// So many centiseconds, 1..=4095; `None` outside.
    #[must_use]
    pub const fn new(count: u16) -> Option<Self> {
        match NonZeroU16::new(count) {
            Some(count) if count.get() <= Self::MOST => Some(Self(count)),
            _ => None,
        }
    }

    /// Exactly this duration; `None` where it is no multiple of 10 ms or out of range: rounding would make the two ends
    /// disagree.
    #[must_use]
    pub fn exactly(duration: Duration) -> Option<Self> {
        let count = Self::new(u16::try_from(duration.as_millis() / 10).ok()?)?;
        (count.duration() == duration).then_some(count)
    }

    /// The number on the wire, 1..=4095.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0.get() as u64 * 10)
    }
}

impl fmt::Display for Centiseconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:02}s", self.get() / 100, self.get() % 100)
    }
}

/// A moment in UTC, Unix time in milliseconds, as RFC 3339 writes it: `2026-11-29T05:48:15.123Z`.
#[must_use]
pub fn utc(unix_ms: u64) -> String {
    let (days, day_ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (day_ms / 3_600_000, day_ms / 60_000 % 60, day_ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", day_ms % 1_000)
}

/// Year, month and day of a number of days since 1970-01-01. Counted from 0000-03-01, so that the leap day is the last of its
/// year: 400 years have 146,097 days, and the months from March on 31, 30, 31, 30, 31 days again and again.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_its_date() {
        for (unix_ms, date) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_700_000_000_007, "2023-11-14T22:13:20.007Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(utc(unix_ms), date);
        }
    }

    #[test]
    fn arithmetic_is_exact_to_the_microsecond_and_saturates() {
        let start = Instant::from_millis(1_500);
        assert_eq!((start + Duration::from_micros(1)).as_micros(), 1_500_001);
        assert_eq!(start - Duration::from_secs(9), Instant::ZERO);
        assert_eq!(Instant::ZERO.saturating_since(start), Duration::ZERO);
        assert_eq!(start.to_string(), "1.500000s");
    }

    #[test]
    fn a_moment_is_its_number_and_takes_no_more_room_where_it_may_be_missing() {
        let moment = Instant::from_micros(7);
        assert_eq!(serde_json::to_string(&[Some(moment), None]).expect("JSON"), "[7,null]");
        assert_eq!(serde_json::from_str::<Instant>("7").expect("a moment"), moment);
        assert_eq!(size_of::<Option<Instant>>(), size_of::<u64>());
        assert!(Instant::default() == Instant::ZERO && Instant::from_micros(u64::MAX) > moment);
    }

    #[test]
    fn centiseconds_are_twelve_bits_without_zero_and_never_rounded() {
        assert_eq!(Centiseconds::new(0), None);
        assert_eq!(Centiseconds::new(4_096), None);
        let longest = Centiseconds::new(4_095).expect("the longest");
        assert_eq!(longest.duration(), Duration::from_millis(40_950));
        assert_eq!(longest.to_string(), "40.95s");
        assert_eq!(Centiseconds::exactly(Duration::from_millis(40_950)), Some(longest));
        for wrong in [
            Duration::ZERO,
            Duration::from_millis(9),
            Duration::from_micros(10_001),
            Duration::from_secs(41),
            Duration::MAX,
        ] {
            assert_eq!(Centiseconds::exactly(wrong), None, "{wrong:?}");
        }
    }
}
