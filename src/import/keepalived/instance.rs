//! `vrrp_instance`.

use super::context::Context;
use super::keywords::Place;
use super::tree::Statement;
use super::value::{bad, number, or_bad, switch, time};
use super::{address, authentication, track};
use crate::import::names;
use crate::import::site::{Authentication, Garp, Preempt, Router};
use crate::import::verdict::{Judged, near, none, same};

/// Milliseconds from one advertisement to the next, where nothing is said.
const INTERVAL_MS: u64 = 1000;
const PRIORITY: u8 = 100;
/// Routers of one file at most: the 255 of each of eight networks.
const MOST_ROUTERS: usize = 2040;

pub(super) fn block(statement: &Statement, context: &mut Context<'_>) {
    context.ledger.block(statement.at, statement.origins());
    let name = statement.word(1).unwrap_or("router").to_owned();
    let globals = &context.globals;
    let mut router = Router {
        name,
        at: statement.at,
        interface: None,
        vrid: None,
        priority: PRIORITY,
        priority_at: None,
        starts_as_master: false,
        addresses: Vec::new(),
        version: globals.version,
        interval_ms: INTERVAL_MS,
        interval_at: None,
        source: None,
        unicast: false,
        peers: Vec::new(),
        preempt: Preempt::Always,
        start_delay_ms: globals.start_delay_ms,
        virtual_mac: false,
        garp: globals.garp,
        trackers: Vec::new(),
        checksum_as_v2: globals.checksum_as_v2,
        authentication: None,
    };
    let says_alert = statement.inside().iter().any(|inner| inner.name() == "smtp_alert");
    context.alerts_of_router(&router.name, says_alert);
    let mut preempt_at = None;
    context.block(Place::Instance, statement.inside(), |context, inner| {
        if matches!(inner.name(), "nopreempt" | "preempt_delay") {
            preempt_at = Some(inner.at);
        }
        read(inner, &mut router, context)
    });
    if router.starts_as_master
        && let Some(at) = preempt_at
    {
        let how = "keepalived itself does not heed it with `state MASTER`; here it holds as it is written";
        context.ledger.note(at, near(how));
    }
    let six = router.addresses.first().is_some_and(|address| address.net.addr().is_ipv6());
    if (router.version == 3 || six) && router.authentication == Some(Authentication::Password) {
        router.authentication = None;
        authentication::without_password(statement, context);
    }
    finish(router, context);
}

fn finish(mut router: Router, context: &mut Context<'_>) {
    let interface = router.interface.clone().unwrap_or_else(|| context.globals.interface.clone());
    let grouped = context.globals.garp_groups.get(&interface).copied();
    router.garp.interval_ms = router.garp.interval_ms.or(grouped);
    if context.site.routers.len() >= MOST_ROUTERS {
        context.ledger.left_out(router.at, format!("{MOST_ROUTERS} routers are the most that are imported"));
        return;
    }
    if let Some(twin) = context.site.routers.iter().find(|other| other.name == router.name) {
        let first = context.ledger.place(twin.at);
        context.ledger.left_out(router.at, format!("a second router of this name: the first is at {first}"));
        return;
    }
    context.site.routers.push(router);
}

fn read(inner: &Statement, router: &mut Router, context: &mut Context<'_>) -> Option<Judged> {
    match inner.name() {
        "state" => match inner.word(1) {
            Some("MASTER") => router.starts_as_master = true,
            Some("BACKUP") => router.starts_as_master = false,
            _ => return bad(inner),
        },
        "interface" => match inner.word(1).and_then(names::interface) {
            Some(interface) => router.interface = Some(interface),
            None => return bad(inner),
        },
        "virtual_router_id" => match number::<u8>(inner, 1).filter(|vrid| *vrid > 0) {
            Some(vrid) => router.vrid = Some(vrid),
            None => return bad(inner),
        },
        "priority" => match number::<u8>(inner, 1).filter(|priority| *priority > 0) {
            Some(priority) => {
                router.priority = priority;
                router.priority_at = Some(inner.at);
            }
            None => return bad(inner),
        },
        "advert_int" => match time(inner, 1) {
            Some(interval) => {
                router.interval_ms = interval;
                router.interval_at = Some(inner.at);
            }
            None => return bad(inner),
        },
        "version" => router.version = or_bad!(version(inner), inner),
        "unicast_src_ip" | "mcast_src_ip" => {
            router.source = Some(or_bad!(inner.word(1).and_then(|word| word.parse().ok()), inner));
        }
        "unicast_peer" => peers(inner, router, context),
        "nopreempt" => router.preempt = Preempt::Never,
        "preempt_delay" if router.preempt != Preempt::Never => match time(inner, 1) {
            Some(delay) => router.preempt = Preempt::AfterMs(delay),
            None => return bad(inner),
        },
        "virtual_ipaddress" | "virtual_ipaddress_excluded" => addresses(inner, router, context),
        _ => return further(inner, router, context),
    }
    None
}

fn further(inner: &Statement, router: &mut Router, context: &mut Context<'_>) -> Option<Judged> {
    match inner.name() {
        "track_interface" | "track_script" | "track_file" | "track_process" => {
            for tracker in track::list(inner, context) {
                if router.trackers.iter().all(|other| other.what != tracker.what) {
                    router.trackers.push(tracker);
                }
            }
        }
        "authentication" => {
            router.authentication = authentication::password(inner, context);
            return router.authentication.is_none().then(|| none("nothing of it is in the policy"));
        }
        "auth_hmac" => router.authentication = authentication::hmac(inner, context),
        "use_vmac" => {
            router.virtual_mac = true;
            return (inner.words.len() > 1)
                .then(|| near("the macvlan has a name of its own, vrrp4-VRID, and the RFC's MAC address"));
        }
        "v3_checksum_as_v2" => router.checksum_as_v2 = switch(inner),
        "down_timer_adverts" if inner.word(1) == Some("3") => return Some(same()),
        "unicast_ttl" if inner.word(1) == Some("255") => return Some(same()),
        "lvs_sync_daemon_interface" => {
            let interface = or_bad!(inner.word(1).and_then(names::interface), inner);
            let router = Some(router.name.clone());
            let sync = crate::import::site::Sync { at: inner.at, interface, id: None, router };
            context.site.sync.get_or_insert(sync);
        }
        "native_ipv6" => router.version = 3,
        name if name.starts_with("garp_") => return garp(inner, &mut router.garp),
        _ => return context.notice_of_router(inner, &router.name, None),
    }
    None
}

/// Version of VRRP.
pub(super) fn version(statement: &Statement) -> Option<u8> {
    number::<u8>(statement, 1).filter(|version| matches!(version, 2 | 3))
}

fn peers(inner: &Statement, router: &mut Router, context: &mut Context<'_>) {
    router.unicast = true;
    for line in inner.inside() {
        let judged = match line.name().parse() {
            Ok(peer) => {
                router.peers.push((peer, line.at));
                if line.words.len() > 1 { near("the TTL is not looked at: who may send is") } else { same() }
            }
            Err(_) => none(format!("{} is not an address", line.name())),
        };
        context.note(line, judged);
    }
}

fn addresses(inner: &Statement, router: &mut Router, context: &mut Context<'_>) {
    let excluded = inner.name() == "virtual_ipaddress_excluded";
    for line in inner.inside() {
        let judged = match address::floating(line) {
            Ok((address, judged)) => {
                router.addresses.push(address);
                if excluded && judged == same() { near("advertised too") } else { judged }
            }
            Err(judged) => judged,
        };
        context.note(line, judged);
    }
}

fn garp(inner: &Statement, garp: &mut Garp) -> Option<Judged> {
    match inner.name() {
        "garp_master_repeat" => garp.repeat = Some(or_bad!(number(inner, 1), inner)),
        "garp_master_delay" => garp.delay_ms = Some(or_bad!(time(inner, 1), inner)),
        "garp_lower_prio_repeat" => garp.lower_priority_repeat = Some(or_bad!(number(inner, 1), inner)),
        "garp_master_refresh" => garp.refresh_ms = Some(or_bad!(time(inner, 1), inner)),
        "garp_master_refresh_repeat" => garp.refresh_repeat = Some(or_bad!(number(inner, 1), inner)),
        _ => {}
    }
    None
}
