//! One hook and its place in the chronicle (shell): one event after the other.

use super::{Message, Ready, Tally};
use crate::control::EventRecord;
use crate::director::chronicle::Book;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;

/// Events that may happen while a hook deals with one; of those before, it gets none any more.
pub(super) const MOST_WAITING: u64 = 1_000;
/// Events that are read at once.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(super) struct Delivery {
    ready: Ready,
    book: Book,
    /// The number of the last event that was dealt with.
    at: u64,
    /// The number of the last that shall be.
    end: watch::Receiver<Option<u64>>,
    newest: watch::Receiver<u64>,
    /// Events that the hook should have got, and has not.
    missed: u64,
    tally: Arc<Tally>,
}

impl Delivery {
    pub(super) fn new(
        ready: Ready,
        book: Book,
        after: u64,
        end: watch::Receiver<Option<u64>>,
        tally: Arc<Tally>,
    ) -> Self {
        let newest = book.follow();
        Self { ready, book, at: after, end, newest, missed: 0, tally }
    }

    /// Until the end that is said.
    pub(super) async fn run(mut self) {
        loop {
            self.newest.borrow_and_update();
            let end = *self.end.borrow_and_update();
            let page = self.book.after(self.at, AT_ONCE);
            self.lose(page.lost);
            for event in &page.events {
                if self.end.borrow().is_some_and(|end| event.id > end) {
                    return;
                }
                self.at = event.id;
                self.deal_with(event).await;
            }
            if !page.events.is_empty() {
                continue;
            }
            if end.is_some() {
                return;
            }
            tokio::select! {
                _ = self.newest.changed() => {}
                changed = self.end.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn deal_with(&mut self, event: &EventRecord) {
        let subject = &event.subject;
        let (pool, router) = (subject.pool.as_deref(), subject.router.as_deref());
        if !self.ready.filter().takes(event.kind, event.severity, pool, router) {
            return;
        }
        if self.book.last_id().saturating_sub(event.id) >= MOST_WAITING {
            return self.lose(1);
        }
        let message = Message { event, lost: self.missed };
        match self.ready.take(&message).await {
            Ok(()) => {
                self.missed = 0;
                self.tally.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err(reason) => {
                self.missed += 1;
                self.tally.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(id = event.id, kind = %event.kind, "hook {}: {reason}", self.ready.name());
            }
        }
    }

    /// Told in the log once, until an event gets through again.
    fn lose(&mut self, events: u64) {
        if events > 0 && self.missed == 0 {
            tracing::warn!(
                "hook {}: events come faster than it takes them; some are left out",
                self.ready.name()
            );
        }
        self.missed += events;
        self.tally.lost.fetch_add(events, Ordering::Relaxed);
    }
}
