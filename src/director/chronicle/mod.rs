//! What happened, kept for those who ask: a bounded ring of events, the newest kept. Pure; who writes it stamps the time.

mod book;
mod kept;
mod packed;
mod pair;
mod policy;
mod pools;

pub use book::{Book, Chronicler};
pub(crate) use pair::{of_address, of_trouble, of_vrrp};
pub(crate) use policy::{PolicyNews, of_policy};
pub(crate) use pools::of_pools;

use crate::control::{EVENT_VERSION, EventList, EventQuery, EventRecord, MOST_EVENTS, Subject};
use crate::model::{EventKind, Severity};
use packed::Packed;
use std::collections::VecDeque;
use std::sync::Arc;

/// Characters of a sentence at most: what a server or a kernel says is quoted in some.
const MESSAGE_CHARACTERS: usize = 500;

/// An event before it has a number and a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) kind: EventKind,
    pub(crate) severity: Severity,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) subject: Subject,
}

impl Draft {
    /// An event of the gravity that its kind has.
    pub(crate) fn new(kind: EventKind, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            severity: kind.severity(),
            reason: reason.into(),
            message: message.into(),
            subject: Subject::default(),
        }
    }

    pub(crate) fn about(self, subject: Subject) -> Self {
        Self { subject, ..self }
    }

    pub(crate) fn with_severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }
}

/// When and where an event happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) unix_ms: u64,
    pub(crate) at_ms: u64,
    pub(crate) director: Option<String>,
}

/// Events that come after another, and how many of them are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page<E = EventRecord> {
    pub(crate) events: Vec<Arc<E>>,
    pub(crate) lost: u64,
}

impl Page<Packed> {
    /// As they are told.
    pub(crate) fn unpacked(self) -> Page {
        Page { events: unpacked(&self.events), lost: self.lost }
    }
}

/// The newest events, [`MOST_EVENTS`] at most, in the order of their numbers.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    events: VecDeque<Arc<Packed>>,
    last_id: u64,
}

impl Chronicle {
    /// One that goes on after what an earlier run left, sorted by number. A number that has no next one was never given.
    pub(crate) fn after_past(past: impl IntoIterator<Item = EventRecord>) -> Self {
        let mut chronicle = Self::default();
        for event in past {
            if event.id > chronicle.last_id && event.id < u64::MAX {
                chronicle.keep(&event);
            }
        }
        chronicle
    }

    /// Numbers an event and keeps it; the oldest goes where there are too many.
    pub(crate) fn push(&mut self, draft: Draft, stamp: Stamp) -> Arc<EventRecord> {
        let Draft { kind, severity, reason, message, subject } = draft;
        let Stamp { unix_ms, at_ms, director } = stamp;
        let event = Arc::new(EventRecord {
            event_version: EVENT_VERSION,
            id: self.last_id + 1,
            unix_ms,
            at_ms,
            director,
            kind,
            severity,
            reason,
            message: bounded(message),
            subject,
        });
        self.keep(&event);
        event
    }

    fn keep(&mut self, event: &EventRecord) {
        self.last_id = event.id;
        if self.events.len() == MOST_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Arc::new(Packed::of(event)));
    }

    /// The number of the newest, 0 before the first.
    pub(crate) const fn last_id(&self) -> u64 {
        self.last_id
    }

    /// The first `limit` events after number `after`. A number that was never given comes from a chronicle that is lost: then
    /// all there is.
    pub(crate) fn after(&self, after: u64, limit: usize) -> Page<Packed> {
        let (from, lost) = self.place_after(after);
        Page { events: self.events.range(from..).take(limit).cloned().collect(), lost }
    }

    fn place_after(&self, after: u64) -> (usize, u64) {
        if after > self.last_id {
            return (0, 0);
        }
        let oldest = self.events.front().map_or(after + 1, |event| event.id);
        (self.events.partition_point(|event| event.id <= after), oldest.saturating_sub(after + 1))
    }

    /// What a query asks for: with `after` the oldest after it, else the newest; `limit` of them at most.
    pub(crate) fn find(&self, query: &EventQuery, limit: usize) -> Found<Packed> {
        let (from, lost) = query.after.map_or((0, 0), |after| self.place_after(after));
        let wanted = self.events.range(from..).filter(|event| query.takes_such(&event.traits())).cloned();
        let events = match query.after {
            Some(_) => wanted.take(limit).collect(),
            None => {
                let mut newest: Vec<_> = wanted.rev().take(limit).collect();
                newest.reverse();
                newest
            }
        };
        Found { events, last_id: self.last_id, lost }
    }
}

/// The answer to a query, its events still shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found<E = EventRecord> {
    pub(crate) events: Vec<Arc<E>>,
    pub(crate) last_id: u64,
    pub(crate) lost: u64,
}

impl Found<Packed> {
    /// As they are told.
    pub(crate) fn unpacked(self) -> Found {
        Found { events: unpacked(&self.events), last_id: self.last_id, lost: self.lost }
    }
}

impl Found {
    pub(crate) fn told(&self) -> EventList {
        let events = self.events.iter().map(|event| EventRecord::clone(event)).collect();
        EventList { events, others: Vec::new(), last_id: self.last_id, lost: self.lost }
    }
}

fn unpacked(events: &[Arc<Packed>]) -> Vec<Arc<EventRecord>> {
    events.iter().map(|event| Arc::new(event.record())).collect()
}

fn bounded(message: String) -> String {
    match message.char_indices().nth(MESSAGE_CHARACTERS) {
        None => message,
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
