//! The director's view of everything, as one value: what metrics, status and the page are made of. Pure data.
//!
//! It is built by the event loop and swapped in whole, so that a reader never waits for the loop nor the loop for a reader.
//! Names are shared, not copied, and so is whatever is as it was in the snapshot before: one of ten thousand servers costs a
//! pass over them, and the room of what has changed. Nothing here decides.

use super::histogram::{Histogram, LATENESS_BOUNDS, PASS_BOUNDS, PROBE_BOUNDS};
use super::host_snapshot::RouterSnapshot;
use crate::advert::thread::Published;
use crate::health::Reason;
use crate::model::{
    CheckName, Counters, DestinationCounts, DestinationKey, Failure, Order, Outcome, Override, PoolName,
    Quorum, ServiceCounts, ServiceKey, SyncDaemonRole, TargetKey, TrackingCounts,
};
use crate::peer::PeersView;
use crate::reconcile::Table;
use crate::rotation::Place;
use crate::time::Instant;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a director tells of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// When it was taken; the loop takes one at least every few seconds, so an old one is a loop that stands still.
    pub taken_at: Instant,
    /// Unix time of [`Instant::ZERO`]: turns the instants below into timestamps.
    pub epoch: Duration,
    /// Counts the policies that were taken over, the first is 1.
    pub policy_generation: u64,
    /// Whether the tables are applied and each pool has a first verdict; else what is awaited.
    pub readiness: Result<(), String>,
    /// `metrics: {per_server: …}`: whether the families with a `server` label are shown.
    pub per_server: bool,
    /// Sorted by name.
    pub pools: Vec<PoolSnapshot>,
    /// Sorted by name.
    pub checks: Vec<CheckSnapshot>,
    /// Certificates that probes saw, sorted by check and server.
    pub certificates: Vec<CertificateSnapshot>,
    pub reconcile: ReconcileSnapshot,
    /// `None` where the policy does not synchronise connections.
    pub connection_sync: Option<ConnectionSyncSnapshot>,
    /// Entries of ours that somebody else changed or removed, by table.
    pub drift: BTreeMap<Table, u64>,
    pub reloads: ReloadCounts,
    /// What operators ordered, sorted by what it is for.
    pub overrides: Vec<Override>,
    /// Of a director that only observes.
    pub observing: Option<ObservingSnapshot>,
    /// Of `on_event`.
    pub hooks: HookCounts,
    /// The virtual routers and the other directors; `None` for a director that is alone.
    pub pair: Option<Arc<Published>>,
    /// The virtual routers as the policy says them, sorted by name.
    pub routers: Vec<RouterSnapshot>,
    /// What this director holds alone, sorted.
    pub addresses: Vec<AddressSnapshot>,
    pub tracking: TrackingCounts,
    /// By thread: how often it gave no sign of life for too long.
    pub silences: BTreeMap<&'static str, u64>,
    /// By thread: how often something in it panicked.
    pub panics: BTreeMap<String, u64>,
    /// The channels to the other directors; none where the policy has no key for them.
    pub peers: Arc<PeersView>,
}

impl Snapshot {
    /// A director that has just begun.
    #[must_use]
    pub fn starting(taken_at: Instant, epoch: Duration) -> Self {
        Self {
            taken_at,
            epoch,
            policy_generation: 0,
            readiness: Err("the director is starting".to_owned()),
            per_server: true,
            pools: Vec::new(),
            checks: Vec::new(),
            certificates: Vec::new(),
            reconcile: ReconcileSnapshot::default(),
            connection_sync: None,
            drift: BTreeMap::new(),
            reloads: ReloadCounts::default(),
            overrides: Vec::new(),
            observing: None,
            hooks: HookCounts::default(),
            pair: None,
            routers: Vec::new(),
            addresses: Vec::new(),
            tracking: TrackingCounts::default(),
            silences: BTreeMap::new(),
            panics: BTreeMap::new(),
            peers: Arc::default(),
        }
    }

    /// The pool of this name.
    #[must_use]
    pub fn pool(&self, name: &str) -> Option<&PoolSnapshot> {
        let place = self.pools.binary_search_by(|pool| (*pool.name).cmp(name)).ok()?;
        self.pools.get(place)
    }

    /// Unix time of `instant`.
    #[must_use]
    pub fn unix_time(&self, instant: Instant) -> Duration {
        self.epoch.saturating_add(instant.saturating_since(Instant::ZERO))
    }
}

/// An address that a director holds alone: no virtual router moves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSnapshot {
    /// With the prefix length of its network.
    pub address: IpNet,
    pub interface: String,
    /// Whether this host was last seen to have it.
    pub held: bool,
    /// Since when it is, or is not, there.
    pub since: Instant,
    /// What the kernel said when it was to be added; `None` while it is there, and before it was tried.
    pub refusal: Option<String>,
}

/// What became of the policies that a director was asked to take over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadCounts {
    pub taken: u64,
    pub refused: u64,
    pub rolled_back: u64,
    /// Whether the last one that was asked for is in force.
    pub last_failed: bool,
    /// When the policy in force was taken over.
    pub taken_at: Option<Instant>,
    /// Whether its files read otherwise now.
    pub file_differs: bool,
    /// Whether it is gone back from unless it is confirmed.
    pub unconfirmed: bool,
}

/// What a director that only observes would do otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservingSnapshot {
    /// How many differences there are, by table.
    pub differences: BTreeMap<Table, usize>,
    /// The first of them, at most [`super::observing::MOST_TOLD`]: since when, in which table, and in words.
    pub told: Vec<(Instant, Table, Arc<str>)>,
}

/// What came of events, over all hooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookCounts {
    /// Events that a hook took.
    pub delivered: u64,
    /// Events that a hook got and did not deal with: in no attempt, or not in time.
    pub failed: u64,
    /// Events that came too fast for a hook: it never got them.
    pub lost: u64,
}

/// One pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSnapshot {
    pub name: PoolName,
    /// The policy's `labels`.
    pub labels: Arc<BTreeMap<String, String>>,
    /// Whether it has its quorum: enough servers are up, whatever stands in for them.
    pub up: bool,
    /// How many servers, or how much weight, it needs.
    pub quorum: u32,
    /// Whether it is in a panic, acted upon or in shadow.
    pub panic: bool,
    /// Whether the sorry server answers.
    pub sorry: bool,
    /// Whether an operator froze it.
    pub frozen: bool,
    /// The rule of its quorum.
    pub rule: Quorum,
    /// Acts of its rules that began, by [`crate::rotation::ActKind::NAMES`] and whether they were in shadow.
    pub acts: BTreeMap<(&'static str, bool), u64>,
    /// How often the pool went up or down, by the closed list of reasons.
    pub transitions: BTreeMap<(Direction, &'static str), u64>,
    /// In the order of the policy. One that is as it was is the same as in the snapshot before.
    pub servers: Vec<Arc<ServerSnapshot>>,
    /// Sorted as the policy's services are.
    pub services: Vec<ServiceSnapshot>,
}

impl PoolSnapshot {
    /// Servers that are up.
    #[must_use]
    pub fn servers_up(&self) -> usize {
        self.servers.iter().filter(|server| server.up).count()
    }

    /// Sum of the configured weights.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.servers.iter().map(|server| u64::from(server.configured_weight)).sum()
    }

    /// Sum of the configured weights of the servers that are up.
    #[must_use]
    pub fn weight_up(&self) -> u64 {
        let up = self.servers.iter().filter(|server| server.up);
        up.map(|server| u64::from(server.configured_weight)).sum()
    }
}

/// Which way a verdict changed: the `to` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    Down,
    Up,
}

impl Direction {
    /// The closed list of the `to` label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Up => "up",
        }
    }
}

/// One real server of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSnapshot {
    /// Its name, or `RIP:port` where the policy gives none.
    pub name: Arc<str>,
    /// The RIP.
    pub address: IpAddr,
    /// `None`: the port of the virtual service.
    pub port: Option<u16>,
    /// The verdict; a server without a check is up.
    pub up: bool,
    /// Whether a check decides on it.
    pub checked: bool,
    /// Whether it gets new connections: up, of positive effective weight, and not held back by the host.
    pub in_rotation: bool,
    /// What an operator ordered of it.
    pub ordered: Option<Order>,
    /// The policy's weight, 0..=65535.
    pub configured_weight: u32,
    /// The weight that the kernel shall have, 0..=65535; 0 when it shall not be in the table.
    pub effective_weight: u32,
    /// When the verdict last changed; `None`: not since the start.
    pub last_change: Option<Instant>,
    /// How long its last probe took.
    pub last_check_duration: Option<Duration>,
    pub went_up: u32,
    pub went_down: u32,
    /// Why the verdict is what it is.
    pub reason: Option<Reason>,
    /// What the last failed probe said, while the last probe failed.
    pub last_failure: Option<Box<Failure>>,
    /// What its standing rests on.
    pub basis: ServerBasis,
}

/// What the standing of a server rests on: for those who ask why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerBasis {
    /// Where the pool's rules put it, and which of them did.
    pub place: Place,
    /// Whether it is a backup server.
    pub backup: bool,
    /// Connections with which it left the table at the end of its drain; `None`: it is not drained.
    pub left_with: Option<u64>,
    /// The check that makes it what it is; `None` without a check, or where none runs.
    pub progress: Option<Progress>,
}

impl Default for ServerBasis {
    fn default() -> Self {
        Self { place: Place::OUT, backup: false, left_with: None, progress: None }
    }
}

/// How far a check is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which check it is, and whom it asks.
    pub target: Arc<TargetKey>,
    /// 0..=rise + fall - 1; up from `rise` on.
    pub counter: u32,
    pub rise: u32,
    pub fall: u32,
    /// When the last probe ended.
    pub asked_at: Option<Instant>,
}

/// One virtual service of a pool, as the kernel holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSnapshot {
    /// `tcp://VIP:port`, as [`crate::model::ServiceKey`] prints it.
    pub name: Arc<str>,
    pub key: ServiceKey,
    /// `None` while the kernel has no such service.
    pub counters: Option<Counters>,
    /// Those of the pool's servers that the kernel holds in this service.
    pub destinations: Arc<[HeldDestination]>,
    /// What it counts for them.
    pub counts: ServiceCounts,
}

impl ServiceSnapshot {
    /// Those of the pool's servers that the kernel holds in this service, each with its counts.
    pub fn destinations(&self) -> impl Iterator<Item = DestinationSnapshot> {
        self.destinations.iter().map(|held| {
            let HeldDestination { server, key, weight } = *held;
            let counts = self.counts.get(&key).copied().unwrap_or_default();
            DestinationSnapshot { server, key, weight, counts }
        })
    }
}

/// A server inside a service, as it is kept: what is counted for it stands once, in the kernel's picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldDestination {
    /// Place in [`PoolSnapshot::servers`].
    pub server: usize,
    pub key: DestinationKey,
    pub weight: u32,
}

/// A server inside a service, as the kernel holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationSnapshot {
    /// Place in [`PoolSnapshot::servers`].
    pub server: usize,
    pub key: DestinationKey,
    pub weight: u32,
    pub counts: DestinationCounts,
}

/// One check, over all its targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckSnapshot {
    pub name: CheckName,
    pub statistics: CheckStatistics,
}

/// The certificate of a server, as a check saw it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSnapshot {
    pub check: CheckName,
    /// The server's name, or its address where no server has this target. Of servers with one name, the one whose certificate
    /// expires first.
    pub server: Arc<str>,
    /// Unix time.
    pub expires: Duration,
}

/// What the probes of a check amounted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckStatistics {
    /// Probes by result: `success`, or [`Failure::reason`].
    pub runs: BTreeMap<&'static str, u64>,
    /// How long they took, those aside that this host could not make.
    pub duration: Histogram,
    /// How much later than planned they started.
    pub lateness: Histogram,
}

impl Default for CheckStatistics {
    fn default() -> Self {
        Self {
            runs: BTreeMap::from([("success", 0)]),
            duration: Histogram::new(PROBE_BOUNDS),
            lateness: Histogram::new(LATENESS_BOUNDS),
        }
    }
}

impl CheckStatistics {
    /// Counts one probe.
    pub fn record(&mut self, outcome: &Outcome, lateness: Duration) {
        let result = outcome.result.as_ref().map_or_else(Failure::reason, |()| "success");
        *self.runs.entry(result).or_default() += 1;
        if !matches!(outcome.result, Err(Failure::Local(_))) {
            self.duration.record(outcome.duration);
        }
        self.lateness.record(lateness);
    }
}

/// The synchronisation of connections, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSyncSnapshot {
    /// The daemons that the kernel runs.
    pub roles: BTreeSet<SyncDaemonRole>,
    /// Connections that came from another director, counted up to a bound; `None` while nothing is known.
    pub entries: Option<usize>,
}

/// What reconciliation amounted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcileSnapshot {
    /// Passes that applied everything.
    pub succeeded: u64,
    /// Passes in which the kernel refused a change or could not be read.
    pub failed: u64,
    /// Accepted changes by [`crate::reconcile::Change::kind`].
    pub changes: BTreeMap<&'static str, u64>,
    /// How long the passes took that changed something.
    pub duration: Histogram,
    /// When the tables were last seen to be as they shall be.
    pub last_success: Option<Instant>,
    /// Changes that are due and not made.
    pub pending_changes: usize,
}

impl Default for ReconcileSnapshot {
    fn default() -> Self {
        Self {
            succeeded: 0,
            failed: 0,
            changes: BTreeMap::new(),
            duration: Histogram::new(PASS_BOUNDS),
            last_success: None,
            pending_changes: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_this_host_could_not_make_has_no_duration() {
        let mut statistics = CheckStatistics::default();
        let outcome = |result| Outcome::new(Duration::from_millis(3), result);
        statistics.record(&outcome(Ok(())), Duration::ZERO);
        statistics.record(&outcome(Err(Failure::Body)), Duration::ZERO);
        statistics.record(&outcome(Err(Failure::Local(String::new()))), Duration::from_secs(1));
        assert_eq!(statistics.runs, BTreeMap::from([("success", 1), ("body", 1), ("local", 1)]));
        assert_eq!((statistics.duration.count(), statistics.lateness.count()), (2, 3));
    }

    #[test]
    fn instants_become_unix_time() {
        let snapshot = Snapshot::starting(Instant::ZERO, Duration::from_secs(1_700_000_000));
        assert_eq!(snapshot.unix_time(Instant::from_millis(1_500)), Duration::from_millis(1_700_000_001_500));
    }
}
