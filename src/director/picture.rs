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
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

impl Core {
    /// Everything that there is to tell, now. `epoch` is the Unix time of [`Instant::ZERO`].
    #[must_use]
    pub fn snapshot(&self, taken_at: Instant, epoch: Duration) -> Snapshot {
        let counts = &self.reconciler.counts;
        Snapshot {
            taken_at,
            epoch,
            policy_generation: self.generation,
            readiness: self.readiness(taken_at),
            per_server: self.policy.metrics.per_server,
            pools: self.policy.pools.values().map(|pool| self.pool_snapshot(pool)).collect(),
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

    fn pool_snapshot(&self, pool: &Pool) -> PoolSnapshot {
        let PoolCounts { up, transitions, acts, .. } =
            self.statistics.pools.get(&pool.name).cloned().unwrap_or_default();
        let placement = self.rotations.placement(&pool.name);
        let machine = self.rotations.machine(&pool.name);
        let servers = pool.servers.iter().enumerate();
        PoolSnapshot {
            name: pool.name.clone(),
            labels: Arc::new(pool.labels.clone()),
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
                    self.server_snapshot(pool, server, placement.of(index), left_with)
                })
                .collect(),
            services: pool.services.iter().map(|service| self.service_snapshot(pool, service)).collect(),
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
        let last = target.and_then(|target| target.machine.last_outcome()).map(|(_, outcome)| outcome);
        let failure = last.and_then(|outcome| outcome.result.as_ref().err());
        let counts = self.statistics.servers.get(&id(pool, server)).copied();
        let ServerCounts { went_up, went_down } = counts.unwrap_or_default();
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
            last_check_duration: last.map(|outcome| outcome.duration),
            went_up,
            went_down,
            reason: target.map(|target| target.machine.reason().clone()),
            last_failure: failure.cloned().map(Box::new),
            basis: ServerBasis { place, backup: server.backup, left_with, progress: target.map(progress) },
        }
    }

    fn service_snapshot(&self, pool: &Pool, service: &VirtualService) -> ServiceSnapshot {
        let observed = self.reconciler.observed();
        let held = observed.services.get(&service.key);
        let destination = |(index, server): (usize, &RealServer)| {
            let key = destination_key(service.key, server);
            let weight = held?.destinations.get(&key)?.weight;
            Some(HeldDestination { server: index, key, weight })
        };
        let destinations = pool.servers.iter().enumerate().filter_map(destination);
        ServiceSnapshot {
            name: service.key.to_string().into(),
            key: service.key,
            counters: observed.service_counters.get(&service.key).copied().filter(|_| held.is_some()),
            destinations: destinations.collect(),
            counts: observed.destination_counts.get(&service.key).cloned().unwrap_or_default(),
        }
    }
}

fn progress(target: &Target) -> Progress {
    let machine = &target.machine;
    Progress {
        target: Arc::clone(&target.key),
        counter: machine.counter(),
        rise: machine.params().rise,
        fall: machine.params().fall,
        asked_at: machine.last_outcome().map(|(at, _)| at),
    }
}
