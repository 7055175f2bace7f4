//! Interfaces, own addresses, the real servers' links, the room that tunnels take, the test of the return path. Pure.

use super::facts::Facts;
use crate::cli::finding::Finding;
use crate::cli::real_server::setup::overhead;
use crate::model::{Family, Forwarding, Policy, Pool, Reach, RealServer, Sysctl, Tracked};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// How many names a finding lists.
const NAMES_MAX: usize = 5;

pub(super) fn judge(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let mut findings = interfaces(policy, facts);
    findings.extend(own_addresses(policy, facts));
    findings.extend(policy.pools.values().flat_map(|pool| servers(pool, facts)));
    findings.extend(tunnels(policy, facts));
    findings.extend(return_paths(policy, facts));
    findings
}

/// The settings of `rp_filter` that are wanted.
pub(super) fn asked(policy: &Policy) -> impl Iterator<Item = Sysctl> {
    let interfaces: BTreeSet<String> = vip_interfaces(policy).into_iter().map(str::to_owned).collect();
    interfaces.into_iter().chain(["all".to_owned()]).map(|interface| rp_filter(&interface))
}

fn rp_filter(interface: &str) -> Sysctl {
    Sysctl::from_path(format!("net/ipv4/conf/{interface}/rp_filter"))
}

// --- interfaces

/// The interfaces that the policy names, each with what it is for.
fn named(policy: &Policy) -> BTreeMap<&str, String> {
    let mut named: BTreeMap<&str, String> = BTreeMap::new();
    for router in policy.pair.routers.values() {
        let mut name = |interface, what: &str| {
            named.entry(interface).or_insert_with(|| format!("{what} of virtual router {}", router.name));
        };
        name(router.interface.as_str(), "the interface");
        router.heartbeat.iter().for_each(|interface| name(interface, "a heartbeat"));
        for tracker in &router.track {
            if let Tracked::Interface(interface) = &tracker.what {
                name(interface, "a tracked interface");
            }
        }
    }
    if let Some(sync) = &policy.pair.connection_sync {
        named.entry(&sync.interface).or_insert_with(|| "connection_sync".to_owned());
    }
    for held in &policy.virtual_addresses {
        named.entry(&held.interface).or_insert_with(|| format!("virtual address {}", held.address));
    }
    named
}

fn interfaces(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let named = named(policy);
    let judge = |(name, purpose): (&&str, &String)| {
        let what = format!("interface {name}");
        let Some(found) = facts.network.interface(name) else {
            let known: Vec<&str> = facts.network.interfaces.iter().map(|known| known.name.as_str()).collect();
            let evidence =
                format!("this host has none of that name ({purpose}); it has {}", known.join(", "));
            return Finding::look(
                "interface-missing",
                what,
                evidence,
                "write its name as `ip link` shows it",
            );
        };
        match (found.up, found.carrier) {
            (true, true) => Finding::good("interface", what, format!("up, MTU {}: {purpose}", found.mtu)),
            (true, false) => {
                let evidence = format!("it has no carrier ({purpose})");
                Finding::look("interface-no-carrier", what, evidence, "look at its cable and its other end")
            }
            (false, _) => {
                let remedy = format!("ip link set {name} up");
                Finding::look("interface-down", what, format!("it is down ({purpose})"), remedy)
            }
        }
    };
    named.iter().map(judge).collect()
}

// --- addresses

fn own_addresses(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let own = [Family::Ipv4, Family::Ipv6].into_iter().filter_map(|family| policy.pair.own_address(family));
    let judge = |address: IpAddr| {
        let what = format!("own address {address}");
        match facts.network.holders(address).next() {
            Some(held) => Finding::good("own-address", what, format!("{} has it", held.interface)),
            None => Finding::look(
                "own-address",
                what,
                "no interface of this host has it, so the other director does not reach this one",
                "add it, correct `directors`, or say with --director which one this is",
            ),
        }
    };
    own.map(judge).collect()
}

/// Real servers that are reached in a way that their forwarding does not allow, one finding a kind.
fn servers(pool: &Pool, facts: &Facts) -> Vec<Finding> {
    let mut found: BTreeMap<(&'static str, &'static str, &'static str), Vec<IpAddr>> = BTreeMap::new();
    for server in pool.every_server() {
        if let Some(trouble) = trouble(server, facts.reach.reach.get(&server.address)) {
            found.entry(trouble).or_default().push(server.address);
        }
    }
    let direct = pool.every_server().any(|server| server.forwarding == Forwarding::DirectRouting);
    if found.is_empty() && direct {
        let what = format!("real servers of pool {}", pool.name);
        return vec![Finding::good("server-link", what, "all are on a link of this host, as DR needs it")];
    }
    let finding = |((code, evidence, remedy), rips): ((&'static str, &str, &str), Vec<IpAddr>)| {
        let what = format!("real servers of pool {}", pool.name);
        let note = code == "server-gateway";
        let make = if note { Finding::note } else { Finding::look };
        make(code, what, format!("{evidence}: {}", listed(&rips)), remedy.to_owned())
    };
    found.into_iter().map(finding).collect()
}

fn trouble(server: &RealServer, reach: Option<&Reach>) -> Option<(&'static str, &'static str, &'static str)> {
    match (reach?, &server.forwarding) {
        (Reach::Unreachable, _) => Some((
            "server-unreachable",
            "no route leads to them",
            "add the route, or the interface's address",
        )),
        (Reach::Gateway { .. }, Forwarding::DirectRouting) => Some((
            "server-link",
            "they are behind a gateway, and DR reaches only its own link",
            "put them on one link with the director, or forward with tun",
        )),
        (Reach::Gateway { .. }, Forwarding::Nat) => Some((
            "server-gateway",
            "they are behind a gateway, so their answers may not come back through this director",
            "make the director their gateway (`tandem real-server` says how), or forward with full-nat",
        )),
        _ => None,
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    let mut words: Vec<String> = addresses.iter().take(NAMES_MAX).map(ToString::to_string).collect();
    if addresses.len() > NAMES_MAX {
        words.push(format!("{} more", addresses.len() - NAMES_MAX));
    }
    words.join(", ")
}

// --- tunnels

/// Whether a client's full packet still fits when it is wrapped, by the interfaces that it comes and leaves by.
fn tunnels(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let incoming = vip_interfaces(policy).into_iter().filter_map(|name| facts.network.interface(name));
    let largest = incoming.map(|interface| interface.mtu).max().unwrap_or(1500);
    let mut ways: BTreeMap<(&str, u32), &Pool> = BTreeMap::new();
    for pool in policy.pools.values() {
        for server in pool.every_server() {
            let Forwarding::Tunnelling(encapsulation) = server.forwarding else { continue };
            let Some(interface) = facts.reach.interface(server.address) else { continue };
            ways.entry((interface, overhead(encapsulation, Family::of(server.address)))).or_insert(pool);
        }
    }
    let judge = |((interface, takes), pool): ((&str, u32), &Pool)| {
        let mtu = facts.network.interface(interface)?.mtu;
        let what = format!("room for wrapped packets of pool {} on {interface}", pool.name);
        if mtu >= largest + takes {
            let evidence = format!("a packet of {largest} and {takes} bytes more fit its MTU of {mtu}");
            return Some(Finding::good("tunnel-mtu", what, evidence));
        }
        Some(Finding::note(
            "tunnel-mtu",
            what,
            format!(
                "wrapping takes {takes} bytes, so a client's packet above {} does not fit its MTU of {mtu}, and the client is told by ICMP, which firewalls drop",
                mtu.saturating_sub(takes)
            ),
            format!(
                "raise the MTU to {} on the way to the real servers, or lower their segments: `tandem real-server {} --check` on each",
                largest + takes,
                pool.name
            ),
        ))
    };
    ways.into_iter().filter_map(judge).collect()
}

// --- the return path

/// The interfaces where clients' packets come in.
fn vip_interfaces(policy: &Policy) -> BTreeSet<&str> {
    let routers = policy.pair.routers.values().map(|router| router.interface.as_str());
    routers.chain(policy.virtual_addresses.iter().map(|held| held.interface.as_str())).collect()
}

/// Strict tests drop clients that come in elsewhere than answers would leave; the kernel takes the larger value.
fn return_paths(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let value = |interface: &str| {
        let value = facts.sysctls.get(&rp_filter(interface));
        value.and_then(|value| value.parse::<u32>().ok()).unwrap_or_default()
    };
    let default = facts.network.default_routes.iter().find(|route| route.family == Family::Ipv4);
    let strict: Vec<&str> = vip_interfaces(policy)
        .into_iter()
        .filter(|interface| value(interface).max(value("all")) == 1)
        .collect();
    let elsewhere = |interface: &&str| default.is_some_and(|route| route.interface != *interface);
    // One interface of several may be for neighbours only, whose route leads back there.
    if strict.is_empty() || !strict.iter().all(elsewhere) {
        return Vec::new();
    }
    let finding = |interface: &str| {
        let way = default.map(|route| route.interface.as_str()).unwrap_or_default();
        Finding::note(
            "rp-filter",
            format!("rp_filter=1 on {interface}"),
            format!(
                "clients from beyond its own network are dropped there, since the default route leaves by {way}"
            ),
            format!("set net.ipv4.conf.{interface}.rp_filter=2 where such clients are meant"),
        )
    };
    strict.into_iter().map(finding).collect()
}
