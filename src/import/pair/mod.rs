//! The pair: who the directors are, and the routers that both hold, out of one machine's file or out of both.
//!
//! One file names the other director by its address at most: what else only the other file says is guessed, and marked.

mod directors;
mod parts;
mod priorities;

pub(super) use directors::Director;
pub(super) use parts::Part;
pub(super) use priorities::twin;

use super::names;
use super::site::{Forwarding, Server, Site};
use super::verdict::{Ledger, Origin, near, none};
use std::collections::BTreeSet;

/// A sync group with the parts of its routers.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) at: Origin,
    pub(super) routers: Vec<String>,
}

/// The kernel's connection synchronisation; `follow`: a group or a router.
#[derive(Clone, Debug)]
pub(super) struct ConnectionSync {
    pub(super) at: Origin,
    pub(super) interface: String,
    pub(super) id: u8,
    pub(super) follow: Option<String>,
}

/// Directors and what they share; without directors, one machine is alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    /// This machine first.
    pub(super) directors: Vec<Director>,
    pub(super) parts: Vec<Part>,
    pub(super) groups: Vec<Group>,
    pub(super) sync: Option<ConnectionSync>,
    /// What the two files say differently, with where it is.
    pub(super) warnings: Vec<String>,
}

impl Pair {
    pub(super) fn is_alone(&self) -> bool {
        self.directors.is_empty()
    }
}

/// The pair of a site, and what of the site cannot be with it leaves, with a verdict.
pub(super) fn pair(site: &mut Site, other: Option<&Site>, ledger: &mut Ledger) -> Pair {
    let mut pair = Pair { parts: parts::parts(site, ledger), ..Pair::default() };
    pair.groups = groups(site, &pair.parts, ledger);
    if !pair.parts.is_empty() {
        pair.directors = directors::directors(site, other, &pair.parts);
        priorities::priorities(site, other, &mut pair, ledger);
        directors::own_no_floating(&mut pair, site);
    }
    if let Some(other) = other {
        pair.warnings = differences(site, other, ledger);
    }
    pair.sync = connection_sync(site, &pair, ledger);
    held(site, &pair, ledger);
    servers_may_be_directors(site, &mut pair, ledger);
    one_family_with_sync(site, &pair, ledger);
    pair
}

/// The groups, with one for each router that is in several parts.
fn groups(site: &Site, parts: &[Part], ledger: &mut Ledger) -> Vec<Group> {
    let mut taken: BTreeSet<String> = parts.iter().map(|part| part.name.clone()).collect();
    let mut grouped: BTreeSet<usize> = BTreeSet::new();
    let mut groups = Vec::new();
    for group in &site.groups {
        let mut members = Vec::new();
        for (name, at) in &group.routers {
            let index = site.routers.iter().position(|router| router.name == *name);
            let index = index.filter(|index| parts.iter().any(|part| part.router == *index));
            match index {
                Some(index) if grouped.insert(index) => members.push(index),
                Some(_) => ledger.note(*at, none("this router is in a group before: it moves with that one")),
                None => ledger.note(*at, none(format!("no router {name} is in the policy"))),
            }
        }
        if members.is_empty() {
            ledger.note(group.at, none("a group without a router"));
            continue;
        }
        let of = |part: &&Part| members.contains(&part.router);
        let routers = parts.iter().filter(of).map(|part| part.name.clone()).collect();
        groups.push(Group { name: names::unique(&group.name, &mut taken), at: group.at, routers });
    }
    for (index, router) in site.routers.iter().enumerate().filter(|(index, _)| !grouped.contains(index)) {
        let routers: Vec<String> =
            parts.iter().filter(|part| part.router == index).map(|part| part.name.clone()).collect();
        if routers.len() > 1 {
            let name = names::unique(&format!("{}-together", router.name), &mut taken);
            groups.push(Group { name, at: router.at, routers });
        }
    }
    groups
}

fn connection_sync(site: &Site, pair: &Pair, ledger: &mut Ledger) -> Option<ConnectionSync> {
    let said = site.sync.as_ref()?;
    let of_router = |part: &&Part| {
        said.router
            .as_ref()
            .is_some_and(|name| site.routers.get(part.router).is_some_and(|router| router.name == *name))
    };
    let part = pair.parts.iter().find(of_router);
    if said.router.is_some() && part.is_none() {
        ledger.note(said.at, near("the router that it follows is not in the policy: both directions run"));
    }
    let group = part.and_then(|part| pair.groups.iter().find(|group| group.routers.contains(&part.name)));
    let follow = group.map(|group| group.name.clone()).or_else(|| part.map(|part| part.name.clone()));
    let id = said.id.or(part.map(|part| part.vrid)).unwrap_or(0);
    if id == 0 {
        ledger.note(said.at, near("the id 0 is 1 here: both directors must say the same"));
    }
    Some(ConnectionSync { at: said.at, interface: said.interface.clone(), id: id.max(1), follow })
}

/// Addresses that stay with a machine are a lone director's; those of a pair's machines are their own matter.
fn held(site: &mut Site, pair: &Pair, ledger: &mut Ledger) {
    let mut seen: BTreeSet<std::net::IpAddr> = BTreeSet::new();
    site.held.retain(|(net, _, at)| {
        let why = if !pair.is_alone() {
            "in a pair every director would hold it: it belongs into the host's own network configuration"
        } else if !seen.insert(net.addr()) {
            "this address is there before"
        } else if matches!(net.addr(), std::net::IpAddr::V6(six) if six.is_unicast_link_local()) {
            "a link-local address is the host's own"
        } else {
            return true;
        };
        ledger.note(*at, none(why));
        false
    });
}

/// A director that is a real server too would balance, as Backup, what it shall answer, unless its table only receives.
fn servers_may_be_directors(site: &Site, pair: &mut Pair, ledger: &mut Ledger) {
    if pair.sync.as_ref().is_some_and(|sync| sync.follow.is_some()) {
        return;
    }
    let is_director = |server: &&Server| pair.directors.iter().any(|director| director.has(server.address));
    let own: Vec<Origin> = site
        .pools
        .iter()
        .flat_map(|pool| &pool.servers)
        .filter(is_director)
        .map(|server| server.at)
        .collect();
    let Some(part) = pair.parts.first().filter(|_| !own.is_empty()) else { return };
    let group = pair.groups.iter().find(|group| group.routers.contains(&part.name));
    let follow = group.map_or_else(|| part.name.clone(), |group| group.name.clone());
    let at = site.routers.get(part.router).map_or(Origin { file: 0, line: 1 }, |router| router.at);
    pair.sync =
        Some(ConnectionSync { at, interface: part.interface.clone(), id: part.vrid, follow: Some(follow) });
    let how = "this real server is a director: connection_sync is added, so that a Backup only receives";
    own.iter().for_each(|at| ledger.note(*at, near(how)));
}

/// The kernel refuses a destination of the other family while it synchronises connections.
fn one_family_with_sync(site: &mut Site, pair: &Pair, ledger: &mut Ledger) {
    if pair.sync.is_none() {
        return;
    }
    for pool in &mut site.pools {
        let families: BTreeSet<bool> = pool.services.iter().map(|(service, _)| service.is_ipv6()).collect();
        let mut stays = |server: &Server| {
            let crosses = !families.contains(&server.address.is_ipv6());
            if crosses {
                let how = "the kernel refuses a server of the other family while it synchronises connections";
                ledger.left_out(server.at, how);
            }
            !crosses
        };
        pool.servers.retain(&mut stays);
        pool.sorry = pool.sorry.take().filter(stays);
    }
}

/// What the two files say differently of pools and routers, for a person to look at.
fn differences(site: &Site, other: &Site, ledger: &Ledger) -> Vec<String> {
    let mut found = Vec::new();
    for pool in &site.pools {
        let place = ledger.place(pool.at);
        match other.pools.iter().find(|theirs| theirs.name == pool.name) {
            None => found
                .push(format!("{place}: the pool {} is in one file alone; both directors get it", pool.name)),
            Some(theirs) => {
                let endpoints = |servers: &[Server]| -> BTreeSet<_> {
                    servers.iter().map(|server| (server.address, server.port, server.weight)).collect()
                };
                let of = |forwarding: &Forwarding| forwarding.clone();
                if endpoints(&pool.servers) != endpoints(&theirs.servers)
                    || of(&pool.forwarding) != of(&theirs.forwarding)
                {
                    found.push(format!(
                        "{place}: the other file has other servers in the pool {}; this one's are written",
                        pool.name
                    ));
                }
            }
        }
    }
    let missing = other.pools.iter().filter(|theirs| site.pools.iter().all(|pool| pool.name != theirs.name));
    found.extend(missing.map(|pool| {
        format!("the pool {} of the other file is not in this one, and not in the policy", pool.name)
    }));
    found
}
