//! The one place where the pools' loop reads a clock (shell): tokio's to ours and back, and ours to the calendar.

use crate::time::Instant;
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Counts from the start of the director.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }

    /// Counts from that of another process: its microseconds since the host booted (`CLOCK_MONOTONIC`).
    pub(super) fn since_boot(micros: u64) -> Self {
        let now = tokio::time::Instant::now();
        let passed = Duration::from_micros(monotonic_micros().saturating_sub(micros));
        Self { start: now.checked_sub(passed).unwrap_or(now) }
    }

    /// The start as microseconds since the host booted.
    pub(super) fn boot_micros(self) -> u64 {
        let passed = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        monotonic_micros().saturating_sub(passed)
    }

    /// Tokio's instant of [`Instant::ZERO`].
    pub(super) const fn started(self) -> tokio::time::Instant {
        self.start
    }

    pub(super) fn now(self) -> Instant {
        self.at(tokio::time::Instant::now())
    }

    /// Our instant of tokio's.
    pub(super) fn at(self, instant: tokio::time::Instant) -> Instant {
        Instant::ZERO + instant.saturating_duration_since(self.start)
    }

    /// Tokio's instant of ours.
    pub(super) fn when(self, instant: Instant) -> tokio::time::Instant {
        self.start + instant.saturating_since(Instant::ZERO)
    }

    /// Unix time of [`Instant::ZERO`], by the wall clock as it is now: a stepped clock moves what is shown and nothing that
    /// is decided.
    pub(super) fn epoch(self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "timestamps for people are the wall clock's")]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        wall.saturating_sub(self.start.elapsed())
    }
}

/// The clock that `std::time::Instant` and tokio read, as a number that means the same in every process.
fn monotonic_micros() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn another_process_counts_from_the_same_start() {
        let clock = Clock { start: tokio::time::Instant::now() - Duration::from_secs(5) };
        let other = Clock::since_boot(clock.boot_micros());
        let apart = other.started().max(clock.started()) - other.started().min(clock.started());
        assert!(apart < Duration::from_millis(1), "{apart:?}");
    }
}
