//! Virtual services: their identity and their configuration, as `linux/ip_vs.h` knows them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// Transport protocol of a virtual service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// The number in the IP header (IANA protocol numbers).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }

    /// The protocol of an IANA number that IPVS can balance.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            6 => Some(Self::Tcp),
            17 => Some(Self::Udp),
            132 => Some(Self::Sctp),
            _ => None,
        }
    }

    /// The word of the policy: `tcp`, `udp`, `sctp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// `0.0.0.0` or `::`.
    #[must_use]
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::Ipv4 => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            Self::Ipv6 => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        }
    }

    /// Length of an address in bits: 32 or 128.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
        })
    }
}

/// Identity of a virtual service in the kernel. The order is the order in which tables are built and printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceKey {
    /// Protocol, VIP and port; port 0 is every port (the kernel wants persistence with it).
    Address { protocol: Protocol, address: IpAddr, port: u16 },
    /// Packets that carry this firewall mark (1..), in one family.
    FirewallMark { family: Family, mark: u32 },
}

impl ServiceKey {
    /// The family of the clients' packets.
    #[must_use]
    pub const fn family(&self) -> Family {
        match self {
            Self::Address { address, .. } => Family::of(*address),
            Self::FirewallMark { family, .. } => *family,
        }
    }

    /// The VIP, where the service is known by one.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address { address, .. } => Some(*address),
            Self::FirewallMark { .. } => None,
        }
    }

    /// The port of the service; `None` for a firewall mark and for port 0 (every port).
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Address { port: 0, .. } | Self::FirewallMark { .. } => None,
            Self::Address { port, .. } => Some(*port),
        }
    }
}

/// As the policy and the metrics write it: `tcp://192.0.2.1:80`, `tcp://[2001:db8::1]:80`, `fwmark://7`, `fwmark6://7`.
impl fmt::Display for ServiceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { protocol, address, port } => {
                write!(formatter, "{}://{}", protocol.name(), SocketAddr::new(*address, *port))
            }
            Self::FirewallMark { family: Family::Ipv4, mark } => write!(formatter, "fwmark://{mark}"),
            Self::FirewallMark { family: Family::Ipv6, mark } => write!(formatter, "fwmark6://{mark}"),
        }
    }
}

/// The kernel's schedulers (`net/netfilter/ipvs`), by the names that `ipvsadm` uses.
pub const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "mh", "dh", "fo", "ovf", "sed", "nq", "twos"];

/// Name of a scheduler. What the kernel reports may be a name that this program has never heard of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchedulerName(pub String);

impl fmt::Display for SchedulerName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Flags of a service that its owner sets (`IP_VS_SVC_F_*` without PERSISTENT and HASHED, which follow from the rest).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ServiceFlags {
    /// One-packet scheduling: each datagram is scheduled alone (UDP only).
    pub one_packet: bool,
    /// First scheduler flag: `sh-fallback`, `mh-fallback`.
    pub scheduler_1: bool,
    /// Second scheduler flag: `sh-port`, `mh-port`.
    pub scheduler_2: bool,
    /// Third scheduler flag; no scheduler of today reads it.
    pub scheduler_3: bool,
}

/// Persistence of clients: a client (or its network) stays on its real server for `timeout_s` after its last connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Persistence {
    /// Seconds, 1..=2678400 (the kernel's bound of 31 days, as `ipvsadm` has it).
    pub timeout_s: u32,
    /// Length of the client's prefix: 0..=32 for IPv4, 1..=128 for IPv6.
    pub prefix: u8,
}

/// Everything of a virtual service but its identity and its destinations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceConfig {
    pub scheduler: SchedulerName,
    pub flags: ServiceFlags,
    pub persistence: Option<Persistence>,
    /// Persistence engine by name: `sip` is the kernel's only one.
    pub persistence_engine: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_prints_as_the_policy_writes_it() {
        let address = |protocol, address: &str, port| ServiceKey::Address {
            protocol,
            address: address.parse().expect("an address"),
            port,
        };
        assert_eq!(address(Protocol::Tcp, "192.0.2.1", 80).to_string(), "tcp://192.0.2.1:80");
        assert_eq!(address(Protocol::Sctp, "2001:db8::1", 80).to_string(), "sctp://[2001:db8::1]:80");
        assert_eq!(ServiceKey::FirewallMark { family: Family::Ipv6, mark: 7 }.to_string(), "fwmark6://7");
    }

    #[test]
    fn every_protocol_is_found_again_by_its_number() {
        for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
            assert_eq!(Protocol::from_number(protocol.number()), Some(protocol));
        }
        assert_eq!(Protocol::from_number(1), None);
    }
}
