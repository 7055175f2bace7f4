//! Probes through the real path: to each VIP of the pool, led to one real server by a mark of its own.

use super::checks::Built;
use super::marks;
use super::pool::{Context, Facts};
use super::server_check::Server;
use crate::model::{
    Check, Condition, Family, Forwarding, PROBE_MARKS, Pool, Pools, ProbeSpec, RealServer, ServiceKey,
    TargetKey, Through,
};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::schema::{CheckUseText, ThroughWord};
use crate::policy::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// VIPs of one pool that are probed at each of its servers, at most.
const MOST_VIPS: usize = 16;
/// Stands in a key until all servers are known.
const UNMARKED: u32 = 0;

/// Which way the probes of a check go.
pub(super) fn through(text: &CheckUseText) -> Through {
    match text.through.value() {
        None | Some(ThroughWord::Direct) => Through::Direct,
        Some(ThroughWord::RealPath) => Through::RealPath,
    }
}

/// Leaves out what the real path says itself: whom it asks, and by which mark.
pub(super) fn leave_out_unused(check: &mut Check, text: &CheckUseText, whole: Span, problems: &mut Problems) {
    if check.through == Through::Direct {
        return;
    }
    for (key, span) in [("address", text.address.span()), ("mark", text.mark.span())] {
        if let Some(span) = span.filter(|span| whole.contains(*span)) {
            let message = format!(
                "`{key}` means nothing through the real path: the VIP is asked, by a mark of our own"
            );
            problems.push(Diagnostic::new(Code::CheckKeyUnused, span, message).help("leave it out"));
        }
    }
    (check.address, check.mark) = (None, None);
}

/// Whom a check asks for a server: every VIP of the pool must answer.
pub(super) fn targets(
    built: Built,
    server: &Server<'_>,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Option<Condition> {
    let vips = vips(facts, server.entry.endpoint().address);
    if let Some((message, help)) = obstacle(&built.check, server, &vips, facts, context) {
        let diagnostic = Diagnostic::new(Code::RealPath, server.span, message);
        context.problems.push(diagnostic.help(help));
        return None;
    }
    let port = |own: u16| built.check.port.unwrap_or(own);
    let addresses: Vec<_> = vips.into_iter().map(|(vip, own)| SocketAddr::new(vip, port(own))).collect();
    let check = context.take(built);
    let target = |address| TargetKey { check: check.clone(), address, real_path: Some(UNMARKED) };
    let mut conditions: Vec<_> =
        addresses.into_iter().map(|address| Condition::Check(target(address).into())).collect();
    match conditions.len() {
        0 | 1 => conditions.pop(),
        _ => Some(Condition::All(conditions)),
    }
}

/// The VIPs that a server answers for, each with the first of its ports: those of its own family, or where there is none
/// those of the other, which a tunnel carries.
fn vips(facts: &Facts<'_>, server: IpAddr) -> BTreeMap<IpAddr, u16> {
    let mut vips: BTreeMap<IpAddr, u16> = BTreeMap::new();
    for service in facts.services {
        if let ServiceKey::Address { address, port, .. } = service.value {
            let first = vips.entry(address).or_insert(port);
            *first = port.min(*first);
        }
    }
    let own = vips.keys().any(|vip| Family::of(*vip) == Family::of(server));
    vips.retain(|vip, _| !own || Family::of(*vip) == Family::of(server));
    vips
}

/// Why there is no such path to a server, and what to do.
fn obstacle(
    check: &Check,
    server: &Server<'_>,
    vips: &BTreeMap<IpAddr, u16>,
    facts: &Facts<'_>,
    context: &Context<'_, '_>,
) -> Option<(String, String)> {
    let pool = quoted(facts.name.value);
    match server.forwarding {
        None | Some(Forwarding::DirectRouting | Forwarding::Tunnelling(_)) => {}
        Some(Forwarding::Nat | Forwarding::FullNat(_)) => {
            let message = format!("the servers of {pool} hold no VIP: the real path is for DR and TUN");
            return Some((
                message,
                "leave `through` out: with NAT a probe of the real server meets what clients meet".to_owned(),
            ));
        }
    }
    if matches!(check.probe, ProbeSpec::Ping(_) | ProbeSpec::Exec(_) | ProbeSpec::File(_)) {
        let message = format!("{} does not go through the real path", check.probe.kind());
        return Some((message, "use a probe over TCP or UDP: IPVS forwards nothing else".to_owned()));
    }
    if vips.is_empty() {
        let message =
            format!("the services of {pool} are firewall marks, and say no VIP that could be probed");
        return Some((message, "leave `through` out, or say the services by their addresses".to_owned()));
    }
    if vips.len() > MOST_VIPS {
        let message =
            format!("{pool} has {} VIPs, of which at most {MOST_VIPS} are probed at each server", vips.len());
        return Some((message, "split the pool, or leave `through` out".to_owned()));
    }
    if vips.values().any(|port| *port == 0) && check.port.is_none() {
        let message = format!("{pool} serves every port, and the check says none");
        return Some((message, "add `port:` to the check".to_owned()));
    }
    let unknown = |vip: &&IpAddr| {
        let own = context.pairing.pair.own_address(Family::of(**vip));
        check.source.or(own).is_none_or(|source| source.is_ipv4() != vip.is_ipv4())
    };
    let vip = vips.keys().find(unknown)?;
    let message =
        format!("nothing says which {} address of this director probes of {vip} come from", Family::of(*vip));
    Some((message, "add `source:` to the check, or the directors' addresses under `directors`: on the Master the VIP is local".to_owned()))
}

/// Gives each server its mark: a function of its own name and its pool's, as for joined ports.
pub(super) fn mark(pools: &mut Pools) {
    let names = led(pools);
    let marks = marks::assign_in(&PROBE_MARKS, names.iter().map(String::as_str).collect());
    if marks.is_empty() {
        return;
    }
    for pool in pools.values_mut() {
        let pool_name = pool.name.clone();
        for server in pool.servers.iter_mut().chain(&mut pool.sorry_servers) {
            let Some(mark) = marks.get(name_of(&pool_name, &server.name).as_str()) else { continue };
            let targets = server.check.iter_mut().flat_map(Condition::own_targets_mut);
            for target in targets.filter(|target| target.real_path.is_some()) {
                target.real_path = Some(*mark);
            }
        }
    }
}

/// Whether the marks are those that the names of all servers give.
pub(super) fn marks_hold(pools: &Pools) -> bool {
    let names = led(pools);
    let marks = marks::assign_in(&PROBE_MARKS, names.iter().map(String::as_str).collect());
    pools.values().all(|pool| {
        pool.every_server().all(|server| {
            let mark = || marks.get(name_of(&pool.name, &server.name).as_str());
            server.real_paths().all(|(own, _)| mark() == Some(&own))
        })
    })
}

/// The names of the servers that have a mark.
fn led(pools: &Pools) -> BTreeSet<String> {
    let led = |server: &&RealServer| server.real_paths().next().is_some();
    let names = |pool: &Pool| -> Vec<String> {
        pool.every_server().filter(led).map(|server| name_of(&pool.name, &server.name)).collect()
    };
    pools.values().flat_map(names).collect()
}

fn name_of(pool: &str, server: &str) -> String {
    format!("{pool}/{server}")
}
