//! `vrrp_sync_group`: routers that move together, and what all of them track.

use super::context::Context;
use super::instance::hook;
use super::keywords::Place;
use super::track;
use super::tree::Statement;
use crate::import::site::{Group, Tracker};
use crate::import::verdict::same;

pub(super) fn block(statement: &Statement, context: &mut Context<'_>) {
    let name = statement.word(1).unwrap_or("group").to_owned();
    let mut group = Group { name, at: statement.at, routers: Vec::new() };
    let mut trackers: Vec<Tracker> = Vec::new();
    let mut program = None;
    context.block(Place::SyncGroup, statement.inside(), |context, inner| {
        match inner.name() {
            "group" => {
                for line in inner.inside() {
                    group.routers.extend(line.words.iter().map(|name| (name.clone(), line.at)));
                    context.note(line, same());
                }
            }
            "track_interface" | "track_script" | "track_file" | "track_process" => {
                trackers.extend(track::list(inner, context));
            }
            "notify_master" => program = hook(inner)?,
            _ => {}
        }
        None
    });
    context.site.groups.push(group);
    context.group_rules.push((context.site.groups.len() - 1, trackers, program));
}

impl Context<'_> {
    /// Gives the routers of each group what the group tracks, wherever in the file it stands; the hook to its first one.
    pub(super) fn apply_groups(&mut self) {
        for (index, trackers, program) in std::mem::take(&mut self.group_rules) {
            let Some(group) = self.site.groups.get(index) else { continue };
            let members: Vec<String> = group.routers.iter().map(|(name, _)| name.clone()).collect();
            for router in self.site.routers.iter_mut().filter(|router| members.contains(&router.name)) {
                for tracker in &trackers {
                    if router.trackers.iter().all(|other| other.what != tracker.what) {
                        router.trackers.push(tracker.clone());
                    }
                }
                if Some(&router.name) == members.first() && router.before_master.is_none() {
                    router.before_master = program.clone();
                }
            }
        }
    }
}
