//! The sections of a pair: directors, virtual routers, sync groups, connection synchronisation; and a lone director's addresses.

use super::checks::Book;
use super::commented;
use crate::import::checks::time;
use crate::import::pair::{Director, Group, Pair, Part, twin};
use crate::import::site::{Authentication, Garp, Preempt, Router, Site, Tracked, Tracker};
use crate::import::verdict::Ledger;
use crate::import::yaml::{Entry, Yaml, entry, list, mapping, number, word, words};
use std::collections::BTreeMap;

const DAY_MS: u64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;

/// Names of checks, by those of the scripts.
type Names = BTreeMap<String, String>;

/// A pair's sections, or a lone director's addresses.
pub(super) fn sections(
    site: &Site,
    other: Option<&Site>,
    pair: &Pair,
    book: &mut Book,
    ledger: &Ledger,
) -> Vec<Entry> {
    let mut sections = Vec::new();
    if !pair.parts.is_empty() {
        let scripts = (names(site, book), other.map(|other| names(other, book)).unwrap_or_default());
        sections.push(directors(site, other, pair, &scripts));
        sections.push(virtual_routers(site, pair, &scripts.0, ledger));
    }
    sections.extend(groups(pair, ledger));
    sections.extend(connection_sync(pair, ledger));
    sections.extend(held(site, ledger));
    sections
}

fn names(site: &Site, book: &mut Book) -> Names {
    site.scripts.iter().map(|check| (check.hint.clone(), book.name(check))).collect()
}

fn directors(site: &Site, other: Option<&Site>, pair: &Pair, scripts: &(Names, Names)) -> Entry {
    let of_other = |part: &Part| {
        let own = site.routers.get(part.router).filter(|_| part.is_first)?;
        differences(part, own, twin(own, other?)?, scripts)
    };
    let each = pair.directors.iter().enumerate().map(|(index, one)| {
        let differences =
            if index == 1 { pair.parts.iter().filter_map(of_other).collect() } else { Vec::new() };
        director(one, differences)
    });
    entry("directors", mapping(each))
        .comments(["The machines that run this policy, by their host names (`hostname`).".to_owned()])
}

fn virtual_routers(site: &Site, pair: &Pair, scripts: &Names, ledger: &Ledger) -> Entry {
    let of = |part: &Part| Some(router(part, site.routers.get(part.router)?, pair, scripts, ledger));
    let pace =
        "Tandem's own default is version 3 and 100ms, which takes over in a third of a second.".to_owned();
    entry("virtual_routers", mapping(pair.parts.iter().filter_map(of))).comments([pace])
}

fn groups(pair: &Pair, ledger: &Ledger) -> Option<Entry> {
    let group = |group: &Group| {
        let keys = [entry("routers", words(&group.routers)), entry("both_unfit", word("release"))];
        entry(&group.name, mapping(keys)).comments([ledger.short_place(group.at)])
    };
    let why =
        "As in keepalived, nobody holds the addresses while every director is in Fault; keep_best would."
            .to_owned();
    let groups = entry("sync_groups", mapping(pair.groups.iter().map(group))).comments([why]);
    (!pair.groups.is_empty()).then_some(groups)
}

fn connection_sync(pair: &Pair, ledger: &Ledger) -> Option<Entry> {
    let sync = pair.sync.as_ref()?;
    let role = match &sync.follow {
        Some(name) => mapping([entry("follow", word(name))]),
        None => word("both"),
    };
    let keys =
        [entry("interface", word(&sync.interface)), entry("sync_id", number(sync.id)), entry("role", role)];
    Some(entry("connection_sync", mapping(keys)).comments([ledger.short_place(sync.at)]))
}

fn held(site: &Site, ledger: &Ledger) -> Option<Entry> {
    let address = |(net, interface, at): &(ipnet::IpNet, String, crate::import::verdict::Origin)| {
        let keys = [entry("address", word(net)), entry("interface", word(interface))];
        (vec![ledger.short_place(*at)], mapping(keys))
    };
    (!site.held.is_empty()).then(|| entry("virtual_addresses", commented(site.held.iter().map(address))))
}

fn director(director: &Director, differences: Vec<Entry>) -> Entry {
    let mut todo = Vec::new();
    if director.guessed_name {
        todo.push("TODO: the host name of this director.".to_owned());
    }
    let guessed = [director.ipv4, director.ipv6].into_iter().flatten().any(|address| address.guessed);
    if guessed {
        todo.push(
            "TODO: its own address, at which the other director reaches it; this one stands in.".to_owned(),
        );
    }
    let address = match (director.ipv4, director.ipv6) {
        (Some(four), Some(six)) => {
            mapping([entry("ipv4", word(four.address)), entry("ipv6", word(six.address))])
        }
        (Some(one), None) | (None, Some(one)) => word(one.address),
        (None, None) => word("192.0.2.1"),
    };
    let differences = (!differences.is_empty()).then(|| entry("virtual_routers", mapping(differences)));
    entry(&director.name, mapping([entry("address", address)].into_iter().chain(differences))).comments(todo)
}

fn router(part: &Part, router: &Router, pair: &Pair, scripts: &Names, ledger: &Ledger) -> Entry {
    let mut comments = vec![ledger.short_place(router.at)];
    if part.guessed_interface {
        comments.push("TODO: its interface; the file does not say it.".to_owned());
    }
    if part.priorities.iter().any(|(_, guessed)| *guessed) {
        comments.push("TODO: the priority of the other director, which only its own file says.".to_owned());
    }
    let named = pair.directors.iter().zip(&part.priorities);
    let priorities: Vec<Entry> =
        named.map(|(director, (priority, _))| entry(&director.name, number(*priority))).collect();
    let mut keys = vec![
        entry("interface", word(&part.interface)),
        entry("vrid", number(part.vrid)),
        entry("priority", mapping(priorities)),
        entry("virtual_addresses", words(&part.addresses)),
        entry("version", number(part.version)),
        entry("advertisement_interval", time(part.interval_ms)),
    ];
    if router.unicast && pair.directors.len() > 1 {
        keys.push(entry("transport", word("unicast")));
    }
    keys.extend(preempt(router.preempt));
    if router.virtual_mac {
        keys.push(entry("virtual_mac", Yaml::Flag(true)));
    }
    keys.extend(varying(router, scripts));
    let is_ipv4 = part.addresses.iter().any(|net| net.addr().is_ipv4());
    if part.version == 3 && is_ipv4 && !router.checksum_as_v2 {
        keys.push(entry("checksum", word("rfc5798")).behind("as keepalived sends it"));
    }
    keys.extend(router.authentication.as_ref().and_then(|said| authentication(said, part)));
    entry(&part.name, mapping(keys)).comments(comments)
}

/// What may be different on each director.
fn varying(router: &Router, scripts: &Names) -> Vec<Entry> {
    let mut keys = Vec::new();
    if router.start_delay_ms > 0 {
        keys.push(entry("start_delay", time(router.start_delay_ms.min(HOUR_MS))));
    }
    keys.extend(garp(&router.garp));
    let trackers: Vec<Yaml> =
        router.trackers.iter().filter_map(|tracker| tracker_of(tracker, scripts)).collect();
    if !trackers.is_empty() {
        keys.push(entry("track", list(trackers)));
    }
    keys
}

/// What the other director's file says differently of a router, of what may be different.
fn differences(part: &Part, own: &Router, theirs: &Router, scripts: &(Names, Names)) -> Option<Entry> {
    let mut keys = Vec::new();
    if let Some(interface) = &theirs.interface
        && *interface != part.interface
    {
        keys.push(entry("interface", word(interface)));
    }
    let known = varying(own, &scripts.0);
    keys.extend(varying(theirs, &scripts.1).into_iter().filter(|key| !known.contains(key)));
    (!keys.is_empty()).then(|| entry(&part.name, mapping(keys)))
}

fn tracker_of(tracker: &Tracker, scripts: &Names) -> Option<Yaml> {
    let what = match &tracker.what {
        Tracked::Interface(interface) => entry("interface", word(interface)),
        Tracked::Script(script) => entry("check", word(scripts.get(script)?)),
        Tracked::Process(process) => entry("process", word(process)),
        Tracked::File(path) => entry("file", word(path)),
    };
    let change = tracker.change.map(|change| entry("priority_change", number(change)));
    Some(mapping([what].into_iter().chain(change)))
}

fn preempt(preempt: Preempt) -> Option<Entry> {
    match preempt {
        Preempt::Always | Preempt::AfterMs(0) => None,
        Preempt::Never => Some(entry("preempt", Yaml::Flag(false))),
        Preempt::AfterMs(delay) => Some(entry("preempt", mapping([entry("after", time(delay.min(DAY_MS)))]))),
    }
}

fn garp(garp: &Garp) -> Option<Entry> {
    let mut keys = Vec::new();
    keys.extend(garp.repeat.map(|repeat| entry("repeat", number(repeat.clamp(1, 100)))));
    keys.extend(garp.delay_ms.map(|delay| entry("delay", time(delay.min(HOUR_MS)))));
    let lower = garp.lower_priority_repeat.or(garp.repeat);
    keys.extend(lower.map(|repeat| entry("lower_priority_repeat", number(repeat.min(100)))));
    keys.extend(garp.refresh_ms.map(|refresh| entry("refresh", time(refresh.min(DAY_MS)))));
    keys.extend(garp.refresh_repeat.map(|repeat| entry("refresh_repeat", number(repeat.clamp(1, 100)))));
    keys.extend(garp.interval_ms.map(|interval| entry("interval", time(interval.min(10_000)))));
    (!keys.is_empty()).then(|| entry("garp", mapping(keys)))
}

fn authentication(said: &Authentication, part: &Part) -> Option<Entry> {
    match said {
        Authentication::Password if part.version == 2 => {
            let file = mapping([entry("file", word(format!("vrrp-{}.password", part.name)))]);
            let key = entry("authentication", mapping([entry("v2_password", file)]));
            Some(key.comments(["TODO: write the password into this file, mode 0600; keys are better once all are Tandem.".to_owned()]))
        }
        Authentication::Password => None,
        Authentication::Keys(mode, keys) => {
            let missing = keys.iter().any(|(_, file)| file.is_none());
            let key = |(id, file): &(u8, Option<String>)| {
                let file = file.clone().unwrap_or_else(|| format!("vrrp-{}-{id}.key", part.name));
                mapping([entry("id", number(*id)), entry("file", word(file))])
            };
            let keys = [entry("mode", word(mode)), entry("keys", list(keys.iter().map(key)))];
            let todo = missing.then(|| "TODO: write each key into its file, mode 0600.".to_owned());
            Some(entry("authentication", mapping(keys)).comments(todo))
        }
    }
}
