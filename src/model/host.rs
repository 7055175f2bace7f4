//! What a director's host looks like from inside, as far as a policy depends on it.

use super::Family;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// How this host would send a packet to an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Directly, on the link of this interface.
    OnLink { interface: Arc<str> },
    /// Through a gateway behind this interface.
    Gateway { interface: Arc<str> },
    /// It is an address of this host.
    Local,
    /// There is no route.
    Unreachable,
}

/// Version of a Linux kernel: 5.9 is (5, 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelRelease(pub u32, pub u32);

impl KernelRelease {
    /// Of a text such as `6.1.0-13-amd64` (uname(2), proc_sys_kernel(5)); `None` where it does not begin with a version.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(|letter: char| !letter.is_ascii_digit());
        Some(Self(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

/// As the kernel's own versions are written.
impl fmt::Display for KernelRelease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.0, self.1)
    }
}

/// Facts of one host at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct HostFacts {
    /// By address: RIPs, VIPs and local addresses of the policy. What is missing was not looked up.
    pub reach: BTreeMap<IpAddr, Reach>,
    /// Of its kernel; `None` where that is not known: it is taken for a new one.
    pub kernel: Option<KernelRelease>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_kernels_write_them() {
        assert_eq!(KernelRelease::parse("6.1.0-13-amd64"), Some(KernelRelease(6, 1)));
        assert_eq!(KernelRelease::parse("5.15-rc2+\n"), Some(KernelRelease(5, 15)));
        assert_eq!(KernelRelease::parse("unknown"), None);
        assert!(KernelRelease(5, 9) < KernelRelease(5, 16));
        assert_eq!(KernelRelease(5, 16).to_string(), "5.16");
    }
}
