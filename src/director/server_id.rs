//! Which server of which pool: the name that counts, events and adoption share. Pure.

use super::targets::{TargetId, Targets};
use crate::model::{Policy, Pool, PoolName, RealServer, TargetKey};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A server of a pool, by name.
pub(super) type ServerId = (PoolName, Arc<str>);

/// The name of `server` in `pool`; costs two reference counts.
pub(super) fn id(pool: &Pool, server: &RealServer) -> ServerId {
    (pool.name.clone(), server.name.clone())
}

/// The servers that each running check decides on.
pub(super) fn users(policy: &Policy, targets: &Targets) -> BTreeMap<TargetId, Vec<ServerId>> {
    let ids: BTreeMap<&TargetKey, TargetId> = targets.iter().map(|(id, target)| (&target.key, id)).collect();
    let mut users: BTreeMap<TargetId, Vec<ServerId>> = BTreeMap::new();
    for pool in policy.pools.values() {
        for server in &pool.servers {
            if let Some(target) = server.check.as_ref().and_then(|key| ids.get(key).copied()) {
                users.entry(target).or_default().push(id(pool, server));
            }
        }
    }
    users
}
