//! Which server of which pool: the name that counts, events and adoption share; and which servers each check decides on. Pure.

use super::targets::{TargetId, Targets};
use crate::model::{Policy, Pool, PoolName, RealServer};
use std::collections::BTreeSet;
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

/// Some servers; nearly always one.
#[derive(Clone, Debug, Default)]
enum Few {
    #[default]
    None,
    One(ServerId),
    More(Vec<ServerId>),
}

impl Few {
    fn as_slice(&self) -> &[ServerId] {
        match self {
            Self::None => &[],
            Self::One(server) => std::slice::from_ref(server),
            Self::More(servers) => servers,
        }
    }

    fn push(&mut self, server: ServerId) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(server),
            Self::One(first) => Self::More(vec![first, server]),
            Self::More(mut servers) => {
                servers.push(server);
                Self::More(servers)
            }
        };
    }
}

impl FromIterator<ServerId> for Few {
    fn from_iter<I: IntoIterator<Item = ServerId>>(servers: I) -> Self {
        let mut few = Self::None;
        servers.into_iter().for_each(|server| few.push(server));
        few
    }
}

/// The servers that each running check decides on, by its place in [`Targets`].
#[derive(Debug, Default)]
pub(super) struct Users(Vec<Few>);

impl Users {
    /// Those of all pools of the policy.
    pub(super) fn of(policy: &Policy, targets: &Targets) -> Self {
        let mut users = Self::default();
        users.join(policy.pools.values(), targets);
        users
    }

    /// The servers of a check.
    pub(super) fn of_target(&self, target: TargetId) -> &[ServerId] {
        self.0.get(target.0).map(Few::as_slice).unwrap_or_default()
    }

    /// The servers of these pools are there, too.
    pub(super) fn join<'a>(&mut self, pools: impl Iterator<Item = &'a Pool>, targets: &Targets) {
        let more = targets.places().saturating_sub(self.0.len());
        self.0.reserve_exact(more);
        self.0.resize_with(self.0.len() + more, Few::default);
        for pool in pools {
            for server in pool.every_server() {
                for target in deciding(server, targets) {
                    if let Some(servers) = self.0.get_mut(target.0) {
                        servers.push(id(pool, server));
                    }
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
            if let Some(servers) = self.0.get_mut(target.0) {
                let stay = servers.as_slice().iter().filter(|(pool, _)| !names.contains(pool));
                *servers = stay.cloned().collect();
            }
        }
    }

    /// These checks run no more.
    pub(super) fn forget(&mut self, ended: &BTreeSet<TargetId>) {
        for target in ended {
            if let Some(servers) = self.0.get_mut(target.0) {
                *servers = Few::None;
            }
        }
    }
}

/// The running checks that decide on a server, each once.
fn deciding(server: &RealServer, targets: &Targets) -> BTreeSet<TargetId> {
    server.targets().filter_map(|key| targets.id_of(key)).collect()
}
