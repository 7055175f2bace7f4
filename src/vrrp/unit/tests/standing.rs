//! What a unit says of itself: its fitness, an operator's release, whether only state keeps it from preempting.

use super::*;

#[test]
fn it_is_fit_unless_released_stopping_without_a_link_or_with_a_bad_tracker() {
    let mut story = Story::master(&[OUTSIDE, INSIDE]);
    assert!(story.unit.is_fit());
    story.unfit(410, Reach::Lost);
    assert!(!story.unit.is_fit());
    assert_eq!((story.unit.fitness().faults.len(), story.unit.fitness().reach), (1, Reach::Lost));
    story.give(Input::Fitness { at: at(420), fitness: Fitness::default() });
    assert!(story.unit.is_fit());
    story.link(430, INSIDE, false);
    assert!(!story.unit.is_fit(), "one of two links");
    story.link(440, INSIDE, true);
    assert!(story.unit.is_fit());
    story.give(Input::Release { at: at(450) });
    assert!(!story.unit.is_fit() && story.unit.is_released());
    story.give(Input::Clear { at: at(460) });
    assert!(story.unit.is_fit() && !story.unit.is_released());
    story.give(Input::Stop { at: at(470) });
    assert!(!story.unit.is_fit());
}

#[test]
fn only_a_ready_backup_that_hears_a_lower_master_would_preempt() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    story.give(Input::MayPreempt { at: at(0), ready: true, follows: true, has_state: false });
    assert!(!story.unit.would_preempt(at(0)), "nobody was heard");
    story.hear(100, OUTSIDE, 12, 200);
    assert!(!story.unit.would_preempt(at(100)), "the Master is better");
    story.hear(200, OUTSIDE, 12, 100);
    assert!(story.unit.would_preempt(at(200)));
    story.give(Input::MayPreempt { at: at(200), ready: false, follows: false, has_state: false });
    assert!(!story.unit.would_preempt(at(200)), "its pools have no verdicts");
    let master = Story::master(&[OUTSIDE]);
    assert!(!master.unit.would_preempt(at(400)));
}

/// It was sent while this machine stood still: the Master that resigned then is not the one of now.
#[test]
fn an_advertisement_that_shows_a_standstill_is_not_believed() {
    let mut story = Story::master(&[OUTSIDE]);
    story.hear(1_000, OUTSIDE, 12, 0);
    assert_eq!(story.says(), ["drop 0", "backup stalled"]);
    story.until(1_341);
    assert_eq!(story.says(), [""; 0], "it waits for a whole down interval");
    story.until(1_342);
    assert_eq!(story.unit.role(), Role::Master);
}

#[test]
fn a_unit_has_let_go_when_the_keeper_has_of_every_router() {
    let mut story = Story::master(&[OUTSIDE, INSIDE]);
    story.give(Input::Stop { at: at(410) });
    story.hear(450, OUTSIDE, 12, 100);
    story.unit.released_by_keeper(RouterId(1));
    assert!(!story.unit.has_stopped(at(451)), "one router's addresses are still here");
    story.unit.released_by_keeper(RouterId(0));
    assert!(story.unit.has_stopped(at(451)));
}

#[test]
fn the_source_of_a_session_is_that_of_its_link() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    assert_eq!(story.unit.members()[0].source(), Some(IpAddr::from([192, 0, 2, 11])));
    story.link(10, OUTSIDE, false);
    assert_eq!(story.unit.members()[0].source(), None);
}

#[test]
fn a_master_whose_priority_changes_and_stays_fit_says_so_with_its_next_advertisement() {
    // The lowest that weights lead to is 10, which is fit.
    for (change, priority) in [(-20, 130), (-253, 10)] {
        let mut story = Story::master(&[OUTSIDE]);
        story.give(Input::Fitness { at: at(410), fitness: Fitness { change, ..Fitness::default() } });
        assert_eq!(story.says(), [""; 0], "{change}");
        story.until(450);
        assert_eq!(story.says(), [format!("advertise 0 {priority}")]);
    }
}

#[test]
fn a_unit_that_stops_is_not_led_into_fault() {
    let mut story = Story::new(Settings { both_unfit: BothUnfit::Release, ..settings() }, 150, &[OUTSIDE]);
    story.until(400);
    story.give(Input::Stop { at: at(410) });
    story.says();
    story.unfit(420, Reach::Lost);
    assert_eq!(story.says(), [""; 0]);
    story.link(430, OUTSIDE, false);
    assert_eq!(story.says(), ["drop 0"]);
}

#[test]
fn a_unit_in_fault_returns_when_it_is_fit_again() {
    let mut story = Story::new(Settings { both_unfit: BothUnfit::Release, ..settings() }, 150, &[OUTSIDE]);
    story.unfit(10, Reach::Lost);
    assert_eq!(story.says(), ["drop 0", "fault unfit"]);
    story.until(1_000);
    assert_eq!(story.says(), [""; 0]);
    story.give(Input::Fitness { at: at(1_000), fitness: Fitness::default() });
    assert_eq!(story.says(), ["backup started"]);
    story.until(1_342);
    assert_eq!(story.says(), ["hold 0", "master silence", "advertise 0 150"]);
}

#[test]
fn a_fault_leaves_addresses_to_the_keeper_that_another_takes_and_drops_those_of_an_earlier_run() {
    let release = || Settings { both_unfit: BothUnfit::Release, ..settings() };
    let mut story = Story::new(release(), 150, &[OUTSIDE]);
    story.until(400);
    story.hear(410, OUTSIDE, 12, 200);
    story.says();
    story.unfit(420, Reach::Lost);
    assert_eq!(story.says(), ["fault unfit"], "the other was heard: it is about to announce them");
    let mut story = Story::with(release(), 150, &[OUTSIDE]);
    story.link(0, OUTSIDE, true);
    story.time(0);
    story.says();
    story.unfit(10, Reach::Lost);
    assert_eq!(story.says(), ["drop 0", "fault unfit"], "whose they are nobody knows");
}
