//! The rules between a pool and its real servers as a whole.

use super::forwarding;
use super::pool::Facts;
use crate::model::{Family, Forwarding, RealServer};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Field, Spanned};
use crate::policy::schema::{PoolText, ServersText};
use crate::policy::source::Span;
use std::collections::BTreeMap;

/// Every rule of this file.
pub(super) fn server_rules(
    pool: &PoolText,
    facts: &Facts<'_>,
    servers: &[Spanned<RealServer>],
    sorry: &[Spanned<RealServer>],
    problems: &mut Problems,
) {
    said_for_all(pool, facts, problems);
    for family in &facts.families {
        some_server_of(*family, facts, servers, problems);
    }
    if let Field::Given(forwarding) = &facts.forwarding {
        forwarding::full_nat_rules(pool, forwarding, &facts.families, problems);
    }
    one_translation(pool, facts, servers, problems);
    each_server_once(facts, servers.iter().chain(sorry), problems);
}

/// A method and a check must be said, by the pool or by each of its servers.
fn said_for_all(pool: &PoolText, facts: &Facts<'_>, problems: &mut Problems) {
    let entries = match pool.real_servers.value() {
        Some(ServersText::List(list)) => list.0.as_slice(),
        _ => &[],
    };
    let options = || entries.iter().map(|entry| entry.value.options.as_deref());
    let each_forwards = !entries.is_empty()
        && options().all(|options| options.is_some_and(|options| !options.forwarding.is_absent()));
    let each_is_checked = !entries.is_empty()
        && options().all(|options| options.is_some_and(|options| !options.check.is_absent()));
    let name = quoted(facts.name.value);
    if facts.forwarding.is_absent() && !each_forwards {
        let message = format!("the pool {name} does not say how it forwards");
        problems.push(
            Diagnostic::new(Code::ForwardingNotSaid, facts.name.span, message)
                .help("add `forwarding:` with nat, dr, tun or full-nat"),
        );
    }
    if pool.check.is_absent() && !each_is_checked {
        let message = format!("the pool {name} does not say how its real servers are checked");
        problems
            .push(Diagnostic::new(Code::CheckNotSaid, facts.name.span, message).help(
                "add `check: NAME`, a check in place, or `check: none` if no failure shall be noticed",
            ));
    }
}

/// A service whose family no real server has would never be answered; only TUN carries one family in the other.
fn some_server_of(
    family: Family,
    facts: &Facts<'_>,
    servers: &[Spanned<RealServer>],
    problems: &mut Problems,
) {
    let reaches = |server: &Spanned<RealServer>| {
        Family::of(server.value.address) == family
            || matches!(server.value.forwarding, Forwarding::Tunnelling(_))
    };
    let Some(service) = facts.services.iter().find(|service| service.value.family() == family) else {
        return;
    };
    if servers.is_empty() || servers.iter().any(reaches) {
        return;
    }
    let message =
        format!("{} is {family}, and no real server of {} is", service.value, quoted(facts.name.value));
    problems.push(
        Diagnostic::new(Code::FamilyMix, service.span, message)
            .help(format!("give the real servers {family} addresses too, with `addresses: […]`")),
    );
}

/// The source translation belongs to the service, not to the server: all servers of a pool must want the same.
fn one_translation(
    pool: &PoolText,
    facts: &Facts<'_>,
    servers: &[Spanned<RealServer>],
    problems: &mut Problems,
) {
    let translation = |server: &RealServer| match &server.forwarding {
        Forwarding::FullNat(translation) => Some(translation.clone()),
        Forwarding::Nat | Forwarding::DirectRouting | Forwarding::Tunnelling(_) => None,
    };
    let Some(first) = servers.first() else { return };
    if let Some(other) = servers.iter().find(|server| translation(&server.value) != translation(&first.value))
    {
        let message = format!(
            "the real servers {} and {} need different source addresses: full-NAT is for a whole pool",
            first.value.name, other.value.name
        );
        let diagnostic =
            Diagnostic::new(Code::MixedFullNat, other.span, message).related(first.span, "the other one");
        problems.push(diagnostic.help("give the full-NAT servers a pool of their own"));
    } else if !matches!(facts.forwarding, Field::Given(_))
        || facts.forwarding.value() != Some(&first.value.forwarding)
    {
        let own = Spanned { value: first.value.forwarding.clone(), span: first.span };
        forwarding::full_nat_rules(pool, &own, &facts.families, problems);
    }
}

fn each_server_once<'a>(
    facts: &Facts<'_>,
    servers: impl Iterator<Item = &'a Spanned<RealServer>>,
    problems: &mut Problems,
) {
    let mut names: BTreeMap<&str, Span> = BTreeMap::new();
    let mut endpoints = BTreeMap::new();
    for Spanned { value: server, span } in servers {
        let endpoint = (server.address, server.port.or(facts.ports.single()));
        let (code, message, first) = if let Some(first) = endpoints.insert(endpoint, *span) {
            let name = super::automatic_name(server.address, endpoint.1);
            (
                Code::DuplicateServer,
                format!("the real server {name} is there twice in {}", quoted(facts.name.value)),
                first,
            )
        } else if let Some(first) = names.insert(&server.name, *span) {
            (
                Code::DuplicateServerName,
                format!(
                    "two real servers of {} are called {}",
                    quoted(facts.name.value),
                    quoted(&server.name)
                ),
                first,
            )
        } else {
            continue;
        };
        problems.push(
            Diagnostic::new(code, *span, message)
                .related(first, "first said here")
                .help("keep one of the two, or give one another name or port"),
        );
    }
}
