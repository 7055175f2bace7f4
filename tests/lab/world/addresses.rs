//! The addresses of the world, in both families: host 110 is 192.168.101.110 and fd00:192:168:101::110.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One host's address in each family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) ipv4: Ipv4Addr,
    pub(crate) ipv6: Ipv6Addr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
}

pub(crate) const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

impl Addresses {
    pub(crate) fn of(self, family: Family) -> IpAddr {
        match family {
            Family::Ipv4 => self.ipv4.into(),
            Family::Ipv6 => self.ipv6.into(),
        }
    }
}

/// A host on the network that director, real servers and the near client share.
pub(crate) fn near(host: u16) -> Addresses {
    on_network(101, host)
}

/// A host on the network behind the director's `eth1`.
pub(crate) fn far(host: u16) -> Addresses {
    on_network(102, host)
}

/// Written as text, since an IPv6 host number is meant to look the same, though it is hexadecimal.
fn on_network(network: u8, host: u16) -> Addresses {
    Addresses {
        ipv4: format!("192.168.{network}.{host}").parse().expect("a host number below 255"),
        ipv6: format!("fd00:192:168:{network}::{host}").parse().expect("a host number"),
    }
}

pub(crate) fn family(address: IpAddr) -> Family {
    if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
}

/// The prefix length that makes it one host: 32 or 128.
pub(crate) fn host_length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// `http://192.168.101.100:80/path`, with brackets where IPv6 wants them.
pub(crate) fn url(scheme: &str, address: IpAddr, port: u16, path: &str) -> String {
    format!("{scheme}://{}{path}", SocketAddr::new(address, port))
}
