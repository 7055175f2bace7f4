//! The one place where the pools' loop reads a clock (shell): tokio's to ours and back, and ours to the calendar.

use crate::time::Instant;
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
