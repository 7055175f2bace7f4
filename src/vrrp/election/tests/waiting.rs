//! What an election waits for: state that is asked for or passed, and whatever is due first.

use super::site::{INSIDE, OUTSIDE, heard, story, two_routers, without_links};
use super::*;

#[test]
fn state_is_asked_for_only_where_a_lower_master_is_to_be_preempted() {
    let wants = |story: &Story| {
        let last = story.said.iter().rev().find_map(|output| match output {
            Output::Beat(beat) => Some(beat.said.wants != 0),
            _ => None,
        });
        last.expect("a beat")
    };
    for (priority, asks) in [(100, true), (200, false)] {
        let mut story = Story::new();
        assert!(!wants(&story), "nobody was heard");
        story.until(100, 500, |story, millis| {
            story.beat(millis, Said::default());
            story.hear(millis, priority);
        });
        assert_eq!(wants(&story), asks, "{priority}");
    }
}

#[test]
fn state_is_passed_before_a_release_only_where_it_is_synchronised_and_somebody_is_there() {
    for (synchronised, heard, passes) in
        [(true, true, 1), (true, false, 0), (false, true, 0), (false, false, 0)]
    {
        let mut policy = policy();
        policy.pair.connection_sync = policy.pair.connection_sync.filter(|_| synchronised);
        let mut story = story(&policy);
        story.until(100, 400, |_, _| {});
        if heard {
            story.beat(410, Said::default());
        }
        story.give(Input::Release { at: at(420), router: None, until: None });
        let role = if passes == 1 { Role::Master } else { Role::Backup };
        assert_eq!((story.passes_state(), story.role()), (passes, role), "{synchronised} {heard}");
    }
}

#[test]
fn a_backup_is_released_at_once_whatever_else_this_director_is_master_of() {
    let mut policy = two_routers();
    policy.pair.connection_sync = super::policy().pair.connection_sync;
    let mut story = story(&policy);
    story.until(100, 500, |story, millis| {
        let session = SessionId { router: INSIDE, ..SESSION };
        story.give(Input::Advertisement { at: at(millis), session, heard: heard(200) });
    });
    story.beat(510, Said::default());
    story.give(Input::Release { at: at(520), router: Some("inside".into()), until: None });
    assert_eq!((story.passes_state(), story.election.is_released(INSIDE)), (0, true));
    assert_eq!(story.election.role(OUTSIDE), Role::Master);
}

#[test]
fn a_stop_waits_for_the_state_to_be_passed_for_three_seconds_at_most() {
    let mut story = Story::master();
    story.beat(410, Said::default());
    story.give(Input::Stop { at: at(420) });
    story.until(500, 3_400, |_, _| {});
    assert_eq!(story.role(), Role::Master);
    story.until(3_500, 3_500, |_, _| {});
    assert_eq!(story.role(), Role::Backup);
}

#[test]
fn state_is_passed_by_a_master_to_who_asks_for_it_and_was_not_served() {
    let asked = |transfer: &mut Transfer, is_master, wants, millis| {
        transfer.heard(Said { wants, passed: 0 }, is_master, at(millis));
        transfer.start(at(millis)).is_some_and(|pass| pass.is_whole())
    };
    let passes = |enabled, is_master, wants| asked(&mut Transfer::new(enabled, 1), is_master, wants, 0);
    assert!(passes(true, true, 7));
    assert!(!passes(false, true, 7) && !passes(true, false, 7) && !passes(true, true, 0));
    let mut transfer = Transfer::new(true, 1);
    assert!(asked(&mut transfer, true, 7, 0));
    transfer.passed(at(10));
    assert!(!asked(&mut transfer, true, 7, 60_000), "its request was served");
}

#[test]
fn a_director_that_has_stopped_waits_for_nothing() {
    let mut policy = policy();
    policy.pair.directors.retain(|name, _| **name == *"a");
    let mut story = story(&policy);
    story.until(100, 400, |_, _| {});
    story.give(Input::Stop { at: at(410) });
    story.until(500, 900, |_, _| {});
    assert_eq!(story.said.last(), Some(&Output::Stopped { lengthen: true }));
    assert_eq!(story.election.poll(), Output::Wait { deadline: None });
}

#[test]
fn it_wants_to_be_called_for_whatever_is_due_first() {
    let deadline = |story: &mut Story| match story.election.poll() {
        Output::Wait { deadline } => deadline,
        other => panic!("{other:?}"),
    };
    let mut beats = without_links(&policy());
    assert_eq!(deadline(&mut beats), Some(at(100)), "the next beat");
    let mut policy = policy();
    policy.pair.directors.retain(|name, _| **name == *"a");
    let mut alone = without_links(&policy);
    assert_eq!(deadline(&mut alone), Some(at(3_000)), "its start without links");
    alone.give(Input::Release { at: at(0), router: None, until: Some(at(2_000)) });
    assert_eq!(deadline(&mut alone), Some(at(2_000)), "the end of the release");
    let mut passing = Story::master();
    passing.beat(410, Said::default());
    passing.give(Input::Release { at: at(410), router: None, until: None });
    passing.until(500, 3_400, |_, _| {});
    assert_eq!(deadline(&mut passing), Some(at(3_410)), "state that is not passed in time");
    let router = policy.pair.routers.get_mut("outside").expect("outside");
    (router.interval, router.priorities) = (Duration::from_secs(20), [("a".into(), 255)].into());
    let mut slow = story(&policy);
    assert_eq!(deadline(&mut slow), Some(at(20_000)), "the next advertisement");
    let short = Report::Held { router: RouterId(0), held: 1, wanted: 2 };
    slow.give(Input::Keeper { at: at(100), report: short });
    assert_eq!(deadline(&mut slow), Some(at(1_100)), "a Master that holds too little");
}
