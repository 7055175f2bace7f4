//! The section `pools`.

use super::checks::Book;
use super::commented;
use crate::import::checks::time;
use crate::import::pair::Pair;
use crate::import::site::{Check, Forwarding, Persistence, Pool, Server, Service, Site};
use crate::import::verdict::Ledger;
use crate::import::yaml::{Entry, Yaml, entry, list, mapping, number, word};
use std::net::{IpAddr, SocketAddr};

pub(super) fn section(site: &Site, pair: &Pair, book: &mut Book, ledger: &Ledger) -> Vec<Entry> {
    let pools: Vec<Entry> = site.pools.iter().map(|pool| entry_of(pool, book, ledger)).collect();
    let mut comments = Vec::new();
    let mut services = site.pools.iter().flat_map(|pool| &pool.services);
    let has_addresses = services.any(|(service, _)| matches!(service, Service::Addresses { .. }));
    if pair.is_alone() && has_addresses && site.held.is_empty() {
        comments.push(
            "TODO: the file does not say who holds these addresses. Name them in virtual_addresses: [{address: VIP/24, interface: eth0}], unless something else on this host holds them."
                .to_owned(),
        );
    }
    vec![entry("pools", mapping(pools)).comments(comments)]
}

fn entry_of(pool: &Pool, book: &mut Book, ledger: &Ledger) -> Entry {
    let mut keys = vec![
        entry("virtual_services", list(pool.services.iter().map(|(service, _)| service_of(service)))),
        entry("forwarding", forwarding(&pool.forwarding)),
        entry("scheduler", scheduler(pool)),
    ];
    keys.extend(pool.persistence.as_ref().map(|said| persistence(said, pool)));
    if pool.one_packet {
        keys.push(entry("one_packet", Yaml::Flag(true)));
    }
    let common = common_checks(pool);
    let check = entry("check", book.all(&common));
    let unchecked = common.is_empty() && !pool.servers.is_empty();
    keys.push(if unchecked { check.behind("never probed, always up") } else { check });
    keys.extend(rules(pool, unchecked));
    keys.push(entry(
        "real_servers",
        commented(pool.servers.iter().map(|server| {
            let checks: Vec<&Check> = server.checks.iter().map(|(check, _)| check).collect();
            let own = (checks != common).then(|| book.all(&checks));
            (Vec::new(), server_of(server, own))
        })),
    ));
    let origin = ledger.short_place(pool.at);
    entry(&pool.name, mapping(keys)).comments([origin]).comments(pool.todo.clone())
}

/// The checks that most servers have: those of the first one.
fn common_checks(pool: &Pool) -> Vec<&Check> {
    pool.servers
        .first()
        .map(|server| server.checks.iter().map(|(check, _)| check).collect())
        .unwrap_or_default()
}

fn rules(pool: &Pool, unchecked: bool) -> Vec<Entry> {
    let mut keys = Vec::new();
    if pool.quiesces {
        keys.push(entry("on_failure", word("quiesce")));
    } else if pool.scheduler == "mh" {
        keys.push(entry("on_failure", word("remove")));
    }
    if !pool.starts_down && !unchecked {
        keys.push(entry("initial", word("up")));
    }
    if let Some((least, recover, _)) = pool.quorum {
        keys.push(entry(
            "quorum",
            mapping([entry("weight", number(least)), entry("recover", number(recover))]),
        ));
    }
    keys.extend(pool.sorry.as_ref().map(|sorry| entry("sorry_server", server_of(sorry, Some(word("none"))))));
    keys.extend(pool.label.as_ref().map(|label| entry("labels", mapping([entry("name", word(label))]))));
    keys
}

fn service_of(service: &Service) -> Yaml {
    match service {
        Service::Mark { mark, ipv6 } => word(format!("fwmark{}://{mark}", if *ipv6 { "6" } else { "" })),
        Service::Addresses { protocol, first, last, port } => {
            let shown = |address: &IpAddr| match address {
                IpAddr::V4(address) => address.to_string(),
                IpAddr::V6(address) => format!("[{address}]"),
            };
            let range =
                if first == last { shown(first) } else { format!("{}-{}", shown(first), shown(last)) };
            word(format!("{}://{range}:{port}", protocol.word()))
        }
    }
}

fn forwarding(forwarding: &Forwarding) -> Yaml {
    match forwarding {
        Forwarding::Nat => word("nat"),
        Forwarding::Dr => word("dr"),
        Forwarding::Tun("ipip", ..) => word("tun"),
        Forwarding::Tun(encapsulation, port, checksum) => {
            let mut keys = vec![entry("encapsulation", word(encapsulation))];
            keys.extend(port.filter(|_| *encapsulation == "gue").map(|port| entry("port", number(port))));
            let checksum = checksum.filter(|word| *word != "remote" || *encapsulation == "gue");
            keys.extend(checksum.map(|checksum| entry("checksum", word(checksum))));
            mapping([entry("tun", mapping(keys))])
        }
    }
}

/// Tandem's mh has a fallback where nothing is said, and keepalived's has not.
fn scheduler(pool: &Pool) -> Yaml {
    let name = pool.scheduler.as_str();
    if !matches!(name, "sh" | "mh") || (name == "sh" && !pool.fallback && !pool.hashes_port) {
        return word(name);
    }
    let mut flags = vec![entry("fallback", Yaml::Flag(pool.fallback))];
    if pool.hashes_port {
        flags.push(entry("port", Yaml::Flag(true)));
    }
    mapping([entry(name, mapping(flags))])
}

/// Seconds of a persistence where nothing is said, as keepalived has it.
const PERSISTENCE: u32 = 360;

fn persistence(said: &Persistence, pool: &Pool) -> Entry {
    let mut keys = vec![entry("timeout", time(u64::from(said.seconds.unwrap_or(PERSISTENCE)) * 1000))];
    let six = pool.services.iter().any(|(service, _)| service.is_ipv6());
    let family = if six { "ipv6" } else { "ipv4" };
    let fits = |length: &u8| if six { *length > 0 } else { *length <= 32 };
    let prefix = said.prefix.filter(fits);
    keys.extend(prefix.map(|length| entry("prefix", mapping([entry(family, number(length))]))));
    if said.sip {
        keys.push(entry("engine", word("sip")));
    }
    entry("persistence", mapping(keys))
}

/// A real server, in the shortest form that says it.
fn server_of(server: &Server, check: Option<Yaml>) -> Yaml {
    let endpoint = match server.port {
        Some(port) => SocketAddr::new(server.address, port).to_string(),
        None => server.address.to_string(),
    };
    let mut keys = Vec::new();
    if server.weight != 1 {
        keys.push(entry("weight", number(server.weight)));
    }
    if let Some(upper) = server.upper {
        let lower = server.lower.map(|lower| entry("lower", number(lower)));
        keys.push(entry("thresholds", mapping([entry("upper", number(upper))].into_iter().chain(lower))));
    }
    keys.extend(check.map(|check| entry("check", check)));
    keys.extend(server.forwarding.as_ref().map(|own| entry("forwarding", forwarding(own))));
    if keys.is_empty() {
        word(endpoint)
    } else {
        mapping([entry("address", word(endpoint))].into_iter().chain(keys))
    }
}
