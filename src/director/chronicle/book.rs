//! The chronicle as it is shared (shell): the event loop writes, those who ask and the hooks read, and a thread keeps it on
//! disk. Nobody holds the lock for longer than it takes to copy some references.

use super::kept::{self, Keeper};
use super::{Chronicle, Draft, Found, Page, Stamp};
use crate::control::EventQuery;
use crate::director::clock::Clock;
use crate::time::{Instant, milliseconds};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The chronicle, shared; cheap to clone.
#[derive(Clone, Debug)]
pub struct Book(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    chronicle: Mutex<Chronicle>,
    /// The number of the newest event.
    newest: watch::Sender<u64>,
    keeper: Option<Keeper>,
}

impl Default for Book {
    /// An empty one that is kept nowhere.
    fn default() -> Self {
        Self::new(Chronicle::default(), None)
    }
}

impl Book {
    fn new(chronicle: Chronicle, keeper: Option<Keeper>) -> Self {
        let newest = watch::Sender::new(chronicle.last_id());
        Self(Arc::new(Shared { chronicle: Mutex::new(chronicle), newest, keeper }))
    }

    /// What a state directory holds, and from now on kept there by a thread of its own. What cannot be read is told by
    /// `warn`, and left out.
    pub fn open(state: &Path, warn: &mut dyn FnMut(String)) -> Self {
        let past = kept::read(state, warn);
        Self::new(Chronicle::after_past(past), Keeper::start(state, warn))
    }

    fn chronicle(&self) -> MutexGuard<'_, Chronicle> {
        self.0.chronicle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self, draft: Draft, stamp: Stamp) {
        let event = self.chronicle().push(draft, stamp);
        let id = event.id;
        if let Some(keeper) = &self.0.keeper {
            keeper.keep(event);
        }
        self.0.newest.send_replace(id);
    }

    /// The first `limit` events after number `after`.
    pub(crate) fn after(&self, after: u64, limit: usize) -> Page {
        let page = self.chronicle().after(after, limit);
        page.unpacked()
    }

    /// What a query asks for.
    pub(crate) fn find(&self, query: &EventQuery, limit: usize) -> Found {
        let found = self.chronicle().find(query, limit);
        found.unpacked()
    }

    /// The number of the newest event.
    pub(crate) fn last_id(&self) -> u64 {
        self.chronicle().last_id()
    }

    /// Tells of each event that comes.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.0.newest.subscribe()
    }
}

/// Writes the book of a running director: knows the time and the director's name; cheap to clone.
#[derive(Clone, Debug)]
pub struct Chronicler {
    book: Book,
    clock: Clock,
    director: Option<String>,
}

impl Chronicler {
    pub(in crate::director) fn new(book: Book, clock: Clock, director: Option<&str>) -> Self {
        Self { book, clock, director: director.map(str::to_owned) }
    }

    /// Writes events down, as of now.
    pub(in crate::director) fn tell(&self, drafts: impl IntoIterator<Item = Draft>) {
        for draft in drafts {
            let at = self.clock.now();
            let since_start = at.saturating_since(Instant::ZERO);
            let stamp = Stamp {
                unix_ms: milliseconds(self.clock.epoch().saturating_add(since_start)),
                at_ms: milliseconds(since_start),
                director: self.director.clone(),
            };
            self.book.write(draft, stamp);
        }
    }

    pub(in crate::director) const fn book(&self) -> &Book {
        &self.book
    }
}
