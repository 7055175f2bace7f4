//! Problems of a policy as all of its directors have it: those of each, and those between them.

use super::codes::Code;
use super::diagnostic::{Diagnostic, quoted};
use super::load::Loaded;
use super::node::Node;
use super::source::Span;
use crate::model::{Pair, VirtualRouter};
use std::collections::BTreeSet;

/// The problems of every director's view, each once; one that not all of them have says whose it is. `first` are those of
/// the view that was asked for, which may be of none of them.
pub(super) fn merged(
    first: Vec<Diagnostic>,
    views: &[(&str, Loaded)],
    routers: Option<&Node>,
) -> Vec<Diagnostic> {
    let mut all: BTreeSet<Diagnostic> =
        first.into_iter().filter(|found| found.code == Code::DirectorNotFound).collect();
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
    all.extend(disagreements(&pairs, routers));
    all.into_iter().collect()
}

/// What must be the same on every director and is not: a router that two of them understand differently has two Masters.
fn disagreements(pairs: &[(&str, &Pair)], section: Option<&Node>) -> Vec<Diagnostic> {
    let Some(((first, reference), others)) = pairs.split_first() else { return Vec::new() };
    let mut found = Vec::new();
    for (name, router) in &reference.routers {
        for (other, pair) in others {
            let what = match pair.routers.get(name) {
                None => Some("whether it is there"),
                Some(same) => differs(router, same),
            };
            let Some(what) = what else { continue };
            let message = format!(
                "the directors {first} and {other} would not agree on the router {}: {what} differs",
                quoted(name)
            );
            found.push(
                Diagnostic::new(Code::DirectorsDisagree, place_of(name, section), message)
                    .help("say it in the common section, so that it is the same on both"),
            );
        }
    }
    found
}

fn differs(one: &VirtualRouter, other: &VirtualRouter) -> Option<&'static str> {
    let same = [
        (one.vrid == other.vrid, "`vrid`"),
        (one.addresses == other.addresses, "`virtual_addresses`"),
        (one.local_addresses == other.local_addresses, "the local addresses that float with it"),
        (one.priorities == other.priorities, "the priorities"),
        (other.accept_versions.contains(&one.version), "`version`"),
        (one.accept_versions.contains(&other.version), "`version`"),
        (one.transport == other.transport, "`transport`"),
    ];
    same.into_iter().find(|(same, _)| !same).map(|(_, what)| what)
}

fn place_of(name: &str, section: Option<&Node>) -> Span {
    let entries = section.and_then(Node::entries).unwrap_or_default();
    let key = entries.iter().find(|(key, _)| key.name == *name).map(|(key, _)| key.span);
    key.or(section.map(|section| section.span)).unwrap_or(Span::file_start(0))
}
