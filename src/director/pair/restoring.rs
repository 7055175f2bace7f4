//! The tracking of NAT's and full-NAT's connections, where IPVS has them tracked: where the policy has full-NAT (shell, off the
//! loop). After a takeover it is restored as connections are told, for as long as the old Master tells them. A Backup keeps
//! nothing of connections that are over: what becomes of them at the Master it never sees, and a client takes its port again.

use crate::connections::{RestoreError, Restorer, sweep};
use crate::kernel::Restored;
use crate::model::{Policy, ServiceKey, Tables, VirtualService};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

/// So long after a takeover the old Master may still tell, and a former Master still forward: it tells for two seconds, and
/// the kernel's own daemon for one more.
const HAND_OVER: Duration = Duration::from_secs(3);
/// From the end of one reading of the table to the next, at least; and longer than it took: the kernel needs this processor
/// for the connections.
const EVERY: Duration = Duration::from_millis(20);
const REST: u32 = 3;

/// One task of each kind at most.
#[derive(Clone, Debug)]
pub(super) struct Restoring {
    /// Of all services; empty: there is nothing to do.
    virtual_addresses: Arc<BTreeSet<IpAddr>>,
    /// Until when the task goes on; `None`: there is none.
    until: Arc<Mutex<Option<Instant>>>,
    /// Sweeps that were asked for: each router of a sync group asks, and the last one counts.
    asked: Arc<AtomicU64>,
}

impl Restoring {
    pub(super) fn new(policy: &Policy) -> Self {
        let is_tracked = policy.pair.connection_sync.is_some() && policy.has_full_nat();
        let services = policy.pools.values().flat_map(|pool| &pool.services).filter(|_| is_tracked);
        let addresses = services.flat_map(VirtualService::keys).filter_map(ServiceKey::address);
        Self {
            virtual_addresses: Arc::new(addresses.collect()),
            until: Arc::default(),
            asked: Arc::default(),
        }
    }

    /// This director has become Master; `tables` are what the kernel should hold.
    pub(super) fn took_over(&self, tables: impl FnOnce() -> Tables) {
        if self.virtual_addresses.is_empty() {
            return;
        }
        let before = self.lock().replace(Instant::now() + HAND_OVER);
        if before.is_none() {
            let (task, tables) = (self.clone(), tables());
            spawn_blocking(move || task.run(&tables));
        }
    }

    /// This director has just started, as a Backup.
    pub(super) fn started(&self) {
        self.sweep_after(Duration::ZERO);
    }

    /// This director has just become a Backup.
    pub(super) fn handed_over(&self) {
        self.sweep_after(HAND_OVER);
    }

    fn sweep_after(&self, delay: Duration) {
        if self.virtual_addresses.is_empty() {
            return;
        }
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let task = self.clone();
        tokio::spawn(async move {
            sleep(delay).await;
            let is_last = task.asked.load(Ordering::Relaxed) == number;
            // Where the other task is there, this director is Master again.
            if is_last && task.lock().is_none() {
                spawn_blocking(move || task.sweep());
            }
        });
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
            pause(EVERY.max(began.elapsed() * REST));
        }
        if ended.is_err() {
            *self.lock() = None;
        }
        tell(total, ended.err());
        self.sweep();
    }

    fn sweep(&self) {
        match sweep(&self.virtual_addresses) {
            Ok(0) => {}
            Ok(swept) => {
                tracing::debug!(swept, "tracking of connections that are over was taken out")
            }
            Err(error) => tracing::warn!("the tracking of connections that are over stays: {error}"),
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

fn tell(total: Restored, error: Option<RestoreError>) {
    if let Some(error) = error {
        tracing::warn!("answers under way may be lost: {error}");
    }
    if total.added + total.refused > 0 {
        tracing::info!(
            added = total.added,
            present = total.present,
            refused = total.refused,
            "the tracking of connections was restored"
        );
    }
}

/// Nobody tells when the kernel's backup daemon has taken something in.
#[expect(clippy::disallowed_methods, reason = "a pace, on a thread that does nothing else")]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
