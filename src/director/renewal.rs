//! The core takes over another policy. Pure.
//!
//! What the two policies have in common goes on: verdicts with their counters and timers, what a pool's rules have under way,
//! counts. A check that asks something else begins anew, and its servers stand as they stood until it has a verdict of its own.

use super::adoption::{Adoption, Past};
use super::composites::Composites;
use super::core::Core;
use super::event::{Cause, Event};
use super::server_id::{ServerId, id, identity};
use super::targets::Renewal;
use crate::desired::Standing;
use crate::health::Start;
use crate::model::{Check, CheckName, Forwarding, HostFacts, Policy, Pool, PoolName, RealServer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// What two policies have in common: what is not among it is looked at when one follows the other, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unchanged {
    /// Checks that ask what the check of their name asked before.
    pub(super) checks: BTreeSet<CheckName>,
    /// Marks that lead a probe through the real path to the same server as before.
    marks: BTreeSet<u32>,
    /// Pools that are the same in everything, and whose servers are asked the same.
    pools: BTreeSet<PoolName>,
}

impl Unchanged {
    pub(super) fn between(before: &Policy, policy: &Policy) -> Self {
        let same = |(name, check): &(&CheckName, &Check)| before.checks.get(*name) == Some(*check);
        let checks = policy.checks.iter().filter(same).map(|(name, _)| name.clone()).collect();
        let had = marked(before);
        let same = |(mark, server): &(u32, _)| had.get(mark) == Some(server);
        let marks = marked(policy).into_iter().filter(same).map(|(mark, _)| mark).collect();
        let mut unchanged = Self { checks, marks, pools: BTreeSet::new() };
        let same = |pool: &&Pool| before.pools.get(&pool.name) == Some(*pool) && unchanged.asks_all_of(pool);
        unchanged.pools = policy.pools.values().filter(same).map(|pool| pool.name.clone()).collect();
        unchanged
    }

    /// Whether the same is asked of the same server.
    pub(super) fn asks_as_before(&self, check: &CheckName, mark: Option<u32>) -> bool {
        self.checks.contains(check) && mark.is_none_or(|mark| self.marks.contains(&mark))
    }

    fn asks_all_of(&self, pool: &Pool) -> bool {
        let mut asked = pool.every_server().flat_map(RealServer::asked);
        asked.all(|target| self.asks_as_before(&target.check, target.real_path))
    }

    /// The pools of one of the two policies that the other does not have so.
    pub(super) fn touched<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = &'a Pool> {
        policy.pools.values().filter(|pool| !self.pools.contains(&pool.name))
    }

    /// The pools that both have.
    pub(super) fn untouched<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = &'a Pool> {
        policy.pools.values().filter(|pool| self.pools.contains(&pool.name))
    }
}

/// The server behind each mark.
fn marked(policy: &Policy) -> BTreeMap<u32, (IpAddr, Option<u16>, &Forwarding)> {
    let servers = policy.pools.values().flat_map(Pool::every_server);
    let marks = |server: &RealServer| server.real_paths().map(|(mark, _)| mark).collect::<Vec<_>>();
    servers
        .flat_map(|server| {
            let found = (server.address, server.port, &server.forwarding);
            marks(server).into_iter().map(move |mark| (mark, found))
        })
        .collect()
}

/// Each server of these pools, by its name.
pub(super) fn servers<'a>(
    pools: impl Iterator<Item = &'a Pool>,
) -> BTreeMap<ServerId, (&'a Pool, &'a RealServer)> {
    pools.flat_map(|pool| pool.every_server().map(move |server| (id(pool, server), (pool, server)))).collect()
}

impl Core {
    /// Takes over `policy`, as this host reaches its addresses. A director that stops has nothing left to take over.
    ///
    /// Only pools that are touched are renewed: of tens of thousands of servers a reload changes few, and the loop stands
    /// still meanwhile.
    pub(super) fn take_over(&mut self, policy: Arc<Policy>, host: HostFacts) {
        if self.stopping {
            return;
        }
        let unchanged = Unchanged::between(&self.policy, &policy);
        let past = self.past(&policy, &unchanged);
        let before = std::mem::replace(&mut self.policy, policy);
        self.host = host;
        self.generation += 1;
        self.renew_checks(&before, &past, &unchanged);
        let (named, had) = (servers(unchanged.touched(&self.policy)), servers(unchanged.touched(&before)));
        let gone: Vec<&ServerId> = had.keys().filter(|server| !named.contains_key(*server)).collect();
        self.statistics.renew(&self.policy, &gone);
        self.obstacles.forget(&gone);
        self.note_obstacles();
        self.with_composites(|composites, core| core.renew_composites(composites));
        self.sightings.renew(&self.policy);
        self.rotations.renew(&before, &self.policy, &unchanged, self.reconciler.observed());
        self.overrides.apply_to(&self.policy);
        self.tell([Event::PolicyTaken { generation: self.generation }]);
        self.turn();
        let tables = self.tables();
        self.reconciler.desire(tables, Cause::Reload);
        (self.undecided, self.gathering, self.decided_at) = (false, false, Some(self.now));
        self.count_pools();
        self.look_at_addresses();
    }

    /// How the servers of touched pools stand that `policy` names as well.
    pub(super) fn past(&self, policy: &Policy, unchanged: &Unchanged) -> BTreeMap<ServerId, Start> {
        let now = servers(unchanged.touched(policy));
        let stays = |(name, (pool, server)): (ServerId, (&Pool, &RealServer))| {
            let (_, next) = now.get(&name)?;
            (identity(next) == identity(server)).then(|| (name, self.past_of(pool, server)))
        };
        servers(unchanged.touched(&self.policy)).into_iter().filter_map(stays).collect()
    }

    fn past_of(&self, pool: &Pool, server: &RealServer) -> Start {
        match (self.standing(pool, server), self.is_settled(server)) {
            (Standing::Up, _) => Start::Up,
            (Standing::Down, true) => Start::Failed,
            (Standing::Down, false) => Start::Down,
        }
    }

    fn renew_checks(&mut self, before: &Policy, past: &BTreeMap<ServerId, Start>, unchanged: &Unchanged) {
        let (policy, past) = (Arc::clone(&self.policy), Past::Policy(past));
        let Adoption { servers: adopted, starts } =
            Adoption::new(unchanged.touched(&policy), self.reconciler.observed(), past);
        self.users.leave(unchanged.touched(before), &self.targets);
        let renewal = Renewal { before, policy: &policy, unchanged, seed: self.seed, now: self.now };
        let ended = self.targets.renew(renewal, |key| starts.get(key).copied().unwrap_or(Start::Down));
        self.users.forget(&ended);
        self.users.join(unchanged.touched(&policy), &self.targets);
        self.certificates.forget(&ended);
        self.unprobed.retain(|target, _| !ended.contains(target));
        for server in servers(unchanged.touched(before)).keys() {
            self.adopted.remove(server);
        }
        self.adopted.extend(adopted);
    }

    /// Servers of which several checks decide, as the new policy has them: none of them is told as a change.
    fn renew_composites(&self, composites: &mut Composites) {
        composites.renew(&self.policy);
        composites.begin(|server, condition| self.stands(server, condition));
    }
}
