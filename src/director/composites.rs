//! Servers on which several checks decide, or those of another server: what each was told to be last, so that a change is
//! counted and told once, with the check that made it. Pure.

use super::server_id::{ServerId, id, those_of};
use crate::model::{Condition, Policy, Pool, PoolName};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// One of them.
#[derive(Debug)]
pub(super) struct Composite {
    pub(super) condition: Condition,
    pub(super) up: bool,
    /// When it last went up or down; `None`: not since the start.
    pub(super) changed_at: Option<Instant>,
}

/// All of them, by pool and name. A server with one check of its own is none: its check's verdict is its own.
#[derive(Debug, Default)]
pub(super) struct Composites(BTreeMap<ServerId, Composite>);

impl Composites {
    /// Those of the policy, all down until [`Composites::refresh`].
    pub(super) fn new(policy: &Policy) -> Self {
        Self::of(policy.pools.values())
    }

    fn of<'a>(pools: impl Iterator<Item = &'a Pool>) -> Self {
        let mut composites = BTreeMap::new();
        for pool in pools {
            for server in pool.every_server() {
                let Some(condition) = &server.check else { continue };
                if !matches!(condition, Condition::Check(_)) {
                    let composite = Composite { condition: condition.clone(), up: false, changed_at: None };
                    composites.insert(id(pool, server), composite);
                }
            }
        }
        Self(composites)
    }

    /// Those of another policy, which differs in these pools: a server that stays is what it was told to be last.
    pub(super) fn renew(&mut self, policy: &Policy, touched: &BTreeSet<PoolName>) {
        let of = |name| those_of(name, |range| self.0.range(range).map(|(server, _)| server));
        let leave: Vec<ServerId> = touched.iter().flat_map(of).collect();
        let before = leave.into_iter().filter_map(|server| self.0.remove_entry(&server));
        let before: BTreeMap<ServerId, Composite> = before.collect();
        let mut fresh = Self::of(touched.iter().filter_map(|name| policy.pools.get(name)));
        for (server, composite) in &mut fresh.0 {
            if let Some(known) = before.get(server) {
                (composite.up, composite.changed_at) = (known.up, known.changed_at);
            }
        }
        self.0.append(&mut fresh.0);
    }

    pub(super) fn get(&self, server: &ServerId) -> Option<&Composite> {
        self.0.get(server)
    }

    /// Looks at all of them at the start.
    pub(super) fn begin(&mut self, stands: impl Fn(&ServerId, &Condition) -> bool) {
        for (server, composite) in &mut self.0 {
            composite.up = stands(server, &composite.condition);
        }
    }

    /// Looks anew at those among `servers`; the servers that a verdict changes: these, where they did change, and the others.
    pub(super) fn refresh(
        &mut self,
        servers: &[ServerId],
        now: Instant,
        stands: impl Fn(&ServerId, &Condition) -> bool,
    ) -> Vec<ServerId> {
        let mut changed = |server: &&ServerId| {
            let Some(composite) = self.0.get_mut(*server) else { return true };
            let up = stands(server, &composite.condition);
            let changed = up != composite.up;
            if changed {
                (composite.up, composite.changed_at) = (up, Some(now));
            }
            changed
        };
        servers.iter().filter(|server| changed(server)).cloned().collect()
    }
}
