//! One hook and its place in the chronicle (shell): one event after the other, or one mail after the other.

use super::digest::Digest;
use super::{Ready, Tally};
use crate::control::EventRecord;
use crate::director::chronicle::Book;
use crate::panics;
use crate::time::Instant;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::watch;
use tokio::time::sleep_until;

/// Events that may happen while a hook deals with one; of those before, it gets none any more.
pub(super) const MOST_WAITING: u64 = 1_000;
/// Events that are read at once.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(super) struct Delivery {
    ready: Ready,
    book: Book,
    /// The number of the last event that was dealt with, or is in the digest.
    at: u64,
    /// The number of the last that shall be.
    end: watch::Receiver<Option<u64>>,
    newest: watch::Receiver<u64>,
    digest: Digest,
    /// Of which the digest counts.
    began: tokio::time::Instant,
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
        let digest = Digest::new(ready.window());
        let began = tokio::time::Instant::now();
        Self { ready, book, at: after, end, newest, digest, began, missed: 0, tally }
    }

    /// Until the end that is said; what was collected is told then, without waiting for more.
    pub(super) async fn run(mut self) {
        while !self.read().await {
            if self.digest.due().is_some_and(|due| due <= self.now()) {
                self.tell().await;
                continue;
            }
            let due = self.digest.due().map(|due| self.began + due.saturating_since(Instant::ZERO));
            tokio::select! {
                _ = self.newest.changed() => {}
                changed = self.end.changed() => if changed.is_err() { return },
                () = sleep_until(due.unwrap_or(self.began)), if due.is_some() => {}
            }
        }
        self.tell().await;
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.began.elapsed()
    }

    /// Reads what there is, as far as it is due; whether that was all that shall be.
    async fn read(&mut self) -> bool {
        loop {
            self.newest.borrow_and_update();
            let end = *self.end.borrow_and_update();
            let page = self.book.after(self.at, AT_ONCE);
            self.lose(page.lost);
            for event in &page.events {
                if self.end.borrow().is_some_and(|end| event.id > end) {
                    return true;
                }
                self.at = event.id;
                self.deal_with(event).await;
            }
            if page.events.is_empty() {
                return end.is_some();
            }
        }
    }

    async fn deal_with(&mut self, event: &Arc<EventRecord>) {
        let subject = &event.subject;
        let (pool, router) = (subject.pool.as_deref(), subject.router.as_deref());
        if !self.ready.filter().takes(event.kind, event.severity, pool, router) {
            return;
        }
        if self.book.last_id().saturating_sub(event.id) >= MOST_WAITING {
            return self.lose(1);
        }
        self.digest.add(Arc::clone(event), self.now());
        if self.ready.takes_one() {
            self.tell().await;
        }
    }

    /// Tells what was collected.
    async fn tell(&mut self) {
        let Some(collected) = self.digest.take() else { return };
        match panics::as_failure(self.ready.take(&collected, self.missed)).await {
            Ok(()) => {
                self.missed = 0;
                self.tally.delivered.fetch_add(collected.number, Ordering::Relaxed);
            }
            Err(reason) => {
                self.missed += collected.number;
                self.tally.failed.fetch_add(collected.number, Ordering::Relaxed);
                let event = &collected.gravest;
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
