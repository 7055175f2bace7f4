//! The core takes over another policy. Pure.
//!
//! What the two policies have in common goes on: verdicts with their counters and timers, what a pool's rules have under way,
//! counts. A check that asks something else begins anew, and its servers stand as they stood until it has a verdict of its own.

use super::adoption::{Adoption, Past};
use super::composites::Composites;
use super::core::Core;
use super::event::{Cause, Event};
use super::server_id::{ServerId, id, identity, users};
use super::targets::Renewal;
use crate::desired::Standing;
use crate::health::Start;
use crate::model::{Check, CheckName, Forwarding, HostFacts, Policy, Pool, RealServer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// What two policies have in common of what is probed.
#[derive(Debug, Default)]
pub(super) struct Unchanged {
    /// Checks that ask what the check of their name asked before.
    pub(super) checks: BTreeSet<CheckName>,
    /// Marks that lead a probe through the real path to the same server as before.
    marks: BTreeSet<u32>,
}

impl Unchanged {
    pub(super) fn between(before: &Policy, policy: &Policy) -> Self {
        let same = |(name, check): &(&CheckName, &Check)| before.checks.get(*name) == Some(*check);
        let checks = policy.checks.iter().filter(same).map(|(name, _)| name.clone()).collect();
        let had = marked(before);
        let same = |(mark, server): &(u32, _)| had.get(mark) == Some(server);
        Self { checks, marks: marked(policy).into_iter().filter(same).map(|(mark, _)| mark).collect() }
    }

    /// Whether the same is asked of the same server.
    pub(super) fn asks_as_before(&self, check: &CheckName, mark: Option<u32>) -> bool {
        self.checks.contains(check) && mark.is_none_or(|mark| self.marks.contains(&mark))
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

/// Each server of each pool, by its name.
pub(super) fn servers(policy: &Policy) -> BTreeMap<ServerId, (&Pool, &RealServer)> {
    let pools = policy.pools.values();
    pools.flat_map(|pool| pool.every_server().map(move |server| (id(pool, server), (pool, server)))).collect()
}

impl Core {
    /// Takes over `policy`, as this host reaches its addresses. A director that stops has nothing left to take over.
    pub(super) fn take_over(&mut self, policy: Arc<Policy>, host: HostFacts) {
        if self.stopping {
            return;
        }
        let past = self.past(&policy);
        let before = std::mem::replace(&mut self.policy, policy);
        self.host = host;
        self.generation += 1;
        self.renew_checks(&before, &past);
        let named: BTreeSet<ServerId> = servers(&self.policy).into_keys().collect();
        self.statistics.renew(&self.policy, &named);
        self.obstacles.keep_only(&named);
        self.note_obstacles();
        self.with_composites(|composites, core| core.renew_composites(composites));
        self.sightings.renew(&self.policy);
        self.rotations.renew(&before, &self.policy, self.reconciler.observed());
        self.overrides.apply_to(&self.policy);
        self.tell([Event::PolicyTaken { generation: self.generation }]);
        self.turn();
        let tables = self.tables();
        self.reconciler.desire(tables, Cause::Reload);
        (self.undecided, self.gathering, self.decided_at) = (false, false, Some(self.now));
        self.count_pools();
        self.look_at_addresses();
    }

    /// How the servers stand that `policy` names as well.
    pub(super) fn past(&self, policy: &Policy) -> BTreeMap<ServerId, Start> {
        let now = servers(policy);
        let stays = |(name, (pool, server)): (ServerId, (&Pool, &RealServer))| {
            let (_, next) = now.get(&name)?;
            (identity(next) == identity(server)).then(|| (name, self.past_of(pool, server)))
        };
        servers(&self.policy).into_iter().filter_map(stays).collect()
    }

    fn past_of(&self, pool: &Pool, server: &RealServer) -> Start {
        match (self.standing(pool, server), self.is_settled(server)) {
            (Standing::Up, _) => Start::Up,
            (Standing::Down, true) => Start::Failed,
            (Standing::Down, false) => Start::Down,
        }
    }

    fn renew_checks(&mut self, before: &Policy, past: &BTreeMap<ServerId, Start>) {
        let past = Past::Policy(past);
        let Adoption { servers, starts } = Adoption::new(&self.policy, self.reconciler.observed(), past);
        let unchanged = Unchanged::between(before, &self.policy);
        let further = self.policy.tracked_targets();
        let renewal =
            Renewal { policy: &self.policy, further, unchanged: &unchanged, seed: self.seed, now: self.now };
        let ended = self.targets.renew(renewal, |key| starts.get(key).copied().unwrap_or(Start::Down));
        self.certificates.forget(&ended);
        self.unprobed.retain(|target, _| !ended.contains(target));
        self.users = users(&self.policy, &self.targets);
        self.adopted = servers;
    }

    /// Servers of which several checks decide, as the new policy has them: none of them is told as a change.
    fn renew_composites(&self, composites: &mut Composites) {
        composites.renew(&self.policy);
        composites.begin(|server, condition| self.stands(server, condition));
    }
}
