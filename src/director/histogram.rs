//! A histogram for pure code: fixed bounds, counts and a sum. No atomics, no clock, no registry.

use std::time::Duration;

/// Bounds for how long a probe takes: from a neighbour on the link to a time-out of ten seconds.
pub const PROBE_BOUNDS: &[Duration] = &[
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
    Duration::from_millis(2_500),
    Duration::from_secs(5),
    Duration::from_secs(10),
];

/// Bounds for how late something starts: what is within 10 ms is in time.
pub const LATENESS_BOUNDS: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// Bounds for how long a pass over the kernel's tables takes: from one change to tens of thousands.
pub const PASS_BOUNDS: &[Duration] = &[
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
    Duration::from_secs(5),
];

/// How often durations fell into which range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    bounds: &'static [Duration],
    /// One more than there are bounds: the last counts what is above all of them.
    counts: Box<[u64]>,
    sum: Duration,
}

impl Histogram {
    /// An empty histogram; `bounds` are the upper ends of its ranges, ascending, each belonging to its range.
    #[must_use]
    pub fn new(bounds: &'static [Duration]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1].into(), sum: Duration::ZERO }
    }

    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let range = self.bounds.partition_point(|bound| *bound < duration);
        self.counts[range] += 1;
        self.sum = self.sum.saturating_add(duration);
    }

    /// Durations counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their sum.
    #[must_use]
    pub const fn sum(&self) -> Duration {
        self.sum
    }

    /// The ranges in ascending order: the upper end (`None`: no end) and how many durations fell into this range alone.
    pub fn ranges(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let ends = self.bounds.iter().copied().map(Some).chain([None]);
        ends.zip(self.counts.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_range_that_it_does_not_exceed() {
        let mut histogram = Histogram::new(LATENESS_BOUNDS);
        for micros in [0, 1_000, 1_001, 1_000_000, 1_000_001, 9_000_000] {
            histogram.record(Duration::from_micros(micros));
        }
        let counts: Vec<_> = histogram.ranges().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!((histogram.count(), histogram.sum()), (6, Duration::from_micros(11_002_002)));
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [PROBE_BOUNDS, LATENESS_BOUNDS, PASS_BOUNDS] {
            assert!(bounds.is_sorted_by(|lower, upper| lower < upper));
        }
    }
}
