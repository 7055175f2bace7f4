//! What the kernel's tables should be, recomputed whole from (policy, verdicts, host, roles). Pure.
//!
//! It does not know what the kernel holds, and changes nothing: [`crate::reconcile`] compares. One file a kernel table:
//! [`ipvs`], [`ruleset`], [`sysctls`] (those of connection synchronisation in [`synchronisation`]).

mod exchange;
mod ipvs;
mod real_path;
mod ruleset;
mod survival;
mod synchronisation;
mod sysctls;

pub use exchange::{Exchange, exchange};
pub use ipvs::destination_key;
pub use survival::{Survival, survival};

use crate::model::{HostFacts, Pair, Policy, Pool, Reach, RealServer, Roles, SyncDaemon, Sysctl, Tables};
use crate::rotation::Placement;
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

/// Whether a real server takes part in its pool now, as its health sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Up,
    Down,
}

/// Why a server that is up is kept out of the table all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// DR needs the real server on the director's own link: behind a gateway the frame would go to the router.
    BehindGateway,
}

/// What the tables depend on beside policy and verdicts.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// How this host reaches addresses.
    pub host: &'a HostFacts,
    /// Where this director is Master.
    pub roles: &'a Roles,
}

/// The desired tables. `placement` says where the servers of a pool stand.
pub fn tables<P: Borrow<Placement>>(
    policy: &Policy,
    situation: Situation<'_>,
    placement: impl Fn(&Pool) -> P,
) -> Tables {
    let mut tables = Tables {
        sync_daemons: sync_daemons(&policy.pair, situation.roles),
        timeouts: policy.kernel.timeouts,
        ruleset: ruleset::ruleset(policy, situation.roles),
        sysctls: sysctls::sysctls(policy, situation),
        addresses: policy.virtual_addresses.iter().cloned().collect(),
        ..Tables::default()
    };
    for pool in policy.pools.values() {
        ipvs::add_pool(&mut tables, pool, placement(pool).borrow());
        real_path::add_services(&mut tables, pool);
    }
    tables
}

/// The kernel settings that the policy asks for whatever this director's role is.
#[must_use]
pub fn lasting_settings(policy: &Policy, host: &HostFacts) -> BTreeMap<Sysctl, String> {
    let of = |roles: &Roles| sysctls::sysctls(policy, Situation { host, roles });
    let master = Roles { master_of: policy.pair.routers.keys().cloned().collect(), ..Roles::default() };
    let (mut settings, as_master) = (of(&Roles::default()), of(&master));
    settings.retain(|name, value| as_master.get(name) == Some(value));
    settings
}

/// The synchronisation daemons that the policy asks for where this director has these roles.
fn sync_daemons(pair: &Pair, roles: &Roles) -> BTreeSet<SyncDaemon> {
    pair.connection_sync.as_ref().map(|sync| sync.daemons(&pair.groups, roles)).unwrap_or_default()
}

/// What keeps a server of `pool` out of the table whatever its health says.
#[must_use]
pub fn obstacle(server: &RealServer, host: &HostFacts) -> Option<Obstacle> {
    let direct = matches!(server.forwarding, crate::model::Forwarding::DirectRouting);
    let behind = || matches!(host.reach.get(&server.address), Some(Reach::Gateway { .. }));
    (direct && behind()).then_some(Obstacle::BehindGateway)
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;
