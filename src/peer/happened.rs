//! What another director says that happened there. Pure. It outlives the connection: why it went is asked when it has gone.

use crate::control::EventRecord;
use crate::model::DirectorName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events that are kept of one director, the newest.
pub const MOST_EVENTS: usize = 1_000;
/// Bytes of one event as JSON: longer ones are neither told nor taken.
pub const LONGEST_EVENT: usize = 8 * 1024;

/// The events of one director.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// By time and number: a director that lost its state counts from 1 again.
    kept: BTreeMap<(u64, u64), Arc<EventRecord>>,
    heard: u64,
}

impl Happened {
    /// Takes in what `director` says. An event that was told before, over an earlier connection, counts once.
    pub fn take(&mut self, director: &DirectorName, events: Vec<EventRecord>) {
        for event in events.into_iter().filter(|event| size(event) <= LONGEST_EVENT) {
            // Whose events they are, the channel has proved.
            let event = EventRecord { director: Some(director.to_string()), ..event };
            let known = self.kept.insert((event.unix_ms, event.id), Arc::new(event));
            self.heard += u64::from(known.is_none());
        }
        while self.kept.len() > MOST_EVENTS {
            self.kept.pop_first();
        }
    }

    /// The oldest first.
    pub fn events(&self) -> impl Iterator<Item = &Arc<EventRecord>> {
        self.kept.values()
    }

    /// How many were heard in all: whoever has seen another number has not seen them all.
    #[must_use]
    pub const fn heard(&self) -> u64 {
        self.heard
    }
}

/// Bytes of an event as JSON.
#[must_use]
pub fn size(event: &EventRecord) -> usize {
    serde_json::to_string(event).map_or(usize::MAX, |text| text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event_record;

    #[test]
    fn an_event_is_kept_once_under_the_name_that_the_channel_has_proved() {
        let mut happened = Happened::default();
        happened.take(&"lb-b".into(), vec![event_record(1), event_record(2)]);
        happened.take(&"lb-b".into(), vec![event_record(2), event_record(3)]);
        assert_eq!(happened.heard(), 3);
        let told: Vec<_> = happened.events().map(|event| (event.director.as_deref(), event.id)).collect();
        assert_eq!(told, [(Some("lb-b"), 1), (Some("lb-b"), 2), (Some("lb-b"), 3)]);
    }

    #[test]
    fn only_the_newest_are_kept_and_none_that_is_too_long() {
        let mut happened = Happened::default();
        let long = EventRecord { message: "x".repeat(LONGEST_EVENT), ..event_record(9_999) };
        happened.take(&"lb-b".into(), (1..=1_500).map(event_record).chain([long]).collect());
        let told: Vec<u64> = happened.events().map(|event| event.id).collect();
        assert_eq!((told.len(), told.first(), told.last()), (MOST_EVENTS, Some(&501), Some(&1_500)));
    }
}
