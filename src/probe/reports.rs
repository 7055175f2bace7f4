//! Where probes leave their reports, and who decides finds them: many together, for one turn of the loop.
//!
//! A turn costs as much as some probes do, so a report that can wait a little waits for a turn that comes anyway: the loop says
//! when it will look next ([`Reports::sleep_until`]), and where that is within a beat of the schedule ([`BEAT`]), in which probes
//! start together, a probe that passed wakes nobody. One that failed always does.

use super::Report;
use crate::health::schedule::BEAT;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Reports that are taken in one turn, at most: what is behind them is taken in the next, and all else goes on in between.
pub(super) const MOST_TAKEN: usize = 1024;

/// The end where reports come out. There are never more than probes, of which each target has one in flight at most.
#[derive(Debug)]
pub struct Reports<I>(Arc<Queue<I>>);

/// The end where reports are put in.
#[derive(Debug)]
pub(super) struct Outlet<I>(Arc<Queue<I>>);

impl<I> Clone for Outlet<I> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Queue<I> {
    waiting: Mutex<Waiting<I>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Waiting<I> {
    reports: VecDeque<Report<I>>,
    /// When the loop looks next. In the past while it is awake.
    looks_at: Instant,
}

impl<I> Queue<I> {
    /// Nothing is done under the lock that could panic.
    fn lock(&self) -> MutexGuard<'_, Waiting<I>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two ends of one queue.
pub(super) fn queue<I>() -> (Outlet<I>, Reports<I>) {
    let waiting = Mutex::new(Waiting { reports: VecDeque::new(), looks_at: Instant::now() });
    let queue = Arc::new(Queue { waiting, arrived: Notify::new() });
    (Outlet(Arc::clone(&queue)), Reports(queue))
}

impl<I> Outlet<I> {
    /// Puts in a report at `now`, and wakes the loop where it must not wait.
    pub(super) fn put(&self, report: Report<I>, now: Instant) {
        let failed = report.outcome.result.is_err();
        let looks_at = {
            let mut waiting = self.0.lock();
            waiting.reports.push_back(report);
            waiting.looks_at
        };
        if failed || !(now..=now + BEAT).contains(&looks_at) {
            self.0.arrived.notify_one();
        }
    }
}

impl<I> Reports<I> {
    /// Ends when there is a report that must not wait. Cancel safe.
    pub async fn arrived(&self) {
        self.0.arrived.notified().await;
    }

    /// Takes what is there, in the order of its arrival: a bounded number.
    #[must_use]
    pub fn take(&self) -> Vec<Report<I>> {
        let mut waiting = self.0.lock();
        let count = waiting.reports.len().min(MOST_TAKEN);
        let taken = waiting.reports.drain(..count).collect();
        if !waiting.reports.is_empty() {
            self.0.arrived.notify_one();
        }
        taken
    }

    /// Says at `now` that the loop sleeps until `deadline`, and returns until when it may: what has come since it looked last waits
    /// for no longer than a beat.
    #[must_use]
    pub fn sleep_until(&self, deadline: Instant, now: Instant) -> Instant {
        let mut waiting = self.0.lock();
        waiting.looks_at = match waiting.reports.is_empty() {
            true => deadline,
            false => deadline.min(now + BEAT),
        };
        waiting.looks_at
    }
}
