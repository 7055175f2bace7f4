//! After a takeover: the tracking of full-NAT's connections, as they are told, for as long as the old Master tells them
//! (shell, off the loop).

use crate::connections::{RestoreError, Restorer};
use crate::kernel::Restored;
use crate::model::{Forwarding, Policy, SourceTranslation, Tables};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// So long after a takeover: the old Master tells for two seconds, and the kernel's own daemon for one more.
const FOR: Duration = Duration::from_secs(3);
/// From the end of one reading of the table to the next, at least; and as long as it took.
const EVERY: Duration = Duration::from_millis(10);

/// One task at most.
#[derive(Clone, Debug)]
pub(super) struct Restoring {
    needed: bool,
    /// Until when the task goes on; `None`: there is none.
    until: Arc<Mutex<Option<Instant>>>,
}

impl Restoring {
    pub(super) fn new(policy: &Policy) -> Self {
        let local = |forwarding: &Forwarding| {
            matches!(forwarding, Forwarding::FullNat(SourceTranslation::LocalAddresses(_)))
        };
        let mut servers = policy.pools.values().flat_map(|pool| &pool.servers);
        let needed = policy.pair.connection_sync.is_some() && servers.any(|server| local(&server.forwarding));
        Self { needed, until: Arc::default() }
    }

    /// This director has become Master; `tables` are what the kernel should hold.
    pub(super) fn begin(&self, tables: impl FnOnce() -> Tables) {
        if !self.needed {
            return;
        }
        let before = self.lock().replace(Instant::now() + FOR);
        if before.is_none() {
            let (task, tables) = (self.clone(), tables());
            spawn_blocking(move || task.run(&tables));
        }
    }

    fn run(&self, tables: &Tables) {
        let mut total = Restored::default();
        let mut ended = Restorer::open();
        while let Ok(restorer) = &mut ended {
            let began = Instant::now();
            match restorer.restore(tables) {
                Ok(restored) => total = total.and(restored),
                Err(error) => ended = Err(error),
            }
            if !self.goes_on() {
                break;
            }
            pause(EVERY.max(began.elapsed()));
        }
        if ended.is_err() {
            *self.lock() = None;
        }
        tell(total, ended.err());
    }

    /// Whether the time is not up; else there is no task any more, and the next takeover begins one.
    fn goes_on(&self) -> bool {
        let mut until = self.lock();
        until.take_if(|until| *until <= Instant::now());
        until.is_some()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(total: Restored, error: Option<RestoreError>) {
    if let Some(error) = error {
        tracing::warn!("answers under way to clients of full-NAT may be lost: {error}");
    }
    if total.added + total.refused > 0 {
        tracing::info!(
            added = total.added,
            present = total.present,
            refused = total.refused,
            "the tracking of full-NAT connections was restored"
        );
    }
}

/// Nobody tells when the kernel's backup daemon has taken something in.
#[expect(clippy::disallowed_methods, reason = "a pace, on a thread that does nothing else")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
