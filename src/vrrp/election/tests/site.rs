//! Two routers, groups, beats, and what an election says of itself.

use super::*;
use crate::hash::fnv1a;
use crate::model::{Hook, SyncGroup, Tracker};
use crate::vrrp::fitness::Reach;
use std::collections::BTreeSet;

pub(super) const INSIDE: RouterId = RouterId(0);
pub(super) const OUTSIDE: RouterId = RouterId(1);

/// `inside` (own priority 120) beside `outside` (150), without synchronisation of connections.
pub(super) fn two_routers() -> Policy {
    let mut policy = policy();
    policy.pair.connection_sync = None;
    let mut inside = policy.pair.routers["outside"].clone();
    (inside.name, inside.priorities) = ("inside".into(), [("a".into(), 120), ("b".into(), 100)].into());
    policy.pair.routers.insert("inside".into(), inside);
    policy
}

fn grouped(mut policy: Policy) -> Policy {
    let routers = vec!["inside".into(), "outside".into()];
    let group = SyncGroup { name: "site".into(), routers, both_unfit: Default::default() };
    policy.pair.groups = [("site".into(), group)].into();
    policy
}

/// Takes part in nothing: only its beats are heard.
pub(super) fn without_links(policy: &Policy) -> Story {
    let mut story = Story { election: Election::new(policy, 7, at(0)), said: Vec::new(), sequence: 0 };
    story.give(Input::Timeout { at: at(0) });
    story
}

/// Links up at 0.
pub(super) fn story(policy: &Policy) -> Story {
    let mut story = Story { election: Election::new(policy, 7, at(0)), said: Vec::new(), sequence: 0 };
    let sessions: Vec<SessionId> = story.election.by_session.keys().copied().collect();
    for session in sessions {
        story.give(Input::Link { at: at(0), session, source: Some([192, 0, 2, 11].into()) });
    }
    story.give(Input::Warm { at: at(0), since: at(0) });
    story.give(Input::Timeout { at: at(0) });
    story
}

pub(super) fn heard(priority: u8) -> Heard {
    Heard { source: [192, 0, 2, 12].into(), priority, pace: PACE }
}

impl Story {
    fn says_of_units(&mut self, millis: u64, units: Vec<UnitBeat>, apart: bool) {
        self.sequence += 1;
        let (sequence, interval) = (self.sequence, PACE.interval);
        let said = Said::default();
        let beat = Beat { director: "b".into(), epoch: 1, sequence, interval, said, stale: None, units };
        self.give(Input::Beat { at: at(millis), beat, sealed: true, apart });
    }

    fn beats(&self) -> usize {
        self.said.iter().filter(|output| matches!(output, Output::Beat(_))).count()
    }
}

fn unit(name: &str, role: Role) -> UnitBeat {
    UnitBeat { name: fnv1a(name.bytes()), role, is_fit: true, reach: Reach::Untracked, priority: 100 }
}

#[test]
fn routers_move_alone_or_with_their_group() {
    let alone = story(&two_routers()).election;
    assert_eq!((alone.together(INSIDE), alone.together(OUTSIDE)), ([INSIDE].into(), [OUTSIDE].into()));
    assert_eq!(alone.routers(), [INSIDE, OUTSIDE].into());
    assert_eq!((alone.routers_of_unit(0), alone.routers_of_unit(2)), ([INSIDE].into(), BTreeSet::new()));
    let together = story(&grouped(two_routers())).election;
    assert_eq!(together.together(OUTSIDE), [INSIDE, OUTSIDE].into());
    assert_eq!(together.routers_of_unit(0), [INSIDE, OUTSIDE].into());
    assert_eq!(together.together(RouterId(9)), BTreeSet::new());
}

#[test]
fn each_router_has_its_own_priority_trackers_and_release() {
    let upstream = Tracked::Check("upstream".into());
    let mut policy = two_routers();
    let track =
        vec![Tracker { name: "check upstream".into(), what: upstream.clone(), priority_change: Some(-20) }];
    policy.pair.routers.get_mut("inside").expect("inside").track = track;
    for grouped_or_not in [policy.clone(), grouped(policy.clone())] {
        let election = story(&grouped_or_not).election;
        assert_eq!((election.priority(INSIDE), election.priority(OUTSIDE)), (120, 150));
        let session = |router| SessionId { router, ..SESSION };
        assert_eq!(
            (election.priority_of(session(INSIDE)), election.priority_of(session(OUTSIDE))),
            (120, 150)
        );
        assert_eq!((election.priority(RouterId(9)), election.priority_of(session(RouterId(9)))), (0, 0));
    }
    let mut story = story(&policy);
    let trackers = |story: &Story, router| {
        story.election.trackers(router).map(|(name, good)| (name.to_string(), good)).collect::<Vec<_>>()
    };
    assert_eq!(trackers(&story, INSIDE), [("check upstream".to_owned(), true)]);
    assert_eq!(trackers(&story, OUTSIDE), []);
    assert_eq!(
        (story.election.reach(INSIDE), story.election.reach(OUTSIDE)),
        (Reach::Untracked, Reach::Untracked),
        "nobody has asked yet"
    );
    story.give(Input::Tracked { at: at(5), what: upstream.clone(), good: true });
    assert_eq!(story.election.reach(INSIDE), Reach::Reached);
    story.give(Input::Tracked { at: at(10), what: upstream, good: false });
    assert_eq!(trackers(&story, INSIDE), [("check upstream".to_owned(), false)]);
    assert_eq!((story.election.priority(INSIDE), story.election.reach(INSIDE)), (100, Reach::Lost));
    story.give(Input::Release { at: at(20), router: Some("inside".into()), until: None });
    assert!(story.election.is_released(INSIDE) && !story.election.is_released(OUTSIDE));
    story.give(Input::Clear { at: at(30), router: Some("outside".into()) });
    assert!(story.election.is_released(INSIDE), "the other router was meant");
    story.give(Input::Clear { at: at(40), router: Some("inside".into()) });
    assert!(!story.election.is_released(INSIDE));
}

#[test]
fn of_another_director_it_is_known_whether_it_could_be_master_of_what_this_one_holds() {
    let mut story = story(&two_routers());
    story.until(100, 500, |story, millis| {
        let session = SessionId { router: INSIDE, ..SESSION };
        story.give(Input::Advertisement { at: at(millis), session, heard: heard(200) });
    });
    assert_eq!((story.election.role(INSIDE), story.election.role(OUTSIDE)), (Role::Backup, Role::Master));
    story.says_of_units(510, vec![unit("inside", Role::Master)], false);
    assert_eq!(story.election.peers_fit(), [false], "it says nothing of what is held here");
    story.says_of_units(520, vec![unit("outside", Role::Backup)], false);
    assert_eq!(story.election.peers_fit(), [true]);
    let up: Vec<_> = story.election.peers_up(at(520)).map(|(name, up)| (name.to_string(), up)).collect();
    assert_eq!(up, [("b".to_owned(), true)]);
    let heard: Vec<_> = story.election.peers_heard().map(|(_, heard)| heard).collect();
    assert_eq!(heard, [Some(at(520))]);
}

#[test]
fn a_master_on_a_path_apart_postpones_a_takeover_and_one_on_the_routers_own_link_does_not() {
    for (apart, role) in [(true, Role::Backup), (false, Role::Master)] {
        let mut story = Story::new();
        story.until(100, 600, |story, millis| {
            story.says_of_units(millis, vec![unit("outside", Role::Master)], apart);
        });
        assert_eq!(story.role(), role, "apart: {apart}");
        // A word is believed for four intervals of its beats.
        story.until(700, 900, |_, _| {});
        assert_eq!(story.role(), role, "apart: {apart}");
        story.until(1_000, 1_000, |_, _| {});
        assert_eq!(story.role(), Role::Master, "apart: {apart}");
    }
    let mut story = Story::new();
    story.until(100, 600, |story, millis| {
        story.says_of_units(millis, vec![unit("inside", Role::Master)], true);
    });
    assert_eq!(story.role(), Role::Master, "another unit is meant");
}

#[test]
fn beats_go_at_the_pace_of_the_fastest_router_within_bounds() {
    for (interval, every) in [(10, 50), (300, 300), (5_000, 1_000)] {
        let mut policy = two_routers();
        for router in policy.pair.routers.values_mut() {
            router.interval = Duration::from_millis(20_000);
        }
        policy.pair.routers.get_mut("inside").expect("inside").interval = Duration::from_millis(interval);
        let mut story = without_links(&policy);
        assert_eq!(story.beats(), 1, "at once");
        story.said.clear();
        story.give(Input::Timeout { at: at(every - 1) });
        let before = story.beats();
        story.give(Input::Timeout { at: at(every) });
        assert_eq!((before, story.beats()), (0, 1), "{interval} ms");
    }
}

#[test]
fn a_beat_that_is_late_does_not_shift_those_after_it_unless_it_is_late_by_a_whole_interval() {
    for (late, next) in [(130, 200), (199, 200), (200, 300), (250, 350)] {
        let mut story = without_links(&policy());
        story.said.clear();
        story.give(Input::Timeout { at: at(late) });
        assert_eq!(story.beats(), 1, "{late}");
        story.give(Input::Timeout { at: at(next) - Duration::from_micros(1) });
        assert_eq!(story.beats(), 1, "{late}");
        story.give(Input::Timeout { at: at(next) });
        assert_eq!(story.beats(), 2, "{late}");
    }
}

#[test]
fn a_change_of_role_is_told_with_a_beat_at_once() {
    let mut story = Story::new();
    story.give(Input::Timeout { at: at(300) });
    story.said.clear();
    story.give(Input::Timeout { at: at(342) });
    assert_eq!((story.role(), story.beats()), (Role::Master, 1));
}

#[test]
fn a_master_that_holds_less_than_it_should_for_a_second_says_that_it_is_unfit() {
    for (held, wanted, priority) in [(1, 2, 9), (2, 2, 150), (0, 0, 150)] {
        let mut story = Story::master();
        story.give(Input::Keeper { at: at(410), report: Report::Held { router: RouterId(0), held, wanted } });
        story.until(500, 1_400, |_, _| {});
        assert_eq!(story.election.priority(RouterId(0)), 150, "{held} of {wanted}");
        story.until(1_500, 1_500, |_, _| {});
        assert_eq!(story.election.priority(RouterId(0)), priority, "{held} of {wanted}");
    }
}

#[test]
fn a_low_priority_says_unfit_beside_directors_of_ours_only() {
    for (directors, role) in [(2, Role::Master), (1, Role::Backup)] {
        let mut policy = two_routers();
        if directors == 1 {
            policy.pair.directors.retain(|name, _| **name == *"a");
        }
        for router in policy.pair.routers.values_mut() {
            router.preempt = Preempt::Never;
        }
        let mut story = story(&policy);
        story.until(100, 1_000, |story, millis| {
            let session = SessionId { router: OUTSIDE, ..SESSION };
            story.give(Input::Advertisement { at: at(millis), session, heard: heard(5) });
        });
        assert_eq!(story.election.role(OUTSIDE), role, "{directors}");
    }
}

#[test]
fn the_hooks_of_a_group_run_one_after_the_other() {
    let hook = |seconds| Hook { argv: vec!["/bin/true".to_owned()], timeout: Duration::from_secs(seconds) };
    let mut policy = two_routers();
    policy.pair.routers.get_mut("inside").expect("inside").before_master = Some(hook(1));
    policy.pair.routers.get_mut("outside").expect("outside").before_master = Some(hook(2));
    let mut story = story(&grouped(policy));
    story.until(100, 3_300, |_, _| {});
    assert!(story.said.contains(&Output::RunHook { unit: 0 }));
    assert_eq!(story.election.role(OUTSIDE), Role::Backup);
    story.until(3_400, 3_500, |_, _| {});
    assert_eq!(story.election.role(OUTSIDE), Role::Master);
}

/// The last advertisement before the gap is of 400 ms; the others' down interval counts from there.
#[test]
fn a_standstill_is_measured_by_the_others_priority_and_by_the_highest_where_none_is_known() {
    for (known, fine, too_long) in [(true, 760_900, 761_000), (false, 700_700, 700_900)] {
        let mut policy = policy();
        if !known {
            policy.pair.routers.get_mut("outside").expect("outside").priorities = [("a".into(), 150)].into();
        }
        for (micros, role) in [(fine, Role::Master), (too_long, Role::Backup)] {
            let mut story = story(&policy);
            story.until(100, 400, |_, _| {});
            story.give(Input::Timeout { at: Instant::from_micros(micros) });
            assert_eq!(story.role(), role, "known: {known}, {micros}");
        }
    }
}

#[test]
fn the_end_of_a_release_is_known_for_the_routers_that_are_released() {
    let mut story = story(&two_routers());
    story.give(Input::Release { at: at(10), router: Some("inside".into()), until: Some(at(2_000)) });
    let until = |router| story.election.released_until(router);
    assert_eq!((until(INSIDE), until(OUTSIDE)), (Some(at(2_000)), None));
}
