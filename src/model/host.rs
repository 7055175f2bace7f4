//! What a director's host looks like from inside, as far as a policy depends on it.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// How this host would send a packet to an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Directly, on the link of this interface.
    OnLink { interface: String },
    /// Through a gateway behind this interface.
    Gateway { interface: String },
    /// It is an address of this host.
    Local,
    /// There is no route.
    Unreachable,
}

/// Facts of one host at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HostFacts {
    /// By address: RIPs, VIPs and local addresses of the policy. What is missing was not looked up.
    pub reach: BTreeMap<IpAddr, Reach>,
}

impl HostFacts {
    /// The interface by which packets for `address` leave; `None` where it is local, unreachable or unknown.
    #[must_use]
    pub fn interface(&self, address: IpAddr) -> Option<&str> {
        match self.reach.get(&address)? {
            Reach::OnLink { interface } | Reach::Gateway { interface } => Some(interface),
            Reach::Local | Reach::Unreachable => None,
        }
    }
}
