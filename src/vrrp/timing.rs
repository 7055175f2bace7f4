//! The timers of VRRP, exact to the microsecond (RFC 9568, section 6.1; RFC 3768, section 6.1).

use crate::model::VrrpVersion;
use std::time::Duration;

/// Advertisements that may be missed: the "3" of the down interval.
const MISSED_ADVERTISEMENTS: u32 = 3;
/// One more than the highest priority.
const PRIORITIES: u32 = 256;

/// What a Backup counts with: the interval of the Master that it hears, and the version that it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub version: VrrpVersion,
    /// Advertisement interval of the Master.
    pub interval: Duration,
}

impl Pace {
    /// Skew time: the higher the priority, the shorter. Version 3 scales it with the Master's interval; in version 2 it is a
    /// part of a second, whatever the interval.
    #[must_use]
    pub fn skew_time(self, priority: u8) -> Duration {
        let unit = match self.version {
            VrrpVersion::V2 => Duration::from_secs(1),
            VrrpVersion::V3 => self.interval,
        };
        unit * (PRIORITIES - u32::from(priority)) / PRIORITIES
    }

    /// How long silence lasts before the Master is taken for dead: three intervals and the skew time.
    #[must_use]
    pub fn down_interval(self, priority: u8) -> Duration {
        self.interval * MISSED_ADVERTISEMENTS + self.skew_time(priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(version: VrrpVersion, interval_ms: u64) -> Pace {
        Pace { version, interval: Duration::from_millis(interval_ms) }
    }

    #[test]
    fn skew_time_of_version_3_scales_with_the_masters_interval() {
        let skew = |priority| pace(VrrpVersion::V3, 100).skew_time(priority).as_nanos();
        assert_eq!([1, 100, 254, 255].map(skew), [99_609_375, 60_937_500, 781_250, 390_625]);
    }

    #[test]
    fn skew_time_of_version_2_is_a_part_of_a_second_at_any_interval() {
        let skew = |priority| pace(VrrpVersion::V2, 5_000).skew_time(priority).as_nanos();
        assert_eq!([1, 100, 254, 255].map(skew), [996_093_750, 609_375_000, 7_812_500, 3_906_250]);
    }

    #[test]
    fn the_down_interval_is_three_intervals_and_the_skew_time() {
        let down = |priority| pace(VrrpVersion::V3, 100).down_interval(priority).as_nanos();
        assert_eq!([1, 100, 254, 255].map(down), [399_609_375, 360_937_500, 300_781_250, 300_390_625]);
        assert_eq!(
            pace(VrrpVersion::V2, 1_000).down_interval(100),
            Duration::from_secs(3) + Duration::from_nanos(609_375_000)
        );
    }
}
