//! `vrrp_sync_group`: routers that move together, and what all of them track.

use super::context::Context;
use super::keywords::Place;
use super::track;
use super::tree::Statement;
use crate::import::site::{Group, Tracker};
use crate::import::verdict::same;

/// What a group adds to its routers, which may stand below it in the file.
#[derive(Default)]
pub(super) struct GroupRules {
    /// Number of the group in the site.
    group: usize,
    trackers: Vec<Tracker>,
    /// Trackers of its routers may have weights.
    weights: bool,
}

pub(super) fn block(statement: &Statement, context: &mut Context<'_>) {
    let name = statement.word(1).unwrap_or("group").to_owned();
    let mut group = Group { name, at: statement.at, routers: Vec::new() };
    let mut rules = GroupRules { group: context.site.groups.len(), ..GroupRules::default() };
    context.block(Place::SyncGroup, statement.inside(), |context, inner| {
        match inner.name() {
            "group" => {
                for line in inner.inside() {
                    group.routers.extend(line.words.iter().map(|name| (name.clone(), line.at)));
                    context.note(line, same());
                }
            }
            "track_interface" | "track_script" | "track_file" | "track_process" => {
                rules.trackers.extend(track::list(inner, context));
            }
            "global_tracking" | "sync_group_tracking_weight" => rules.weights = true,
            _ => {
                // The first of its routers tells what happens to all of them.
                let first = statement.inside().iter().find(|inner| inner.name() == "group");
                let first = first.and_then(|group| group.inside().first()?.words.first().cloned());
                return match first {
                    Some(first) => context.notice_of_router(inner, &first, Some(&group.name)),
                    None => None,
                };
            }
        }
        None
    });
    context.site.groups.push(group);
    context.group_rules.push(rules);
}

impl Context<'_> {
    /// Gives the routers of each group what the group tracks.
    pub(super) fn apply_groups(&mut self) {
        for rules in std::mem::take(&mut self.group_rules) {
            let Some(group) = self.site.groups.get(rules.group) else { continue };
            let members: Vec<String> = group.routers.iter().map(|(name, _)| name.clone()).collect();
            for router in self.site.routers.iter_mut().filter(|router| members.contains(&router.name)) {
                if !rules.weights {
                    without_weights(&mut router.trackers, self.ledger);
                }
                for tracker in &rules.trackers {
                    if router.trackers.iter().all(|other| other.what != tracker.what) {
                        router.trackers.push(tracker.clone());
                    }
                }
            }
        }
    }
}

/// keepalived does not heed trackers with a weight of routers that are in a group.
fn without_weights(trackers: &mut Vec<Tracker>, ledger: &mut crate::import::verdict::Ledger) {
    trackers.retain(|tracker| {
        if tracker.change.is_some() {
            let mut judged = same();
            judged.how = "left out, as keepalived does: a weight of one router in a group".to_owned();
            ledger.note(tracker.at, judged);
        }
        tracker.change.is_none()
    });
}
