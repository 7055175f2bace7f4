//! An entry of connection tracking that stands for a connection of NAT or full-NAT, as a value.

use super::Protocol;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// A connection as IPVS knows it. All addresses are of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    pub protocol: Protocol,
    /// Where the client sends from.
    pub client: SocketAddr,
    /// Where the client sends to.
    pub virtual_service: SocketAddr,
    /// The real server.
    pub destination: SocketAddr,
}

/// A connection whose answers come back through this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConntrackEntry {
    pub connection: Connection,
    /// What the real server sees: with full-NAT a local address of ours, else the client's. Its port is the client's own.
    pub source: IpAddr,
    /// `enum tcp_conntrack` of `linux/netfilter/nf_conntrack_tcp.h`; `None` for a protocol without states.
    pub tcp_state: Option<u8>,
    /// Seconds until it ends, if no packet comes.
    pub timeout_s: u32,
}

impl ConntrackEntry {
    /// Where the real server answers to: of two connections of a real server with one of these, one cannot bear the client's
    /// own port.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        SocketAddr::new(self.source, self.connection.client.port())
    }

    /// What tells answers apart: protocol, the real server that they come from, and where they go.
    #[must_use]
    pub fn answers(&self) -> (Protocol, SocketAddr, SocketAddr) {
        (self.connection.protocol, self.connection.destination, self.local())
    }
}

/// What the kernel counts of connection tracking. What it does not tell is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackingCounts {
    pub entries: Option<u64>,
    /// Entries that it allows.
    pub limit: Option<u64>,
    /// Entries that could not be put in, since boot.
    pub insert_failed: Option<u64>,
    /// By full-NAT's local address: its source ports that are taken towards the real server that has most of them.
    pub ports_used: BTreeMap<IpAddr, u64>,
}
