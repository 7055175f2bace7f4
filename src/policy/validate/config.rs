//! What the kernel is told of a service: scheduler, flags, persistence. And what a failed server's end means under it.

use super::services;
use crate::model::{Family, OnFailure, Persistence, SchedulerName, ServiceConfig, ServiceFlags, ServiceKey};
use crate::policy::codes::Code;
use crate::policy::defaults;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::Spanned;
use crate::policy::schema::{EngineWord, OnFailureWord, PersistenceText, PoolText};
use crate::policy::source::Span;

/// The scheduler with its flags as they are, defaults written out.
#[derive(Clone, Copy, Debug)]
struct Scheduler {
    name: &'static str,
    fallback: bool,
    port: bool,
}

fn scheduler(pool: &PoolText) -> Scheduler {
    let Some(text) = pool.scheduler.value() else {
        return Scheduler { name: defaults::SCHEDULER, fallback: false, port: false };
    };
    let said = |flag: fn(&super::schema::HashFlagsText) -> Option<bool>| text.flags.as_ref().and_then(flag);
    Scheduler {
        name: text.name,
        fallback: said(|flags| flags.fallback.value().map(|flag| flag.0)).unwrap_or(text.name == "mh"),
        port: said(|flags| flags.port.value().map(|flag| flag.0)).unwrap_or(false),
    }
}

/// The name of the scheduler, default written out.
pub(super) fn scheduler_name(pool: &PoolText) -> &'static str {
    scheduler(pool).name
}

/// Schedulers that look at a weight only to see whether it is 0.
const UNWEIGHTED: [&str; 3] = ["rr", "lc", "dh"];

/// Warns where a rule moves weights and nobody looks at them.
pub(super) fn weights_are_seen(pool: &PoolText, span: Span, problems: &mut Problems) {
    let name = scheduler_name(pool);
    if UNWEIGHTED.contains(&name) {
        let message = format!("{name} does not look at weights, so nothing comes of this");
        problems.push(
            Diagnostic::new(Code::WeightsIgnored, span, message)
                .help("write `scheduler: wrr` or wlc, or leave this out"),
        );
    }
}

/// The configuration of a pool's services of one family.
pub(super) fn service_config(pool: &PoolText, family: Family) -> ServiceConfig {
    let scheduler = scheduler(pool);
    let persistence = pool.persistence.value();
    ServiceConfig {
        scheduler: SchedulerName(scheduler.name.to_owned()),
        flags: ServiceFlags {
            one_packet: says(pool.one_packet.value()),
            scheduler_1: scheduler.fallback,
            scheduler_2: scheduler.port,
            scheduler_3: false,
        },
        persistence: persistence.map(|text| persistence_of(text, family)),
        persistence_engine: persistence
            .and_then(|text| text.engine.value())
            .map(|EngineWord::Sip| "sip".to_owned()),
    }
}

/// Whether a flag was said to be true.
pub(super) fn says(flag: Option<&super::Flag>) -> bool {
    flag.is_some_and(|flag| flag.0)
}

fn persistence_of(text: &PersistenceText, family: Family) -> Persistence {
    let prefix = text.prefix.value().and_then(|prefix| match family {
        Family::Ipv4 => prefix.ipv4.value().map(|length| length.0),
        Family::Ipv6 => prefix.ipv6.value().map(|length| length.0),
    });
    Persistence {
        timeout_s: text.timeout.value().map_or(defaults::PERSISTENCE_TIMEOUT_S, |seconds| seconds.0),
        prefix: prefix.and_then(|length| u8::try_from(length).ok()).unwrap_or(family.bits()),
    }
}

/// What happens to a failed server. `mh` keeps it with weight 0 and falls back, so that the others' clients stay where they
/// are; without its fallback those of the failed one would be refused.
pub(super) fn on_failure(pool: &PoolText) -> OnFailure {
    let scheduler = scheduler(pool);
    match pool.on_failure.value() {
        Some(OnFailureWord::Quiesce) => OnFailure::Quiesce,
        Some(OnFailureWord::Remove) => OnFailure::Remove,
        None if scheduler.name == "mh" && scheduler.fallback => OnFailure::Quiesce,
        None => OnFailure::Remove,
    }
}

/// The rules between scheduler, flags, persistence and the services.
pub(super) fn rules(
    pool: &PoolText,
    name: &Spanned<&str>,
    services: &[Spanned<ServiceKey>],
    problems: &mut Problems,
) {
    one_packet_is_udp(pool, services, problems);
    sip_is_udp(pool, services, problems);
    every_port_persists(pool, services, problems);
    quiesce_udp(pool, name, services, problems);
    quiesce_without_fallback(pool, problems);
}

fn one_packet_is_udp(pool: &PoolText, services: &[Spanned<ServiceKey>], problems: &mut Problems) {
    let Some(said) = pool.one_packet.given().filter(|flag| flag.value.0) else { return };
    let Some(service) = services::not_udp(services) else { return };
    let message = format!("one-packet scheduling is for UDP, and {} is not", service.value);
    let diagnostic =
        Diagnostic::new(Code::OnePacketNotUdp, said.span, message).related(service.span, "this service");
    problems.push(diagnostic.help("leave `one_packet` out, or give the UDP services a pool of their own"));
}

fn sip_is_udp(pool: &PoolText, services: &[Spanned<ServiceKey>], problems: &mut Problems) {
    let Some(said) = pool.persistence.value().and_then(|text| text.engine.given()) else { return };
    let Some(service) = services::not_udp(services) else { return };
    let message = format!("the sip engine is for UDP, and {} is not", service.value);
    let diagnostic =
        Diagnostic::new(Code::SipNotUdp, said.span, message).related(service.span, "this service");
    problems.push(diagnostic.help("leave `engine` out, or give the UDP services a pool of their own"));
}

fn every_port_persists(pool: &PoolText, services: &[Spanned<ServiceKey>], problems: &mut Problems) {
    if !pool.persistence.is_absent() {
        return;
    }
    for service in
        services.iter().filter(|service| matches!(service.value, ServiceKey::Address { port: 0, .. }))
    {
        let message =
            format!("{} is every port, which the kernel takes only with persistence", service.value);
        let diagnostic = Diagnostic::new(Code::PortZeroWithoutPersistence, service.span, message);
        problems.push(diagnostic.help("add `persistence: {timeout: 5m}` to the pool, or say the ports"));
    }
}

/// Where the pool says that failed servers are quiesced, directly or by its scheduler.
fn quiesced_at(pool: &PoolText) -> Option<Span> {
    (on_failure(pool) == OnFailure::Quiesce).then(|| pool.on_failure.span().or(pool.scheduler.span()))?
}

fn quiesce_udp(
    pool: &PoolText,
    name: &Spanned<&str>,
    services: &[Spanned<ServiceKey>],
    problems: &mut Problems,
) {
    let udp = |service: &&Spanned<ServiceKey>| {
        matches!(service.value, ServiceKey::Address { protocol: crate::model::Protocol::Udp, .. })
    };
    let (Some(span), Some(service)) = (quiesced_at(pool), services.iter().find(udp)) else { return };
    if says(pool.one_packet.value()) {
        return;
    }
    let by_default =
        if pool.on_failure.is_absent() { "mh quiesces failed servers, and" } else { "with quiesce" };
    let message = format!(
        "{by_default} the clients of {} stay on a dead server of {} until they pause",
        service.value,
        quoted(name.value)
    );
    let diagnostic =
        Diagnostic::new(Code::QuiesceUdp, span, message).related(service.span, "this UDP service");
    problems.push(
        diagnostic.help("write `on_failure: remove`, or `one_packet: true` where each datagram stands alone"),
    );
}

fn quiesce_without_fallback(pool: &PoolText, problems: &mut Problems) {
    let scheduler = scheduler(pool);
    let hashes = matches!(scheduler.name, "sh" | "mh" | "dh") && !scheduler.fallback;
    let Some(span) = quiesced_at(pool).filter(|_| hashes) else { return };
    let name = if scheduler.name == "dh" { "dh" } else { &format!("{} without fallback", scheduler.name) };
    let message = format!("{name} refuses the clients of a quiesced server");
    let help = match scheduler.name {
        "dh" => "write `on_failure: remove`".to_owned(),
        name => format!("write `scheduler: {{{name}: {{fallback: true}}}}`, or `on_failure: remove`"),
    };
    problems.push(Diagnostic::new(Code::QuiesceWithoutFallback, span, message).help(help));
}
