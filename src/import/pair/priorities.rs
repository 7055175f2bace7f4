//! Priorities: this machine's as its file says, the others' as theirs do, or a guess.

use super::{Pair, Part};
use crate::import::site::{Router, Site};
use crate::import::verdict::{Ledger, near};
use std::cmp::Reverse;

/// From one director to the next, where it is a guess.
const STEP: u8 = 50;
const LEAST: u8 = 10;
const MOST: u8 = 254;
const OWNER: u8 = 255;
const DEFAULT: u8 = 100;

pub(super) fn priorities(site: &Site, other: Option<&Site>, pair: &mut Pair, ledger: &mut Ledger) {
    let count = pair.directors.len();
    for part in &mut pair.parts {
        let Some(router) = site.routers.get(part.router) else { continue };
        let leads = leads(site, router, &pair.groups, &part.name);
        part.priorities = of_part(router, other, leads, count);
        if part.priorities.first().is_some_and(|(priority, _)| *priority != router.priority)
            && let Some(at) = router.priority_at
        {
            ledger
                .note(at, near("priorities are 10 to 254 here: those below are kept for directors in Fault"));
        }
    }
    one_ranking_a_group(site, pair, ledger);
}

/// Whether this machine is the preferred one, as far as its file tells: that of the group's first router.
fn leads(site: &Site, router: &Router, groups: &[super::Group], part: &str) -> bool {
    let first = groups.iter().find(|group| group.routers.iter().any(|name| name == part));
    let teller =
        first.and_then(|group| site.routers.iter().find(|other| group.routers.contains(&other.name)));
    let teller = teller.unwrap_or(router);
    teller.starts_as_master || teller.priority > DEFAULT
}

fn of_part(router: &Router, other: Option<&Site>, leads: bool, count: usize) -> Vec<(u8, bool)> {
    let own = if router.priority == OWNER { OWNER } else { router.priority.clamp(LEAST, MOST) };
    let twin = other.and_then(|other| twin(router, other));
    let mut all = vec![(own, false)];
    for index in 1..count {
        let distance = STEP.saturating_mul(u8::try_from(index).unwrap_or(u8::MAX));
        let theirs = match twin {
            // Two owners cannot be.
            Some(twin) => (twin.priority.clamp(LEAST, MOST), false),
            None if own == OWNER => (DEFAULT, true),
            None if leads => (own.saturating_sub(distance).max(LEAST), true),
            None => (own.saturating_add(distance).min(MOST), true),
        };
        all.push(theirs);
    }
    all
}

/// The same router in the other file: by its name, else by its number.
pub(in crate::import) fn twin<'a>(router: &Router, other: &'a Site) -> Option<&'a Router> {
    let by_name = other.routers.iter().find(|theirs| theirs.name == router.name);
    by_name.or_else(|| other.routers.iter().find(|theirs| theirs.vrid == router.vrid))
}

/// Routers of one group must rank the directors alike: those that do not are ranked as the first.
fn one_ranking_a_group(site: &Site, pair: &mut Pair, ledger: &mut Ledger) {
    for group in &pair.groups {
        let mut first: Option<Vec<(u8, bool)>> = None;
        let members = pair.parts.iter_mut().filter(|part| group.routers.contains(&part.name));
        for part in members {
            match &first {
                None => first = Some(part.priorities.clone()),
                Some(first) if ranking(first) != ranking(&part.priorities) => {
                    rank_as(first, part, site, ledger);
                }
                Some(_) => {}
            }
        }
    }
}

fn rank_as(first: &[(u8, bool)], part: &mut Part, site: &Site, ledger: &mut Ledger) {
    part.priorities = first.to_vec();
    if let Some(at) = site.routers.get(part.router).and_then(|router| router.priority_at) {
        ledger.note(
            at,
            near("as in the group's first router: routers that move together rank the directors alike"),
        );
    }
}

/// The directors by priority; equal ones are equal.
fn ranking(priorities: &[(u8, bool)]) -> Vec<Vec<usize>> {
    let mut sorted: Vec<u8> = priorities.iter().map(|(priority, _)| *priority).collect();
    sorted.sort_by_key(|priority| Reverse(*priority));
    sorted.dedup();
    let of = |wanted: u8| {
        priorities
            .iter()
            .enumerate()
            .filter(|(_, (priority, _))| *priority == wanted)
            .map(|(index, _)| index)
            .collect()
    };
    sorted.into_iter().map(of).collect()
}
