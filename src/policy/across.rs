//! Problems of a policy as all of its directors have it: those of each, and those between them.

use super::codes::Code;
use super::diagnostic::{Diagnostic, quoted};
use super::load::Loaded;
use super::node::Node;
use super::source::Span;
use crate::model::{Pair, RouterName, VirtualRouter};
use std::collections::BTreeSet;

/// The problems of every director's view, each once; one that not all of them have says whose it is.
pub(super) fn merged(views: &[(&str, Loaded)], root: &Node) -> Vec<Diagnostic> {
    let mut all: BTreeSet<Diagnostic> = BTreeSet::new();
    for found in views.iter().flat_map(|(_, loaded)| &loaded.diagnostics) {
        let having: Vec<&str> = views
            .iter()
            .filter(|(_, loaded)| loaded.diagnostics.contains(found))
            .map(|(name, _)| *name)
            .collect();
        let mut found = found.clone();
        if having.len() < views.len() {
            found.message = format!("on {}: {}", having.join(", "), found.message);
        }
        all.insert(found);
    }
    let pairs: Vec<(&str, &Pair)> =
        views.iter().filter_map(|(name, loaded)| Some((*name, &loaded.policy.as_ref()?.pair))).collect();
    if let Some((first, others)) = pairs.split_first() {
        all.extend(others.iter().flat_map(|other| disagreements(*first, *other, root)));
    }
    all.into_iter().collect()
}

/// What must be the same on every director and is not: a router that two of them understand differently has two Masters.
fn disagreements(one: (&str, &Pair), other: (&str, &Pair), root: &Node) -> Vec<Diagnostic> {
    let ((_, ours), (_, theirs)) = (one, other);
    let names: BTreeSet<&RouterName> = ours.routers.keys().chain(theirs.routers.keys()).collect();
    let routers = names.into_iter().filter_map(|name| {
        let what = match (ours.routers.get(name), theirs.routers.get(name)) {
            (Some(router), Some(same)) => format!("has another {} on each", differs(router, same)?),
            (Some(_), None) => format!("is on {} only", one.0),
            (None, _) => format!("is on {} only", other.0),
        };
        Some((format!("the router {} {what}", quoted(name)), place_of("virtual_routers", Some(name), root)))
    });
    let sync = |pair: &Pair| pair.connection_sync.as_ref().map(|sync| (sync.sync_id, sync.role.clone()));
    let whole = [
        (
            sync(ours) == sync(theirs),
            "`connection_sync` has another `sync_id` or `role` on each",
            "connection_sync",
        ),
        (ours.peer.port == theirs.peer.port, "`peer` has another `port` on each", "peer"),
    ];
    let whole = whole
        .into_iter()
        .filter(|(same, ..)| !same)
        .map(|(_, what, section)| (what.to_owned(), place_of(section, None, root)));
    let diagnostic = |(what, span): (String, Span)| {
        let message = format!("{} and {} would not understand one another: {what}", one.0, other.0);
        Diagnostic::new(Code::DirectorsDisagree, span, message)
            .help("say it in the common section only, so that it is the same on every director")
    };
    routers.chain(whole).map(diagnostic).collect()
}

/// The first key of a router that must be the same on both, and is not.
fn differs(one: &VirtualRouter, other: &VirtualRouter) -> Option<&'static str> {
    let versions =
        other.accept_versions.contains(&one.version) && one.accept_versions.contains(&other.version);
    let same = [
        (one.vrid == other.vrid, "`vrid`"),
        (one.addresses == other.addresses, "set of `virtual_addresses`"),
        (one.local_addresses == other.local_addresses, "set of local addresses"),
        (one.priorities == other.priorities, "`prefer` or `priority`"),
        (versions, "`version`"),
        (one.transport == other.transport, "`transport`"),
    ];
    same.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
}

/// Where a section, or a name in it, is said; else where the directors are, since one of them says it.
fn place_of(section: &str, name: Option<&str>, root: &Node) -> Span {
    let key = |node: Option<&Node>, name: &str| {
        node.and_then(Node::entries)?.iter().find(|(key, _)| key.name == name).map(|(key, _)| key.span)
    };
    name.and_then(|name| key(root.get(section), name))
        .or_else(|| key(Some(root), section).filter(|_| name.is_none()))
        .or_else(|| key(Some(root), "directors"))
        .unwrap_or(root.span)
}
