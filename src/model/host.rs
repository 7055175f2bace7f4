//! What a director's host looks like from inside, as far as a policy depends on it.

use super::Family;
use ipnet::IpNet;
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

/// What a host's network looks like: what `tandem doctor` and `tandem real-server --check` judge.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct NetworkFacts {
    pub interfaces: Vec<InterfaceFacts>,
    pub addresses: Vec<AddressFacts>,
    pub default_routes: Vec<DefaultRoute>,
}

impl NetworkFacts {
    /// An interface by its name.
    #[must_use]
    pub fn interface(&self, name: &str) -> Option<&InterfaceFacts> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }

    /// The interfaces that hold an address.
    pub fn holders(&self, address: IpAddr) -> impl Iterator<Item = &AddressFacts> {
        self.addresses.iter().filter(move |held| held.address.addr() == address)
    }
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct InterfaceFacts {
    pub name: String,
    /// Switched on by its administrator.
    pub up: bool,
    /// Its cable is in.
    pub carrier: bool,
    pub mtu: u32,
    /// The kernel's word: `dummy`, `ipip`, `sit`, `ip6tnl`, `gre`, `ip6gre`, …; `None` for hardware.
    pub kind: Option<String>,
    /// Of a tunnel: the only own address whose packets it unwraps; `None`: any.
    pub local: Option<IpAddr>,
    /// Of a tunnel: the only sender that it unwraps packets of; `None`: any.
    pub remote: Option<IpAddr>,
}

/// An address that this host has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressFacts {
    pub interface: String,
    /// With the length of its prefix.
    pub address: IpNet,
    /// Not in use yet, or never: detection of duplicates goes on, or found one.
    pub tentative: bool,
}

/// A route to everywhere, of the main table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultRoute {
    pub family: Family,
    pub gateway: Option<IpAddr>,
    pub interface: String,
    /// The largest segment that this host asks for by this route (`advmss`); `None`: what the MTU allows.
    pub segment: Option<u32>,
}
