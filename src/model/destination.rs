//! Destinations: a real server inside one virtual service, as the kernel holds it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Identity of a destination inside its service. The order (address, then port) is the one canonical order in which
/// destinations go into the kernel, so that two directors build the same `mh` table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationKey {
    /// The RIP.
    pub address: IpAddr,
    /// The real server's port; 0 keeps the port that the client asked for.
    pub port: u16,
}

impl DestinationKey {
    /// No other comes before it.
    pub const FIRST: Self = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 0 };
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(formatter)
    }
}

/// How a tunnelled packet is wrapped (`IP_VS_CONN_F_TUNNEL_TYPE_*`, Linux 5.2 for gue, 5.3 for gre).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encapsulation {
    /// IP in IP (or in IPv6): the classic.
    IpIp,
    /// Generic UDP encapsulation to this port (1..).
    Gue { port: u16, checksum: TunnelChecksum },
    /// Generic routing encapsulation.
    Gre { checksum: TunnelChecksum },
}

/// Checksum of the tunnel's outer header (`IP_VS_TUNNEL_ENCAP_FLAG_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum TunnelChecksum {
    #[default]
    None,
    Full,
    /// Remote checksum offload; gue only.
    Remote,
}

/// What the kernel does with a packet for this destination (`IP_VS_CONN_F_FWD_MASK`). Full-NAT is `Masquerade` here: the
/// translation of the source is nftables' part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ForwardingMethod {
    Masquerade,
    /// The destination is this host itself; seen in foreign tables, never made by us.
    Local,
    Tunnel(Encapsulation),
    DirectRoute,
    /// The kernel's cache bypass; seen in foreign tables, never made by us.
    Bypass,
}

impl fmt::Display for ForwardingMethod {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Masquerade => formatter.write_str("masquerade"),
            Self::Local => formatter.write_str("local"),
            Self::DirectRoute => formatter.write_str("direct route"),
            Self::Bypass => formatter.write_str("bypass"),
            Self::Tunnel(Encapsulation::IpIp) => formatter.write_str("tunnel (ipip)"),
            Self::Tunnel(Encapsulation::Gue { port, .. }) => write!(formatter, "tunnel (gue to port {port})"),
            Self::Tunnel(Encapsulation::Gre { .. }) => formatter.write_str("tunnel (gre)"),
        }
    }
}

/// Connection limits of a destination (`IPVS_DEST_ATTR_U_THRESH`, `L_THRESH`): at `upper` it gets no new connection until
/// it is below `lower` again. 0 is "no limit".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Thresholds {
    pub upper: u32,
    pub lower: u32,
}

/// Everything of a destination but its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    pub method: ForwardingMethod,
    /// 0..=65535; 0 gets no new connection.
    pub weight: u32,
    pub thresholds: Thresholds,
}
