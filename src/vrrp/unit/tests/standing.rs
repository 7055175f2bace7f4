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
    story.give(Input::MayPreempt { at: at(0), ready: true, has_state: false });
    assert!(!story.unit.would_preempt(at(0)), "nobody was heard");
    story.hear(100, OUTSIDE, 12, 200);
    assert!(!story.unit.would_preempt(at(100)), "the Master is better");
    story.hear(200, OUTSIDE, 12, 100);
    assert!(story.unit.would_preempt(at(200)));
    story.give(Input::MayPreempt { at: at(200), ready: false, has_state: false });
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
