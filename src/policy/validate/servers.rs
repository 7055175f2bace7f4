//! Real servers: each entry of the file to the real servers that it means, with everything inherited written out.

use super::addresses::{Role, usable};
use super::config;
use super::endpoints::endpoints;
use super::forwarding;
use super::names::automatic_name;
use super::pool::{Context, Facts};
use super::ports::{port, port_fits};
use super::server_check::check_of;
use crate::model::{Forwarding, RealServer, Thresholds};
use crate::policy::address::Endpoint;
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, nearest, quoted};
use crate::policy::read::{Field, Spanned, bad_name, is_name};
use crate::policy::schema::{EndpointText, ServerMapping, ServerText, ServersText, SetUse, ThresholdsText};
use crate::policy::source::Span;
use std::net::IpAddr;

/// The real servers of a pool, in the order of the file.
pub(super) fn servers(
    text: &ServersText,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Vec<Spanned<RealServer>> {
    let (entries, port) = match text {
        ServersText::List(list) => (list.0.as_slice(), None),
        ServersText::Set(set) => (
            set_entries(set, context),
            set.port.given().map(|port| Spanned { value: port.value.port(), span: port.span }),
        ),
    };
    let from_set = matches!(text, ServersText::Set(_));
    let mut servers = Vec::new();
    for entry in entries {
        servers.extend(endpoints_of(entry, port.as_ref(), from_set, facts, context));
    }
    servers
}

/// One entry outside of the list: a sorry server.
pub(super) fn of_entry(
    entry: &Spanned<ServerText>,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Vec<Spanned<RealServer>> {
    endpoints_of(entry, None, false, facts, context)
}

/// The real servers that an entry means: one an address.
fn endpoints_of(
    entry: &Spanned<ServerText>,
    set_port: Option<&Spanned<u16>>,
    from_set: bool,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Vec<Spanned<RealServer>> {
    let endpoints = endpoints(entry, facts, context.problems);
    let both_families = endpoints.len() > 1;
    let mut servers = Vec::new();
    for endpoint in endpoints {
        let entry = Entry { text: &entry.value, endpoint, set_port, from_set, both_families };
        servers.extend(server(&entry, facts, context));
    }
    servers
}

/// The hosts of a set; none after a problem.
fn set_entries<'a>(set: &SetUse, context: &mut Context<'a, '_>) -> &'a [Spanned<ServerText>] {
    let Some(name) = set.set.given() else { return &[] };
    let sets = context.sets.map(|sets| sets.0.as_slice()).unwrap_or_default();
    let Some(entry) = sets.iter().find(|entry| entry.name.name == name.value.0) else {
        let message = format!("no server set is called {}", quoted(&name.value.0));
        let diagnostic = Diagnostic::new(Code::UnknownServerSet, name.span, message);
        let known: Vec<&str> = sets.iter().map(|entry| entry.name.name.as_str()).collect();
        context.problems.push(match nearest(&name.value.0, known.iter().copied()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => diagnostic.help("say it under `server_sets`"),
            None => diagnostic.help(format!("known sets: {}", known.join(", "))),
        });
        return &[];
    };
    entry.value.value().map(|list| list.0.as_slice()).unwrap_or_default()
}

/// One address of an entry.
pub(super) struct Entry<'a> {
    text: &'a ServerText,
    pub(super) endpoint: &'a Spanned<EndpointText>,
    pub(super) set_port: Option<&'a Spanned<u16>>,
    pub(super) from_set: bool,
    both_families: bool,
}

impl Entry<'_> {
    pub(super) fn options(&self) -> Option<&ServerMapping> {
        self.text.options.as_deref()
    }

    pub(super) const fn endpoint(&self) -> Endpoint {
        self.endpoint.value.0
    }
}

fn server(
    entry: &Entry<'_>,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Option<Spanned<RealServer>> {
    let (span, address) = (entry.endpoint.span, entry.endpoint().address);
    usable(address, Role::RealServer, span, context.problems).then_some(())?;
    not_the_vip(address, span, facts, context.problems);
    let port = port(entry, context.problems);
    let forwarding = forwarding_of(entry, facts, context);
    if let Some(forwarding) = &forwarding {
        port_fits(entry, port.as_ref(), forwarding, facts, context.problems);
    }
    let port = port.map(|port| port.value);
    let name = name(entry, port.or(facts.ports.single()), context.problems);
    let check = check_of(entry, &name, port, forwarding.as_ref().map(|found| &found.value), facts, context);
    let options = entry.options();
    let server = RealServer {
        name: name.into(),
        address,
        port,
        weight: options
            .and_then(|options| options.weight.value())
            .map_or(defaults::WEIGHT, |weight| weight.0),
        thresholds: options
            .map(|options| thresholds(&options.thresholds, context.problems))
            .unwrap_or_default(),
        forwarding: forwarding?.value,
        check,
        backup: config::says(options.and_then(|options| options.backup.value())),
        weight_source: None,
    };
    Some(Spanned { value: server, span })
}

fn not_the_vip(address: IpAddr, span: Span, facts: &Facts<'_>, problems: &mut Problems) {
    let Some(vip) = facts.services.iter().find(|service| service.value.address() == Some(address)) else {
        return;
    };
    let message =
        format!("the real server {address} has the address of its own virtual service {}", vip.value);
    let diagnostic =
        Diagnostic::new(Code::ServerIsVip, span, message).related(vip.span, "the virtual service");
    problems.push(diagnostic.help("write the address that the real server has on its own network"));
}

fn name(entry: &Entry<'_>, port: Option<u16>, problems: &mut Problems) -> String {
    let address = entry.endpoint().address;
    let Some(name) = entry.options().and_then(|options| options.name.given()) else {
        return automatic_name(address, port);
    };
    if !is_name(&name.value.0) {
        problems.push(bad_name(&name.value.0, name.span));
    }
    if entry.both_families {
        let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
        return format!("{}-{family}", name.value.0);
    }
    name.value.0.clone()
}

fn forwarding_of(
    entry: &Entry<'_>,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Option<Spanned<Forwarding>> {
    let Some(field) = entry.options().map(|options| &options.forwarding).filter(|field| !field.is_absent())
    else {
        return facts.forwarding.given().cloned();
    };
    let own = field.given()?;
    let value = forwarding::build(&own.value, own.span, context)?;
    Some(Spanned { value, span: own.span })
}

fn thresholds(field: &Field<ThresholdsText>, problems: &mut Problems) -> Thresholds {
    let Some(text) = field.value() else { return Thresholds::default() };
    let upper = text.upper.value().map_or(0, |upper| upper.0);
    let lower = text.lower.value().map_or(0, |lower| lower.0);
    if let Some(said) = text.lower.given().filter(|said| upper > 0 && said.value.0 > upper) {
        let message = format!("the lower threshold {lower} is above the upper one, {upper}");
        problems.push(
            Diagnostic::new(Code::ThresholdOrder, said.span, message)
                .help(format!("write at most {upper}, or leave `lower` out")),
        );
    }
    Thresholds { upper, lower }
}
