//! The packets that must pass the hooks for the policy to work. Pure.

use crate::cli::doctor::facts::Facts;
use crate::model::{
    Encapsulation, Family, Forwarding, Policy, Pool, RealServer, ServiceKey, Sysctl, Transport,
};

const VRRP: u8 = 112;
const UDP: u8 = 17;
const IPIP: u8 = 4;
const IPV6: u8 = 41;
const GRE: u8 = 47;
/// Of the kernel's synchronisation daemons.
const SYNC_PORT: u16 = 8848;
/// Needs at most: a very large policy is judged by its first pools.
const NEEDS_MAX: usize = 200;

const NEW: &[&str] = &["new"];
/// Both send to each other from and to the same port: whoever is second answers the first, as tracking sees it.
const NEW_OR_ANSWER: &[&str] = &["new", "established"];

/// A packet that must pass one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) what: String,
    /// `input`, `forward` or `output`.
    pub(super) hook: &'static str,
    pub(super) is_ipv4: bool,
    pub(super) protocol: u8,
    pub(super) source_port: Option<u16>,
    pub(super) destination_port: Option<u16>,
    /// What connection tracking may call it.
    pub(super) states: &'static [&'static str],
}

impl Need {
    fn new(what: impl Into<String>, hook: &'static str, family: Family, protocol: u8) -> Self {
        Self {
            what: what.into(),
            hook,
            is_ipv4: family == Family::Ipv4,
            protocol,
            source_port: None,
            destination_port: None,
            states: NEW,
        }
    }

    fn to(self, port: u16) -> Self {
        Self { destination_port: Some(port), ..self }
    }
}

/// All of them, the pair's first.
pub(super) fn needs(policy: &Policy, facts: &Facts) -> Vec<Need> {
    let mut needs = of_the_pair(policy);
    for pool in policy.pools.values() {
        needs.extend(of_pool(pool, facts));
        if needs.len() >= NEEDS_MAX {
            break;
        }
    }
    needs
}

fn of_the_pair(policy: &Policy) -> Vec<Need> {
    let pair = &policy.pair;
    let mut needs = Vec::new();
    for hook in ["input", "output"] {
        for family in [Family::Ipv4, Family::Ipv6] {
            let mut routers =
                pair.routers.values().filter(|router| router.families().contains(&family)).peekable();
            if routers.peek().is_some() {
                let multicast = routers.any(|router| router.transport == Transport::Multicast);
                let vrrp = Need::new(format!("VRRP of {family} (protocol 112)"), hook, family, VRRP);
                needs.push(Need { states: if multicast { NEW } else { NEW_OR_ANSWER }, ..vrrp });
            }
            if pair.directors.len() > 1 && pair.own_address(family).is_some() {
                let what = format!("the directors' UDP port {}", pair.peer.port);
                let beats = Need::new(what, hook, family, UDP).to(pair.peer.port);
                needs.push(Need { states: NEW_OR_ANSWER, ..beats });
            }
        }
        if pair.connection_sync.is_some() {
            let what = format!("connection synchronisation (UDP {SYNC_PORT})");
            needs.push(Need::new(what, hook, Family::Ipv4, UDP).to(SYNC_PORT));
        }
    }
    needs
}

fn of_pool(pool: &Pool, facts: &Facts) -> Vec<Need> {
    let keys = pool.services.iter().flat_map(|service| service.keys());
    keys.flat_map(|key| of_service(pool, key, facts)).collect()
}

/// One real server of each kind stands for all.
fn of_service(pool: &Pool, key: &ServiceKey, facts: &Facts) -> Vec<Need> {
    let ServiceKey::Address { protocol, address, .. } = key else { return Vec::new() };
    let (family, protocol) = (Family::of(*address), protocol.number());
    let request = Need::new(format!("requests to {key}"), "input", family, protocol);
    let request = Need { destination_port: key.port(), ..request };
    let mut needs = vec![request];
    if let Some(server) = pool.servers_of(key).map(|(_, server)| server).next() {
        needs.push(onwards(pool, key, server, protocol));
        needs.extend(reply(pool, key, server, protocol, facts));
    }
    needs
}

/// From IPVS to the real server.
fn onwards(pool: &Pool, key: &ServiceKey, server: &RealServer, protocol: u8) -> Need {
    let what = format!("what pool {} sends to its real servers ({})", pool.name, server.forwarding.name());
    let outer = Family::of(server.address);
    let port = server.port.or(key.port());
    match server.forwarding {
        Forwarding::Nat | Forwarding::FullNat(_) | Forwarding::DirectRouting => {
            Need { destination_port: port, ..Need::new(what, "output", outer, protocol) }
        }
        Forwarding::Tunnelling(Encapsulation::Gue { port, .. }) => {
            Need::new(what, "output", outer, UDP).to(port)
        }
        Forwarding::Tunnelling(Encapsulation::Gre { .. }) => Need::new(what, "output", outer, GRE),
        Forwarding::Tunnelling(Encapsulation::IpIp) => {
            let inner = if key.family() == Family::Ipv4 { IPIP } else { IPV6 };
            Need::new(what, "output", outer, inner)
        }
    }
}

/// From the real server back to the client, where it comes through the director.
fn reply(pool: &Pool, key: &ServiceKey, server: &RealServer, protocol: u8, facts: &Facts) -> Option<Need> {
    if !server.forwarding.maps_ports() {
        return None;
    }
    let tracked =
        facts.sysctls.get(&Sysctl::from_path("net/ipv4/vs/conntrack")).is_some_and(|value| value == "1");
    let states: &[&str] = match (pool.untracked, tracked) {
        (true, _) => &["untracked"],
        (false, true) => &["established"],
        // Without its request an answer that is the first of its connection belongs to none.
        (false, false) => &["invalid"],
    };
    let what = format!("answers of pool {}, which tracking calls {}", pool.name, states.concat());
    let need = Need::new(what, "forward", Family::of(server.address), protocol);
    Some(Need { source_port: server.port.or(key.port()), states, ..need })
}
