//! Which server of which pool: the name that counts, events and adoption share. Pure.

use super::targets::{TargetId, Targets};
use crate::model::{Policy, Pool, PoolName, RealServer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// A server of a pool, by name.
pub(super) type ServerId = (PoolName, Arc<str>);

/// The name of `server` in `pool`; costs two reference counts.
pub(super) fn id(pool: &Pool, server: &RealServer) -> ServerId {
    (pool.name.clone(), server.name.clone())
}

/// What makes a server of a pool the same under another policy: who has its name and another address is somebody else.
pub(super) fn identity(server: &RealServer) -> (&str, IpAddr, Option<u16>) {
    (&server.name, server.address, server.port)
}

/// The servers that each running check decides on.
pub(super) fn users(policy: &Policy, targets: &Targets) -> BTreeMap<TargetId, Vec<ServerId>> {
    let mut users: BTreeMap<TargetId, Vec<ServerId>> = BTreeMap::new();
    for pool in policy.pools.values() {
        for server in pool.every_server() {
            let own: BTreeSet<TargetId> = server.targets().filter_map(|key| targets.id_of(key)).collect();
            for target in own {
                users.entry(target).or_default().push(id(pool, server));
            }
        }
    }
    users
}
