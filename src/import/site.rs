//! The common form of what is imported: what a director of any kind has, before it is written as a policy.
//!
//! Deliberately not [`crate::model`]: this form keeps what a file does not say (another director's priority), and where each
//! thing was written. It is never acted upon.

use super::verdict::Origin;
use super::yaml::Entry;
use crate::model::EventKind;
use ipnet::IpNet;
use std::net::IpAddr;

/// What one file says of one machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Site {
    /// What the machine calls itself.
    pub(super) name: Option<String>,
    pub(super) routers: Vec<Router>,
    pub(super) groups: Vec<Group>,
    /// Scripts that routers track, by name.
    pub(super) scripts: Vec<Check>,
    pub(super) pools: Vec<Pool>,
    /// Addresses that the machine holds whoever is Master.
    pub(super) held: Vec<(IpNet, String, Origin)>,
    pub(super) sync: Option<Sync>,
    /// Seconds: established, after a FIN, UDP.
    pub(super) timeouts: [Option<u32>; 3],
    /// A stopped daemon takes its services away.
    pub(super) removes_at_stop: bool,
    /// Programs that are told of changes.
    pub(super) notices: Vec<Script>,
    pub(super) mail: Option<Mail>,
}

/// A program that is run at changes.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) at: Origin,
    /// Events of the policy.
    pub(super) kinds: Vec<EventKind>,
    pub(super) command: Vec<String>,
    pub(super) user: Option<String>,
    pub(super) about: About,
}

/// What a script is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    Director,
    Router(String),
    /// A pool, by its name.
    Pool(String),
    /// A server of a pool, as it was written.
    Server(String, IpAddr, Option<u16>),
}

/// Mail at changes.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    pub(super) at: Origin,
    pub(super) to: Vec<String>,
    pub(super) from: Option<String>,
    pub(super) server: String,
    pub(super) hello: Option<String>,
    pub(super) timeout_ms: Option<u64>,
    /// The routers and pools that it is about.
    pub(super) routers: Vec<String>,
    pub(super) pools: Vec<String>,
}

/// A virtual router.
#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) name: String,
    pub(super) at: Origin,
    pub(super) interface: Option<String>,
    pub(super) vrid: Option<u8>,
    pub(super) priority: u8,
    pub(super) priority_at: Option<Origin>,
    /// `state MASTER`.
    pub(super) starts_as_master: bool,
    pub(super) addresses: Vec<Floating>,
    pub(super) version: u8,
    pub(super) interval_ms: u64,
    pub(super) interval_at: Option<Origin>,
    /// Its own address, as advertisements bear it.
    pub(super) source: Option<IpAddr>,
    pub(super) unicast: bool,
    pub(super) peers: Vec<(IpAddr, Origin)>,
    pub(super) preempt: Preempt,
    pub(super) start_delay_ms: u64,
    pub(super) virtual_mac: bool,
    pub(super) garp: Garp,
    pub(super) trackers: Vec<Tracker>,
    /// The checksum of version 3 has no pseudo-header.
    pub(super) checksum_as_v2: bool,
    pub(super) authentication: Option<Authentication>,
}

/// An address that floats.
#[derive(Clone, Debug)]
pub(super) struct Floating {
    pub(super) net: IpNet,
    /// Another interface than the router's.
    pub(super) device: Option<String>,
    pub(super) at: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preempt {
    Always,
    Never,
    AfterMs(u64),
}

/// How a new Master tells its neighbours; `None` leaves Tandem's default, which is keepalived's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Garp {
    pub(super) repeat: Option<u32>,
    pub(super) delay_ms: Option<u64>,
    pub(super) lower_priority_repeat: Option<u32>,
    pub(super) refresh_ms: Option<u64>,
    pub(super) refresh_repeat: Option<u32>,
    pub(super) interval_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tracked {
    Interface(String),
    Script(String),
    Process(String),
    File(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tracker {
    pub(super) at: Origin,
    pub(super) what: Tracked,
    /// Added while it is bad; `None`: a failure is Fault.
    pub(super) change: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    /// Its password belongs into a file.
    Password,
    /// Mode, and the keys: number, and the file where it is said.
    Keys(&'static str, Vec<(u8, Option<String>)>),
}

/// Routers that move together.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) at: Origin,
    pub(super) routers: Vec<(String, Origin)>,
}

/// The kernel's connection synchronisation.
#[derive(Clone, Debug)]
pub(super) struct Sync {
    pub(super) at: Origin,
    pub(super) interface: String,
    pub(super) id: Option<u8>,
    /// The router that it follows.
    pub(super) router: Option<String>,
}

/// A check: its keys as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// Name that it would like.
    pub(super) hint: String,
    /// Whether it asks a port.
    pub(super) needs_port: bool,
    pub(super) port: Option<u16>,
    pub(super) keys: Vec<Entry>,
    /// What is left to do by hand.
    pub(super) todo: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// A virtual service, or a range of them; port 0 is every port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Service {
    Addresses { protocol: Protocol, first: IpAddr, last: IpAddr, port: u16 },
    Mark { mark: u32, ipv6: bool },
}

impl Service {
    pub(super) const fn is_ipv6(&self) -> bool {
        match self {
            Self::Addresses { first, .. } => first.is_ipv6(),
            Self::Mark { ipv6, .. } => *ipv6,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Forwarding {
    Nat,
    Dr,
    /// Encapsulation, port, checksum.
    Tun(&'static str, Option<u16>, Option<&'static str>),
}

impl Forwarding {
    /// The tunnel of these words; `None` where there is none such, or it is GUE, which has no port of its own, without a port:
    /// keepalived and ipvsadm refuse it, too.
    pub(super) fn tunnel(kind: &str, port: Option<u16>, checksum: Option<&'static str>) -> Option<Self> {
        let kind = ["ipip", "gue", "gre"].into_iter().find(|known| *known == kind)?;
        let port = port.filter(|port| *port > 0);
        (kind != "gue" || port.is_some()).then_some(Self::Tun(kind, port, checksum))
    }

    pub(super) const fn maps_ports(&self) -> bool {
        matches!(self, Self::Nat)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Persistence {
    pub(super) seconds: Option<u32>,
    pub(super) prefix: Option<u8>,
    pub(super) sip: bool,
}

/// Virtual services and the real servers behind them.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) at: Origin,
    pub(super) services: Vec<(Service, Origin)>,
    pub(super) forwarding: Forwarding,
    pub(super) scheduler: String,
    /// Of sh and mh.
    pub(super) fallback: bool,
    pub(super) hashes_port: bool,
    pub(super) persistence: Option<Persistence>,
    pub(super) one_packet: bool,
    /// Least weight, and the weight that brings it back.
    pub(super) quorum: Option<(u32, u32, Origin)>,
    pub(super) sorry: Option<Server>,
    pub(super) quiesces: bool,
    pub(super) starts_down: bool,
    pub(super) servers: Vec<Server>,
    pub(super) label: Option<String>,
    pub(super) todo: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    pub(super) at: Origin,
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) weight: u32,
    pub(super) upper: Option<u32>,
    pub(super) lower: Option<u32>,
    pub(super) forwarding: Option<Forwarding>,
    /// All of them decide; none: it is always up.
    pub(super) checks: Vec<(Check, Origin)>,
}
