//! One task at most, until a time that may be put off while it goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Until when the task goes on; `None`: there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct Until(Arc<Mutex<Option<Instant>>>);

impl Until {
    /// It goes on for so long from now; `true`: there is none yet, and it is to begin.
    pub(super) fn begins(&self, within: Duration) -> bool {
        self.lock().replace(Instant::now() + within).is_none()
    }

    /// How long it goes on; when the time is up there is no task any more, and the next one begins.
    pub(super) fn time_left(&self) -> Option<Duration> {
        let (mut until, now) = (self.lock(), Instant::now());
        until.take_if(|until| *until <= now);
        until.map(|until| until - now)
    }

    /// It ended before its time.
    pub(super) fn end(&self) {
        *self.lock() = None;
    }

    /// Whether there is one.
    pub(super) fn goes_on(&self) -> bool {
        self.lock().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_until_its_time_is_up() {
        let until = Until::default();
        assert!(!until.goes_on() && until.begins(Duration::from_secs(60)));
        assert!(!until.begins(Duration::from_secs(90)), "it goes on for longer");
        assert!(until.time_left() > Some(Duration::from_secs(60)));
        assert!(!until.begins(Duration::ZERO));
        assert_eq!((until.time_left(), until.goes_on()), (None, false));
        assert!(until.begins(Duration::from_secs(60)), "the next one");
        until.end();
        assert!(!until.goes_on());
    }
}
