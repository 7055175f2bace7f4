//! What cannot be in a policy leaves the pools, with a verdict; ports go where the forwarding method has them.
//!
//! The rules are those of [`crate::policy`]: this only keeps an import from being refused for one server of many.

use super::site::{Check, Forwarding, Pool, Protocol, Server, Service, Site};
use super::verdict::{Ledger, Origin, near, none};
use super::yaml::{Yaml, entry, number};
use crate::model::SCHEDULERS;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Addresses of one range at most, as the policy has it.
const MAX_RANGE: u128 = 1024;
/// Marks of joined ports and of probes through the real path.
const OWN_MARKS: std::ops::RangeInclusive<u32> = 0x7400_0000..=0x75ff_ffff;
/// Seconds of a time-out of the kernel at most: 31 days.
const MOST_SECONDS: u32 = 31 * 86_400;
/// Where a server needs a port that nothing says.
const GUESSED_PORT: u16 = 80;

/// The one port of all services, or why there is none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ports {
    One(u16),
    Every,
    Several,
    Mark,
}

pub(super) fn settle(site: &mut Site, ledger: &mut Ledger) {
    let mut taken = BTreeSet::new();
    for pool in &mut site.pools {
        services(pool, &mut taken, ledger);
        if pool.services.is_empty() {
            continue;
        }
        options(pool, ledger);
        servers(pool, ledger);
        quorum(pool, ledger);
    }
    site.pools.retain(|pool| !pool.services.is_empty());
    site.timeouts = site.timeouts.map(|seconds| seconds.map(|seconds| seconds.min(MOST_SECONDS)));
}

/// Why nobody can reach an address, as a VIP or a real server.
fn unusable(address: IpAddr) -> bool {
    let link_local =
        matches!(address, IpAddr::V6(six) if six.is_unicast_link_local() || six.to_ipv4_mapped().is_some());
    let broadcast = matches!(address, IpAddr::V4(four) if four.is_broadcast());
    address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local || broadcast
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

type Key = (Option<Protocol>, bool, u128, u16);

fn keys(service: &Service) -> Vec<Key> {
    match service {
        Service::Mark { mark, ipv6 } => vec![(None, *ipv6, u128::from(*mark), 0)],
        Service::Addresses { protocol, first, last, port } => {
            let all = bits(*first)..=bits(*last).min(bits(*first).saturating_add(MAX_RANGE));
            all.map(|address| (Some(*protocol), first.is_ipv6(), address, *port)).collect()
        }
    }
}

fn services(pool: &mut Pool, taken: &mut BTreeSet<Key>, ledger: &mut Ledger) {
    let persists = pool.persistence.is_some();
    pool.services.retain(|(service, at)| {
        let why = match service {
            Service::Addresses { first, last, .. } if unusable(*first) || unusable(*last) => {
                Some("clients cannot reach this address".to_owned())
            }
            Service::Addresses { first, last, .. } if bits(*last) - bits(*first) >= MAX_RANGE => {
                Some(format!("a range holds at most {MAX_RANGE} addresses: use a mark"))
            }
            Service::Mark { mark, .. } if OWN_MARKS.contains(mark) => Some(
                "the director keeps the marks 0x74000000 to 0x75ffffff for itself: choose another".to_owned(),
            ),
            Service::Addresses { port: 0, .. } if !persists => {
                Some("a service of every port needs persistence; keepalived refuses it too".to_owned())
            }
            _ => None,
        };
        let why = why.or_else(|| {
            let keys = keys(service);
            let twice = keys.iter().any(|key| taken.contains(key));
            taken.extend(keys);
            twice.then(|| "this service is there before: the kernel holds each once".to_owned())
        });
        why.map(|why| ledger.note(*at, none(why))).is_none()
    });
    if pool.services.is_empty() {
        let how = "nothing is left that clients could reach, so the pool is left out";
        ledger.left_out(pool.at, how);
        pool.servers.iter().for_each(|server| ledger.left_out(server.at, how));
    }
}

/// Only what the kernel has, and one-packet scheduling and SIP for UDP alone.
fn options(pool: &mut Pool, ledger: &mut Ledger) {
    if !SCHEDULERS.contains(&pool.scheduler.as_str()) {
        ledger.note(pool.at, near("the kernel has no such scheduler: wlc stands here"));
        "wlc".clone_into(&mut pool.scheduler);
    }
    if let Some(persistence) = &mut pool.persistence {
        persistence.seconds = persistence.seconds.map(|seconds| seconds.clamp(1, MOST_SECONDS));
    }
    let is_udp = |(service, _): &(Service, Origin)| match service {
        Service::Addresses { protocol, .. } => *protocol == Protocol::Udp,
        Service::Mark { .. } => true,
    };
    if pool.services.iter().all(is_udp) {
        return;
    }
    let sip = pool.persistence.as_ref().is_some_and(|persistence| persistence.sip);
    if pool.one_packet || sip {
        ledger.note(
            pool.at,
            near("one-packet scheduling and the engine sip are for UDP: left out, as keepalived does"),
        );
    }
    pool.one_packet = false;
    pool.persistence.iter_mut().for_each(|persistence| persistence.sip = false);
}

fn ports(pool: &Pool) -> Ports {
    let mut all = BTreeSet::new();
    for (service, _) in &pool.services {
        match service {
            Service::Mark { .. } => return Ports::Mark,
            Service::Addresses { port, .. } => all.insert(*port),
        };
    }
    match (all.first(), all.len()) {
        (Some(0), 1) => Ports::Every,
        (Some(port), 1) => Ports::One(*port),
        _ => Ports::Several,
    }
}

fn servers(pool: &mut Pool, ledger: &mut Ledger) {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for mut server in std::mem::take(&mut pool.servers) {
        if !fits(&server, pool, ledger) {
            continue;
        }
        thresholds(&mut server, ledger);
        port(&mut server, pool, ledger);
        // With NAT the service's port may be said, and with DR it is never: it is the same place.
        let place = match ports(pool) {
            Ports::One(port) => server.port.or(Some(port)),
            Ports::Every | Ports::Several | Ports::Mark => server.port,
        };
        if seen.insert((server.address, place)) {
            kept.push(server);
        } else {
            ledger.left_out(server.at, "this real server is there before");
        }
    }
    pool.servers = kept;
    own_family_first(pool, ledger);
    answered(pool, ledger);
    let sorry = pool.sorry.take().filter(|sorry| fits(sorry, pool, ledger));
    pool.sorry = sorry.map(|mut sorry| {
        port(&mut sorry, pool, ledger);
        sorry
    });
}

/// A tunnel carries one family in the other, but only for a service that no server of its own family has.
fn own_family_first(pool: &mut Pool, ledger: &mut Ledger) {
    let families: BTreeSet<bool> = pool.services.iter().map(|(service, _)| service.is_ipv6()).collect();
    let has = |servers: &[Server], six: bool| servers.iter().any(|server| server.address.is_ipv6() == six);
    if !(has(&pool.servers, true) && has(&pool.servers, false)) {
        return;
    }
    pool.servers.retain(|server| {
        let serves = families.contains(&server.address.is_ipv6());
        if !serves {
            let how = "the service has servers of its own family: one of the other serves only where there are none";
            ledger.left_out(server.at, how);
        } else if families.len() > 1 {
            ledger.note(server.at, near("for the services of its own family alone"));
        }
        serves
    });
}

/// A service of a family that no server has would never be answered; a tunnel carries both.
fn answered(pool: &mut Pool, ledger: &mut Ledger) {
    let Pool { services, servers, forwarding, .. } = pool;
    services.retain(|(service, at)| {
        let reached = |server: &Server| reaches(server, forwarding, service.is_ipv6());
        let is_answered = servers.is_empty() || servers.iter().any(reached);
        if !is_answered {
            ledger.left_out(
                *at,
                "no real server is of its family, and only TUN carries one family in the other",
            );
        }
        is_answered
    });
}

/// Whether packets of a family come to a server, forwarded as it says, or else as its pool does.
fn reaches(server: &Server, of_pool: &Forwarding, six: bool) -> bool {
    let forwarding = server.forwarding.as_ref().unwrap_or(of_pool);
    server.address.is_ipv6() == six || matches!(forwarding, Forwarding::Tun(..))
}

/// Whether a server can be one of this pool.
fn fits(server: &Server, pool: &Pool, ledger: &mut Ledger) -> bool {
    let mut families = pool.services.iter().map(|(service, _)| service.is_ipv6());
    let is_vip = pool.services.iter().any(|(service, _)| match service {
        Service::Addresses { first, last, .. } => (first..=last).contains(&&server.address),
        Service::Mark { .. } => false,
    });
    let why = if unusable(server.address) {
        "the director itself cannot answer as a real server, and no other host has this address"
    } else if is_vip {
        "a real server with the address of its own service would be the director itself"
    } else if !families.any(|six| reaches(server, &pool.forwarding, six)) {
        "only TUN carries one family in the other"
    } else {
        return true;
    };
    ledger.left_out(server.at, why);
    false
}

fn thresholds(server: &mut Server, ledger: &mut Ledger) {
    let limit = u32::try_from(i32::MAX).unwrap_or(u32::MAX);
    server.upper = server.upper.map(|upper| upper.min(limit));
    if let Some(lower) = server.lower
        && server.upper.is_none_or(|upper| lower > upper)
    {
        ledger.note(server.at, near("a lower threshold means nothing without a larger upper one: left out"));
        server.lower = None;
    }
}

/// DR and TUN cannot map ports, and NAT must know which one; checks go to the port that the server said.
fn port(server: &mut Server, pool: &Pool, ledger: &mut Ledger) {
    let ports = ports(pool);
    let said = server.port;
    let maps = server.forwarding.as_ref().unwrap_or(&pool.forwarding).maps_ports();
    if maps && said.is_none() && matches!(ports, Ports::Several | Ports::Mark) {
        let of_check = server.checks.iter().find_map(|(check, _)| check.port);
        let guess = of_check.unwrap_or(GUESSED_PORT);
        server.port = Some(guess);
        ledger.note(
            server.at,
            none(format!("with NAT a real server has one port here, not the client's: {guess} is a guess")),
        );
    }
    if !maps && said.is_some() {
        server.port = None;
        if said.is_some()
            && ports != Ports::One(said.unwrap_or_default())
            && !matches!(ports, Ports::Mark | Ports::Every)
        {
            ledger.note(server.at, near("the port is the client's: DR and TUN cannot map it, here as there"));
        }
    }
    let asked = said.or(match ports {
        Ports::One(port) => Some(port),
        Ports::Every | Ports::Several | Ports::Mark => server.port,
    });
    let default = server.port.or(match ports {
        Ports::One(port) => Some(port),
        Ports::Every | Ports::Several | Ports::Mark => None,
    });
    checks_have_ports(server, asked, default, ledger);
}

/// Each check that asks a port and names none gets the one that was meant, unless the policy takes it by itself.
fn checks_have_ports(server: &mut Server, asked: Option<u16>, default: Option<u16>, ledger: &mut Ledger) {
    let address = server.address;
    server.checks.retain_mut(|(check, at)| {
        source_fits(check, address, *at, ledger);
        if !check.needs_port || check.port.is_some() || asked.is_some() && asked == default {
            return true;
        }
        match asked {
            Some(port) => {
                check.keys.push(entry("port", number(port)));
                check.port = Some(port);
                true
            }
            None => {
                ledger
                    .note(*at, none("nothing says which port it goes to: add connect_port; it is left out"));
                false
            }
        }
    });
}

/// A probe comes from an address of its target's family.
fn source_fits(check: &mut Check, address: IpAddr, at: Origin, ledger: &mut Ledger) {
    let said = |name: &str| {
        let key = check.keys.iter().find(|key| key.key == name)?;
        if let Yaml::Word(text) = &key.value { text.parse::<IpAddr>().ok() } else { None }
    };
    let target = said("address").unwrap_or(address);
    if said("source").is_some_and(|source| source.is_ipv6() != target.is_ipv6()) {
        ledger.note(at, near("bindto is of the other family than the server: left out"));
        check.keys.retain(|key| key.key != "source");
    }
}

/// A quorum that the servers can reach.
fn quorum(pool: &mut Pool, ledger: &mut Ledger) {
    let Some((least, recover, at)) = pool.quorum else { return };
    let most = pool.servers.iter().map(|server| server.weight).fold(0, u32::saturating_add);
    if most == 0 || (pool.sorry.is_none() && at == pool.at) {
        pool.quorum = None;
        return;
    }
    if recover > most {
        ledger
            .note(at, near(format!("all servers together weigh {most}: more cannot bring the quorum back")));
    }
    pool.quorum = Some((least.min(most), recover.min(most).max(least.min(most)), at));
}

#[cfg(test)]
mod tests {
    use super::super::ipvsadm;
    use super::*;
    use std::path::Path;

    /// What `tests/fuzz` found: the policy that was written was refused.
    #[test]
    fn a_server_that_is_there_twice_by_two_methods_is_left_out_once() {
        let text = "-A -t 10.0.0.1:443 -s wlc\n-a -t 10.0.0.1:443 -r 10.0.1.1:443 -m\n-a -t 10.0.0.1:443 -r 10.0.1.1:443 -g\n";
        let mut ledger = Ledger::default();
        let mut site = ipvsadm::read(Path::new("table"), text, &mut ledger);
        assert_eq!(site.pools[0].servers.len(), 2);
        settle(&mut site, &mut ledger);
        assert_eq!(site.pools[0].servers.len(), 1);
    }
}
