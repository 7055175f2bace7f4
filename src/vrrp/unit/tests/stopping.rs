//! Stopping in every position, and how long the addresses are kept for the one that takes over.

use super::*;

#[test]
fn one_that_stops_before_it_knows_whose_the_addresses_are_listens_for_a_down_interval_and_leaves_them() {
    for start_delay in [Duration::ZERO, Duration::from_secs(30)] {
        let mut story = Story::with(Settings { start_delay, ..settings() }, 150, &[OUTSIDE]);
        story.link(0, OUTSIDE, true);
        story.time(0);
        story.says();
        story.give(Input::Stop { at: at(0) });
        assert_eq!(story.says(), [""; 0], "they stay, {start_delay:?}");
        // A director that stops has priority 1.
        assert!(!story.unit.has_stopped(at(300)), "{start_delay:?}");
        story.until(400);
        assert!(story.unit.has_stopped(at(400)) && story.unit.leaves_addresses(), "{start_delay:?}");
    }
}

#[test]
fn one_that_stops_then_and_hears_a_master_gives_them_up_to_it() {
    let mut story = Story::with(settings(), 150, &[OUTSIDE]);
    story.link(0, OUTSIDE, true);
    story.time(0);
    story.give(Input::Stop { at: at(10) });
    story.says();
    story.hear(100, OUTSIDE, 12, 200);
    assert_eq!(story.says(), ["release 0"]);
    assert!(!story.unit.leaves_addresses());
}

#[test]
fn one_that_was_beaten_a_moment_ago_and_stops_leaves_the_addresses_to_the_keeper() {
    let mut story = Story::master(&[OUTSIDE]);
    story.hear(410, OUTSIDE, 12, 200);
    story.says();
    story.give(Input::Stop { at: at(420) });
    assert_eq!(
        story.says(),
        ["initialize stopped"],
        "the keeper goes on until it sees the other's announcement"
    );
}

#[test]
fn a_beaten_master_keeps_the_addresses_for_a_second_at_most() {
    let mut story = Story::master(&[OUTSIDE]);
    story.unit.handle(Input::Advertisement { at: at(410), session: OUTSIDE, heard: heard(12, 200) });
    let release = Wish::Release { by: at(410) + RELEASE_BOUND };
    assert_eq!(story.unit.poll(at(410)), Output::Advertise { session: OUTSIDE, priority: 0 });
    assert_eq!(story.unit.poll(at(410)), Output::Order(Order::Wish { router: RouterId(0), wish: release }));
}

#[test]
fn what_was_dropped_with_the_last_link_is_not_left_to_the_next_run() {
    let mut story = Story::master(&[OUTSIDE]);
    story.give(Input::Stop { at: at(410) });
    assert!(story.unit.leaves_addresses());
    story.link(420, OUTSIDE, false);
    assert!(!story.unit.leaves_addresses());
}
