//! `global_defs` and `garp_group`.

use super::context::Context;
use super::instance::version;
use super::keywords::Place;
use super::tree::Statement;
use super::value::{bad, number, or_bad, switch, time};
use crate::import::names;
use crate::import::site::Sync;
use crate::import::verdict::{Judged, near, same};

const GROUP4: &str = "224.0.0.18";
const GROUP6: &str = "ff02::12";

pub(super) fn block(statement: &Statement, context: &mut Context<'_>) {
    context.block(Place::Global, statement.inside(), read);
}

fn read(context: &mut Context<'_>, statement: &Statement) -> Option<Judged> {
    let globals = &mut context.globals;
    match statement.name() {
        "router_id" | "lvs_id" => context.site.name = statement.word(1).map(str::to_owned),
        "default_interface" => match statement.word(1).and_then(names::interface) {
            Some(interface) => globals.interface = interface,
            None => return bad(statement),
        },
        "vrrp_version" => globals.version = or_bad!(version(statement), statement),
        "v3_checksum_as_v2" => globals.checksum_as_v2 = switch(statement),
        "vrrp_startup_delay" | "vrrp_delay_after_boot" => match time(statement, 1) {
            Some(delay) => globals.start_delay_ms = globals.start_delay_ms.max(delay),
            None => return bad(statement),
        },
        "script_user" => globals.script_user = statement.word(1).map(str::to_owned),
        "lvs_sync_daemon" => return sync(statement, context),
        "lvs_timeouts" => return timeouts(statement, context),
        "vrrp_mcast_group4" if statement.word(1) == Some(GROUP4) => return Some(same()),
        "vrrp_mcast_group6" if statement.word(1) == Some(GROUP6) => return Some(same()),
        "vrrp_down_timer_adverts" if statement.word(1) == Some("3") => return Some(same()),
        name if name.starts_with("notification_email") || name.starts_with("smtp_") => {
            return context.mail(statement);
        }
        name if name.starts_with("vrrp_garp_")
            || name.starts_with("vrrp_gna_")
            || name == "vrrp_min_garp" =>
        {
            return garp(statement, context);
        }
        _ => {}
    }
    None
}

fn garp(statement: &Statement, context: &mut Context<'_>) -> Option<Judged> {
    let garp = &mut context.globals.garp;
    match statement.name() {
        "vrrp_min_garp" if switch(statement) => {
            garp.repeat = Some(1);
            garp.delay_ms = Some(0);
        }
        "vrrp_garp_master_repeat" => garp.repeat = Some(or_bad!(number(statement, 1), statement)),
        "vrrp_garp_master_delay" => garp.delay_ms = Some(or_bad!(time(statement, 1), statement)),
        "vrrp_garp_lower_prio_repeat" => {
            garp.lower_priority_repeat = Some(or_bad!(number(statement, 1), statement))
        }
        "vrrp_garp_master_refresh" => garp.refresh_ms = Some(or_bad!(time(statement, 1), statement)),
        "vrrp_garp_master_refresh_repeat" => {
            garp.refresh_repeat = Some(or_bad!(number(statement, 1), statement))
        }
        "vrrp_garp_interval" | "vrrp_gna_interval" => {
            let interval = or_bad!(time(statement, 1), statement);
            garp.interval_ms = Some(garp.interval_ms.unwrap_or(0).max(interval));
        }
        _ => {}
    }
    None
}

fn sync(statement: &Statement, context: &mut Context<'_>) -> Option<Judged> {
    let words = statement.arguments();
    let (interface, mut rest) = words.split_first()?;
    let Some(interface) = names::interface(interface) else { return bad(statement) };
    let mut sync = Sync { at: statement.at, interface, id: None, router: None };
    let mut left_out = Vec::new();
    while let Some((word, behind)) = rest.split_first() {
        let value = behind.first().map(String::as_str);
        match word.as_str() {
            "inst" => sync.router = value.map(str::to_owned),
            "id" => sync.id = value.and_then(|id| id.parse().ok()),
            "maxlen" | "port" | "ttl" | "group" => left_out.push(word.as_str()),
            // The instance may stand without `inst`.
            name => {
                sync.router = Some(name.to_owned());
                rest = behind;
                continue;
            }
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    context.site.sync = Some(sync);
    (!left_out.is_empty())
        .then(|| near(format!("{} cannot be said: the kernel's default holds", left_out.join(", "))))
}

fn timeouts(statement: &Statement, context: &mut Context<'_>) -> Option<Judged> {
    for pair in statement.arguments().chunks(2) {
        let [name, value] = pair else { return bad(statement) };
        let index = match name.as_str() {
            "tcp" => 0,
            "tcpfin" => 1,
            "udp" => 2,
            _ => return bad(statement),
        };
        context.site.timeouts[index] = value.parse().ok().filter(|seconds| *seconds > 0);
    }
    None
}

/// Intervals between announcements, by interface.
pub(super) fn garp_group(statement: &Statement, context: &mut Context<'_>) {
    let mut interval: Option<u64> = None;
    let mut interfaces: Vec<String> = Vec::new();
    context.block(Place::GarpGroup, statement.inside(), |context, inner| {
        match inner.name() {
            "garp_interval" | "gna_interval" => interval = interval.max(time(inner, 1)),
            "interface" => interfaces.extend(inner.word(1).map(str::to_owned)),
            "interfaces" => {
                interfaces.extend(inner.inside().iter().flat_map(|line| line.words.clone()));
                inner.inside().iter().for_each(|line| context.note(line, same()));
            }
            _ => {}
        }
        None
    });
    for interface in interfaces {
        context.globals.garp_groups.extend(interval.map(|interval| (interface, interval)));
    }
}
