//! Who is told of changes: scripts and mail, as hooks of `on_event`.
//!
//! A policy has sixteen hooks at most, so what is alike becomes one: the same program for several routers or kinds of events. A
//! script of one server asks which server it is, since hooks are of whole pools.

use super::pair::Pair;
use super::site::{About, Mail, Script, Server, Site};
use super::verdict::{Ledger, Origin, none};
use crate::model::{EventHook, EventKind};
use std::net::SocketAddr;

/// A hook of the policy.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// Where it was said.
    pub(super) at: Vec<Origin>,
    pub(super) act: Act,
    pub(super) kinds: Vec<EventKind>,
    /// With `pools` empty too: of all.
    pub(super) routers: Vec<String>,
    pub(super) pools: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Run { command: Vec<String>, user: Option<String> },
    Write(Mail),
}

/// A script with what it is about in the policy.
#[derive(Clone, Debug)]
struct Told<'a> {
    script: &'a Script,
    at: Vec<Origin>,
    kinds: Vec<EventKind>,
    routers: Vec<String>,
    pools: Vec<String>,
    /// The servers that it asks for; none: it does not ask.
    servers: Vec<String>,
}

/// The hooks; what finds no place among them gets its verdict.
pub(super) fn notices(site: &Site, pair: &Pair, ledger: &mut Ledger) -> Vec<Notice> {
    let mail = site.mail.as_ref().map(|mail| of_mail(mail, site, pair));
    let mut told: Vec<Told<'_>> = Vec::new();
    for one in site.notices.iter().filter_map(|script| told_of(script, site, pair)) {
        merge(one, &mut told);
    }
    let told = joined(told);
    let room = EventHook::MOST - usize::from(mail.is_some());
    for left in told.iter().skip(room).flat_map(|told| &told.at) {
        let how = "a policy has 16 hooks at most: let one program tell events apart by TANDEM_POOL and TANDEM_SERVER";
        ledger.note(*left, none(how));
    }
    mail.into_iter().chain(told.into_iter().take(room).map(|told| run(told, site))).collect()
}

fn told_of<'a>(script: &'a Script, site: &Site, pair: &Pair) -> Option<Told<'a>> {
    let mut told = Told {
        script,
        at: vec![script.at],
        kinds: script.kinds.clone(),
        routers: Vec::new(),
        pools: Vec::new(),
        servers: Vec::new(),
    };
    match &script.about {
        About::Director => {}
        About::Router(name) => told.routers.push(router(name, site, pair)?),
        About::Pool(name) => told.pools.push(site.pools.iter().find(|pool| pool.name == *name)?.name.clone()),
        About::Server(name, address, port) => {
            let pool = site.pools.iter().find(|pool| pool.name == *name)?;
            let is_it =
                |server: &&Server| server.address == *address && (port.is_none() || server.port == *port);
            told.servers.push(server_name(pool.servers.iter().find(is_it)?));
            told.pools.push(pool.name.clone());
        }
    }
    Some(told)
}

/// The router of the policy that is a router of the file: the one of its own interface.
fn router(name: &str, site: &Site, pair: &Pair) -> Option<String> {
    let is_it = |index: usize| site.routers.get(index).is_some_and(|router| router.name == name);
    pair.parts.iter().find(|part| part.is_first && is_it(part.router)).map(|part| part.name.clone())
}

/// What events call a server: `RIP:port`, or the RIP.
fn server_name(server: &Server) -> String {
    match server.port {
        Some(port) => SocketAddr::new(server.address, port).to_string(),
        None => server.address.to_string(),
    }
}

/// The same at the same events, of several routers, pools, or servers of one pool, is one.
fn merge<'a>(one: Told<'a>, told: &mut Vec<Told<'a>>) {
    let same = |other: &&mut Told<'_>| {
        let whole = one.servers.is_empty() && other.servers.is_empty();
        other.script.command == one.script.command
            && other.script.user == one.script.user
            && other.kinds == one.kinds
            && other.routers.is_empty() == one.routers.is_empty()
            && other.pools.is_empty() == one.pools.is_empty()
            && (whole || (other.pools == one.pools && !other.servers.is_empty() && !one.servers.is_empty()))
    };
    match told.iter_mut().find(same) {
        Some(other) => {
            add(&mut other.at, one.at);
            add(&mut other.routers, one.routers);
            add(&mut other.pools, one.pools);
            add(&mut other.servers, one.servers);
        }
        None => told.push(one),
    }
}

/// The same of the same, at several events, is one.
fn joined(told: Vec<Told<'_>>) -> Vec<Told<'_>> {
    let mut joined: Vec<Told<'_>> = Vec::new();
    for one in told {
        let same = |other: &&mut Told<'_>| {
            other.script.command == one.script.command
                && other.script.user == one.script.user
                && (&other.routers, &other.pools, &other.servers) == (&one.routers, &one.pools, &one.servers)
        };
        match joined.iter_mut().find(same) {
            Some(other) => {
                add(&mut other.at, one.at);
                add(&mut other.kinds, one.kinds);
            }
            None => joined.push(one),
        }
    }
    joined
}

fn add<T: PartialEq>(to: &mut Vec<T>, more: Vec<T>) {
    for one in more {
        if !to.contains(&one) {
            to.push(one);
        }
    }
}

fn run(told: Told<'_>, site: &Site) -> Notice {
    let all = |pool: &String| {
        site.pools.iter().find(|found| found.name == *pool).map_or(0, |found| found.servers.len())
    };
    let everywhere = told.pools.iter().map(all).sum::<usize>() == told.servers.len();
    let mut command = told.script.command.clone();
    if !told.servers.is_empty() && !everywhere {
        let names: Vec<String> = told.servers.iter().map(|name| format!("\"{name}\"")).collect();
        let asks = format!("case $TANDEM_SERVER in {}) exec \"$0\" \"$@\";; esac", names.join("|"));
        command.splice(0..0, ["/bin/sh".to_owned(), "-c".to_owned(), asks]);
    }
    let act = Act::Run { command, user: told.script.user.clone() };
    Notice { at: told.at, act, kinds: told.kinds, routers: told.routers, pools: told.pools }
}

fn of_mail(mail: &Mail, site: &Site, pair: &Pair) -> Notice {
    let mut routers: Vec<String> = mail.routers.iter().filter_map(|name| router(name, site, pair)).collect();
    let is_there = |name: &&String| site.pools.iter().any(|pool| pool.name == **name);
    let mut pools: Vec<String> = mail.pools.iter().filter(is_there).cloned().collect();
    let mut kinds = Vec::new();
    if !routers.is_empty() {
        kinds.extend([EventKind::RouterMaster, EventKind::RouterBackup, EventKind::RouterFault]);
    }
    if !pools.is_empty() {
        kinds.extend([EventKind::ServerUp, EventKind::ServerDown, EventKind::PoolUp, EventKind::PoolDown]);
    }
    let all_routers =
        routers.is_empty() || site.routers.iter().all(|router| mail.routers.contains(&router.name));
    if all_routers && (pools.is_empty() || pools.len() == site.pools.len()) {
        routers.clear();
        pools.clear();
    }
    Notice { at: vec![mail.at], act: Act::Write(mail.clone()), kinds, routers, pools }
}
