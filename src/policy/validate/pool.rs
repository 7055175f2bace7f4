//! Pools: services, method and check of a pool first, since every real server's rules need them.

use super::checks::{self, Choice};
use super::local_addresses::Floating;
use super::pair::Pairing;
use super::rotation;
use super::services::ServicePorts;
use super::{MAX_SERVICES, Places, config, forwarding, labels, pool_rules, servers, services, weight_from};
use crate::model::{
    Check, CheckName, Family, Forwarding, Initial, OnFailure, PoolName, PoolRules, RealServer, ServiceConfig,
    ServiceKey,
};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Entry, Field, List, Named, Spanned};
use crate::policy::schema::{InitialWord, PolicyText, PoolText, ServerText};
use crate::policy::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// What the rules of pools look things up in, and where they put what they find.
pub(super) struct Context<'a, 'p> {
    pub(super) checks: checks::Named<'a>,
    pub(super) sets: Option<&'a Named<List<ServerText>>>,
    /// Checks that something uses.
    pub(super) used: BTreeMap<CheckName, Check>,
    pub(super) places: Places,
    pub(super) pairing: &'a Pairing,
    /// Local addresses that float with a router.
    pub(super) local: Floating,
    pub(super) problems: &'p mut Problems,
}

impl<'a, 'p> Context<'a, 'p> {
    pub(super) fn new(
        checks: checks::Named<'a>,
        sets: Option<&'a Named<List<ServerText>>>,
        pairing: &'a Pairing,
        problems: &'p mut Problems,
    ) -> Self {
        let (used, places, local) = (BTreeMap::new(), Places::default(), Floating::default());
        Self { checks, sets, used, places, pairing, local, problems }
    }

    /// Takes a check into the policy, since something uses it; its name.
    pub(super) fn take(&mut self, built: checks::Built) -> CheckName {
        checks::remember(built, &mut self.used, &mut self.places)
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
    pub(super) joined: bool,
    pub(super) configs: BTreeMap<Family, ServiceConfig>,
    pub(super) on_failure: OnFailure,
    pub(super) initial: Initial,
    pub(super) sorry_servers: Vec<Spanned<RealServer>>,
    pub(super) rules: PoolRules,
    pub(super) untracked: bool,
    pub(super) labels: BTreeMap<String, String>,
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

/// The names of all pools, of those too that cannot be read.
pub(super) fn names(text: &PolicyText) -> BTreeSet<&str> {
    let entries = text.pools.value().map(|named| named.0.as_slice()).unwrap_or_default();
    entries.iter().map(|entry| entry.name.name.as_str()).collect()
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
    let mut servers =
        pool.real_servers.value().map(|text| servers::servers(text, &facts, context)).unwrap_or_default();
    let sorry_servers = rotation::sorry_servers(pool, &facts, context);
    let weight_from = weight_from::weights(pool, &facts, &mut servers, context);
    let rules = rotation::rules(pool, &facts, &servers, weight_from, context.problems);
    pool_rules::server_rules(pool, &facts, &servers, &sorry_servers, context.problems);
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
        sorry_servers,
        rules,
        untracked: config::says(pool.untracked.value()),
        labels: labels::labels(&pool.labels, context.problems),
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
        Field::Given(said) => forwarding::build(&said.value, said.span, context)
            .map_or(Field::Bad, |value| Field::Given(Spanned { value, span: said.span })),
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
