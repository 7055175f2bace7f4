//! Puts the director's view where readers find it (shell): a snapshot, swapped in whole, and the listener that serves it.

use super::clock::Clock;
use super::core::Core;
use super::entry_look::EntryLook;
use super::snapshot::Snapshot;
use crate::advert::thread::Published;
use crate::model::Policy;
use crate::observe::{ListenError, Listener, View};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;

/// How often a snapshot is taken. It costs a pass over all servers, and IPVS counters move every two seconds.
pub(super) const PUBLISH_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Publisher {
    snapshot: Arc<ArcSwap<Snapshot>>,
    entries: EntryLook,
}

impl Publisher {
    /// Takes the port, before anything is changed, and serves.
    pub(super) async fn serve(policy: &Policy, clock: Clock) -> Result<Self, ListenError> {
        let listener = Listener::bind(policy.metrics.listen).await?;
        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::starting(clock.now(), clock.epoch())));
        let view = View { snapshot: Arc::clone(&snapshot), started: clock.started() };
        tokio::spawn(listener.serve(view));
        Ok(Self { snapshot, entries: EntryLook::start(policy.pair.connection_sync.is_some()) })
    }

    pub(super) fn publish(&self, core: &Core, pair: Option<Arc<Published>>, clock: Clock) -> Arc<Snapshot> {
        let mut snapshot = core.snapshot(clock.now(), clock.epoch());
        snapshot.pair = pair;
        if let Some(sync) = &mut snapshot.connection_sync {
            sync.entries = self.entries.synchronised();
        }
        let snapshot = Arc::new(snapshot);
        self.snapshot.store(Arc::clone(&snapshot));
        snapshot
    }
}
