//! Which server of which pool: the name that counts, events and adoption share; and which servers each check decides on. Pure.

use super::targets::{TargetId, Targets};
use crate::model::{Policy, Pool, PoolName, RealServer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeFrom;
use std::sync::Arc;

/// A server of a pool, by name.
pub(super) type ServerId = (PoolName, Arc<str>);

/// The name of `server` in `pool`; costs two reference counts.
pub(super) fn id(pool: &Pool, server: &RealServer) -> ServerId {
    (pool.name.clone(), server.name.clone())
}

/// The servers of a pool among others that are sorted: `from` gives those of a range. The others are not looked at.
pub(super) fn those_of<'a, S: Iterator<Item = &'a ServerId>>(
    pool: &PoolName,
    from: impl FnOnce(RangeFrom<ServerId>) -> S,
) -> Vec<ServerId> {
    let first = (pool.clone(), Arc::from(""));
    from(first..).take_while(|(name, _)| name == pool).cloned().collect()
}

/// What makes a server of a pool the same under another policy: who has its name and another address is somebody else.
pub(super) fn identity(server: &RealServer) -> (&str, IpAddr, Option<u16>) {
    (&server.name, server.address, server.port)
}

/// The servers that each running check decides on.
#[derive(Debug, Default)]
pub(super) struct Users(BTreeMap<TargetId, Vec<ServerId>>);

impl Users {
    /// Those of all pools of the policy.
    pub(super) fn of(policy: &Policy, targets: &Targets) -> Self {
        let mut users = Self::default();
        users.join(policy.pools.values(), targets);
        users
    }

    /// The servers of a check.
    pub(super) fn of_target(&self, target: TargetId) -> &[ServerId] {
        self.0.get(&target).map(Vec::as_slice).unwrap_or_default()
    }

    /// The servers of these pools are there, too.
    pub(super) fn join<'a>(&mut self, pools: impl Iterator<Item = &'a Pool>, targets: &Targets) {
        for pool in pools {
            for server in pool.every_server() {
                for target in deciding(server, targets) {
                    // Most decide on one server.
                    let servers = self.0.entry(target).or_insert_with(|| Vec::with_capacity(1));
                    servers.push(id(pool, server));
                }
            }
        }
    }

    /// The servers of these pools are gone; their checks still run.
    pub(super) fn leave<'a>(&mut self, pools: impl Iterator<Item = &'a Pool>, targets: &Targets) {
        let (mut left, mut names) = (BTreeSet::new(), BTreeSet::new());
        for pool in pools {
            left.extend(pool.every_server().flat_map(|server| deciding(server, targets)));
            names.insert(&pool.name);
        }
        for target in left {
            self.0.entry(target).or_default().retain(|(pool, _)| !names.contains(pool));
        }
    }

    /// These checks run no more.
    pub(super) fn forget(&mut self, ended: &BTreeSet<TargetId>) {
        for target in ended {
            self.0.remove(target);
        }
    }
}

/// The running checks that decide on a server, each once.
fn deciding(server: &RealServer, targets: &Targets) -> BTreeSet<TargetId> {
    server.targets().filter_map(|key| targets.id_of(key)).collect()
}
