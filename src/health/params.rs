//! The part of a check that decides, within bounds that a machine can rely on.

use crate::model::{Check, FailAtOnce};
use std::time::Duration;

/// No cadence is faster than this, whatever the policy says.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// The most that a start may come after its place in the cadence, in percent of an interval: with more, two could crowd.
pub const MOST_JITTER_PERCENT: u8 = 50;

/// Outcomes in a row, at most: so many starts of failed probes a machine keeps.
pub const MOST_IN_A_ROW: u32 = 1000;

/// The part of a [`Check`] that decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Params {
    /// From the start of one probe to the start of the next, while the target is up and its last probe passed.
    pub interval: Duration,
    /// The same while it is down and its last probe failed.
    pub interval_down: Duration,
    /// The same between the two: some of the failures that take it out were seen, or of the successes that bring it back.
    pub interval_changing: Duration,
    /// Bounds each probe.
    pub timeout: Duration,
    /// Successes in a row that bring a server back; 1 to [`MOST_IN_A_ROW`].
    pub rise: u32,
    /// Failures in a row that take a server out; 1 to [`MOST_IN_A_ROW`].
    pub fall: u32,
    /// So much of an interval a start may come after its place in the cadence, in percent, 0..=[`MOST_JITTER_PERCENT`].
    pub jitter_percent: u8,
    /// Failures that take a server out at the first time.
    pub fail_at_once: FailAtOnce,
}

impl From<&Check> for Params {
    fn from(check: &Check) -> Self {
        Self {
            interval: check.interval,
            interval_down: check.interval_down,
            interval_changing: check.interval_changing,
            timeout: check.timeout,
            rise: check.rise,
            fall: check.fall,
            jitter_percent: check.jitter_percent,
            fail_at_once: check.fail_at_once.clone(),
        }
    }
}

impl Params {
    /// One interval for all states, no jitter, nothing that decides at once.
    #[must_use]
    pub fn plain(interval: Duration, timeout: Duration, rise: u32, fall: u32) -> Self {
        Self {
            interval,
            interval_down: interval,
            interval_changing: interval,
            timeout,
            rise,
            fall,
            jitter_percent: 0,
            fail_at_once: FailAtOnce::default(),
        }
    }

    /// Every number within its bounds.
    #[must_use]
    pub fn bounded(self) -> Self {
        Self {
            interval: self.interval.max(SHORTEST_INTERVAL),
            interval_down: self.interval_down.max(SHORTEST_INTERVAL),
            interval_changing: self.interval_changing.max(SHORTEST_INTERVAL),
            rise: self.rise.clamp(1, MOST_IN_A_ROW),
            fall: self.fall.clamp(1, MOST_IN_A_ROW),
            jitter_percent: self.jitter_percent.min(MOST_JITTER_PERCENT),
            ..self
        }
    }

    /// The counter of a target that is up and whose last probe passed.
    #[must_use]
    pub const fn top(&self) -> u32 {
        self.rise + self.fall - 1
    }

    /// The interval that a counter of [`super::Machine`] asks for.
    #[must_use]
    pub fn interval_at(&self, counter: u32) -> Duration {
        if counter == self.top() {
            self.interval
        } else if counter == 0 {
            self.interval_down
        } else {
            self.interval_changing
        }
    }

    /// The most that a start may come after its place where this is the interval.
    #[must_use]
    pub fn most_jitter(&self, interval: Duration) -> Duration {
        interval * u32::from(self.jitter_percent) / 100
    }
}
