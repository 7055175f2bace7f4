//! Routers as the policy has them: each on one interface, and version 2 for IPv4 alone.
//!
//! keepalived puts a router's addresses on any interface, and of any family; what is elsewhere becomes a router of its own, in
//! one sync group with the first.

use crate::import::names;
use crate::import::site::{Router, Site};
use crate::import::verdict::{Ledger, near, none};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Addresses of one router at most, as the policy has it.
const MAX_IPV4: usize = 255;
const MAX_IPV6: usize = 80;

/// One router of the policy.
#[derive(Clone, Debug)]
pub(in crate::import) struct Part {
    pub(in crate::import) name: String,
    /// Its number in the site.
    pub(in crate::import) router: usize,
    /// The addresses are on the router's own interface.
    pub(in crate::import) is_first: bool,
    pub(in crate::import) interface: String,
    pub(in crate::import) guessed_interface: bool,
    pub(in crate::import) vrid: u8,
    pub(in crate::import) version: u8,
    pub(in crate::import) interval_ms: u64,
    pub(in crate::import) addresses: Vec<IpNet>,
    /// One for each director, and whether it is a guess.
    pub(in crate::import) priorities: Vec<(u8, bool)>,
}

/// The parts of all routers that can be in a policy.
pub(super) fn parts(site: &Site, ledger: &mut Ledger) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut names = BTreeSet::new();
    let mut floating: BTreeSet<IpAddr> = BTreeSet::new();
    for (index, router) in site.routers.iter().enumerate() {
        let Some(vrid) = router.vrid else {
            ledger.left_out(router.at, "a router without virtual_router_id; keepalived refuses it too");
            continue;
        };
        let before = parts.len();
        of_router(index, router, vrid, &mut parts, &mut floating, ledger);
        for number in before..parts.len() {
            clash(number, router, &mut parts, ledger);
        }
        parts.retain(|part| !part.addresses.is_empty());
        if parts.len() == before {
            ledger.left_out(router.at, "no address is left that this router could hold, so it is left out");
        }
        for part in parts.iter_mut().skip(before) {
            part.name = names::unique(&part.name, &mut names);
        }
    }
    parts
}

fn of_router(
    index: usize,
    router: &Router,
    vrid: u8,
    parts: &mut Vec<Part>,
    floating: &mut BTreeSet<IpAddr>,
    ledger: &mut Ledger,
) {
    let own = router.interface.clone().unwrap_or_else(|| "eth0".to_owned());
    let first_is_ipv6 = router.addresses.first().is_some_and(|address| address.net.addr().is_ipv6());
    let start = parts.len();
    for address in &router.addresses {
        if !floating.insert(address.net.addr()) {
            let same = |net: &IpNet| net.addr() == address.net.addr();
            let held = parts.iter().skip(start).any(|part| part.addresses.iter().any(same));
            let twice = near("said twice: once is enough");
            ledger
                .note(address.at, if held { twice } else { none("this address floats with another router") });
            continue;
        }
        let device = address.device.clone().unwrap_or_else(|| own.clone());
        let six = address.net.addr().is_ipv6();
        // Version 3 carries both families in one router.
        let version = if six { 3 } else { router.version };
        let same_family = |part: &Part| {
            router.version == 3 || part.addresses.first().is_some_and(|first| first.addr().is_ipv6() == six)
        };
        let known = parts.iter().skip(start).position(|part| part.interface == device && same_family(part));
        let place = known.map_or_else(
            || {
                let is_first = parts.len() == start;
                let other_family = six != first_is_ipv6 && router.version == 2;
                let name = part_name(router, &own, &device, other_family.then_some(six));
                parts.push(empty(name, index, is_first, device, router, vrid, version));
                parts.len() - 1
            },
            |known| known + start,
        );
        let Some(part) = parts.get_mut(place) else { continue };
        if !part.is_first {
            let how = format!("held by a router of its own, {}, in one sync group with the other", part.name);
            ledger.note(address.at, near(how));
        }
        add(part, address.net, six, address.at, ledger);
    }
    intervals(router, parts.get_mut(start..).unwrap_or_default(), ledger);
}

fn part_name(router: &Router, own: &str, device: &str, family: Option<bool>) -> String {
    let interface = if device == own { String::new() } else { format!("-{device}") };
    let family = family.map_or("", |six| if six { "-ipv6" } else { "-ipv4" });
    names::clean(&format!("{}{interface}{family}", router.name))
}

fn empty(
    name: String,
    index: usize,
    is_first: bool,
    interface: String,
    router: &Router,
    vrid: u8,
    version: u8,
) -> Part {
    Part {
        name,
        router: index,
        is_first,
        interface,
        guessed_interface: router.interface.is_none(),
        vrid,
        version,
        interval_ms: router.interval_ms,
        addresses: Vec::new(),
        priorities: Vec::new(),
    }
}

fn add(part: &mut Part, net: IpNet, six: bool, at: crate::import::verdict::Origin, ledger: &mut Ledger) {
    let most = if six { MAX_IPV6 } else { MAX_IPV4 };
    if part.addresses.iter().filter(|held| held.addr().is_ipv6() == six).count() < most {
        part.addresses.push(net);
    } else {
        ledger.note(
            at,
            none(format!("an advertisement names {most} addresses at most: give it another router")),
        );
    }
}

/// Version 2 counts whole seconds, version 3 steps of 10 ms.
fn intervals(router: &Router, parts: &mut [Part], ledger: &mut Ledger) {
    for part in parts {
        part.interval_ms = match part.version {
            2 => (router.interval_ms.div_ceil(1000) * 1000).clamp(1000, 255_000),
            _ => (router.interval_ms.div_ceil(10) * 10).clamp(10, 40_950),
        };
        if part.interval_ms != router.interval_ms
            && let Some(at) = router.interval_at
        {
            ledger.note(at, near(format!("{} ms, which version {} can say", part.interval_ms, part.version)));
        }
    }
}

/// Two routers with one VRID on one interface and of one family: the second has nothing left.
fn clash(number: usize, router: &Router, parts: &mut [Part], ledger: &mut Ledger) {
    let Some(part) = parts.get(number).cloned() else { return };
    let families =
        |part: &Part| -> BTreeSet<bool> { part.addresses.iter().map(|net| net.addr().is_ipv6()).collect() };
    let same = |other: &Part| {
        other.vrid == part.vrid
            && other.interface == part.interface
            && !families(other).is_disjoint(&families(&part))
    };
    if parts.iter().take(number).any(same) {
        ledger.left_out(
            router.at,
            format!("{} has another router with the number {}", part.interface, part.vrid),
        );
        parts.get_mut(number).iter_mut().for_each(|part| part.addresses.clear());
    }
}
