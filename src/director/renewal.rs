//! The core takes over another policy. Pure.
//!
//! What the two policies have in common goes on: verdicts with their counters and timers, what a pool's rules have under way,
//! counts. A check that asks something else begins anew, and its servers stand as they stood until it has a verdict of its own.

use super::adoption::{Adoption, Past};
use super::composites::Composites;
use super::core::Core;
use super::deciding::Concerned;
use super::event::{Cause, Event};
use super::server_id::{ServerId, id, identity};
use super::targets::Renewal;
use crate::desired::{self, Situation, Standing};
use crate::health::Start;
use crate::model::{Check, CheckName, Forwarding, HostFacts, Policy, Pool, PoolName, Reach, RealServer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// What two policies have in common: what is not among it is looked at when one follows the other, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unchanged {
    /// Checks that ask what the check of their name asked before.
    pub(super) checks: BTreeSet<CheckName>,
    /// Marks that lead a probe through the real path to another server than before, or did and do no more.
    moved: BTreeSet<u32>,
    /// Pools that are not the same in everything, or whose servers are not asked the same.
    touched: BTreeSet<PoolName>,
}

impl Unchanged {
    pub(super) fn between(before: &Policy, policy: &Policy) -> Self {
        let same = |(name, check): &(&CheckName, &Check)| before.checks.get(*name) == Some(*check);
        let checks = policy.checks.iter().filter(same).map(|(name, _)| name.clone()).collect();
        let touched = before.pools.differing(&policy.pools);
        // The servers of a pool that is the same have the same marks, and nobody else has them.
        let (had, has) = (marked(before, &touched), marked(policy, &touched));
        let moves = |mark: &&u32| had.get(*mark) != has.get(*mark);
        let moved = had.keys().chain(has.keys()).filter(moves).copied().collect();
        let mut unchanged = Self { checks, moved, touched };
        if unchanged.checks.len() < policy.checks.len() || !unchanged.moved.is_empty() {
            let others = |pool: &&Pool| !unchanged.asks_all_of(pool);
            let names = policy.pools.values().filter(others).map(|pool| pool.name.clone());
            let names: Vec<PoolName> = names.collect();
            unchanged.touched.extend(names);
        }
        unchanged
    }

    /// Whether the same is asked of the same server.
    pub(super) fn asks_as_before(&self, check: &CheckName, mark: Option<u32>) -> bool {
        self.checks.contains(check) && mark.is_none_or(|mark| !self.moved.contains(&mark))
    }

    fn asks_all_of(&self, pool: &Pool) -> bool {
        let mut asked = pool.every_server().flat_map(RealServer::asked);
        asked.all(|target| self.asks_as_before(&target.check, target.real_path))
    }

    /// The names of the pools that the two policies do not both have so.
    pub(super) const fn names(&self) -> &BTreeSet<PoolName> {
        &self.touched
    }

    /// The pools of one of the two policies that the other does not have so.
    pub(super) fn touched<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = &'a Pool> {
        self.touched.iter().filter_map(|name| policy.pools.get(name))
    }

    /// The pools that both have.
    pub(super) fn untouched<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = &'a Pool> {
        policy.pools.values().filter(|pool| !self.touched.contains(&pool.name))
    }
}

/// The server behind each mark of these pools.
fn marked<'a>(
    policy: &'a Policy,
    names: &BTreeSet<PoolName>,
) -> BTreeMap<u32, (IpAddr, Option<u16>, &'a Forwarding)> {
    let servers = names.iter().filter_map(|name| policy.pools.get(name)).flat_map(Pool::every_server);
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
    /// Takes over `policy`; `host` says how this host reaches addresses that are new, others too if it likes. A director that
    /// stops has nothing left to take over.
    ///
    /// Only pools that are touched are renewed: of tens of thousands of servers a reload changes few, and the loop stands
    /// still meanwhile.
    pub(super) fn take_over(&mut self, policy: Arc<Policy>, host: HostFacts) {
        if self.stopping {
            return;
        }
        let unchanged = Unchanged::between(&self.policy, &policy);
        let past = self.past(&policy, &unchanged);
        self.weight_sources = policy.weight_sources();
        let before = std::mem::replace(&mut self.policy, policy);
        let only_pools = self.reaches(host) && !self.undecided && self.gathered.is_nobody();
        self.generation += 1;
        self.renew_checks(&before, &past, &unchanged);
        let (named, had) = (servers(unchanged.touched(&self.policy)), servers(unchanged.touched(&before)));
        let gone: Vec<&ServerId> = had.keys().filter(|server| !named.contains_key(*server)).collect();
        self.statistics.renew(&self.policy, &gone);
        self.obstacles.forget(&gone);
        let touched = Some(unchanged.names()).filter(|_| only_pools);
        self.note_obstacles_of(touched);
        self.with_composites(|composites, core| core.renew_composites(composites, unchanged.names()));
        self.sightings.renew(&self.policy, unchanged.names());
        self.rotations.renew(&before, &self.policy, &unchanged, self.reconciler.observed());
        self.overrides.apply_to(&self.policy);
        self.tell([Event::PolicyTaken { generation: self.generation }]);
        self.turn_those(touched);
        self.desire_after(&before, touched, Cause::Reload);
        (self.undecided, self.gathered, self.decided_at) = (false, Concerned::Nobody, Some(self.now));
        self.count_pools();
        self.look_at_addresses();
    }

    /// Takes in how this host reaches addresses; whether that is no news of any that was known.
    fn reaches(&mut self, host: HostFacts) -> bool {
        let news = |(address, reach): (&IpAddr, &Reach)| {
            self.host.reach.get(address).is_some_and(|known| known != reach)
        };
        let no_news = !host.reach.iter().any(news);
        self.host.reach.extend(host.reach);
        no_news
    }

    /// Has the tables be what the policy in force asks for, after those of `before`. Where only these pools can be others, only
    /// their part is computed.
    pub(super) fn desire_after(
        &mut self,
        before: &Policy,
        touched: Option<&BTreeSet<PoolName>>,
        cause: Cause,
    ) {
        let situation = Situation { host: &self.host, roles: &self.roles };
        let placement = |pool: &Pool| self.rotations.placement(&pool.name);
        let exchange = touched.and_then(|names| {
            desired::exchange(self.reconciler.desired(), (before, &self.policy), names, situation, placement)
        });
        match exchange {
            Some(exchange) => self.reconciler.exchange(exchange, cause),
            None => {
                let tables = self.tables();
                self.reconciler.desire(tables, cause);
            }
        }
        debug_assert_eq!(*self.reconciler.desired(), self.tables(), "the parts make the whole");
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
    fn renew_composites(&self, composites: &mut Composites, touched: &BTreeSet<PoolName>) {
        composites.renew(&self.policy, touched);
        composites.begin(|server, condition| self.stands(server, condition));
    }
}
