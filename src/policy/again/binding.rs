//! Pools that another part of a policy looks at.

use crate::model::{Condition, Forwarding, Policy, Pool, PoolName, RealServer, SourceTranslation, Tracked};
use std::collections::BTreeSet;

/// All of them.
pub(super) fn of_policy(policy: &Policy) -> BTreeSet<PoolName> {
    let events = policy.on_event.iter().flat_map(|hook| &hook.filter.pools).cloned();
    let tracked = policy.pair.routers.values().flat_map(|router| &router.track).filter_map(|tracker| {
        match &tracker.what {
            Tracked::Pool(pool) => Some(pool.clone()),
            Tracked::Interface(_)
            | Tracked::Check(_)
            | Tracked::Sight(_)
            | Tracked::Process(_)
            | Tracked::File(_) => None,
        }
    });
    events.chain(tracked).chain(of_pools(policy.pools.values())).collect()
}

/// Those that these pools bind: themselves where they have local addresses or track others, and those.
pub(super) fn of_pools<'a>(pools: impl Iterator<Item = &'a Pool>) -> BTreeSet<PoolName> {
    let mut bound = BTreeSet::new();
    for pool in pools {
        for server in pool.every_server() {
            let names = tracked(server.check.as_ref());
            if !names.is_empty() || has_local_addresses(server) {
                bound.insert(pool.name.clone());
            }
            bound.extend(names);
        }
    }
    bound
}

const fn has_local_addresses(server: &RealServer) -> bool {
    matches!(server.forwarding, Forwarding::FullNat(SourceTranslation::LocalAddresses(_)))
}

fn tracked(condition: Option<&Condition>) -> Vec<PoolName> {
    match condition {
        None | Some(Condition::Check(_)) => Vec::new(),
        Some(Condition::All(members) | Condition::Any(members)) => {
            members.iter().flat_map(|member| tracked(Some(member))).collect()
        }
        Some(Condition::Track(tracking)) => {
            let mut names = tracked(tracking.decided_by.as_deref());
            names.push(tracking.pool.clone());
            names
        }
    }
}
