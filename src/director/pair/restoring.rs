//! The tracking of NAT's and full-NAT's connections, where IPVS has them tracked: where the policy has full-NAT (shell, off the
//! loop). After a takeover it is restored as connections are told, for as long as the old Master tells them. A Backup keeps
//! nothing of connections that are over: what becomes of them at the Master it never sees, and a client takes its port again.

use super::until::Until;
use crate::connections::{RestoreError, Restorer, sweep};
use crate::kernel::Restored;
use crate::model::{ConnectionSync, Policy, ServiceKey, Tables, VirtualService};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

/// So long after a takeover the old Master may still tell, and a former Master still forward: it tells for two seconds, and
/// the kernel's own daemon for one more.
const HAND_OVER: Duration = Duration::from_secs(3);
/// From the end of one reading of the table to the next, at least; and longer than it took: the kernel needs this processor
/// for the connections. Meanwhile what is told is heard: a reading is there for what came before, and for what got lost.
const EVERY: Duration = Duration::from_millis(500);
const REST: u32 = 3;

/// One task of each kind at most.
#[derive(Clone, Debug)]
pub(super) struct Restoring {
    /// How connections are told; `None`: there is nothing to do.
    sync: Option<Arc<ConnectionSync>>,
    /// Of all services.
    virtual_addresses: Arc<BTreeSet<IpAddr>>,
    /// Until when tracking is restored.
    until: Until,
    /// Sweeps that were asked for: each router of a sync group asks, and the last one counts.
    asked: Arc<AtomicU64>,
}

impl Restoring {
    pub(super) fn new(policy: &Policy) -> Self {
        let services = policy.pools.values().flat_map(|pool| &pool.services);
        let addresses = services.flat_map(VirtualService::keys).filter_map(ServiceKey::address);
        Self {
            sync: tracked_sync(policy).cloned().map(Arc::new),
            virtual_addresses: Arc::new(addresses.collect()),
            until: Until::default(),
            asked: Arc::default(),
        }
    }

    /// This director has become Master; `tables` are what the kernel should hold.
    pub(super) fn took_over(&self, tables: impl FnOnce() -> Tables) {
        let Some(sync) = self.sync.clone() else { return };
        if self.until.begins(HAND_OVER) {
            let (task, tables) = (self.clone(), tables());
            spawn_blocking(move || task.run(&sync, &tables));
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
        if self.sync.is_none() {
            return;
        }
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let task = self.clone();
        tokio::spawn(async move {
            sleep(delay).await;
            let is_last = task.asked.load(Ordering::Relaxed) == number;
            // Where the other task is there, this director is Master again.
            if is_last && !task.until.goes_on() {
                spawn_blocking(move || task.sweep());
            }
        });
    }

    fn run(&self, sync: &ConnectionSync, tables: &Tables) {
        let mut total = Restored::default();
        let ended = Restorer::open(sync).and_then(|mut restorer| {
            loop {
                let began = Instant::now();
                total = total.and(restorer.restore(tables)?);
                let rest = EVERY.max(began.elapsed() * REST);
                let Some(left) = self.until.time_left() else { return Ok(()) };
                total = total.and(restorer.hear(tables, rest.min(left))?);
            }
        });
        if ended.is_err() {
            self.until.end();
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
}

/// How connections are told, where the kernel tracks those of IPVS: where the policy has full-NAT.
pub(super) fn tracked_sync(policy: &Policy) -> Option<&ConnectionSync> {
    policy.pair.connection_sync.as_ref().filter(|_| policy.has_full_nat())
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
