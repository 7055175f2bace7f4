//! `virtual_server`: what clients reach, and the rules of the servers behind it.

use super::checker::Inherited;
use super::context::Context;
use super::keywords::Place;
use super::notify;
use super::real_server;
use super::tree::Statement;
use super::value::{bad, mark, number, or_bad, switch};
use crate::import::names;
use crate::import::site::{About, Forwarding, Persistence, Pool, Protocol, Script, Server, Service};
use crate::import::verdict::{Judged, Origin, Verdict, near, none, same};
use crate::model::SCHEDULERS;
use std::net::IpAddr;

/// Seconds of a persistence that does not say them.
const PERSISTENCE: u32 = 360;

/// A virtual server that is being read.
pub(super) struct Draft {
    pub(super) pool: Pool,
    pub(super) inherited: Inherited,
    protocol: Option<Protocol>,
    quorum: u32,
    hysteresis: u32,
    quorum_at: Option<Origin>,
    ipv6: Option<bool>,
    sorry: Option<(IpAddr, Option<u16>, Origin)>,
    sorry_forwarding: Option<Forwarding>,
    /// Whether mail is sent, and where it is said.
    pub(super) alert: Option<(bool, Origin)>,
    /// Of the pool and its servers, which has its name at the end only.
    pub(super) scripts: Vec<Script>,
}

pub(super) fn block(statement: &Statement, context: &mut Context<'_>) {
    let mut draft = Draft {
        pool: empty_pool(statement.at),
        inherited: Inherited::default(),
        protocol: None,
        quorum: 1,
        hysteresis: 0,
        quorum_at: None,
        ipv6: None,
        sorry: None,
        sorry_forwarding: None,
        alert: None,
        scripts: Vec::new(),
    };
    let (servers, own): (Vec<Statement>, Vec<Statement>) =
        statement.inside().iter().cloned().partition(|inner| inner.name() == "real_server");
    context.block(Place::VirtualServer, &own, |context, inner| {
        match draft.notice(inner, &About::Pool(String::new()), context) {
            Some(outcome) => outcome,
            None => read(inner, &mut draft),
        }
    });
    context.block(Place::VirtualServer, &servers, |context, inner| {
        real_server::block(inner, &mut draft, context)
    });
    context.ledger.block(statement.at, statement.origins());
    let judged = finish(statement, draft, context);
    if judged.verdict == Verdict::None {
        return context.ledger.left_out(statement.at, judged.how);
    }
    context.note(statement, judged);
}

pub(in crate::import) fn empty_pool(at: Origin) -> Pool {
    Pool {
        name: String::new(),
        at,
        services: Vec::new(),
        forwarding: Forwarding::Nat,
        scheduler: "wlc".to_owned(),
        fallback: false,
        hashes_port: false,
        persistence: None,
        one_packet: false,
        quorum: None,
        sorry: None,
        quiesces: false,
        starts_down: false,
        servers: Vec::new(),
        label: None,
        todo: Vec::new(),
    }
}

impl Draft {
    /// Takes a script or a switch of mail; `None` where it is neither.
    pub(super) fn notice(
        &mut self,
        inner: &Statement,
        about: &About,
        context: &Context<'_>,
    ) -> Option<Option<Judged>> {
        if inner.name() == "smtp_alert" {
            let before = self.alert.is_some_and(|(on, _)| on);
            self.alert = Some((before || switch(inner), inner.at));
            return Some(None);
        }
        let script = notify::script(inner, about, None, context.globals.script_user.as_ref())?;
        Some(match script {
            Ok(script) => {
                self.scripts.push(script);
                None
            }
            Err(judged) => Some(judged),
        })
    }
}

fn read(inner: &Statement, draft: &mut Draft) -> Option<Judged> {
    if let Some(outcome) = draft.inherited.read(inner) {
        return outcome;
    }
    let pool = &mut draft.pool;
    match inner.name() {
        "lvs_sched" | "lb_algo" => match inner.word(1).filter(|word| SCHEDULERS.contains(word)) {
            Some(scheduler) => pool.scheduler = scheduler.to_owned(),
            None => return Some(none("the kernel has no such scheduler: wlc stands here")),
        },
        "flag-1" | "sh-fallback" | "mh-fallback" => pool.fallback = true,
        "flag-2" | "sh-port" | "mh-port" => pool.hashes_port = true,
        "flag-3" => return Some(none("no scheduler of the kernel has a third flag")),
        "ops" => pool.one_packet = true,
        "lvs_method" | "lb_kind" => match forwarding(inner) {
            Some(forwarding) => pool.forwarding = forwarding,
            None => return bad(inner),
        },
        "protocol" => match inner.word(1) {
            Some("TCP") => draft.protocol = Some(Protocol::Tcp),
            Some("UDP") => draft.protocol = Some(Protocol::Udp),
            Some("SCTP") => draft.protocol = Some(Protocol::Sctp),
            _ => return bad(inner),
        },
        "inhibit_on_failure" => pool.quiesces = switch(inner),
        "snmp_name" => pool.label = inner.word(1).map(str::to_owned),
        name if name.starts_with("persistence_") => return persistence(inner, draft),
        _ => return further(inner, draft),
    }
    None
}

fn further(inner: &Statement, draft: &mut Draft) -> Option<Judged> {
    match inner.name() {
        "quorum" | "hysteresis" => {
            let Some(value) = number(inner, 1) else { return bad(inner) };
            if inner.name() == "quorum" {
                draft.quorum = value
            } else {
                draft.hysteresis = value
            }
            draft.quorum_at = Some(inner.at);
        }
        "ip_family" => draft.ipv6 = Some(inner.word(1) == Some("inet6")),
        "sorry_server" => {
            let Some(address) = inner.word(1).and_then(|address| address.parse().ok()) else {
                return Some(none("a server is named by its address: names are not resolved"));
            };
            draft.sorry = Some((address, or_bad!(real_server::port(inner), inner), inner.at));
        }
        "sorry_server_lvs_method" => draft.sorry_forwarding = Some(or_bad!(forwarding(inner), inner)),
        _ => {}
    }
    None
}

fn persistence(inner: &Statement, draft: &mut Draft) -> Option<Judged> {
    let persistence = draft.pool.persistence.get_or_insert_with(Persistence::default);
    match (inner.name(), inner.word(1)) {
        ("persistence_timeout", None) => persistence.seconds = Some(PERSISTENCE),
        ("persistence_timeout", Some(seconds)) => match seconds.parse().ok().filter(|seconds| *seconds > 0) {
            Some(seconds) => persistence.seconds = Some(seconds),
            None => return bad(inner),
        },
        ("persistence_granularity", Some(mask)) => match prefix(mask) {
            Some(length) => persistence.prefix = Some(length),
            None => return bad(inner),
        },
        ("persistence_engine", Some("sip")) => persistence.sip = true,
        _ => return Some(none("the kernel has the persistence engine sip alone")),
    }
    None
}

/// Length of a prefix: `255.255.255.0`, or the number.
pub(in crate::import) fn prefix(mask: &str) -> Option<u8> {
    match mask.parse::<IpAddr>() {
        Ok(mask) => ipnet::ip_mask_to_prefix(mask).ok(),
        Err(_) => mask.parse().ok().filter(|length| *length <= 128),
    }
}

/// `NAT`, `DR`, or `TUN type gue port 6080 csum`.
pub(super) fn forwarding(inner: &Statement) -> Option<Forwarding> {
    match inner.word(1)? {
        "NAT" => Some(Forwarding::Nat),
        "DR" => Some(Forwarding::Dr),
        "TUN" => {
            let (mut kind, mut port, mut checksum) = ("ipip", None, None);
            let mut words = inner.arguments().iter().skip(1).map(String::as_str);
            while let Some(word) = words.next() {
                match word {
                    "type" => kind = words.next()?,
                    "port" => port = words.next()?.parse().ok(),
                    "csum" => checksum = Some("full"),
                    "remcsum" => checksum = Some("remote"),
                    _ => {}
                }
            }
            Forwarding::tunnel(kind, port, checksum)
        }
        _ => None,
    }
}

/// What clients reach, with the name of the pool.
fn services(
    statement: &Statement,
    protocol: Protocol,
    context: &Context<'_>,
) -> Result<(String, Vec<(Service, Origin)>), Judged> {
    match (statement.word(1), statement.word(2)) {
        (Some("fwmark"), Some(text)) => {
            let mark = mark(text).ok_or_else(|| none("a mark is a number above 0"))?;
            Ok((format!("mark-{mark}"), vec![(Service::Mark { mark, ipv6: false }, statement.at)]))
        }
        (Some("group"), Some(name)) => {
            let group = context.service_groups.get(name);
            let group = group.ok_or_else(|| none(format!("no virtual_server_group is called {name}")))?;
            let mut services = group.clone();
            for (service, _) in &mut services {
                if let Service::Addresses { protocol: of, .. } = service {
                    *of = protocol;
                }
            }
            Ok((format!("{name}-{}", protocol.word()), services))
        }
        (Some(address), port) => {
            let first: IpAddr = address.parse().map_err(|_| none(format!("{address} is not an address")))?;
            let port = port.map_or(Some(0), |port| port.parse().ok());
            let port = port.ok_or_else(|| none("the port is not a number"))?;
            let service = Service::Addresses { protocol, first, last: first, port };
            Ok((format!("{}-{first}-{port}", protocol.word()), vec![(service, statement.at)]))
        }
        (None, _) => Err(none("a virtual server without an address")),
    }
}

fn finish(statement: &Statement, draft: Draft, context: &mut Context<'_>) -> Judged {
    let Draft { mut pool, protocol, .. } = draft;
    let (name, services) = match services(statement, protocol.unwrap_or(Protocol::Udp), context) {
        Ok(services) => services,
        Err(judged) => return judged,
    };
    pool.services = services;
    pool.name = names::unique(&name, &mut context.pool_names);
    for mut script in draft.scripts {
        match &mut script.about {
            About::Pool(name) | About::Server(name, ..) => name.clone_from(&pool.name),
            About::Director | About::Router(_) => {}
        }
        context.site.notices.push(script);
    }
    let at = draft.alert.filter(|(on, _)| *on).map(|(_, at)| at);
    context.alerts_of_pool(&pool.name, draft.alert.map(|(on, _)| on), at);
    pool.starts_down |= draft.inherited.alpha;
    let all_six = !pool.servers.is_empty() && pool.servers.iter().all(|server| server.address.is_ipv6());
    if statement.word(1) == Some("fwmark")
        && let Some((Service::Mark { ipv6, .. }, _)) = pool.services.first_mut()
    {
        *ipv6 = draft.ipv6.unwrap_or(all_six);
    }
    let weight = |quorum: u32| {
        (quorum.saturating_sub(draft.hysteresis).max(1), quorum.saturating_add(draft.hysteresis))
    };
    if draft.quorum_at.is_some() || draft.sorry.is_some() {
        let (least, recover) = weight(draft.quorum);
        pool.quorum = Some((least, recover, draft.quorum_at.unwrap_or(statement.at)));
    }
    pool.sorry = draft.sorry.map(|(address, port, at)| Server {
        at,
        address,
        port,
        weight: 1,
        upper: None,
        lower: None,
        forwarding: draft.sorry_forwarding.filter(|own| *own != pool.forwarding),
        checks: Vec::new(),
    });
    let has_addresses = pool.services.iter().any(|(service, _)| matches!(service, Service::Addresses { .. }));
    context.site.pools.push(pool);
    if protocol.is_none() && has_addresses {
        return near("no protocol is said: keepalived 2.4 takes UDP and warns, older versions took TCP");
    }
    same()
}
