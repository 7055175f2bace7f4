//! An event as the chronicle keeps it: all its words behind each other in one text. There are ten thousand of them, and as
//! [`EventRecord`]s, of eleven strings each, they would take twice the memory. Pure.

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
    /// Where each word ends in `text`.
    ends: [u32; WORDS],
    text: Box<str>,
}

impl Packed {
    /// The same event in less room.
    pub(crate) fn of(event: &EventRecord) -> Self {
        let (mut given, mut ends, mut text) = (0, [0; WORDS], String::with_capacity(length(event)));
        for (place, word) in words(event).into_iter().enumerate() {
            given |= u16::from(word.is_some()) << place;
            text.push_str(word.unwrap_or_default());
            // Who writes an event bounds it, and so does who reads one from a file.
            ends[place] = u32::try_from(text.len()).unwrap_or(u32::MAX);
        }
        Self {
            id: event.id,
            unix_ms: event.unix_ms,
            at_ms: event.at_ms,
            event_version: event.event_version,
            kind: event.kind,
            severity: event.severity,
            given,
            ends,
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
        let end = |place: usize| usize::try_from(*self.ends.get(place)?).ok();
        let start = place.checked_sub(1).map_or(Some(0), end)?;
        Some(start..end(place)?)
    }
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

fn length(event: &EventRecord) -> usize {
    words(event).into_iter().flatten().map(str::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event_record;

    #[test]
    fn every_word_comes_out_as_it_went_in() {
        let whole = EventRecord {
            reason: String::new(),
            message: "é is down".to_owned(),
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
}
