//! Pools: virtual services, the real servers behind them, and the policy between the two.

use super::{
    Condition, Encapsulation, Family, ForwardingMethod, PoolRules, ServiceConfig, ServiceKey, TargetKey,
    Thresholds,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
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
    /// What decides on it; `None`: not checked, always up.
    pub check: Option<Condition>,
    /// Serves only while the ordinary servers are too few.
    pub backup: bool,
    /// The running check that says its weight; `None`: nobody but its own check does.
    pub weight_source: Option<Arc<TargetKey>>,
}

impl RealServer {
    /// The marks that lead probes to it through the real path, each with the VIP that they ask for.
    pub fn real_paths(&self) -> impl Iterator<Item = (u32, IpAddr)> {
        let own = self.check.iter().flat_map(Condition::own_targets);
        own.filter_map(|target| Some((target.real_path?, target.address.ip())))
    }

    /// Whether it is reached over IPv4 for a service of IPv6, or the other way round.
    const fn crosses_families(&self) -> bool {
        matches!(self.forwarding, Forwarding::Tunnelling(_))
    }

    /// The running checks that decide on it.
    pub fn targets(&self) -> impl Iterator<Item = &Arc<TargetKey>> {
        self.check.iter().flat_map(Condition::targets)
    }

    /// The running checks that it needs: those that decide on it, and that which says its weight.
    pub fn asked(&self) -> impl Iterator<Item = &Arc<TargetKey>> {
        self.targets().chain(&self.weight_source)
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

impl VirtualService {
    /// Its own key and those of its joined ports.
    pub fn keys(&self) -> impl Iterator<Item = &ServiceKey> {
        std::iter::once(&self.key).chain(&self.joined)
    }

    /// The services as the policy says them, before joining.
    #[must_use]
    pub fn said(&self) -> &[ServiceKey] {
        match self.joined.as_slice() {
            [] => std::slice::from_ref(&self.key),
            joined => joined,
        }
    }
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
    /// Who answers while the quorum is lost: none, or one for each family.
    pub sorry_servers: Vec<RealServer>,
    pub rules: PoolRules,
    /// The pool's packets bypass connection tracking (never with full-NAT).
    pub untracked: bool,
    pub labels: BTreeMap<String, String>,
}

impl Pool {
    /// The real servers of one of this pool's services, with their places in the file: those of its own family. Tunnelling
    /// carries one family in the other, so its servers of the other family serve too where none has the service's own.
    pub fn servers_of(&self, key: &ServiceKey) -> impl Iterator<Item = (usize, &RealServer)> {
        let family = key.family();
        let own = move |server: &RealServer| Family::of(server.address) == family;
        let crosses = !self.servers.iter().any(own);
        let takes = move |server: &RealServer| own(server) || crosses && server.crosses_families();
        self.servers.iter().enumerate().filter(move |(_, server)| takes(server))
    }

    /// All its real servers, its sorry servers among them as the last.
    pub fn every_server(&self) -> impl Iterator<Item = &RealServer> {
        self.servers.iter().chain(&self.sorry_servers)
    }

    /// Everything that may ever answer for a service: its real servers, and the sorry server.
    pub fn answering(&self, key: &ServiceKey) -> impl Iterator<Item = &RealServer> {
        self.servers_of(key).map(|(_, server)| server).chain(self.sorry_server_of(key))
    }

    /// The sorry server, for those of the services that it can answer for.
    #[must_use]
    pub fn sorry_server_of(&self, key: &ServiceKey) -> Option<&RealServer> {
        let fits =
            |server: &&RealServer| Family::of(server.address) == key.family() || server.crosses_families();
        self.sorry_servers.iter().find(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;

    fn pool(forwarding: Forwarding, addresses: &[&str]) -> Pool {
        let server = |address: &&str| RealServer {
            name: (*address).into(),
            address: address.parse().expect("an address"),
            port: None,
            weight: 1,
            thresholds: Thresholds::default(),
            forwarding: forwarding.clone(),
            check: None,
            backup: false,
            weight_source: None,
        };
        Pool {
            name: "web".into(),
            services: Vec::new(),
            servers: addresses.iter().map(server).collect(),
            on_failure: OnFailure::Remove,
            initial: Initial::Down,
            sorry_servers: Vec::new(),
            rules: PoolRules::default(),
            untracked: false,
            labels: BTreeMap::new(),
        }
    }

    #[track_caller]
    fn served(pool: &Pool, vip: &str) -> Vec<String> {
        let address = vip.parse().expect("an address");
        let key = ServiceKey::Address { protocol: Protocol::Tcp, address, port: 80 };
        pool.servers_of(&key).map(|(_, server)| server.name.to_string()).collect()
    }

    #[test]
    fn a_service_gets_the_servers_of_its_family() {
        let both = pool(Forwarding::Nat, &["192.0.2.1", "2001:db8::1"]);
        assert_eq!(served(&both, "192.0.2.100"), ["192.0.2.1"]);
        assert_eq!(served(&both, "2001:db8::100"), ["2001:db8::1"]);
    }

    #[test]
    fn a_tunnel_serves_the_other_family_where_none_has_it() {
        let one = pool(Forwarding::Tunnelling(Encapsulation::IpIp), &["192.0.2.1"]);
        assert_eq!(served(&one, "2001:db8::100"), ["192.0.2.1"]);
        let both = pool(Forwarding::Tunnelling(Encapsulation::IpIp), &["192.0.2.1", "2001:db8::1"]);
        assert_eq!(served(&both, "2001:db8::100"), ["2001:db8::1"]);
    }
}
