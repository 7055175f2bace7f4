//! Real servers: each entry of the file to the real servers that it means, with everything inherited written out.

use super::addresses::{Role, usable};
use super::checks::Choice;
use super::forwarding;
use super::names::automatic_name;
use super::pool::{Context, Facts};
use super::services::ServicePorts;
use crate::model::{CheckTarget, Family, Forwarding, RealServer, Thresholds};
use crate::policy::address::Endpoint;
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, nearest, quoted};
use crate::policy::read::{Field, Spanned, bad_name, is_name};
use crate::policy::schema::{EndpointText, ServerMapping, ServerText, ServersText, SetUse, ThresholdsText};
use crate::policy::source::Span;
use std::net::{IpAddr, SocketAddr};

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
        let endpoints = endpoints(entry, facts, context.problems);
        let both_families = endpoints.len() > 1;
        for endpoint in endpoints {
            let entry =
                Entry { text: &entry.value, endpoint, set_port: port.as_ref(), from_set, both_families };
            servers.extend(server(&entry, facts, context));
        }
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

/// The endpoints of an entry that this pool can use: those of its services' families. TUN can reach the other family too,
/// and does where an entry has no other.
fn endpoints<'a>(
    entry: &'a Spanned<ServerText>,
    facts: &Facts<'_>,
    problems: &mut Problems,
) -> Vec<&'a Spanned<EndpointText>> {
    let all = one_a_family(&entry.value.endpoints, problems);
    let family =
        |endpoint: &&&Spanned<EndpointText>| facts.families.contains(&Family::of(endpoint.value.0.address));
    let fitting: Vec<_> = all.iter().filter(family).copied().collect();
    let tunnel =
        matches!(own_or_pools(entry.value.options.as_deref(), facts), Some(Forwarding::Tunnelling(_)));
    if !fitting.is_empty() {
        return fitting;
    }
    if let (false, Some(first), Some(served)) = (tunnel, all.first(), facts.families.first()) {
        let own = Family::of(first.value.0.address);
        let message = format!(
            "the real server {} is {own}, and the services of {} are {served}",
            first.value.0.address,
            quoted(facts.name.value)
        );
        let diagnostic = Diagnostic::new(Code::FamilyMix, first.span, message);
        problems
            .push(diagnostic.help(
                "only tun can carry one family in the other: use it, or an address of the same family",
            ));
        return Vec::new();
    }
    all
}

/// The kind of forwarding of an entry, for rules that come before its options are known.
fn own_or_pools(options: Option<&ServerMapping>, facts: &Facts<'_>) -> Option<Forwarding> {
    use crate::model::Encapsulation;
    use crate::policy::schema::ForwardingText;
    match options.and_then(|options| options.forwarding.value()) {
        Some(ForwardingText::Tunnelling(_)) => Some(Forwarding::Tunnelling(Encapsulation::IpIp)),
        Some(_) => Some(Forwarding::Nat),
        None => facts.forwarding.given().map(|forwarding| forwarding.value.clone()),
    }
}

/// The endpoints without those of a family that was there before.
fn one_a_family<'a>(
    endpoints: &'a [Spanned<EndpointText>],
    problems: &mut Problems,
) -> Vec<&'a Spanned<EndpointText>> {
    let mut kept: Vec<&Spanned<EndpointText>> = Vec::new();
    for endpoint in endpoints {
        let family = Family::of(endpoint.value.0.address);
        let Some(first) = kept.iter().find(|other| Family::of(other.value.0.address) == family) else {
            kept.push(endpoint);
            continue;
        };
        let (first, second) = (first.value.0.address, endpoint.value.0.address);
        let message = format!("this real server has two {family} addresses: {first} and {second}");
        problems.push(
            Diagnostic::new(Code::DuplicateServer, endpoint.span, message).help("write two real servers"),
        );
    }
    kept
}

/// One address of an entry.
struct Entry<'a> {
    text: &'a ServerText,
    endpoint: &'a Spanned<EndpointText>,
    set_port: Option<&'a Spanned<u16>>,
    from_set: bool,
    both_families: bool,
}

impl Entry<'_> {
    fn options(&self) -> Option<&ServerMapping> {
        self.text.options.as_deref()
    }

    const fn endpoint(&self) -> Endpoint {
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
    let check = check_of(entry, &name, port, facts, context);
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

/// The port that an entry says: in its address, beside it, or where its set is used.
fn port(entry: &Entry<'_>, problems: &mut Problems) -> Option<Spanned<u16>> {
    let beside = entry
        .options()
        .and_then(|options| options.port.given())
        .map(|port| Spanned { value: port.value.port(), span: port.span });
    let inside = entry.endpoint().port.map(|value| Spanned { value, span: entry.endpoint.span });
    let own = match (inside, beside) {
        (Some(inside), Some(beside)) if inside.value != beside.value => {
            let message = format!("this real server has two ports: {} and {}", inside.value, beside.value);
            let diagnostic = Diagnostic::new(Code::DuplicateServer, beside.span, message)
                .related(inside.span, "the other one");
            problems.push(diagnostic.help("keep one of them, or write two real servers"));
            Some(inside)
        }
        (inside, beside) => inside.or(beside),
    };
    if let Some(own) = own.as_ref().filter(|_| entry.from_set) {
        let message = format!("a host of a server set has no port, and this one says {}", own.value);
        problems.push(
            Diagnostic::new(Code::SetWithPort, own.span, message)
                .help("say it where the set is used: `real_servers: {set: NAME, port: PORT}`"),
        );
    }
    own.or_else(|| entry.set_port.cloned())
}

/// Ports against the method: DR and TUN cannot map them; NAT and full-NAT must know which one.
fn port_fits(
    entry: &Entry<'_>,
    port: Option<&Spanned<u16>>,
    forwarding: &Spanned<Forwarding>,
    facts: &Facts<'_>,
    problems: &mut Problems,
) {
    let address = entry.endpoint().address;
    if facts.services.is_empty() {
        return;
    }
    match port {
        Some(port) if !forwarding.value.maps_ports() && facts.ports.single() != Some(port.value) => {
            problems.push(cannot_map(entry, port, &forwarding.value, facts));
        }
        None if forwarding.value.maps_ports() && !facts.ports.may_be_left_out() => {
            let why =
                if facts.has_marks() { "a firewall mark has none" } else { "the services have several" };
            let message =
                format!("the real server {address} must say its port: {why} that it could take over");
            let help =
                format!("write {}, or give each port a pool of its own", SocketAddr::new(address, 8080));
            problems.push(Diagnostic::new(Code::ServerPortMissing, entry.endpoint.span, message).help(help));
        }
        _ => {}
    }
}

fn cannot_map(
    entry: &Entry<'_>,
    port: &Spanned<u16>,
    forwarding: &Forwarding,
    facts: &Facts<'_>,
) -> Diagnostic {
    let (code, method) = match forwarding {
        Forwarding::DirectRouting => (Code::DrCannotMapPorts, "DR"),
        _ => (Code::TunCannotMapPorts, "TUN"),
    };
    let who = match entry.set_port {
        Some(of_set) if of_set.span == port.span => "this set".to_owned(),
        _ => format!("the real server {}", entry.endpoint().address),
    };
    let wanted = match facts.ports {
        ServicePorts::One(service) => format!("the service has port {service}"),
        ServicePorts::Every => "the service has every port".to_owned(),
        ServicePorts::Mark => "a firewall mark may be of any port".to_owned(),
        ServicePorts::Joined | ServicePorts::Several => "the services have several ports".to_owned(),
    };
    let message = format!("{method} cannot map ports: {who} says port {}, and {wanted}", port.value);
    Diagnostic::new(code, port.span, message)
        .help("leave the port out: the packet arrives as the client sent it; or forward with nat or full-nat")
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
    let value =
        forwarding::build(&own.value, own.span, &mut context.places.local_addresses, context.problems)?;
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

/// The check of a server and whom it talks to; `None` where it is not checked, or after a problem.
fn check_of(
    entry: &Entry<'_>,
    name: &str,
    port: Option<u16>,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Option<CheckTarget> {
    let own = entry.options().map(|options| &options.check).filter(|field| !field.is_absent());
    let (choice, span) = match own {
        None => (facts.check.clone()?, facts.check_span?),
        Some(field) => {
            let said = field.given()?;
            let place = format!("{}/{name}/check", facts.name.value);
            (context.checks.choose(&said.value, said.span, &place, context.problems), said.span)
        }
    };
    let Choice::Checked(built) = choice else { return None };
    let address = built.address.unwrap_or(entry.endpoint().address);
    let Some(port) = built.port.or(port).or(facts.ports.single()) else {
        if facts.services.is_empty() {
            return None;
        }
        let message = format!(
            "the check of {} has no port to go to: neither its real servers nor its services say one",
            quoted(facts.name.value)
        );
        let diagnostic = Diagnostic::new(Code::CheckNeedsPort, span, message);
        let check = &built.check.name;
        let help = if check.contains('/') {
            "add `port: 80` to the check".to_owned()
        } else {
            format!("write `check: {{from: {check}, port: 80}}`")
        };
        context.problems.push(diagnostic.help(help));
        return None;
    };
    if let Some(source) = built.check.source.filter(|source| source.is_ipv4() != address.is_ipv4()) {
        let message = format!("probes of {address} cannot come from {source}: it is of the other family");
        context.problems.push(
            Diagnostic::new(Code::CheckSourceFamily, span, message)
                .help("write a source of the same family, or give the families a check each"),
        );
    }
    let check = built.check.name.clone();
    if let Some((path, span)) = built.authority {
        context.places.authorities.entry(path).or_insert(span);
    }
    context.used.insert(check.clone(), built.check);
    Some(CheckTarget { check, address: SocketAddr::new(address, port) })
}
