//! The core's view of everything as a [`Snapshot`]. Pure: one pass over pools, servers and destinations.

use super::core::Core;
use super::host_snapshot::RouterSnapshot;
use super::observing::Observing;
use super::server_id::id;
use super::snapshot::{
    CertificateSnapshot, CheckSnapshot, ConnectionSyncSnapshot, HeldDestination, HookCounts, PoolSnapshot,
    Progress, ReconcileSnapshot, ReloadCounts, ServerBasis, ServerSnapshot, ServiceSnapshot, Snapshot,
};
use super::statistics::{PoolCounts, ServerCounts};
use super::targets::Target;
use crate::desired::{Standing, destination_key};
use crate::model::{CheckName, Pool, RealServer, TrackingCounts, VirtualService};
use crate::rotation::{Machine, Place};
use crate::time::Instant;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

impl Core {
    /// Everything that there is to tell, now. `epoch` is the Unix time of [`Instant::ZERO`].
    #[must_use]
    pub fn snapshot(&self, taken_at: Instant, epoch: Duration) -> Snapshot {
        self.snapshot_after(&Snapshot::starting(taken_at, epoch), taken_at, epoch)
    }

    /// The same, sharing with the snapshot `before` what is as it was there: most of a large site is, and held twice for as
    /// long as somebody reads the older one, it would be most of what a director takes.
    #[must_use]
    pub fn snapshot_after(&self, before: &Snapshot, taken_at: Instant, epoch: Duration) -> Snapshot {
        let pools = self.policy.pools.values();
        let counts = &self.reconciler.counts;
        Snapshot {
            taken_at,
            epoch,
            policy_generation: self.generation,
            readiness: self.readiness(taken_at),
            per_server: self.policy.metrics.per_server,
            pools: pools.map(|pool| self.pool_snapshot(pool, before.pool(&pool.name))).collect(),
            checks: self.check_snapshots(),
            certificates: self.certificate_snapshots(),
            reconcile: ReconcileSnapshot {
                succeeded: counts.passes_ok,
                failed: counts.passes_failed,
                changes: counts.changes.clone(),
                duration: self.statistics.passes.clone(),
                last_success: counts.last_success,
                pending_changes: counts.pending,
            },
            connection_sync: self.policy.pair.connection_sync.as_ref().map(|_| self.sync_snapshot()),
            drift: counts.drift.clone(),
            reloads: ReloadCounts::default(),
            overrides: self.overrides.all().cloned().collect(),
            observing: self.reconciler.observing.as_ref().map(Observing::snapshot),
            hooks: HookCounts::default(),
            pair: None,
            routers: self.policy.pair.routers.values().map(RouterSnapshot::from).collect(),
            addresses: self.address_snapshots(),
            tracking: TrackingCounts::default(),
            silences: BTreeMap::new(),
            panics: BTreeMap::new(),
            peers: Arc::default(),
        }
    }

    fn sync_snapshot(&self) -> ConnectionSyncSnapshot {
        let daemons = &self.reconciler.observed().sync_daemons;
        let roles = daemons.iter().map(|daemon| daemon.role).collect();
        ConnectionSyncSnapshot { roles, entries: None }
    }

    fn check_snapshots(&self) -> Vec<CheckSnapshot> {
        let checks = self.statistics.checks.iter();
        checks
            .map(|(name, statistics)| CheckSnapshot { name: name.clone(), statistics: statistics.clone() })
            .collect()
    }

    fn certificate_snapshots(&self) -> Vec<CertificateSnapshot> {
        let mut soonest: BTreeMap<(CheckName, Arc<str>), Duration> = BTreeMap::new();
        for (id, expires) in self.certificates.iter() {
            let Some(target) = self.targets.get(id) else { continue };
            let mut servers: Vec<Arc<str>> =
                self.servers_of(id).iter().map(|server| server.1.clone()).collect();
            if servers.is_empty() {
                servers.push(target.key.address.to_string().into());
            }
            for (check, server) in
                target.checks().flat_map(|check| servers.iter().map(move |server| (check, server)))
            {
                let known = soonest.entry((check.clone(), server.clone())).or_insert(expires);
                *known = expires.min(*known);
            }
        }
        let snapshot = |((check, server), expires)| CertificateSnapshot { check, server, expires };
        soonest.into_iter().map(snapshot).collect()
    }

    fn pool_snapshot(&self, pool: &Pool, before: Option<&PoolSnapshot>) -> PoolSnapshot {
        let PoolCounts { up, transitions, acts, .. } =
            self.statistics.pools.get(&pool.name).cloned().unwrap_or_default();
        let placement = self.rotations.placement(&pool.name);
        let machine = self.rotations.machine(&pool.name);
        let servers = pool.servers.iter().enumerate();
        let services = pool.services.iter().enumerate();
        PoolSnapshot {
            name: pool.name.clone(),
            labels: shared(pool.labels.clone(), before.map(|before| &before.labels)),
            up,
            quorum: pool.rules.quorum.least,
            panic: machine.is_some_and(Machine::panics),
            sorry: placement.sorry,
            frozen: self.overrides.is_frozen(&pool.name),
            rule: pool.rules.quorum,
            acts,
            transitions,
            servers: servers
                .map(|(index, server)| {
                    let left_with = machine.and_then(|machine| machine.left_with(index));
                    let server = self.server_snapshot(pool, server, placement.of(index), left_with);
                    shared(server, before.and_then(|before| before.servers.get(index)))
                })
                .collect(),
            services: services
                .map(|(index, service)| {
                    let before = before.and_then(|before| before.services.get(index));
                    self.service_snapshot(pool, service, before)
                })
                .collect(),
        }
    }

    fn server_snapshot(
        &self,
        pool: &Pool,
        server: &RealServer,
        place: Place,
        left_with: Option<u64>,
    ) -> ServerSnapshot {
        let target = self.target_of(server);
        let failure = target.and_then(|target| target.machine.last_failure());
        let ServerCounts { went_up, went_down } = self.statistics.server(&pool.name, &server.name);
        ServerSnapshot {
            name: server.name.clone(),
            address: server.address,
            port: server.port,
            ordered: self.overrides.order_of(pool, server),
            up: self.standing(pool, server) == Standing::Up,
            checked: server.check.is_some(),
            in_rotation: place.serves(),
            configured_weight: server.weight,
            effective_weight: place.weight.unwrap_or(0),
            last_change: match self.composites.get(&id(pool, server)) {
                Some(composite) => composite.changed_at,
                None => target.and_then(|target| target.machine.changed_at()),
            },
            last_check_duration: target.and_then(|target| Some(target.machine.last_probe()?.1)),
            went_up,
            went_down,
            reason: target.map(|target| target.machine.reason().clone()),
            last_failure: failure.cloned().map(Box::new),
            basis: ServerBasis { place, backup: server.backup, left_with, progress: target.map(progress) },
        }
    }

    fn service_snapshot(
        &self,
        pool: &Pool,
        service: &VirtualService,
        before: Option<&ServiceSnapshot>,
    ) -> ServiceSnapshot {
        let observed = self.reconciler.observed();
        let held = observed.services.get(&service.key);
        let destination = |(index, server): (usize, &RealServer)| {
            let key = destination_key(service.key, server);
            let weight = held?.destinations.get(&key)?.weight;
            Some(HeldDestination { server: index, key, weight })
        };
        let destinations: Vec<_> = pool.servers.iter().enumerate().filter_map(destination).collect();
        ServiceSnapshot {
            name: service.key.to_string().into(),
            key: service.key,
            counters: observed.service_counters.get(&service.key).copied().filter(|_| held.is_some()),
            destinations: shared(destinations, before.map(|before| &before.destinations)),
            counts: observed.destination_counts.get(&service.key).cloned().unwrap_or_default(),
        }
    }
}

/// What is as it was is the same value.
fn shared<T: PartialEq + ?Sized>(found: impl Borrow<T> + Into<Arc<T>>, before: Option<&Arc<T>>) -> Arc<T> {
    match before {
        Some(before) if **before == *found.borrow() => Arc::clone(before),
        _ => found.into(),
    }
}

fn progress(target: &Target) -> Progress {
    let machine = &target.machine;
    Progress {
        target: Arc::clone(&target.key),
        counter: machine.counter(),
        rise: machine.params().rise,
        fall: machine.params().fall,
        asked_at: machine.last_probe().map(|(at, _)| at),
    }
}
