//! What the director counts as it decides. Pure.

use super::histogram::{Histogram, PASS_BOUNDS};
use super::server_id::ServerId;
use super::snapshot::{CheckStatistics, Direction};
use crate::model::{CheckName, Outcome, Policy, PoolName};
use crate::rotation::Act;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How often a server went up and down.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServerCounts {
    pub(super) went_up: u32,
    pub(super) went_down: u32,
}

/// Whether a pool can serve, and how often that changed.
#[derive(Clone, Debug)]
pub(super) struct PoolCounts {
    pub(super) up: bool,
    pub(super) transitions: BTreeMap<(Direction, &'static str), u64>,
    /// Acts of its rules that began, by their words and whether they were in shadow.
    pub(super) acts: BTreeMap<(&'static str, bool), u64>,
    /// The reasons of the last verdicts each way on one of its servers: what a transition is put down to.
    last_pass: &'static str,
    last_failure: &'static str,
}

impl Default for PoolCounts {
    fn default() -> Self {
        Self {
            up: false,
            transitions: BTreeMap::new(),
            acts: BTreeMap::new(),
            last_pass: "started",
            last_failure: "started",
        }
    }
}

/// All counts.
#[derive(Debug)]
pub(super) struct Statistics {
    pub(super) checks: BTreeMap<CheckName, CheckStatistics>,
    /// By pool, then by name: the pool's name is there once for all its servers.
    servers: BTreeMap<PoolName, BTreeMap<Arc<str>, ServerCounts>>,
    pub(super) pools: BTreeMap<PoolName, PoolCounts>,
    /// Passes over the kernel's tables that changed something.
    pub(super) passes: Histogram,
}

impl Statistics {
    /// Zero for everything that the policy names, so that a series is there before its first event.
    pub(super) fn new(policy: &Policy) -> Self {
        Self {
            checks: policy.checks.keys().map(|name| (name.clone(), CheckStatistics::default())).collect(),
            servers: BTreeMap::new(),
            pools: policy.pools.keys().map(|name| (name.clone(), PoolCounts::default())).collect(),
            passes: Histogram::new(PASS_BOUNDS),
        }
    }

    /// Goes on counting what another policy names as well; what it does not name is counted no more, nor are the servers that
    /// are gone.
    pub(super) fn renew(&mut self, policy: &Policy, gone: &[&ServerId]) {
        self.checks.retain(|name, _| policy.checks.contains_key(name));
        self.pools.retain(|name, _| policy.pools.contains_key(name));
        for name in policy.checks.keys() {
            if !self.checks.contains_key(name) {
                self.checks.insert(name.clone(), CheckStatistics::default());
            }
        }
        for name in policy.pools.keys() {
            if !self.pools.contains_key(name) {
                self.pools.insert(name.clone(), PoolCounts::default());
            }
        }
        self.servers.retain(|name, _| policy.pools.contains_key(name));
        for server in gone {
            if let Some(servers) = self.servers.get_mut(&server.0) {
                servers.remove(&server.1);
            }
        }
    }

    pub(super) fn probe(&mut self, check: &CheckName, outcome: &Outcome, lateness: Duration) {
        if let Some(statistics) = self.checks.get_mut(check) {
            statistics.record(outcome, lateness);
        }
    }

    pub(super) fn verdict(&mut self, servers: &[ServerId], up: bool, reason: &'static str) {
        for server in servers {
            let (pool, name) = server.clone();
            let counts = self.servers.entry(pool).or_default().entry(name).or_default();
            match up {
                true => counts.went_up = counts.went_up.saturating_add(1),
                false => counts.went_down = counts.went_down.saturating_add(1),
            }
            match (self.pools.get_mut(&server.0), up) {
                (Some(pool), true) => pool.last_pass = reason,
                (Some(pool), false) => pool.last_failure = reason,
                (None, _) => {}
            }
        }
    }

    /// How often a server went up and down.
    pub(super) fn server(&self, pool: &PoolName, name: &Arc<str>) -> ServerCounts {
        self.servers.get(pool).and_then(|servers| servers.get(name)).copied().unwrap_or_default()
    }

    /// Counts what a pool's rule began.
    pub(super) fn acted(&mut self, name: &PoolName, act: Act) {
        if let Some(pool) = self.pools.get_mut(name).filter(|_| act.begins) {
            *pool.acts.entry((act.kind.name(), act.shadow)).or_default() += 1;
        }
    }

    /// Takes whether a pool can serve; true if that is news.
    pub(super) fn pool(&mut self, name: &PoolName, up: bool) -> bool {
        let Some(pool) = self.pools.get_mut(name).filter(|pool| pool.up != up) else { return false };
        pool.up = up;
        let (direction, reason) = match up {
            true => (Direction::Up, pool.last_pass),
            false => (Direction::Down, pool.last_failure),
        };
        *pool.transitions.entry((direction, reason)).or_default() += 1;
        true
    }
}
