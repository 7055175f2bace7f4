//! Servers that are kept out of the table by the host and not by their health, so that each change of it is told once.
//! Pure.

use super::event::Event;
use super::server_id::{ServerId, id, those_of};
use crate::desired::obstacle;
use crate::model::{HostFacts, Policy, Pool, PoolName};
use std::collections::BTreeSet;

/// The servers that the host could not reach as their forwarding method needs, when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct Obstacles {
    servers: BTreeSet<ServerId>,
}

impl Obstacles {
    pub(super) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// These servers are no more.
    pub(super) fn forget(&mut self, gone: &[&ServerId]) {
        for server in gone {
            self.servers.remove(*server);
        }
    }

    /// Looks anew; what changed since the last look.
    pub(super) fn look(&mut self, policy: &Policy, host: &HostFacts) -> Vec<Event> {
        let all = std::mem::take(&mut self.servers);
        self.look_at(policy.pools.values(), all, host)
    }

    /// The same at these pools only.
    pub(super) fn look_at_those(
        &mut self,
        policy: &Policy,
        names: &BTreeSet<PoolName>,
        host: &HostFacts,
    ) -> Vec<Event> {
        let of = |name| those_of(name, |range| self.servers.range(range));
        let known: BTreeSet<ServerId> = names.iter().flat_map(of).collect();
        for server in &known {
            self.servers.remove(server);
        }
        self.look_at(names.iter().filter_map(|name| policy.pools.get(name)), known, host)
    }

    /// Looks at pools of which these servers are `known`.
    fn look_at<'a>(
        &mut self,
        pools: impl Iterator<Item = &'a Pool>,
        known: BTreeSet<ServerId>,
        host: &HostFacts,
    ) -> Vec<Event> {
        let mut servers = BTreeSet::new();
        for pool in pools {
            let hindered = pool.every_server().filter(|server| obstacle(server, host).is_some());
            servers.extend(hindered.map(|server| id(pool, server)));
        }
        let changed = servers.symmetric_difference(&known);
        let event = |(pool, server): &ServerId| Event::Obstructed {
            pool: pool.clone(),
            server: server.clone(),
            obstructed: servers.contains(&(pool.clone(), server.clone())),
        };
        let events = changed.map(event).collect();
        self.servers.append(&mut servers);
        events
    }
}
