//! Pools: virtual services, the real servers behind them, and the policy between the two.

use super::{CheckName, Encapsulation, ForwardingMethod, ServiceConfig, ServiceKey, Thresholds};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Name of a pool, unique in a policy.
pub type PoolName = Arc<str>;

/// How a pool's packets reach its real servers: the policy's word, of which the kernel's [`ForwardingMethod`] is a part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forwarding {
    Nat,
    DirectRouting,
    Tunnelling(Encapsulation),
    /// NAT whose real servers see an address of the director, so that they need no route back through it.
    FullNat(SourceTranslation),
}

impl Forwarding {
    /// The kernel's part of it.
    #[must_use]
    pub const fn method(&self) -> ForwardingMethod {
        match self {
            Self::Nat | Self::FullNat(_) => ForwardingMethod::Masquerade,
            Self::DirectRouting => ForwardingMethod::DirectRoute,
            Self::Tunnelling(encapsulation) => ForwardingMethod::Tunnel(*encapsulation),
        }
    }

    /// Whether a packet may leave with another port than it came with.
    #[must_use]
    pub const fn maps_ports(&self) -> bool {
        matches!(self, Self::Nat | Self::FullNat(_))
    }

    /// The policy's word: `nat`, `dr`, `tun`, `full-nat`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::DirectRouting => "dr",
            Self::Tunnelling(_) => "tun",
            Self::FullNat(_) => "full-nat",
        }
    }
}

/// Which address a full-NAT connection bears towards its real server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceTranslation {
    /// The first address of the interface that the packet leaves by.
    Masquerade,
    /// One of these, chosen at random for each connection; each gives about 64,000 ports a real server. Sorted, of one or
    /// both families; never empty.
    LocalAddresses(Vec<IpAddr>),
}

/// What the table does with a server whose verdict is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// The destination leaves the table.
    Remove,
    /// It stays with weight 0: its connections live on.
    Quiesce,
}

/// Verdict of a server before its first probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    /// In rotation at once; `fall` failures take it out.
    Up,
    /// Out until its first success.
    Down,
}

/// Which check decides on a server, and whom the probe talks to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckTarget {
    pub check: CheckName,
    /// The RIP and its port, or what the check says instead.
    pub address: SocketAddr,
}

/// A machine that answers, as one pool uses it. Everything inherited is written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealServer {
    /// Its name, or `RIP:port` where the policy gives none: the `server` label of the metrics.
    pub name: Arc<str>,
    /// The RIP.
    pub address: IpAddr,
    /// `None`: the port of the virtual service.
    pub port: Option<u16>,
    /// Configured weight, 0..=65535.
    pub weight: u32,
    pub thresholds: Thresholds,
    pub forwarding: Forwarding,
    /// `None`: not checked, always up.
    pub check: Option<CheckTarget>,
}

impl RealServer {
    /// The running check that decides on it; `None` where it is not checked.
    #[must_use]
    pub fn target(&self) -> Option<super::TargetKey> {
        let check = self.check.as_ref()?;
        Some(super::TargetKey { check: check.check.clone(), address: check.address })
    }
}

/// A virtual service of a pool, with the configuration it has in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualService {
    pub key: ServiceKey,
    pub config: ServiceConfig,
    /// The VIP ports that our own nftables rule marks for this service (`join_ports`); empty otherwise.
    pub joined: Vec<ServiceKey>,
}

/// Virtual services and the real servers behind them. Keyed by [`PoolName`] in [`super::Policy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    pub name: PoolName,
    /// Sorted by key, never empty.
    pub services: Vec<VirtualService>,
    /// In the order of the file; may be empty.
    pub servers: Vec<RealServer>,
    pub on_failure: OnFailure,
    pub initial: Initial,
    /// The pool's packets bypass connection tracking (never with full-NAT).
    pub untracked: bool,
    pub labels: BTreeMap<String, String>,
}
