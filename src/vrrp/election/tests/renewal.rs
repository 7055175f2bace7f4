//! An election goes on under another policy.

use super::*;
use crate::model::Tracker;

/// Goes on at once under the usual policy but for this change of its router.
fn renewed(story: &mut Story, millis: u64, change: impl FnOnce(&mut VirtualRouter)) {
    let mut other = policy();
    change(other.pair.routers.get_mut("outside").expect("outside"));
    story.election.renew(at(millis), Election::new(&other, 8, at(millis)));
    story.give(Input::Timeout { at: at(millis) });
}

#[test]
fn the_priority_of_another_policy_is_in_force_at_once_and_the_master_stays_master() {
    let mut story = Story::master();
    renewed(&mut story, 410, |outside| {
        outside.priorities.insert("a".into(), 80);
    });
    assert_eq!((story.role(), story.election.priority(RouterId(0))), (Role::Master, 80));
}

#[test]
fn what_another_policy_tracks_counts_from_then_on() {
    let upstream = Tracked::Check("upstream".into());
    let tracker =
        Tracker { name: "check upstream".into(), what: upstream.clone(), priority_change: Some(-20) };
    let mut story = Story::master();
    renewed(&mut story, 410, |outside| outside.track.push(tracker));
    story.give(Input::Tracked { at: at(420), what: upstream, good: false });
    assert_eq!(story.election.priority(RouterId(0)), 130);
}

#[test]
fn a_release_stays_in_force_under_another_policy() {
    let mut story = Story::master();
    story.give(Input::Release { at: at(410), router: None, until: Some(at(2_000)) });
    renewed(&mut story, 420, |outside| {
        outside.priorities.insert("a".into(), 80);
    });
    assert!(story.election.is_released(RouterId(0)));
    assert_eq!(story.election.released_until(RouterId(0)), Some(at(2_000)));
}
