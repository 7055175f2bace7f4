//! ldirectord.cf to the common form.
//!
//! Lines `name = value`; indented ones belong to the `virtual` above. Source: ldirectord(8) of resource-agents 4.12.

mod keys;
mod negotiate;
mod real;

use super::keepalived::{empty_pool, prefix};
use super::names;
use super::site::{Persistence, Pool, Protocol, Server, Service, Site};
use super::verdict::{Judged, Ledger, Origin, near, none, same};
use real::Real;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A value and where it was said.
pub(super) type Said = (String, Origin);

/// A `virtual` with its lines.
struct Section {
    at: Origin,
    text: String,
    six: bool,
    options: BTreeMap<String, Said>,
    reals: Vec<(String, Origin)>,
}

/// Whether a line says something.
pub(super) fn counts(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

pub(super) fn is_keyword(name: &str) -> bool {
    keys::judged(name).is_some()
}

pub(super) fn read(path: &Path, text: &str, ledger: &mut Ledger) -> Site {
    let file = ledger.add(path.to_owned(), text);
    let mut globals: BTreeMap<String, Said> = BTreeMap::new();
    let mut sections: Vec<Section> = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| counts(line)) {
        let at = Origin { file, line: index + 1 };
        let Some((name, value)) = line.split_once('=') else {
            ledger.note(at, none("not a line of the form name = value"));
            continue;
        };
        let (name, value) = (name.trim().to_ascii_lowercase(), unquoted(value.trim()));
        // What is switched off is nobody's loss.
        let is_off = name == "autoreload" && value == "no";
        let judged = if is_off { Some(same()) } else { keys::judged(&name) };
        ledger.note(at, judged.clone().unwrap_or_else(|| none(format!("unknown keyword {name}"))));
        if keys::NUMBERS.contains(&name.as_str()) && value.parse::<u32>().is_err() {
            ledger.note(at, none("this is not a number: the default holds"));
        }
        let indented = line.starts_with([' ', '\t']);
        match (name.as_str(), sections.last_mut()) {
            ("virtual" | "virtual6", _) => sections.push(Section {
                at,
                text: value,
                six: name.ends_with('6'),
                options: BTreeMap::new(),
                reals: Vec::new(),
            }),
            ("real" | "real6", Some(section)) => {
                section.reals.push((line.split_once('=').map_or("", |of| of.1).trim().to_owned(), at))
            }
            _ if value.trim().is_empty() || value.chars().any(char::is_control) => {
                ledger.note(at, near("nothing is said here: the default holds"));
            }
            (_, Some(section)) if indented => drop(section.options.insert(name, (value, at))),
            _ => drop(globals.insert(name, (value, at))),
        }
    }
    site(&globals, &sections, ledger)
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(value).to_owned()
}

fn site(globals: &BTreeMap<String, Said>, sections: &[Section], ledger: &mut Ledger) -> Site {
    let says = |name: &str, word: &str| globals.get(name).is_some_and(|(value, _)| value == word);
    let mut site = Site { removes_at_stop: !says("cleanstop", "no"), ..Site::default() };
    let mut taken = BTreeSet::new();
    for section in sections {
        let options = Options { globals, own: &section.options };
        let own = section.options.values().map(|(_, at)| *at);
        ledger.block(section.at, own.chain(section.reals.iter().map(|(_, at)| *at)).collect());
        match pool(section, &options, &mut taken, ledger) {
            Ok(pool) => site.pools.push(pool),
            Err(judged) => {
                ledger.left_out(section.at, judged.how);
            }
        }
    }
    site
}

/// A virtual's own options over those of the file.
pub(super) struct Options<'a> {
    globals: &'a BTreeMap<String, Said>,
    own: &'a BTreeMap<String, Said>,
}

impl Options<'_> {
    pub(super) fn said(&self, name: &str) -> Option<&Said> {
        self.own.get(name).or_else(|| self.globals.get(name))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.said(name).map(|(value, _)| value.as_str())
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    /// Notes on an option's own line.
    pub(super) fn note(&self, name: &str, judged: Judged, ledger: &mut Ledger) {
        if let Some((_, at)) = self.said(name) {
            ledger.note(*at, judged);
        }
    }
}

fn pool(
    section: &Section,
    options: &Options<'_>,
    taken: &mut BTreeSet<String>,
    ledger: &mut Ledger,
) -> Result<Pool, Judged> {
    let mut pool = empty_pool(section.at);
    let (service, name) = service(section, options)?;
    pool.name = names::unique(&name, taken);
    let udp = matches!(service, Service::Addresses { protocol: Protocol::Udp, .. });
    pool.services.push((service, section.at));
    options.get("scheduler").unwrap_or("wrr").clone_into(&mut pool.scheduler);
    pool.quiesces = options.get("quiescent") != Some("no");
    pool.one_packet = options.get("ops") == Some("yes");
    if let Some(seconds) = options.number("persistent") {
        let prefix = options.get("netmask").and_then(prefix);
        pool.persistence = Some(Persistence { seconds: Some(seconds), prefix, sip: false });
    }
    pool.label = options.get("servicename").or_else(|| options.get("comment")).map(str::to_owned);
    let mut reals: Vec<Real> = Vec::new();
    for (text, at) in &section.reals {
        match real::read(text, *at) {
            Ok(several) => reals.extend(several),
            Err(judged) => ledger.note(*at, judged),
        }
    }
    pool.forwarding = reals.first().map_or(super::site::Forwarding::Dr, |real| real.forwarding.clone());
    let probe = negotiate::Probe { options, port: vport(&pool), vip: &section.text, udp };
    for real in reals {
        let server = server(real, &pool, &probe, ledger);
        pool.servers.push(server);
    }
    fallback(&mut pool, options, ledger);
    Ok(pool)
}

fn vport(pool: &Pool) -> Option<u16> {
    pool.services.iter().find_map(|(service, _)| match service {
        Service::Addresses { port, .. } => Some(*port).filter(|port| *port > 0),
        Service::Mark { .. } => None,
    })
}

fn service(section: &Section, options: &Options<'_>) -> Result<(Service, String), Judged> {
    let text = section.text.as_str();
    if let Ok(mark) = text.parse::<u32>() {
        if mark == 0 {
            return Err(none("a mark is a number above 0"));
        }
        return Ok((Service::Mark { mark, ipv6: section.six }, format!("mark-{mark}")));
    }
    let (first, port) =
        real::endpoint(text).ok_or_else(|| none("an address is needed: names are not resolved"))?;
    let port = port.unwrap_or(0);
    let protocol = match options.own.get("protocol").map(|(value, _)| value.as_str()) {
        Some("udp") => Protocol::Udp,
        Some("tcp") => Protocol::Tcp,
        _ if port == 53 => Protocol::Udp,
        _ => Protocol::Tcp,
    };
    let service = Service::Addresses { protocol, first, last: first, port };
    Ok((service, format!("{}-{first}-{port}", protocol.word())))
}

fn server(real: Real, pool: &Pool, probe: &negotiate::Probe<'_>, ledger: &mut Ledger) -> Server {
    let (checks, active) = probe.checks(&real, ledger);
    let own = (real.forwarding != pool.forwarding).then(|| real.forwarding.clone());
    Server {
        at: real.at,
        address: real.address,
        port: real.port.or_else(|| vport(pool)).filter(|_| vport(pool).is_some() || real.port.is_some()),
        weight: if active { real.weight } else { 0 },
        upper: real.upper,
        lower: real.lower,
        forwarding: own,
        checks: checks.into_iter().map(|check| (check, real.at)).collect(),
    }
}

/// Who answers when every server is down.
fn fallback(pool: &mut Pool, options: &Options<'_>, ledger: &mut Ledger) {
    let six = pool
        .services
        .iter()
        .any(|(service, _)| matches!(service, Service::Addresses { first, .. } if first.is_ipv6()));
    let name = if six && options.said("fallback6").is_some() { "fallback6" } else { "fallback" };
    let Some((text, at)) = options.said(name) else { return };
    let mut words = text.split_whitespace();
    let endpoint = words.next().and_then(real::endpoint);
    let Some((address, port)) = endpoint else {
        ledger.note(*at, none("an address is needed: names are not resolved"));
        return;
    };
    let method = words.next().and_then(real::method);
    let forwarding = method.filter(|method| *method != pool.forwarding);
    pool.sorry = Some(Server {
        at: *at,
        address,
        port,
        weight: 1,
        upper: None,
        lower: None,
        forwarding,
        checks: Vec::new(),
    });
    pool.quorum = Some((1, 1, pool.at));
}
