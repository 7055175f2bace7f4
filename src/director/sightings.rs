//! The pools that both directors judge: what this one's own checks say of their servers, and what the others' do. Pure.

use super::core::{Core, Output};
use super::server_id::identity;
use crate::desired;
use crate::hash::fnv1a;
use crate::model::{Policy, Pool, PoolName, VerdictBy};
use crate::peer::sight::{Sight, Sights};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What is seen of the pools that both judge.
#[derive(Debug, Default)]
pub(super) struct Sightings {
    /// The number that stands for the servers of each of them.
    pools: BTreeMap<PoolName, u64>,
    /// As it was told last.
    own: Sights,
    /// Of each other director that is heard now.
    others: Vec<Arc<Sights>>,
}

impl Sightings {
    pub(super) fn new(policy: &Policy) -> Self {
        Self { pools: judged_by_both(policy.pools.values()), ..Self::default() }
    }

    pub(super) fn renew(&mut self, policy: &Policy, touched: &BTreeSet<PoolName>) {
        self.pools.retain(|name, _| !touched.contains(name));
        self.pools.extend(judged_by_both(touched.iter().filter_map(|name| policy.pools.get(name))));
    }

    /// What the others see of a pool, where their word counts and they speak of the same servers.
    pub(super) fn others_of(&self, pool: &PoolName) -> Vec<&Sight> {
        let Some(servers) = self.pools.get(pool) else { return Vec::new() };
        let sights = self.others.iter().filter_map(|sights| sights.get(pool));
        sights.map(Arc::as_ref).filter(|sight| sight.is_of(*servers)).collect()
    }

    /// What each other director sees.
    pub(super) fn others(&self) -> &[Arc<Sights>] {
        &self.others
    }

    /// Takes in what the others see; whether that may change anything.
    pub(super) fn hear(&mut self, others: Vec<Arc<Sights>>) -> bool {
        let changed = self.others != others;
        self.others = others;
        changed && !self.pools.is_empty()
    }

    /// What is new of `own`, to be told.
    fn see(&mut self, own: Sights) -> Option<Sights> {
        (self.own != own).then(|| {
            self.own.clone_from(&own);
            own
        })
    }
}

impl Core {
    /// Tells the other directors what the checks of this one say, where that is news.
    pub(super) fn tell_sights(&mut self) {
        let pools = self.sightings.pools.iter();
        let seen = pools.filter_map(|(name, servers)| Some((self.policy.pools.get(name)?, *servers)));
        let own = seen.map(|(pool, servers)| (pool.name.clone(), self.own_sight(pool, servers))).collect();
        if let Some(news) = self.sightings.see(own) {
            self.output(Output::Sights(news));
        }
    }

    /// By own checks alone: what another director vouches for is not said back to it.
    fn own_sight(&self, pool: &Pool, servers: u64) -> Arc<Sight> {
        let up = |server| {
            let judged = self.own_judgement(server);
            judged.settled && judged.up && desired::obstacle(server, &self.host).is_none()
        };
        Arc::new(Sight::new(servers, pool.servers.iter().map(up)))
    }

    /// Whether this director sees most of what the directors see of a pool together.
    #[must_use]
    pub fn sees_pool(&self, name: &PoolName) -> Option<bool> {
        self.rotations.machine(name).map(crate::rotation::Machine::is_in_sight)
    }
}

fn judged_by_both<'a>(pools: impl Iterator<Item = &'a Pool>) -> BTreeMap<PoolName, u64> {
    let pools = pools.filter(|pool| pool.rules.verdict == VerdictBy::Both);
    pools.map(|pool| (pool.name.clone(), number_of(pool))).collect()
}

/// The same for the same servers in the same order, on every director and in every version.
fn number_of(pool: &Pool) -> u64 {
    let text = |server| {
        let (name, address, port) = identity(server);
        format!("{name}\0{address}\0{}\0", port.unwrap_or_default())
    };
    fnv1a(pool.servers.iter().flat_map(|server| text(server).into_bytes()))
}
