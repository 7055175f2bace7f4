//! What a host's routes and addresses say about the addresses of a policy; for advice, never for decisions.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// How this host reaches each address that it was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HostFacts {
    /// An address that is missing here was not asked about.
    pub reach: BTreeMap<IpAddr, Reach>,
}

/// How this host reaches an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Directly, on the link of this interface.
    OnLink { interface: String },
    /// By a gateway, out of this interface.
    Gateway { interface: String },
    /// It is an address of this host.
    Local,
    /// No route leads there.
    Unreachable,
}
