//! The pair of a policy written out as YAML: directors, routers, groups, synchronisation.

use super::yaml_text::{Yaml, mapping, text, time};
use crate::model::{
    Authentication, AuthenticationKey, AuthenticationMode, BothUnfit, ChecksumReading, ConnectionSync,
    Director, Pair, Preempt, Secret, SyncGroup, SyncRole, Tracked, Tracker, Transport, VirtualRouter,
    VrrpVersion,
};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The sections of the pair; none for a director that is alone.
pub(super) fn sections(pair: &Pair) -> Vec<(&'static str, Yaml)> {
    let mut sections = Vec::new();
    if !pair.directors.is_empty() {
        let directors =
            pair.directors.iter().map(|(name, director)| (name.to_string(), director_of(director)));
        sections.push(("directors", Yaml::Mapping(directors.collect())));
    }
    if !pair.routers.is_empty() {
        let routers = pair.routers.iter().map(|(name, router)| (name.to_string(), router_of(router)));
        sections.push(("virtual_routers", Yaml::Mapping(routers.collect())));
    }
    if !pair.groups.is_empty() {
        let groups = pair.groups.iter().map(|(name, group)| (name.to_string(), group_of(group)));
        sections.push(("sync_groups", Yaml::Mapping(groups.collect())));
    }
    sections.extend(pair.connection_sync.as_ref().map(|sync| ("connection_sync", sync_of(sync))));
    if pair.others().next().is_some() {
        let mut peer = vec![("port", text(pair.peer.port))];
        peer.extend(pair.peer.key.as_ref().map(|key| ("key", mapping([secret(key)]))));
        sections.push(("peer", mapping(peer)));
    }
    sections
}

/// Full-NAT's local addresses in the form that fits the pair.
pub(super) fn local_addresses(addresses: &[IpAddr], pair: &Pair) -> Yaml {
    let list = || Yaml::List(addresses.iter().map(text).collect());
    let router = addresses.first().and_then(|address| pair.router_of(*address));
    match (router, &pair.own) {
        (Some(router), _) => mapping([("router", text(&router.name)), ("addresses", list())]),
        (None, Some(own)) => Yaml::Mapping(vec![(own.to_string(), list())]),
        (None, None) => list(),
    }
}

/// Puts the relative paths of the pair below a folder.
pub(super) fn below(pair: &mut Pair, base: &Path) {
    let place = |secret: &mut Secret| {
        if let Secret::File(path) = secret {
            *path = base.join(&*path);
        }
    };
    pair.peer.key.iter_mut().for_each(place);
    for router in pair.routers.values_mut() {
        match &mut router.authentication {
            None => {}
            Some(Authentication::V2Password(secret)) => place(secret),
            Some(Authentication::Hmac { keys, .. }) => keys.iter_mut().for_each(|key| place(&mut key.secret)),
        }
        let paths = router.track.iter_mut().filter_map(|tracker| match &mut tracker.what {
            Tracked::File(path) => Some(path),
            _ => None,
        });
        paths.for_each(|path: &mut PathBuf| *path = base.join(&*path));
    }
}

fn director_of(director: &Director) -> Yaml {
    let said = [("ipv4", director.ipv4.map(IpAddr::from)), ("ipv6", director.ipv6.map(IpAddr::from))];
    let address = said.into_iter().filter_map(|(family, address)| Some((family, text(address?))));
    mapping([("address", mapping(address))])
}

const fn number(version: VrrpVersion) -> u8 {
    match version {
        VrrpVersion::V2 => 2,
        VrrpVersion::V3 => 3,
    }
}

fn router_of(router: &VirtualRouter) -> Yaml {
    let priorities = router.priorities.iter().map(|(name, priority)| (name.to_string(), text(priority)));
    let mut keys = vec![
        ("interface", text(&router.interface)),
        ("vrid", text(router.vrid)),
        ("priority", Yaml::Mapping(priorities.collect())),
        ("virtual_addresses", Yaml::List(router.addresses.iter().map(text).collect())),
        ("version", text(number(router.version))),
        (
            "accept_versions",
            Yaml::List(router.accept_versions.iter().map(|version| text(number(*version))).collect()),
        ),
        ("advertisement_interval", time(router.interval)),
        (
            "transport",
            text(match router.transport {
                Transport::Multicast => "multicast",
                Transport::Unicast => "unicast",
            }),
        ),
        (
            "preempt",
            match router.preempt {
                Preempt::Never => text(false),
                Preempt::After(delay) => mapping([("after", time(delay))]),
            },
        ),
        ("start_delay", time(router.start_delay)),
        ("virtual_mac", text(router.virtual_mac)),
        ("garp", announcements(router)),
    ];
    if !router.track.is_empty() {
        keys.push(("track", Yaml::List(router.track.iter().map(tracker).collect())));
    }
    if !router.heartbeat.is_empty() {
        keys.push(("heartbeat", Yaml::List(router.heartbeat.iter().map(text).collect())));
    }
    keys.push((
        "checksum",
        text(match router.checksum {
            ChecksumReading::Rfc9568 => "rfc9568",
            ChecksumReading::Rfc5798 => "rfc5798",
        }),
    ));
    keys.extend(router.authentication.as_ref().map(|found| ("authentication", authentication(found))));
    keys.extend(router.before_master.as_ref().map(|hook| {
        let argv = Yaml::List(hook.argv.iter().map(text).collect());
        ("before_master", mapping([("exec", argv), ("timeout", time(hook.timeout))]))
    }));
    mapping(keys)
}

fn announcements(router: &VirtualRouter) -> Yaml {
    let policy = router.announcements;
    mapping([
        ("repeat", text(policy.repeat)),
        ("delay", time(policy.delay)),
        ("lower_priority_repeat", text(policy.lower_priority_repeat)),
        ("refresh", time(policy.refresh)),
        ("refresh_repeat", text(policy.refresh_repeat)),
        ("interval", time(policy.interval)),
    ])
}

fn tracker(tracker: &Tracker) -> Yaml {
    let mut keys = vec![match &tracker.what {
        Tracked::Interface(name) => ("interface", text(name)),
        Tracked::Check(name) => ("check", text(name)),
        // Never in a router's own list: it follows from the pool's `verdict`.
        Tracked::Pool(name) | Tracked::Sight(name) => ("pool", text(name)),
        Tracked::Process(name) => ("process", text(name)),
        Tracked::File(path) => ("file", text(path.display())),
    }];
    keys.extend(tracker.priority_change.map(|change| ("priority_change", Yaml::Number(change.into()))));
    mapping(keys)
}

/// Where a secret is.
pub(super) fn secret(secret: &Secret) -> (&'static str, Yaml) {
    match secret {
        Secret::File(path) => ("file", text(path.display())),
        Secret::Credential(name) => ("credential", text(name)),
    }
}

fn authentication(authentication: &Authentication) -> Yaml {
    let key = |key: &AuthenticationKey| mapping([("id", text(key.id)), secret(&key.secret)]);
    match authentication {
        Authentication::V2Password(password) => mapping([("v2_password", mapping([secret(password)]))]),
        Authentication::Hmac { mode, keys } => mapping([
            (
                "mode",
                text(match mode {
                    AuthenticationMode::Receive => "receive",
                    AuthenticationMode::Permissive => "permissive",
                    AuthenticationMode::Enforce => "enforce",
                }),
            ),
            ("keys", Yaml::List(keys.iter().map(key).collect())),
        ]),
    }
}

fn group_of(group: &SyncGroup) -> Yaml {
    mapping([
        ("routers", Yaml::List(group.routers.iter().map(text).collect())),
        (
            "both_unfit",
            text(match group.both_unfit {
                BothUnfit::KeepBest => "keep_best",
                BothUnfit::Release => "release",
            }),
        ),
    ])
}

fn sync_of(sync: &ConnectionSync) -> Yaml {
    let role = match &sync.role {
        SyncRole::Both => text("both"),
        SyncRole::FollowRouter(name) | SyncRole::FollowGroup(name) => mapping([("follow", text(name))]),
    };
    mapping([("interface", text(&sync.interface)), ("sync_id", text(sync.sync_id)), ("role", role)])
}
