//! The pair: directors, routers, groups and what they share, built before the pools that refer to them.

use super::authentication::secret;
use super::directors::{Directors, Reference};
use super::{checks, directors, router_addresses, routers};
use crate::model::{
    BothUnfit, CheckName, ConnectionSync, Director, GroupName, Pair, PeerSettings, RouterName, SyncGroup,
    SyncRole, VirtualAddress, VirtualRouter,
};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Entry, Spanned};
use crate::policy::scalar::Text;
use crate::policy::schema::{BothUnfitWord, PolicyText, SyncGroupText, SyncRoleText};
use crate::policy::source::{Sources, Span};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU8;

/// What pools, and the rules between them and the pair, must know of the pair.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    pub(super) pair: Pair,
    pub(super) directors: Directors,
    /// Every name under `virtual_routers`, those that could not be read too.
    pub(super) routers: Vec<String>,
    /// Where each floating address was said.
    pub(super) floating: BTreeMap<IpAddr, (RouterName, Span)>,
    /// Checks that routers track.
    pub(super) tracked: BTreeMap<CheckName, checks::Built>,
}

impl Pairing {
    /// Whether a name is that of a router; reports it where it is not.
    pub(super) fn knows_router(&self, name: &Spanned<Text>, problems: &mut Problems) -> bool {
        let known = self.routers.contains(&name.value.0);
        if !known {
            let reference =
                Reference { code: Code::UnknownRouter, what: "router", section: "virtual_routers" };
            let names = self.routers.iter().map(String::as_str);
            problems.push(reference.unknown(&name.value.0, name.span, names));
        }
        known
    }
}

/// The pair of a policy, without the addresses that pools add to it.
pub(super) fn pairing(
    text: &PolicyText,
    own: Option<&str>,
    checks: &checks::Named<'_>,
    sources: &Sources,
    alone: &[Spanned<VirtualAddress>],
    problems: &mut Problems,
) -> Pairing {
    let directors = directors::directors(&text.directors, own, problems);
    let mut context =
        routers::Context { text, directors: &directors, checks, sources, tracked: BTreeMap::new(), problems };
    let drafts = routers::routers(&mut context);
    let routers::Context { tracked, problems, .. } = context;
    router_addresses::shared(&drafts, alone, problems);
    let places = drafts.iter().flat_map(|draft| {
        draft.said.iter().map(|said| (said.value.addr(), (draft.router.name.clone(), said.span)))
    });
    let floating = places.collect();
    let named = text.virtual_routers.value().map(|named| named.0.as_slice()).unwrap_or_default();
    let mut pairing = Pairing {
        floating,
        routers: named.iter().map(|entry| entry.name.name.clone()).collect(),
        tracked,
        ..Pairing::default()
    };
    pairing.pair = Pair {
        directors: directors.all.clone(),
        own: directors.own.clone(),
        routers: drafts.into_iter().map(|draft| (draft.router.name.clone(), draft.router)).collect(),
        groups: groups(text, &pairing, problems),
        connection_sync: None,
        peer: peer(text, sources),
    };
    peer_reaches(text, &pairing.pair, &directors, problems);
    pairing.directors = directors;
    group_preferences(text, &pairing.pair, problems);
    pairing.pair.connection_sync = connection_sync(text, &pairing, problems);
    pairing
}

fn peer(text: &PolicyText, sources: &Sources) -> PeerSettings {
    let default = PeerSettings::default();
    let Some(text) = text.peer.value() else { return default };
    PeerSettings {
        port: text.port.value().map_or(default.port, |port| port.port()),
        key: text.key.value().and_then(|key| secret(key, sources)),
    }
}

/// A channel has two ends.
fn peer_reaches(text: &PolicyText, pair: &Pair, directors: &Directors, problems: &mut Problems) {
    let Some(span) = text.peer.span().filter(|_| !directors.unreadable) else { return };
    if !directors.are_several() {
        problems.push(
            Diagnostic::new(Code::PeerWithoutDirectors, span, "there is no other director to talk with")
                .help("list all directors under `directors`, or leave `peer` out"),
        );
        return;
    }
    let families = |director: &Director| [director.ipv4.is_some(), director.ipv6.is_some()];
    let Some(own) = pair.own.as_ref().and_then(|own| pair.directors.get(own)) else { return };
    // One without any address was reported.
    let apart = |other: &Director| {
        let (ours, theirs) = (families(own), families(other));
        ours.contains(&true)
            && theirs.contains(&true)
            && ours.into_iter().zip(theirs).all(|(ours, theirs)| !(ours && theirs))
    };
    for (name, _) in pair.others().filter(|(_, other)| apart(other)) {
        // In one order, so that both directors' views say the same.
        let mut both = [pair.own.as_deref().unwrap_or_default(), name];
        both.sort_unstable();
        let message = format!("{} and {} have no addresses of one family", quoted(both[0]), quoted(both[1]));
        problems.push(
            Diagnostic::new(Code::PeerUnreachable, span, message)
                .help("give both an address of the same family: beats and the channel between them need it"),
        );
    }
}

fn groups(text: &PolicyText, pairing: &Pairing, problems: &mut Problems) -> BTreeMap<GroupName, SyncGroup> {
    let mut taken: BTreeMap<String, (Span, String)> = BTreeMap::new();
    let named = text.sync_groups.value().map(|named| named.0.as_slice()).unwrap_or_default();
    named
        .iter()
        .filter_map(|entry| group(entry, pairing, &mut taken, problems))
        .map(|group| (group.name.clone(), group))
        .collect()
}

fn group(
    entry: &Entry<SyncGroupText>,
    pairing: &Pairing,
    taken: &mut BTreeMap<String, (Span, String)>,
    problems: &mut Problems,
) -> Option<SyncGroup> {
    let text = entry.value.value()?;
    let name = entry.name.name.as_str();
    let said = text.routers.given()?;
    let mut routers: Vec<RouterName> = Vec::new();
    for router in &said.value.0 {
        if !pairing.knows_router(router, problems) {
            continue;
        }
        match taken.insert(router.value.0.clone(), (router.span, name.to_owned())) {
            Some((first, other)) => {
                problems.push(in_two_groups(&router.value.0, router.span, first, &other, name))
            }
            None => routers.push(router.value.0.as_str().into()),
        }
    }
    if said.value.0.len() < 2 && !problems.any_within(said.span) {
        let message = format!("the sync group {} has no two routers that could move together", quoted(name));
        problems.push(
            Diagnostic::new(Code::GroupOfOne, said.span, message)
                .help("name the routers that must have one Master, or leave the group out"),
        );
    }
    let both_unfit = match text.both_unfit.value() {
        None | Some(BothUnfitWord::KeepBest) => BothUnfit::KeepBest,
        Some(BothUnfitWord::Release) => BothUnfit::Release,
    };
    Some(SyncGroup { name: name.into(), routers, both_unfit })
}

fn in_two_groups(router: &str, span: Span, first: Span, other: &str, name: &str) -> Diagnostic {
    let message = if other == name {
        format!("the router {} is twice in the sync group {}", quoted(router), quoted(name))
    } else {
        format!("the router {} is in two sync groups: {} and {}", quoted(router), quoted(other), quoted(name))
    };
    Diagnostic::new(Code::RouterInTwoGroups, span, message)
        .related(first, "first said here")
        .help("keep one of the two, or make one group of both")
}

/// Routers that move together and rank the directors differently would make each director step down for the other: of two
/// Masters each is beaten on one of the routers, and takes all of them along.
fn group_preferences(text: &PolicyText, pair: &Pair, problems: &mut Problems) {
    for entry in text.sync_groups.value().map(|named| named.0.as_slice()).unwrap_or_default() {
        let Some(group) = pair.groups.get(entry.name.name.as_str()) else { continue };
        let routers = group.routers.iter().filter_map(|name| pair.routers.get(name));
        // Priorities that could not be read were reported.
        let mut members = routers.filter(|router| router.priorities.len() == pair.directors.len());
        let Some(first) = members.next() else { continue };
        let Some(other) = members.find(|other| ranking(other) != ranking(first)) else { continue };
        let message = format!(
            "{} ranks the directors {}, and {} of the same group {}",
            quoted(&first.name),
            ranking(first),
            quoted(&other.name),
            ranking(other)
        );
        problems.push(
            Diagnostic::new(Code::GroupPreference, entry.name.span, message)
                .help("say `prefer` in one of them only: the others of its group then have the same"),
        );
    }
}

/// The directors by priority, the most preferred first, as it is written in a message.
fn ranking(router: &VirtualRouter) -> String {
    let mut by_priority: BTreeMap<Reverse<u8>, Vec<&str>> = BTreeMap::new();
    for (name, priority) in &router.priorities {
        by_priority.entry(Reverse(*priority)).or_default().push(name);
    }
    by_priority.values().map(|names| names.join(" = ")).collect::<Vec<_>>().join(", ")
}

fn connection_sync(text: &PolicyText, pairing: &Pairing, problems: &mut Problems) -> Option<ConnectionSync> {
    let text = text.connection_sync.value()?;
    let role = text.role.given().and_then(|role| match &role.value {
        SyncRoleText::Both => Some(SyncRole::Both),
        SyncRoleText::Follow(follow) => {
            follow.follow.given().and_then(|name| followed(name, pairing, problems))
        }
    });
    Some(ConnectionSync {
        interface: text.interface.value()?.0.clone(),
        sync_id: NonZeroU8::new(u8::try_from(text.sync_id.value()?.0).ok()?)?,
        role: role?,
    })
}

/// A sync group, else a router, of this name.
fn followed(name: &Spanned<Text>, pairing: &Pairing, problems: &mut Problems) -> Option<SyncRole> {
    let groups = &pairing.pair.groups;
    if let Some(group) = groups.get(name.value.0.as_str()) {
        return Some(SyncRole::FollowGroup(group.name.clone()));
    }
    if pairing.routers.contains(&name.value.0) {
        return Some(SyncRole::FollowRouter(name.value.0.as_str().into()));
    }
    let reference = Reference {
        code: Code::UnknownRouter,
        what: "sync group or router",
        section: "sync_groups` or `virtual_routers",
    };
    let known = groups.keys().map(|group| &**group).chain(pairing.routers.iter().map(String::as_str));
    problems.push(reference.unknown(&name.value.0, name.span, known));
    None
}
