//! An event as the chronicle keeps it: all its words in one text, those once that its message says as well, which is most of
//! them. There are ten thousand events, and as [`EventRecord`]s, of eleven strings each, they would take thrice the memory. Pure.

use crate::control::{EventRecord, EventTraits, Subject};
use crate::model::{EventKind, Severity};
use std::ops::Range;

/// Words of an event, in the order in which they stand in its text.
const WORDS: usize = 10;
/// Their places.
const DIRECTOR: usize = 0;
const REASON: usize = 1;
const MESSAGE: usize = 2;
const POOL: usize = 3;
const SERVER: usize = 4;
const SERVICE: usize = 5;
const ROUTER: usize = 6;
const CHECK: usize = 7;
const ADDRESS: usize = 8;
const PEER: usize = 9;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) id: u64,
    unix_ms: u64,
    at_ms: u64,
    event_version: u32,
    kind: EventKind,
    severity: Severity,
    /// Which of the words there are, one bit each: an empty word is not a missing one.
    given: u16,
    /// Where each word begins and ends in `text`.
    places: [(u16, u16); WORDS],
    text: Box<str>,
}

impl Packed {
    /// The same event in less room.
    pub(crate) fn of(event: &EventRecord) -> Self {
        // Its message is the first word: the others mostly stand in it.
        let (mut given, mut places, mut text) = (0, [(0, 0); WORDS], event.message.clone());
        for (index, word) in words(event).into_iter().enumerate() {
            if let Some(place) = word.and_then(|word| placed(&mut text, word)) {
                given |= 1 << index;
                places[index] = place;
            }
        }
        Self {
            id: event.id,
            unix_ms: event.unix_ms,
            at_ms: event.at_ms,
            event_version: event.event_version,
            kind: event.kind,
            severity: event.severity,
            given,
            places,
            text: text.into_boxed_str(),
        }
    }

    /// The event as it is told.
    pub(crate) fn record(&self) -> EventRecord {
        let word = |place| self.word(place).map(str::to_owned);
        EventRecord {
            event_version: self.event_version,
            id: self.id,
            unix_ms: self.unix_ms,
            at_ms: self.at_ms,
            director: word(DIRECTOR),
            kind: self.kind,
            severity: self.severity,
            reason: word(REASON).unwrap_or_default(),
            message: word(MESSAGE).unwrap_or_default(),
            subject: Subject {
                pool: word(POOL),
                server: word(SERVER),
                service: word(SERVICE),
                router: word(ROUTER),
                check: word(CHECK),
                address: word(ADDRESS),
                peer: word(PEER),
            },
        }
    }

    /// What queries look at.
    pub(crate) fn traits(&self) -> EventTraits<'_> {
        EventTraits {
            unix_ms: self.unix_ms,
            severity: self.severity,
            pool: self.word(POOL),
            server: self.word(SERVER),
            router: self.word(ROUTER),
        }
    }

    fn word(&self, place: usize) -> Option<&str> {
        (self.given >> place & 1 == 1).then_some(())?;
        self.text.get(self.range(place)?)
    }

    fn range(&self, place: usize) -> Option<Range<usize>> {
        let (start, end) = *self.places.get(place)?;
        Some(start.into()..end.into())
    }
}

/// Where a word stands in a text, to whose end it is put if it is nowhere. Who writes an event bounds its words; what had no
/// place in 64 KiB is left out.
fn placed(text: &mut String, word: &str) -> Option<(u16, u16)> {
    let start = text.find(word).unwrap_or(text.len());
    let end = start + word.len();
    let place = (u16::try_from(start).ok()?, u16::try_from(end).ok()?);
    if end > text.len() {
        text.push_str(word);
    }
    Some(place)
}

fn words(event: &EventRecord) -> [Option<&str>; WORDS] {
    let Subject { pool, server, service, router, check, address, peer } = &event.subject;
    let mut words = [None; WORDS];
    words[DIRECTOR] = event.director.as_deref();
    words[REASON] = Some(event.reason.as_str());
    words[MESSAGE] = Some(event.message.as_str());
    words[POOL] = pool.as_deref();
    words[SERVER] = server.as_deref();
    words[SERVICE] = service.as_deref();
    words[ROUTER] = router.as_deref();
    words[CHECK] = check.as_deref();
    words[ADDRESS] = address.as_deref();
    words[PEER] = peer.as_deref();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event_record;

    #[test]
    fn every_word_comes_out_as_it_went_in() {
        let whole = EventRecord {
            reason: String::new(),
            message: "é of web is down".to_owned(),
            subject: Subject {
                pool: Some("web".to_owned()),
                server: Some(String::new()),
                service: Some("tcp://192.0.2.1:80".to_owned()),
                router: Some("outside".to_owned()),
                check: Some("alive".to_owned()),
                address: Some("192.0.2.11:80".to_owned()),
                peer: Some("lb-b".to_owned()),
            },
            ..event_record(8)
        };
        let nothing = EventRecord { director: None, subject: Subject::default(), ..event_record(9) };
        for event in [event_record(7), whole, nothing] {
            let packed = Packed::of(&event);
            assert_eq!(packed.record(), event);
            assert_eq!(packed.traits(), EventTraits::from(&event));
        }
    }

    #[test]
    fn what_the_message_says_is_kept_once() {
        let subject = Subject { pool: Some("web".to_owned()), ..Subject::default() };
        let message = "web is down".to_owned();
        let event =
            EventRecord { message, subject, director: None, reason: "down".to_owned(), ..event_record(1) };
        let packed = Packed::of(&event);
        assert_eq!((&*packed.text, packed.record()), ("web is down", event));
    }

    #[test]
    fn a_word_that_goes_on_for_ever_is_left_out() {
        let event = EventRecord { reason: "x".repeat(70_000), ..event_record(1) };
        assert_eq!(Packed::of(&event).record(), EventRecord { reason: String::new(), ..event });
    }
}
