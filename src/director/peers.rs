//! The channels to the other directors, seen from the pools' loop (shell): it hands over what there is to tell and takes what was
//! heard, both swapped whole. It waits for neither.

use super::chronicle::Book;
use super::clock::Clock;
use super::core::Core;
use super::error::RunError;
use super::loading::{PolicyLoader, PolicyText};
use super::snapshot::Snapshot;
use crate::model::{Policy, PoolName};
use crate::peer::fingerprint::{PoolTable, of_pools};
use crate::peer::{Facts, Known, PeerThread, PeersView, Records, Settings, Sightings};
use crate::policy::Fingerprint;
use crate::time::Instant;
use crate::vrrp::authentication::Keys;
use arc_swap::ArcSwapOption;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// The tables are looked at in at most this part of the time: of a large site that takes milliseconds.
const PART: u32 = 100;
/// And as often as this, however large it is: a difference counts after seconds.
const OLDEST: Duration = Duration::from_secs(2);

/// The channels, and what is told on them.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// `None` where there is no other director, or no key.
    thread: Option<PeerThread>,
    records: Arc<Records>,
    sightings: Arc<Sightings>,
    /// Of the policy in force; empty until it is computed. Another policy gets another one.
    fingerprint: Arc<ArcSwapOption<Fingerprint>>,
    tables: Arc<BTreeMap<PoolName, PoolTable>>,
    /// When the tables are looked at again.
    due: Instant,
}

impl Peers {
    /// The channels of a policy; `keys` are those of the directors.
    pub(super) fn start(policy: &Policy, keys: Option<&Keys>, clock: Clock) -> Result<Self, RunError> {
        let mut peers = Self::default();
        peers.take(Settings::of(&policy.pair, keys), clock).map_err(RunError::Thread)?;
        Ok(peers)
    }

    /// Goes on under another policy: a channel of the same ends and with the same key stays up.
    pub(super) fn renew(&mut self, policy: &Policy, keys: Option<&Keys>, clock: Clock) {
        let settings = Settings::of(&policy.pair, keys);
        if settings.as_ref() != self.thread.as_ref().map(PeerThread::settings)
            && let Err(error) = self.take(settings, clock)
        {
            tracing::error!("no channel to the other directors: {error}; reload once there is room for it");
        }
        self.due = Instant::ZERO;
    }

    /// Lets its ports go: another process goes on. [`Self::renew`] takes them back.
    pub(super) fn let_go(&mut self) {
        self.thread = None;
    }

    fn take(&mut self, settings: Option<Settings>, clock: Clock) -> std::io::Result<()> {
        // The thread before lets go of its ports first, or the next one tries until it has.
        self.thread = None;
        let started = clock.started().into_std();
        self.sightings.lost_all();
        let known = Known { records: Arc::clone(&self.records), sightings: Arc::clone(&self.sightings) };
        let start = |settings| PeerThread::start(settings, known, started);
        self.thread = settings.map(start).transpose()?;
        Ok(())
    }

    /// Computes the fingerprint of the policy in force, off the loop.
    pub(super) fn identify(&mut self, (loader, text): (Arc<dyn PolicyLoader>, Arc<PolicyText>)) {
        self.fingerprint = Arc::default();
        if self.thread.is_some() {
            let cell = Arc::clone(&self.fingerprint);
            spawn_blocking(move || cell.store(loader.fingerprint(&text).map(Arc::new)));
        }
    }

    /// Tells the others what there is.
    pub(super) fn tell(&mut self, core: &Core, snapshot: &Arc<Snapshot>, book: &Book, clock: Clock) {
        let Some(thread) = &self.thread else { return };
        let begun = clock.now();
        if self.due <= begun {
            self.tables = Arc::new(of_pools(&core.policy, core.observed()));
            let ended = clock.now();
            self.due = ended + (ended.saturating_since(begun) * PART).min(OLDEST);
        }
        thread.tell(Facts {
            snapshot: Arc::clone(snapshot),
            tables: Arc::clone(&self.tables),
            policy: self.fingerprint.load_full(),
            book: book.clone(),
        });
    }

    /// What was heard.
    pub(super) fn view(&self) -> Arc<PeersView> {
        self.thread.as_ref().map(PeerThread::view).unwrap_or_default()
    }

    /// What each director sees of the pools that both judge.
    pub(super) const fn sightings(&self) -> &Arc<Sightings> {
        &self.sightings
    }

    /// What both directors know, whether there is a channel or not.
    pub(super) const fn records(&self) -> &Arc<Records> {
        &self.records
    }
}
