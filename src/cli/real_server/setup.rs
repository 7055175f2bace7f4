//! What a pool needs of its real servers: addresses, devices, the way back. Pure.
//!
//! Sources: Documentation/networking/ip-sysctl.rst and ipvs; RFC 2003 (IP in IP), RFC 2473 (in IPv6), RFC 2784 (GRE).

use crate::model::{Encapsulation, Family, Forwarding, Policy, Pool, PoolName, RealServer, TunnelChecksum};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The set-up of one pool's real servers, all of one forwarding method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub(super) pool: PoolName,
    pub(super) forwarding: Forwarding,
    /// The RIPs that it is for, in the policy's order.
    pub(super) rips: Vec<IpAddr>,
    /// The VIPs, with the families of the packets that carry them: the inner one is the VIP's own.
    pub(super) vips: BTreeSet<(IpAddr, Family)>,
    /// Where NAT's answers go, by family: the best address first.
    pub(super) gateways: BTreeMap<Family, Vec<IpAddr>>,
    /// The directors' own addresses: whom a firewall would let send wrapped packets.
    pub(super) directors: Vec<IpAddr>,
}

/// A device that takes an outer header off.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Device {
    /// The kernel's word.
    pub(super) kind: &'static str,
    /// Family of the outer header, and so of the RIP.
    pub(super) outer: Family,
}

impl Device {
    /// The kernel has one device for each kind and RIP, so pools share it.
    pub(super) fn name(&self) -> String {
        format!("tandem-{}", self.kind)
    }
}

impl Setup {
    /// Of a pool's real servers; `server` is one of them by its name or RIP.
    ///
    /// # Errors
    /// A sentence: no such pool or server, servers of different methods, or VIPs that the policy does not know.
    pub(super) fn of(policy: &Policy, pool: &str, server: Option<&str>) -> Result<Self, String> {
        let pool = policy.pools.get(pool).ok_or_else(|| no_such("pool", pool, policy.pools.keys()))?;
        let servers = chosen(pool, server)?;
        let Some(first) = servers.first() else {
            return Err(format!("pool {} has no real servers", pool.name));
        };
        if let Some(other) = servers.iter().find(|server| server.forwarding != first.forwarding) {
            return Err(format!(
                "the real servers {} and {} of pool {} are reached in different ways ({} and {}): choose with --server NAME",
                first.name,
                other.name,
                pool.name,
                first.forwarding.name(),
                other.forwarding.name()
            ));
        }
        let vips = vips(pool, &servers);
        let needs_vips = matches!(first.forwarding, Forwarding::DirectRouting | Forwarding::Tunnelling(_));
        if needs_vips && vips.is_empty() {
            return Err(format!(
                "pool {} is known by a firewall mark alone, and the policy does not say which addresses bear it: \
                 write them as services with `join_ports`, or set the real servers up by hand",
                pool.name
            ));
        }
        Ok(Self {
            pool: pool.name.clone(),
            forwarding: first.forwarding.clone(),
            rips: servers.iter().map(|server| server.address).collect(),
            gateways: gateways(policy, pool, &servers),
            vips,
            directors: own_addresses(policy),
        })
    }

    /// The device for VIPs that come in packets of an outer family; `None` where nothing is wrapped.
    pub(super) fn device(&self, vip: IpAddr, outer: Family) -> Option<Device> {
        let Forwarding::Tunnelling(encapsulation) = &self.forwarding else { return None };
        let kind = match (encapsulation, outer, Family::of(vip)) {
            (Encapsulation::Gre { .. }, Family::Ipv4, _) => "gre",
            (Encapsulation::Gre { .. }, Family::Ipv6, _) => "ip6gre",
            (_, Family::Ipv4, Family::Ipv4) => "ipip",
            (_, Family::Ipv4, Family::Ipv6) => "sit",
            (_, Family::Ipv6, _) => "ip6tnl",
        };
        Some(Device { kind, outer })
    }

    /// The devices, each with its VIPs.
    pub(super) fn devices(&self) -> BTreeMap<Device, Vec<IpAddr>> {
        let mut devices: BTreeMap<Device, Vec<IpAddr>> = BTreeMap::new();
        for (vip, outer) in &self.vips {
            if let Some(device) = self.device(*vip, *outer) {
                devices.entry(device).or_default().push(*vip);
            }
        }
        devices
    }

    /// The port at which gue is unwrapped.
    pub(super) fn gue_port(&self) -> Option<u16> {
        match self.forwarding {
            Forwarding::Tunnelling(Encapsulation::Gue { port, .. }) => Some(port),
            _ => None,
        }
    }

    pub(super) fn rips_of(&self, family: Family) -> impl Iterator<Item = IpAddr> {
        self.rips.iter().copied().filter(move |rip| Family::of(*rip) == family)
    }

    pub(super) fn has_ipv4_vips(&self) -> bool {
        self.vips.iter().any(|(vip, _)| vip.is_ipv4())
    }
}

/// Bytes that wrapping adds to a client's packet.
pub(in crate::cli) fn overhead(encapsulation: Encapsulation, outer: Family) -> u32 {
    let header = match outer {
        Family::Ipv4 => 20,
        Family::Ipv6 => 40,
    };
    let more = match encapsulation {
        Encapsulation::IpIp => 0,
        // UDP and the base header; remote checksum offload has private flags and its own field (4 bytes each).
        Encapsulation::Gue { checksum: TunnelChecksum::Remote, .. } => 8 + 4 + 8,
        Encapsulation::Gue { .. } => 8 + 4,
        Encapsulation::Gre { checksum: TunnelChecksum::Full } => 4 + 4,
        Encapsulation::Gre { .. } => 4,
    };
    header + more
}

fn no_such<'a>(what: &str, name: &str, known: impl Iterator<Item = impl AsRef<str> + 'a>) -> String {
    let known: Vec<String> = known.map(|known| known.as_ref().to_owned()).collect();
    format!("there is no {what} {name}; there are {}", known.join(", "))
}

/// Without a name the real servers; a sorry server is chosen by its name.
fn chosen<'a>(pool: &'a Pool, name: Option<&str>) -> Result<Vec<&'a RealServer>, String> {
    let Some(name) = name else { return Ok(pool.servers.iter().collect()) };
    let is_meant = |server: &&RealServer| *server.name == *name || server.address.to_string() == name;
    let found: Vec<&RealServer> = pool.every_server().filter(is_meant).collect();
    let known = pool.every_server().map(|server| &server.name);
    if found.is_empty() {
        Err(no_such(&format!("real server of pool {}", pool.name), name, known))
    } else {
        Ok(found)
    }
}

fn vips(pool: &Pool, servers: &[&RealServer]) -> BTreeSet<(IpAddr, Family)> {
    let keys = pool.services.iter().flat_map(|service| service.keys());
    let of_key = |key: &crate::model::ServiceKey| {
        let vip = key.address();
        let outer = pool
            .answering(key)
            .filter(|answering| servers.iter().any(|server| server.address == answering.address));
        let outer: Vec<Family> = outer.map(|server| Family::of(server.address)).collect();
        outer.into_iter().filter_map(move |outer| Some((vip?, outer)))
    };
    keys.flat_map(of_key).collect()
}

/// Addresses of the directors in the networks of the RIPs. A floating one moves with the pool; one that is no VIP is the usual
/// gateway.
fn gateways(policy: &Policy, pool: &Pool, servers: &[&RealServer]) -> BTreeMap<Family, Vec<IpAddr>> {
    let floating = policy.pair.routers.values().flat_map(|router| &router.addresses);
    let alone = policy.virtual_addresses.iter().map(|held| &held.address);
    let held: Vec<_> = floating.chain(alone).collect();
    let mut found: BTreeMap<Family, Vec<IpAddr>> = BTreeMap::new();
    for server in servers {
        let near = held.iter().filter(|held| held.contains(&server.address)).map(|held| held.addr());
        found.entry(Family::of(server.address)).or_default().extend(near);
    }
    let is_vip = |address: &IpAddr| {
        pool.services.iter().flat_map(|service| service.keys()).any(|key| key.address() == Some(*address))
    };
    for addresses in found.values_mut() {
        addresses.sort_by_key(|address| (is_vip(address), *address));
        addresses.dedup();
    }
    found
}

fn own_addresses(policy: &Policy) -> Vec<IpAddr> {
    let of =
        |director: &crate::model::Director| [director.ipv4.map(IpAddr::V4), director.ipv6.map(IpAddr::V6)];
    policy.pair.directors.values().flat_map(of).flatten().collect()
}
