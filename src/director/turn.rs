//! The core turns the pools' rotations: it shows them their servers, and tells what their rules did. Pure.

use super::core::Core;
use super::event::Event;
use super::rotations::{Sight, held};
use crate::desired::{self, Standing};
use crate::model::{Order, Pool, PoolName, RealServer};
use crate::peer::sight::Sight as PeerSight;
use crate::rotation::Seen;
use std::collections::BTreeSet;

impl Core {
    /// Whether a pool has its quorum; `None` before that is known. What stands in for it doesn't count: the other director may
    /// see more.
    #[must_use]
    pub fn pool_verdict(&self, name: &PoolName) -> Option<bool> {
        self.rotations.machine(name)?.has_quorum()
    }

    /// Tells every pool's rotation how its servers are, and tells what the rules did.
    pub(super) fn turn(&mut self) {
        self.turn_those(None);
    }

    /// The same for these pools only, where nothing can have changed for the others since they were turned last.
    pub(super) fn turn_those(&mut self, names: Option<&BTreeSet<PoolName>>) {
        let mut rotations = std::mem::take(&mut self.rotations);
        let acts = rotations.look(self.now, &self.policy, names, self);
        self.rotations = rotations;
        self.tell_sights();
        for (pool, act) in acts {
            self.statistics.acted(&pool, act);
            let servers = self.policy.pools.get(&pool).map(|pool| &pool.servers);
            let server = servers.zip(act.kind.server()).and_then(|(servers, index)| servers.get(index));
            let server = server.map(|server| server.name.clone());
            self.tell([Event::Acted { pool, server, act }]);
        }
    }

    pub(super) fn count_pools(&mut self) {
        let has_quorum = |name| self.pool_verdict(name) == Some(true);
        let up: Vec<_> = self.policy.pools.keys().map(|name| (name.clone(), has_quorum(name))).collect();
        for (pool, up) in up {
            if self.statistics.pool(&pool, up) {
                self.tell([Event::Pool { pool, up }]);
            }
        }
    }
}

impl Sight for Core {
    fn seen(&self, pool: &Pool, server: &RealServer) -> Seen {
        let target = self.target_of(server);
        let source = server.weight_source.as_ref().and_then(|key| self.targets.by_key(key));
        // What its own check says holds as long as the check does: it is asked again, or fails.
        let own = target.and_then(|target| target.machine.advice()).map(|(_, advice)| (self.now, advice));
        let said = source.map_or(own, |source| source.machine.advice());
        // What the kernel holds is asked for only where a server may drain: it costs a look for each service.
        let ordered = self.overrides.order_of(pool, server);
        let may_drain = server.backup || said.is_some() || ordered == Some(Order::Drain);
        Seen {
            up: self.standing(pool, server) == Standing::Up,
            settled: self.is_settled(server),
            vouched: false,
            usable: desired::obstacle(server, &self.host).is_none(),
            said,
            held: may_drain
                .then(|| held(pool, server, self.reconciler.observed(), self.reconciler.counted_at()))
                .flatten(),
            ordered,
        }
    }

    fn sorry_up(&self, pool: &Pool) -> bool {
        let mut servers = pool.sorry_servers.iter().map(|server| self.seen(pool, server));
        !pool.sorry_servers.is_empty() && servers.all(|seen| seen.up && seen.usable)
    }

    fn others_of(&self, pool: &Pool) -> Vec<&PeerSight> {
        self.sightings.others_of(&pool.name)
    }

    fn is_frozen(&self, pool: &Pool) -> bool {
        self.overrides.is_frozen(&pool.name)
    }
}
