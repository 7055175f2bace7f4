//! Counts the synchronised connections now and then (shell), on a thread that may block: for a gauge nobody waits.

use crate::connections::{count, count::MOST_COUNTED};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often the table is counted: a large one costs a tenth of a second of the kernel's time.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// Nothing is known.
const UNKNOWN: usize = usize::MAX;

/// The last count.
#[derive(Clone, Debug)]
pub(super) struct EntryLook(Arc<AtomicUsize>);

impl EntryLook {
    /// Counts from now on, if `wanted`.
    pub(super) fn start(wanted: bool) -> Self {
        let look = Self(Arc::new(AtomicUsize::new(UNKNOWN)));
        if wanted {
            tokio::spawn(serve(Arc::downgrade(&look.0)));
        }
        look
    }

    /// Entries that came from another director, at most [`MOST_COUNTED`]; `None` while nothing is known.
    pub(super) fn synchronised(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|found| *found <= MOST_COUNTED)
    }
}

/// Counts for as long as somebody has the look.
async fn serve(look: Weak<AtomicUsize>) {
    let mut ticks = interval(COUNT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // A kernel without the table, or one that cannot be read: the gauge is left out.
        let counted = tokio::task::spawn_blocking(count).await.ok().and_then(Result::ok);
        let Some(look) = look.upgrade() else { return };
        look.store(counted.map_or(UNKNOWN, |counts| counts.synchronised), Ordering::Relaxed);
    }
}
