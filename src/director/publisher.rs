//! Puts the director's view where readers find it (shell): a snapshot, swapped in whole, and the listener that serves it.

use super::clock::Clock;
use super::core::Core;
use super::entry_look::EntryLook;
use super::host_snapshot::local_addresses;
use super::snapshot::{ReloadCounts, Snapshot};
use super::tracking_look::TrackingLook;
use crate::advert::thread::Published;
use crate::hook::Tally;
use crate::model::Policy;
use crate::observe::{Listener, View};
use crate::panics;
use crate::peer::PeersView;
use crate::serving::{Served, Visitors};
use crate::time::Instant;
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often a snapshot is taken. IPVS counters move every two seconds.
pub(super) const PUBLISH_EVERY: Duration = Duration::from_millis(500);
/// It costs a pass over all servers, and the probes wait for it: of a large site it is taken so much less often that it
/// never takes more than this part of the time.
const PART: u32 = 100;
/// However large the site is: what is older than some seconds looks as if the loop stood still.
const OLDEST: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Publisher {
    snapshot: Arc<ArcSwap<Snapshot>>,
    entries: EntryLook,
    /// Whether connections are synchronised, which is what there is to count.
    counts_entries: bool,
    tracking: TrackingLook,
    /// Silences of threads, as the watchdog counts them.
    pub(super) silences: BTreeMap<&'static str, u64>,
    /// `None` where the port of an observing director is another's.
    serving: Option<Served>,
    /// What comes of the hooks.
    tally: Arc<Tally>,
    /// When the next one may be taken.
    due: Instant,
}

impl Publisher {
    /// Serves at a port that was taken before anything is changed; without one, nowhere.
    pub(super) fn serve(
        policy: &Policy,
        clock: Clock,
        listener: Option<Listener>,
        visitors: &Visitors,
    ) -> Self {
        let snapshot = Arc::new(ArcSwap::from_pointee(Snapshot::starting(clock.now(), clock.epoch())));
        let view = View { snapshot: Arc::clone(&snapshot), started: clock.started() };
        let serving = listener.map(|listener| listener.serve(view, visitors));
        let counts_entries = policy.pair.connection_sync.is_some();
        let entries = EntryLook::start(counts_entries);
        let tracking = TrackingLook::start(local_addresses(policy));
        let (silences, tally, due) = (BTreeMap::new(), Arc::default(), clock.now());
        Self { snapshot, entries, counts_entries, tracking, silences, serving, tally, due }
    }

    /// Serves nowhere any more: another process does.
    pub(super) fn close(&mut self) {
        self.serving = None;
    }

    /// Serves again.
    pub(super) fn open(&mut self, listener: Option<Listener>, clock: Clock, visitors: &Visitors) {
        let view = self.view(clock);
        self.serving = listener.map(|listener| listener.serve(view, visitors));
    }

    /// Goes on under another policy, at `listener` where it says so.
    pub(super) fn renew(
        &mut self,
        policy: &Policy,
        listener: Option<Listener>,
        clock: Clock,
        visitors: &Visitors,
    ) {
        if listener.is_some() {
            self.open(listener, clock, visitors);
        }
        let counts_entries = policy.pair.connection_sync.is_some();
        if std::mem::replace(&mut self.counts_entries, counts_entries) != counts_entries {
            self.entries = EntryLook::start(counts_entries);
        }
        self.tracking.renew(local_addresses(policy));
    }

    /// What is served, for another listener.
    pub(super) fn view(&self, clock: Clock) -> View {
        View { snapshot: Arc::clone(&self.snapshot), started: clock.started() }
    }

    /// The next one may be taken now.
    pub(super) const fn make_due(&mut self, now: Instant) {
        self.due = now;
    }

    /// Where hooks count what comes of them.
    pub(super) fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Where the newest snapshot is.
    pub(super) fn snapshot(&self) -> Arc<ArcSwap<Snapshot>> {
        Arc::clone(&self.snapshot)
    }

    /// Takes a snapshot, if one is due.
    pub(super) fn publish(
        &mut self,
        core: &Core,
        pair: Option<Arc<Published>>,
        peers: Arc<PeersView>,
        reloads: ReloadCounts,
        clock: Clock,
    ) -> Option<Arc<Snapshot>> {
        let begun = clock.now();
        if begun < self.due {
            return None;
        }
        let mut snapshot = core.snapshot_after(&self.snapshot.load(), clock.now(), clock.epoch());
        (snapshot.pair, snapshot.peers) = (pair, peers);
        snapshot.reloads = reloads;
        snapshot.tracking = self.tracking.seen();
        snapshot.silences.clone_from(&self.silences);
        snapshot.panics = panics::counts();
        snapshot.hooks = self.tally.counts();
        if let Some(sync) = &mut snapshot.connection_sync {
            sync.entries = self.entries.synchronised();
        }
        let snapshot = Arc::new(snapshot);
        // The last one goes here, too: its memory is most of the cost.
        self.snapshot.store(Arc::clone(&snapshot));
        let ended = clock.now();
        self.due = ended + (ended.saturating_since(begun) * PART).min(OLDEST);
        Some(snapshot)
    }
}
