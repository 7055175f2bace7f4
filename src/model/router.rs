//! Virtual routers: the addresses that float between directors, and how the election over them is held.

use super::{CheckName, Family};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Name of a director: its host name, as the policy says it.
pub type DirectorName = Arc<str>;
/// Name of a virtual router in the policy.
pub type RouterName = Arc<str>;
/// Name of a sync group in the policy.
pub type GroupName = Arc<str>;

/// One of the machines that run this policy.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Director {
    /// Its own address (DIP) of each family, at which the other directors reach it.
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
}

impl Director {
    /// Its address of a family.
    #[must_use]
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::Ipv4 => self.ipv4.map(IpAddr::V4),
            Family::Ipv6 => self.ipv6.map(IpAddr::V6),
        }
    }
}

/// A virtual router (RFC 9568, section 1.3): a VRID on one interface, and the addresses that its Master holds. With
/// addresses of both families it is two VRRP sessions under one VRID, which move together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualRouter {
    pub name: RouterName,
    pub interface: String,
    pub vrid: NonZeroU8,
    /// Configured priority of each director, 1..=255; 255 is the address owner. Every director of the policy has one.
    pub priorities: BTreeMap<DirectorName, u8>,
    /// In the order of the policy, with the prefix length of their network (which names the network; the address itself is
    /// added as /32 or /128). Of each family the first is the first in the advertisement: for IPv6 a link-local one.
    pub addresses: Vec<IpNet>,
    /// Addresses that float with this router without being advertised: full-NAT's local addresses.
    pub local_addresses: Vec<IpAddr>,
    /// Version of the advertisements that are sent.
    pub version: VrrpVersion,
    /// Versions of the advertisements that are accepted; holds `version`.
    pub accept_versions: Vec<VrrpVersion>,
    /// Advertisement interval: version 2 whole seconds 1..=255; version 3 centiseconds 1..=4095.
    pub interval: Duration,
    pub transport: Transport,
    pub preempt: Preempt,
    /// How long after the start of the director the router stays out of the election.
    pub start_delay: Duration,
    /// Whether the addresses live on a macvlan with the virtual MAC (RFC 9568, section 7.3).
    pub virtual_mac: bool,
    pub announcements: AnnouncementPolicy,
    pub track: Vec<Tracker>,
    /// Further interfaces on which the other directors are heard.
    pub heartbeat: Vec<String>,
    /// The reading of version 3's checksum over IPv4 in what is sent unasked.
    pub checksum: ChecksumReading,
    pub authentication: Option<Authentication>,
    /// Runs when this director is about to become Master, before it holds the addresses.
    pub before_master: Option<Hook>,
}

/// A program that is run at a decision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hook {
    /// The program, an absolute path, and its arguments; never empty.
    pub argv: Vec<String>,
    /// How long it may take, 10 ms..=10 s; then the decision goes on without it.
    pub timeout: Duration,
}

impl VirtualRouter {
    /// The address that an IPv6 session of this VRID has first where the policy names no link-local one: that of the virtual
    /// MAC 00-00-5E-00-02-VRID (RFC 9568, section 7.3; EUI-64 by RFC 4291, appendix A).
    #[must_use]
    pub const fn automatic_link_local(vrid: NonZeroU8) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0x0200, 0x5eff, 0xfe00, 0x0200 | vrid.get() as u16)
    }

    /// What its Master holds: its virtual addresses, then full-NAT's local addresses.
    pub fn floating_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().map(IpNet::addr).chain(self.local_addresses.iter().copied())
    }

    /// Whether it holds an address on its Master.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        self.floating_addresses().any(|held| held == address)
    }

    /// The families of its sessions, in order.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        let has = |family| self.addresses.iter().any(|address| Family::of(address.addr()) == family);
        [Family::Ipv4, Family::Ipv6].into_iter().filter(|family| has(*family)).collect()
    }

    /// The addresses of one session, in the order of its advertisement.
    pub fn addresses_of(&self, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
        self.addresses.iter().map(IpNet::addr).filter(move |address| Family::of(*address) == family)
    }
}

/// Version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VrrpVersion {
    /// RFC 3768: IPv4 only, intervals of whole seconds.
    V2,
    /// RFC 9568: both families, intervals of centiseconds.
    V3,
}

/// How advertisements travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// To 224.0.0.18 or `ff02::12`.
    Multicast,
    /// To the addresses of the other directors.
    Unicast,
}

/// Whether a director takes the addresses from a Master of lower priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preempt {
    Never,
    /// So long after it first heard such a Master.
    After(Duration),
}

/// How a new Master tells its neighbours (gratuitous ARP, unsolicited neighbour advertisements).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnouncementPolicy {
    /// Announcements of each address in one burst, 1..=100.
    pub repeat: u32,
    /// From the first burst to the second; zero: no second burst.
    pub delay: Duration,
    /// Announcements of each address when a Master of lower priority was heard: a neighbour may have believed it.
    pub lower_priority_repeat: u32,
    /// From one refresh to the next; zero: never.
    pub refresh: Duration,
    /// Announcements of each address in a refresh.
    pub refresh_repeat: u32,
    /// Least time between two announcements on one interface; zero: as fast as they go.
    pub interval: Duration,
}

impl Default for AnnouncementPolicy {
    fn default() -> Self {
        Self {
            repeat: 5,
            delay: Duration::from_secs(5),
            lower_priority_repeat: 5,
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            interval: Duration::ZERO,
        }
    }
}

/// Something that a router's fitness follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracker {
    /// What metrics and reasons call it: `interface eth1`, `pool web`.
    pub name: Arc<str>,
    pub what: Tracked,
    /// Added to the priority while it is bad (-253..=253); `None`: bad is Fault.
    pub priority_change: Option<i16>,
}

/// What a tracker looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tracked {
    /// Good while the interface has carrier and is up.
    Interface(String),
    /// Good while the check has a good verdict. A check that is tracked has an address of its own.
    Check(CheckName),
    /// Good while the pool serves.
    Pool(super::PoolName),
    /// Good while this director sees most of the pool's servers that another one sees ([`super::VerdictBy::Both`]).
    Sight(super::PoolName),
    /// Good while a process of this name (`comm`, 15 bytes) runs.
    Process(String),
    /// Good while the file exists and does not begin with a negative number.
    File(PathBuf),
}

impl fmt::Display for Tracked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => write!(formatter, "interface {name}"),
            Self::Check(name) => write!(formatter, "check {name}"),
            Self::Pool(name) => write!(formatter, "pool {name}"),
            Self::Sight(name) => write!(formatter, "sight of pool {name}"),
            Self::Process(name) => write!(formatter, "process {name}"),
            Self::File(path) => write!(formatter, "file {}", path.display()),
        }
    }
}

/// Which of the two readings of RFC 5798 makes the checksum of version 3 over IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumReading {
    /// Without a pseudo-header (RFC 9568, section 5.2.8).
    Rfc9568,
    /// With a pseudo-header, as keepalived and FRR read RFC 5798.
    Rfc5798,
}

/// How advertisements prove where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// HMAC-SHA256 over each advertisement. The first key signs, all are accepted.
    Hmac { mode: AuthenticationMode, keys: Vec<AuthenticationKey> },
    /// The simple password of version 2 (RFC 2338, section 5.3.6): readable by everybody, for living beside keepalived.
    V2Password(Secret),
}

/// The steps in which authentication is rolled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthenticationMode {
    /// Sends without, accepts both.
    Receive,
    /// Sends with, accepts both.
    Permissive,
    /// Sends with, accepts nothing without.
    Enforce,
}

/// A key and its number on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticationKey {
    pub id: u8,
    pub secret: Secret,
}

/// Where a secret is; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Secret {
    File(PathBuf),
    /// A systemd credential (`$CREDENTIALS_DIRECTORY/NAME`).
    Credential(String),
}

/// Routers that move together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncGroup {
    pub name: GroupName,
    pub routers: Vec<RouterName>,
    pub both_unfit: BothUnfit,
}

/// What happens when every director is in Fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BothUnfit {
    /// The least unfit holds the addresses: a broken gateway script never takes the site down.
    #[default]
    KeepBest,
    /// None does.
    Release,
}

/// The kernel's connection synchronisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSync {
    pub interface: String,
    /// 1..=255.
    pub sync_id: NonZeroU8,
    pub role: SyncRole,
}

/// Which of the kernel's sync daemons run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncRole {
    /// Master where this router, or sync group, is Master; else backup.
    FollowRouter(RouterName),
    FollowGroup(GroupName),
    /// Both at once, where routers are spread over the directors.
    Both,
}

impl ConnectionSync {
    /// The daemons that shall run where this director has these roles.
    #[must_use]
    pub fn daemons(&self, groups: &BTreeMap<GroupName, SyncGroup>, roles: &Roles) -> BTreeSet<SyncDaemon> {
        let daemon =
            |role| SyncDaemon { role, interface: self.interface.clone(), sync_id: self.sync_id.get() };
        let followed = match &self.role {
            SyncRole::Both => return [SyncDaemonRole::Master, SyncDaemonRole::Backup].map(daemon).into(),
            SyncRole::FollowRouter(router) => std::slice::from_ref(router),
            SyncRole::FollowGroup(group) => {
                groups.get(group).map(|group| group.routers.as_slice()).unwrap_or_default()
            }
        };
        let master = !followed.is_empty() && followed.iter().all(|router| roles.is_master_of(router));
        let takes_in = !master || followed.iter().any(|router| roles.takes_in(router));
        let wanted = [(SyncDaemonRole::Master, master), (SyncDaemonRole::Backup, takes_in)];
        wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(role, _)| daemon(role)).collect()
    }
}

/// One of the kernel's two synchronisation daemons, as it runs or shall run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SyncDaemon {
    pub role: SyncDaemonRole,
    /// The interface of its multicast.
    pub interface: String,
    /// 1..=255; one that somebody else started may have 0, which hears every id.
    pub sync_id: u8,
}

/// What a synchronisation daemon does. The kernel runs at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SyncDaemonRole {
    /// Sends this host's connections.
    Master,
    /// Takes in what others send.
    Backup,
}

impl SyncDaemonRole {
    /// The word of `ipvsadm`: `master`, `backup`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Backup => "backup",
        }
    }
}

/// The virtual routers whose Master this director is; [`Default`]: none.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Roles {
    pub master_of: BTreeSet<RouterName>,
    /// Those of them that change hands right now: another director hands them over and still passes on connections that began
    /// there, or this one has begun to pass on its own. Told when it begins; the core knows when it is over.
    pub changing_hands: BTreeSet<RouterName>,
}

impl Roles {
    /// Whether this director is Master of a router.
    #[must_use]
    pub fn is_master_of(&self, router: &RouterName) -> bool {
        self.master_of.contains(router)
    }

    /// Whether connections of a router may come from another director now: as Backup, and while it changes hands.
    #[must_use]
    pub fn takes_in(&self, router: &RouterName) -> bool {
        !self.is_master_of(router) || self.changing_hands.contains(router)
    }
}

/// The channel between the directors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerSettings {
    /// UDP port of the beats, and TCP port of the channel, on each director's own addresses.
    pub port: u16,
    /// Without a key there is no channel, and beats can postpone a takeover for a bounded time but prove nothing.
    pub key: Option<Secret>,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self { port: 9751, key: None }
    }
}

/// What the policy says of the pair; empty for a director that is alone.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pair {
    pub directors: BTreeMap<DirectorName, Director>,
    /// Which of them this policy was read for; `None` where there are none.
    pub own: Option<DirectorName>,
    pub routers: BTreeMap<RouterName, VirtualRouter>,
    pub groups: BTreeMap<GroupName, SyncGroup>,
    pub connection_sync: Option<ConnectionSync>,
    pub peer: PeerSettings,
}

impl Pair {
    /// The own address of the director that this is, of a family; `None` for one that is alone.
    #[must_use]
    pub fn own_address(&self, family: Family) -> Option<IpAddr> {
        self.directors.get(self.own.as_ref()?)?.address(family)
    }

    /// The router that holds an address.
    #[must_use]
    pub fn router_of(&self, address: IpAddr) -> Option<&VirtualRouter> {
        self.routers.values().find(|router| router.holds(address))
    }

    /// The sync group of a router.
    #[must_use]
    pub fn group_of(&self, router: &str) -> Option<&SyncGroup> {
        self.groups.values().find(|group| group.routers.iter().any(|member| **member == *router))
    }

    /// Whether two routers have the same Master at all times: they are one, or in one sync group.
    #[must_use]
    pub fn move_together(&self, one: &str, other: &str) -> bool {
        let shares = |group: &SyncGroup| group.routers.iter().any(|member| **member == *other);
        one == other || self.group_of(one).is_some_and(shares)
    }

    /// Configured priority of this director in a router; `None` for a policy without directors.
    #[must_use]
    pub fn own_priority(&self, router: &VirtualRouter) -> Option<u8> {
        self.own.as_ref().and_then(|own| router.priorities.get(own)).copied()
    }

    /// The directors but this one.
    pub fn others(&self) -> impl Iterator<Item = (&DirectorName, &Director)> {
        self.directors.iter().filter(|(name, _)| Some(*name) != self.own.as_ref())
    }
}
