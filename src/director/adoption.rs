//! What a director that starts takes over from the table that it finds. Pure.
//!
//! Nothing is flushed: a server that is in rotation stays until a check fails it, and its connections live on.

use super::event::Event;
use super::server_id::{ServerId, id};
use crate::desired::destination_key;
use crate::health::Start;
use crate::model::{
    Initial, Observed, OnFailure, PROBE_MARKS, Policy, Pool, RealServer, ServiceKey, TargetKey,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Taken over from the table.
pub(super) struct Adoption {
    /// Servers that are up from the start: they were in rotation, or are new and their pool says `initial: up`.
    pub(super) servers: BTreeSet<ServerId>,
    /// What is known of each target, from all the servers that it decides on.
    pub(super) starts: BTreeMap<Arc<TargetKey>, Start>,
}

/// What is known beside the table.
#[derive(Clone, Copy)]
pub(super) enum Past<'a> {
    /// Nothing: the director starts.
    Unknown,
    /// How the servers stood under the policy before; one that is missing is new.
    Policy(&'a BTreeMap<ServerId, Start>),
}

impl Adoption {
    /// For the servers of these pools.
    pub(super) fn new<'a>(
        pools: impl Iterator<Item = &'a Pool>,
        observed: &Observed,
        past: Past<'_>,
    ) -> Self {
        let mut adoption = Self { servers: BTreeSet::new(), starts: BTreeMap::new() };
        for pool in pools {
            for server in pool.every_server() {
                let start = past.of(pool, server).unwrap_or_else(|| start_of(pool, server, observed, past));
                adoption.take(pool, server, start);
            }
        }
        adoption
    }

    fn take(&mut self, pool: &Pool, server: &RealServer, start: Start) {
        if start == Start::Up {
            self.servers.insert(id(pool, server));
        }
        for target in server.targets() {
            let known = self.starts.entry(target.clone()).or_insert(start);
            *known = known.or(start);
        }
    }
}

impl Past<'_> {
    fn of(self, pool: &Pool, server: &RealServer) -> Option<Start> {
        match self {
            Self::Unknown => None,
            Self::Policy(servers) => servers.get(&id(pool, server)).copied(),
        }
    }
}

/// What the table says of a server that nothing else is known of.
fn start_of(pool: &Pool, server: &RealServer, observed: &Observed, past: Past<'_>) -> Start {
    let weights = weights_found(pool, server, observed);
    // Where failure quiesces, weight 0 says that the server was down; elsewhere it is an edit by somebody, and repaired.
    let quiesces = pool.on_failure == OnFailure::Quiesce && server.weight > 0;
    let in_rotation = weights.iter().any(|weight| *weight > 0 || !quiesces);
    let is_new = matches!(past, Past::Policy(_)) || !served(pool, observed);
    match (in_rotation, weights.is_empty()) {
        (true, _) => Start::Up,
        (false, false) => Start::Failed,
        (false, true) if pool.initial == Initial::Up && is_new => Start::Up,
        (false, true) => Start::Down,
    }
}

/// Whether the pool had servers before us. One that is missing from among them was taken out, or is new: `initial: up` must
/// not bring back the dead at each restart, so it joins after its first success all the same.
fn served(pool: &Pool, observed: &Observed) -> bool {
    let found = pool.services.iter().filter_map(|service| observed.services.get(&service.key));
    found.into_iter().any(|service| !service.destinations.is_empty())
}

/// The weights that a server has in the services of its pool, as far as it is there.
fn weights_found(pool: &Pool, server: &RealServer, observed: &Observed) -> Vec<u32> {
    let weight = |service| {
        let key = destination_key(service, server);
        Some(observed.services.get(&service)?.destinations.get(&key)?.weight)
    };
    pool.services.iter().filter_map(|service| weight(service.key)).collect()
}

/// A service of ours that no pool has.
fn leads_a_probe(key: &ServiceKey) -> bool {
    matches!(key, ServiceKey::FirewallMark { mark, .. } if PROBE_MARKS.contains(mark))
}

/// What is told of the table that was found; nothing where it was empty.
pub(super) fn found(policy: &Policy, observed: &Observed) -> Option<Event> {
    let services = policy.pools.values().flat_map(|pool| &pool.services);
    let named: BTreeSet<_> = services.map(|service| service.key).collect();
    let (ours, foreign): (Vec<_>, Vec<_>) =
        observed.services.keys().filter(|key| !leads_a_probe(key)).partition(|key| named.contains(key));
    (!observed.services.is_empty()).then_some(Event::Adopted { ours, foreign })
}
