//! Events that one mail tells. Pure.
//!
//! What happens within a time from the first event on goes into one mail: a failover is one, and so is the loss of a site. The
//! first [`MOST_LISTED`] are kept, of the others their number, and always the first of the gravest.

use crate::control::EventRecord;
use crate::time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// Events that a mail lists, at most.
pub(super) const MOST_LISTED: usize = 100;

/// Collects events until they are due.
#[derive(Debug)]
pub(super) struct Digest {
    window: Duration,
    open: Option<(Instant, Collected)>,
}

/// What was collected: at least one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Collected {
    /// The oldest first.
    pub(super) listed: Vec<Arc<EventRecord>>,
    /// The first of the gravest, listed or not.
    pub(super) gravest: Arc<EventRecord>,
    /// All of them.
    pub(super) number: u64,
}

impl Digest {
    pub(super) const fn new(window: Duration) -> Self {
        Self { window, open: None }
    }

    pub(super) fn add(&mut self, event: Arc<EventRecord>, now: Instant) {
        let Some((_, collected)) = &mut self.open else {
            let collected = Collected { listed: vec![Arc::clone(&event)], gravest: event, number: 1 };
            self.open = Some((now + self.window, collected));
            return;
        };
        collected.number += 1;
        if event.severity > collected.gravest.severity {
            collected.gravest = Arc::clone(&event);
        }
        if collected.listed.len() < MOST_LISTED {
            collected.listed.push(event);
        }
    }

    /// When what was collected is to be told; `None` where nothing was.
    pub(super) fn due(&self) -> Option<Instant> {
        self.open.as_ref().map(|(due, _)| *due)
    }

    pub(super) fn take(&mut self) -> Option<Collected> {
        self.open.take().map(|(_, collected)| collected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event_record;
    use crate::model::Severity;

    fn event(id: u64, severity: Severity) -> Arc<EventRecord> {
        Arc::new(EventRecord { severity, ..event_record(id) })
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    #[test]
    fn what_follows_the_first_within_the_time_goes_with_it_and_does_not_put_it_off() {
        let mut digest = Digest::new(Duration::from_secs(10));
        assert_eq!((digest.due(), digest.take()), (None, None));
        digest.add(event(1, Severity::Warning), at(5));
        digest.add(event(2, Severity::Error), at(9));
        digest.add(event(3, Severity::Error), at(14));
        assert_eq!(digest.due(), Some(at(15)));
        let collected = digest.take().expect("events");
        let ids: Vec<u64> = collected.listed.iter().map(|event| event.id).collect();
        assert_eq!((ids, collected.gravest.id, collected.number), (vec![1, 2, 3], 2, 3));
        digest.add(event(4, Severity::Info), at(20));
        assert_eq!(digest.due(), Some(at(30)), "the next begins with its own first event");
    }

    #[test]
    fn a_burst_is_one_mail_of_bounded_length_that_still_names_the_gravest() {
        let mut digest = Digest::new(Duration::from_secs(10));
        (1..=50_000).for_each(|id| {
            let severity = if id == 40_000 { Severity::Error } else { Severity::Warning };
            digest.add(event(id, severity), at(1));
        });
        let collected = digest.take().expect("events");
        assert_eq!((collected.listed.len(), collected.number), (MOST_LISTED, 50_000));
        assert_eq!(collected.gravest.id, 40_000);
    }
}
