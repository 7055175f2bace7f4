//! The tracking of full-NAT's connections (shell, off the loop). After a takeover it is restored as connections are told, for
//! as long as the old Master tells them. A Backup keeps nothing of connections that are over: what becomes of them at the
//! Master it never sees, and a client takes its port again.

use crate::connections::{RestoreError, Restorer, sweep};
use crate::kernel::Restored;
use crate::model::{Forwarding, Policy, SourceTranslation, Tables};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// So long after a takeover the old Master may still tell, and a former Master still forward: it tells for two seconds, and
/// the kernel's own daemon for one more.
const HAND_OVER: Duration = Duration::from_secs(3);
/// From the end of one reading of the table to the next, at least; and as long as it took.
const EVERY: Duration = Duration::from_millis(10);

/// One task at most.
#[derive(Clone, Debug)]
pub(super) struct Restoring {
    /// Full-NAT's local addresses; empty: there is nothing to do.
    local: Arc<BTreeSet<IpAddr>>,
    /// Until when the task goes on; `None`: there is none.
    until: Arc<Mutex<Option<Instant>>>,
}

impl Restoring {
    pub(super) fn new(policy: &Policy) -> Self {
        let servers = policy.pools.values().flat_map(|pool| &pool.servers);
        let synchronised = servers.filter(|_| policy.pair.connection_sync.is_some());
        let local = synchronised.flat_map(|server| local_addresses(&server.forwarding)).copied();
        Self { local: Arc::new(local.collect()), until: Arc::default() }
    }

    /// This director has become Master; `tables` are what the kernel should hold.
    pub(super) fn took_over(&self, tables: impl FnOnce() -> Tables) {
        if self.local.is_empty() {
            return;
        }
        let before = self.lock().replace(Instant::now() + HAND_OVER);
        if before.is_none() {
            let (task, tables) = (self.clone(), tables());
            spawn_blocking(move || task.run(&tables));
        }
    }

    /// This director is Backup since just now, or since it started.
    pub(super) fn is_backup(&self, since_start: bool) {
        if self.local.is_empty() {
            return;
        }
        let task = self.clone();
        spawn_blocking(move || {
            if !since_start {
                pause(HAND_OVER);
            }
            task.sweep();
        });
    }

    fn run(&self, tables: &Tables) {
        let mut total = Restored::default();
        let mut ended = Restorer::open();
        let mut swept = false;
        while let Ok(restorer) = &mut ended {
            let began = Instant::now();
            match restorer.restore(tables) {
                Ok(restored) => total = total.and(restored),
                Err(error) => ended = Err(error),
            }
            // What is under way first.
            if !std::mem::replace(&mut swept, true) {
                self.sweep();
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

    fn sweep(&self) {
        match sweep(&self.local) {
            Ok(0) => {}
            Ok(swept) => {
                tracing::debug!(swept, "tracking of full-NAT connections that are over was taken out")
            }
            Err(error) => tracing::warn!("what is left of full-NAT's connections stays: {error}"),
        }
    }

    /// Whether the time is not up; else there is no task any more, and the next takeover begins one.
    fn goes_on(&self) -> bool {
        let mut until = self.lock();
        until.take_if(|until| *until <= Instant::now());
        until.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn local_addresses(forwarding: &Forwarding) -> &[IpAddr] {
    match forwarding {
        Forwarding::FullNat(SourceTranslation::LocalAddresses(addresses)) => addresses,
        _ => &[],
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
