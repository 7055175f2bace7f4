//! The rotation of every pool, and what each is told of its servers. Pure.

use super::renewal::Unchanged;
use super::server_id::identity;
use crate::desired::destination_key;
use crate::model::{DestinationKey, Observed, Policy, Pool, PoolName, RealServer, ServiceKey};
use crate::peer::sight::Sight as PeerSight;
use crate::rotation::{Act, Found, Held, Input, Machine, Output, Placement, Seen};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a pool has that no machine knows: nothing stands anywhere.
static NOWHERE: Placement = Placement { servers: Vec::new(), sorry: false };

/// One machine a pool.
#[derive(Debug, Default)]
pub(super) struct Rotations {
    machines: BTreeMap<PoolName, Machine>,
}

/// What the core sees of the servers.
pub(super) trait Sight {
    /// How a server of a pool is.
    fn seen(&self, pool: &Pool, server: &RealServer) -> Seen;
    /// Whether the sorry server of a pool can answer.
    fn sorry_up(&self, pool: &Pool) -> bool;
    /// What other directors see of a pool, where their word counts.
    fn others_of(&self, pool: &Pool) -> Vec<&PeerSight>;
    /// Whether an operator froze a pool.
    fn is_frozen(&self, pool: &Pool) -> bool;
}

impl Rotations {
    pub(super) fn new(policy: &Policy, observed: &Observed) -> Self {
        let machine = |pool: &Pool| Machine::new(pool, fall_window(policy, pool), found(pool, observed));
        let machines = policy.pools.iter().map(|(name, pool)| (name.clone(), machine(pool)));
        Self { machines: machines.collect() }
    }

    /// The pools of another policy: what is under way in one that stays goes on.
    pub(super) fn renew(
        &mut self,
        before: &Policy,
        policy: &Policy,
        unchanged: &Unchanged,
        observed: &Observed,
    ) {
        let had = unchanged.touched(before);
        let mut known: BTreeMap<_, _> =
            had.filter_map(|old| Some((&old.name, (self.machines.remove(&old.name)?, old)))).collect();
        for pool in unchanged.touched(policy) {
            let window = fall_window(policy, pool);
            let machine = match known.remove(&pool.name) {
                Some((mut machine, old)) => {
                    let places = places(old, pool);
                    machine.renew(pool, window, |index| places.get(index).copied().flatten());
                    machine
                }
                None => Machine::new(pool, window, found(pool, observed)),
            };
            self.machines.insert(pool.name.clone(), machine);
        }
    }

    /// Tells every pool how its servers are, or only these; what the rules did.
    pub(super) fn look(
        &mut self,
        at: Instant,
        policy: &Policy,
        names: Option<&BTreeSet<PoolName>>,
        sight: &impl Sight,
    ) -> Vec<(PoolName, Act)> {
        let mut acts = Vec::new();
        for (name, machine) in &mut self.machines {
            if names.is_some_and(|names| !names.contains(name)) {
                continue;
            }
            let Some(pool) = policy.pools.get(name) else { continue };
            let others = sight.others_of(pool);
            let seen = |(index, server)| {
                let vouched = others.iter().any(|other| other.sees(index));
                Seen { vouched, ..sight.seen(pool, server) }
            };
            let servers = pool.servers.iter().enumerate().map(seen).collect();
            let (sorry_up, frozen) = (sight.sorry_up(pool), sight.is_frozen(pool));
            machine.handle(Input::Looked { at, servers, sorry_up, frozen });
            while let Output::Acted(act) = machine.poll() {
                acts.push((name.clone(), act));
            }
        }
        acts
    }

    /// When time alone changes something.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.machines.values().filter_map(Machine::deadline).min()
    }

    /// Whether a server waits for its last connection.
    pub(super) fn drains(&self) -> bool {
        self.machines.values().any(Machine::drains)
    }

    pub(super) fn machine(&self, pool: &PoolName) -> Option<&Machine> {
        self.machines.get(pool)
    }

    pub(super) fn machine_mut(&mut self, pool: &str) -> Option<&mut Machine> {
        self.machines.get_mut(pool)
    }

    pub(super) fn placement(&self, pool: &PoolName) -> &Placement {
        self.machines.get(pool).map_or(&NOWHERE, Machine::placement)
    }
}

/// Where each server of a pool was in the same pool before.
fn places(before: &Pool, pool: &Pool) -> Vec<Option<usize>> {
    let known = before.servers.iter().enumerate();
    let known: BTreeMap<_, usize> = known.map(|(index, server)| (identity(server), index)).collect();
    pool.servers.iter().map(|server| known.get(&identity(server)).copied()).collect()
}

/// How long failures of one cause take to show in a pool: the longest of its checks' times from a death to the verdict.
fn fall_window(policy: &Policy, pool: &Pool) -> Duration {
    let checks = pool.servers.iter().flat_map(RealServer::targets);
    let checks = checks.filter_map(|target| policy.checks.get(&target.check));
    checks.map(|check| check.slowest_verdict() + check.interval).max().unwrap_or_default()
}

/// What had stood in when the director began: it goes on until the verdicts are in.
fn found(pool: &Pool, observed: &Observed) -> Found {
    let serves =
        |server: &RealServer| held(pool, server, observed, Instant::ZERO).is_some_and(|held| held.weight > 0);
    Found {
        sorry: pool.sorry_servers.iter().any(serves),
        backup: pool.servers.iter().any(|server| server.backup && serves(server)),
    }
}

/// A server as the kernel holds it, over all services of its pool, when its connections were last counted; `None`: it is in none.
pub(super) fn held(
    pool: &Pool,
    server: &RealServer,
    observed: &Observed,
    counted_at: Instant,
) -> Option<Held> {
    let held = |service: ServiceKey| {
        let key: DestinationKey = destination_key(service, server);
        let weight = observed.services.get(&service)?.destinations.get(&key)?.weight;
        let counts = observed.counts_of(&service, &key);
        Some(Held { weight, connections: counts.connections.held(), counted_at })
    };
    let each = pool.services.iter().filter_map(|service| held(service.key));
    each.reduce(|sum, held| Held {
        weight: sum.weight.max(held.weight),
        connections: sum.connections + held.connections,
        counted_at,
    })
}
