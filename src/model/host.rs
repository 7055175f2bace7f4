//! What this host's routing says about addresses of a policy: facts for its validation, asked for once.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// How packets of this host get to an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// A neighbour on this interface's link: nothing routes in between.
    OnLink { interface: String },
    /// Through a router, by this interface.
    Gateway { interface: String },
    /// An address of this host itself.
    Local,
    /// No route, or one that drops; also broadcast and multicast addresses.
    Unreachable,
}

/// How each of the addresses asked for is reached from this network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HostFacts {
    pub reach: BTreeMap<IpAddr, Reach>,
}
