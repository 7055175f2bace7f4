//! Pools: services, method and check of a pool first, since every real server's rules need them.

use super::checks::{self, Choice};
use super::services::ServicePorts;
use super::{MAX_SERVICES, Places, config, forwarding, marks, servers, services};
use crate::model::{
    Check, CheckName, Family, Forwarding, Initial, OnFailure, Pool, PoolName, RealServer, ServiceConfig,
    ServiceKey, VirtualService,
};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Entry, Field, List, Named, Spanned};
use crate::policy::schema::{InitialWord, PolicyText, PoolText, ServerText, ServersText, Texts};
use crate::policy::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// What the rules of pools look things up in, and where they put what they find.
pub(super) struct Context<'a, 'p> {
    pub(super) checks: checks::Named<'a>,
    pub(super) sets: Option<&'a Named<List<ServerText>>>,
    /// Checks that a real server uses.
    pub(super) used: BTreeMap<CheckName, Check>,
    pub(super) places: Places,
    pub(super) problems: &'p mut Problems,
}

impl<'a, 'p> Context<'a, 'p> {
    pub(super) fn new(
        checks: checks::Named<'a>,
        sets: Option<&'a Named<List<ServerText>>>,
        problems: &'p mut Problems,
    ) -> Self {
        Self { checks, sets, used: BTreeMap::new(), places: Places::default(), problems }
    }
}

/// What a pool's real servers must know of it.
pub(super) struct Facts<'a> {
    pub(super) name: Spanned<&'a str>,
    /// As they were said, before joining.
    pub(super) services: &'a [Spanned<ServiceKey>],
    pub(super) families: BTreeSet<Family>,
    pub(super) ports: ServicePorts,
    pub(super) forwarding: Field<Forwarding>,
    pub(super) check: Option<Choice>,
    pub(super) check_span: Option<Span>,
}

impl Facts<'_> {
    pub(super) fn has_marks(&self) -> bool {
        self.ports == ServicePorts::Mark
    }
}

/// A pool before its services get their marks.
pub(super) struct Draft {
    pub(super) name: Spanned<PoolName>,
    /// As they were said, before joining.
    pub(super) services: Vec<Spanned<ServiceKey>>,
    pub(super) servers: Vec<Spanned<RealServer>>,
    joined: bool,
    configs: BTreeMap<Family, ServiceConfig>,
    on_failure: OnFailure,
    initial: Initial,
    untracked: bool,
    labels: BTreeMap<String, String>,
}

/// Every pool that can be read, in the order of the file.
pub(super) fn pools(text: &PolicyText, context: &mut Context<'_, '_>) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    let mut room = MAX_SERVICES;
    for entry in text.pools.value().map(|named| named.0.as_slice()).unwrap_or_default() {
        let Some(draft) = draft(entry, room, context) else { continue };
        room = room.saturating_sub(draft.services.len());
        drafts.push(draft);
    }
    drafts
}

fn draft(entry: &Entry<PoolText>, room: usize, context: &mut Context<'_, '_>) -> Option<Draft> {
    let pool = entry.value.value()?;
    let name = Spanned { value: entry.name.name.as_str(), span: entry.name.span };
    let services = services::expand(pool, room, context.problems);
    some_service(pool, &name, context.problems);
    config::rules(pool, &name, &services, context.problems);
    services::outside_our_marks(&services, context.problems);
    let joined = config::says(pool.join_ports.value());
    if joined {
        services::joinable(&services, context.problems);
    }
    let facts = facts(pool, name, &services, joined, context);
    let servers =
        pool.real_servers.value().map(|text| servers::servers(text, &facts, context)).unwrap_or_default();
    server_rules(pool, &facts, &servers, context.problems);
    let families = facts.families.iter();
    Some(Draft {
        name: Spanned { value: entry.name.name.as_str().into(), span: entry.name.span },
        configs: families.map(|family| (*family, config::service_config(pool, *family))).collect(),
        servers,
        joined,
        on_failure: config::on_failure(pool),
        initial: match pool.initial.value() {
            None | Some(InitialWord::Down) => Initial::Down,
            Some(InitialWord::Up) => Initial::Up,
        },
        untracked: config::says(pool.untracked.value()),
        labels: labels(&pool.labels, context.problems),
        services,
    })
}

fn some_service(pool: &PoolText, name: &Spanned<&str>, problems: &mut Problems) {
    let Some(said) = pool.virtual_services.given().filter(|said| said.value.0.is_empty()) else { return };
    if !problems.any_within(said.span) {
        let message = format!("the pool {} has no virtual service", quoted(name.value));
        problems.push(
            Diagnostic::new(Code::NoServices, said.span, message)
                .help("add what clients reach, such as tcp://192.168.101.100:80"),
        );
    }
}

fn facts<'a>(
    pool: &PoolText,
    name: Spanned<&'a str>,
    services: &'a [Spanned<ServiceKey>],
    joined: bool,
    context: &mut Context<'_, '_>,
) -> Facts<'a> {
    let forwarding = match &pool.forwarding {
        Field::Given(said) => {
            let places = &mut context.places.local_addresses;
            forwarding::build(&said.value, said.span, places, context.problems)
                .map_or(Field::Bad, |value| Field::Given(Spanned { value, span: said.span }))
        }
        Field::Bad => Field::Bad,
        Field::Absent => Field::Absent,
    };
    let place = format!("{}/check", name.value);
    let check = pool
        .check
        .given()
        .map(|said| context.checks.choose(&said.value, said.span, &place, context.problems));
    let families = services::families(services);
    Facts {
        name,
        services,
        families,
        ports: ServicePorts::of(services.iter().map(|service| &service.value), joined),
        forwarding,
        check,
        check_span: pool.check.span(),
    }
}

/// The rules between a pool and its real servers as a whole.
fn server_rules(
    pool: &PoolText,
    facts: &Facts<'_>,
    servers: &[Spanned<RealServer>],
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
    each_server_once(facts, servers, problems);
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

fn each_server_once(facts: &Facts<'_>, servers: &[Spanned<RealServer>], problems: &mut Problems) {
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

/// Labels that the metrics have already.
const RESERVED_LABELS: [&str; 9] =
    ["pool", "service", "server", "check", "reason", "router", "local_address", "le", "quantile"];

fn labels(field: &Field<Texts>, problems: &mut Problems) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, value) in field.value().map(|texts| texts.0.as_slice()).unwrap_or_default() {
        let name = key.name.as_str();
        let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let help = if RESERVED_LABELS.contains(&name) {
            Some("Tandem's metrics have a label of this name: take another")
        } else if !letters
            || name.is_empty()
            || name.starts_with(|first: char| first.is_ascii_digit())
            || name.starts_with("__")
        {
            Some("use letters, digits and `_`, beginning with a letter")
        } else {
            None
        };
        if let Some(help) = help {
            problems.push(
                Diagnostic::new(Code::BadLabel, key.span, format!("{} cannot be a label", quoted(name)))
                    .help(help),
            );
        }
        labels.insert(key.name.clone(), value.value.0.clone());
    }
    labels
}

/// The pools with their marks, and where everything was said.
pub(super) fn finish(drafts: Vec<Draft>, places: &mut Places) -> BTreeMap<PoolName, Pool> {
    let marks = marks::assign(drafts.iter().filter(|draft| draft.joined).map(|draft| &draft.name.value));
    drafts
        .into_iter()
        .map(|draft| {
            let name = PoolName::clone(&draft.name.value);
            remember(&draft, places);
            (name.clone(), finished(draft, marks.get(&name).copied()))
        })
        .collect()
}

fn remember(draft: &Draft, places: &mut Places) {
    places.services.extend(draft.services.iter().map(|service| (service.value, service.span)));
    let servers = draft.servers.iter();
    places
        .servers
        .extend(servers.map(|server| ((draft.name.value.clone(), server.value.name.clone()), server.span)));
}

fn finished(draft: Draft, mark: Option<u32>) -> Pool {
    let mut services: Vec<VirtualService> = match mark {
        None => {
            let config = |key: &ServiceKey| draft.configs.get(&key.family()).cloned();
            let keys = draft.services.iter().map(|service| service.value);
            keys.filter_map(|key| Some(VirtualService { key, config: config(&key)?, joined: Vec::new() }))
                .collect()
        }
        Some(mark) => draft
            .configs
            .into_iter()
            .map(|(family, config)| {
                let keys = draft.services.iter().map(|service| service.value);
                let joined: BTreeSet<ServiceKey> = keys.filter(|key| key.family() == family).collect();
                VirtualService {
                    key: ServiceKey::FirewallMark { family, mark },
                    config,
                    joined: joined.into_iter().collect(),
                }
            })
            .collect(),
    };
    services.sort_by_key(|service| service.key);
    Pool {
        name: draft.name.value,
        services,
        servers: draft.servers.into_iter().map(|server| server.value).collect(),
        on_failure: draft.on_failure,
        initial: draft.initial,
        untracked: draft.untracked,
        labels: draft.labels,
    }
}
