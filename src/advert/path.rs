//! Which sockets a policy needs: one path for each interface and family over which routers are multicast, one for each
//! family over which they are unicast, and the paths of the beats. Pure; [`super::transport`] opens them.
//!
//! A unicast path belongs to no interface: its two ends are the directors' own addresses, wherever these are. All routers
//! that are unicast in a family share it, and only their VRIDs tell them apart, so these must differ even where the
//! interfaces of the routers do.

use crate::floating::plan::virtual_mac;
use crate::model::{Director, Family, Pair, Transport, VirtualRouter};
use crate::vrrp::{RouterId, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

/// Identity of a path: its place in [`Paths::paths`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub usize);

/// What travels on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// VRRP: IP protocol 112.
    Advertisement,
    /// UDP from and to this port.
    Beat { port: u16 },
}

/// Between whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Everybody on the link: 224.0.0.18 or `ff02::12`.
    Multicast { interface: String },
    /// The other directors.
    Unicast { own: IpAddr, peers: Vec<IpAddr> },
}

/// One socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    pub protocol: Protocol,
    pub family: Family,
    pub kind: Kind,
}

impl Path {
    /// The interface that it is bound to; unicast is bound to none.
    #[must_use]
    pub fn interface(&self) -> Option<&str> {
        match &self.kind {
            Kind::Multicast { interface } => Some(interface),
            Kind::Unicast { .. } => None,
        }
    }
}

impl Path {
    /// Whether one socket serves both: all is equal but the peers, whom a packet names.
    #[must_use]
    pub fn has_the_socket_of(&self, other: &Self) -> bool {
        let own = |path: &Self| match path.kind {
            Kind::Multicast { .. } => None,
            Kind::Unicast { own, .. } => Some(own),
        };
        (self.protocol, self.family, self.interface(), own(self))
            == (other.protocol, other.family, other.interface(), own(other))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Protocol::Advertisement => write!(formatter, "advertisements, {} ", self.family)?,
            Protocol::Beat { port } => write!(formatter, "beats on UDP port {port}, {} ", self.family)?,
        }
        match &self.kind {
            Kind::Multicast { interface } => write!(formatter, "multicast on {interface}"),
            Kind::Unicast { own, .. } => write!(formatter, "unicast from {own}"),
        }
    }
}

/// A way on which the directors hear each other's beats. It is listened to on all its paths; a beat is sent on the first
/// that works, so that two directors which see their interface differently still hear each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeatPath {
    /// The interface of `heartbeat`; `None`: between the directors' own addresses.
    pub interface: Option<String>,
    /// In order of preference: IPv4 before IPv6.
    pub paths: Vec<PathId>,
}

/// All of them, and who uses which.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Paths {
    pub paths: Vec<Path>,
    /// A session is missing here when it is unicast and this director has no address of its family.
    pub sessions: BTreeMap<SessionId, PathId>,
    /// The MAC that the advertisements of a multicast session have as their source, where its router has a virtual one.
    pub virtual_macs: BTreeMap<SessionId, [u8; 6]>,
    pub beats: Vec<BeatPath>,
    /// The addresses that move between the directors: none of them may be the source of a packet.
    pub floating: BTreeSet<IpAddr>,
    /// This director's own addresses: the first choice for a source.
    pub own: Vec<IpAddr>,
}

impl Paths {
    /// The paths of a pair, seen from this director; none without directors.
    #[must_use]
    pub fn of(pair: &Pair) -> Self {
        let Some(director) = pair.own.as_ref().and_then(|own| pair.directors.get(own)) else {
            return Self::default();
        };
        let mut paths = Self {
            floating: pair.routers.values().flat_map(VirtualRouter::floating_addresses).collect(),
            own: [Family::Ipv4, Family::Ipv6].iter().filter_map(|family| director.address(*family)).collect(),
            ..Self::default()
        };
        for (index, router) in pair.routers.values().enumerate() {
            for family in router.families() {
                let Some(kind) = kind_of(pair, director, router, family) else { continue };
                let session = SessionId { router: RouterId(index), family };
                if router.virtual_mac && router.transport == Transport::Multicast {
                    paths.virtual_macs.insert(session, virtual_mac(family, router.vrid));
                }
                let path = paths.add(Path { protocol: Protocol::Advertisement, family, kind });
                paths.sessions.insert(session, path);
            }
        }
        paths.add_beats(pair, director);
        paths
    }

    /// The path of this identity.
    #[must_use]
    pub fn get(&self, path: PathId) -> Option<&Path> {
        self.paths.get(path.0)
    }

    /// All identities, in order.
    pub fn ids(&self) -> impl Iterator<Item = PathId> + use<> {
        (0..self.paths.len()).map(PathId)
    }

    /// The paths that are bound to an interface: what to open again, or to look up the source of, when it changed.
    pub fn on_interface<'all>(&'all self, name: &'all str) -> impl Iterator<Item = PathId> + 'all {
        let on_it = move |(_, path): &(usize, &Path)| path.interface() == Some(name);
        self.paths.iter().enumerate().filter(on_it).map(|(index, _)| PathId(index))
    }

    /// The identity of a path, which is added where it is new.
    fn add(&mut self, path: Path) -> PathId {
        let known = self.paths.iter().position(|known| *known == path);
        PathId(known.unwrap_or_else(|| {
            self.paths.push(path);
            self.paths.len() - 1
        }))
    }

    fn add_beats(&mut self, pair: &Pair, director: &Director) {
        if pair.others().next().is_none() {
            return;
        }
        let protocol = Protocol::Beat { port: pair.peer.port };
        for family in [Family::Ipv4, Family::Ipv6] {
            if let Some(kind) = unicast(pair, director, family) {
                let paths = vec![self.add(Path { protocol, family, kind })];
                self.beats.push(BeatPath { interface: None, paths });
            }
        }
        let interfaces: BTreeSet<&String> =
            pair.routers.values().flat_map(|router| &router.heartbeat).collect();
        for interface in interfaces {
            let kind = Kind::Multicast { interface: interface.clone() };
            let paths = [Family::Ipv4, Family::Ipv6]
                .into_iter()
                .map(|family| self.add(Path { protocol, family, kind: kind.clone() }))
                .collect();
            self.beats.push(BeatPath { interface: Some(interface.clone()), paths });
        }
    }
}

fn kind_of(pair: &Pair, director: &Director, router: &VirtualRouter, family: Family) -> Option<Kind> {
    match router.transport {
        Transport::Multicast => Some(Kind::Multicast { interface: router.interface.clone() }),
        Transport::Unicast => unicast(pair, director, family),
    }
}

/// From this director's address of a family to the others' that have one; `None` where either end is missing.
fn unicast(pair: &Pair, director: &Director, family: Family) -> Option<Kind> {
    let own = director.address(family)?;
    let peers: Vec<IpAddr> = pair.others().filter_map(|(_, other)| other.address(family)).collect();
    (!peers.is_empty()).then_some(Kind::Unicast { own, peers })
}

#[cfg(test)]
#[path = "tests/path.rs"]
mod tests;
