//! Where a timer's edge lies.

use super::*;

#[test]
fn the_lowest_fit_priority_is_not_taken_for_unfit() {
    for (priority, role) in [(9, Role::Master), (10, Role::Backup)] {
        let mut story = Story::new(settings(), 150, &[OUTSIDE]);
        story.hear(100, OUTSIDE, 12, priority);
        story.until(100 + 42);
        assert_eq!(story.unit.role(), role, "after the skew time, priority {priority}");
    }
    for (priority, cause) in [(9, "master master_unfit"), (10, "master preempts")] {
        let mut story = Story::new(settings(), 150, &[OUTSIDE]);
        (1..=4).for_each(|step| story.hear(step * 100, OUTSIDE, 12, priority));
        assert!(story.says().contains(&cause.to_owned()), "priority {priority}");
    }
}

#[test]
fn the_lowest_fit_priority_is_followed_where_the_policy_does_not_preempt() {
    for (priority, role) in [(9, Role::Master), (10, Role::Backup)] {
        let mut story = Story::new(Settings { preempt: Preempt::Never, ..settings() }, 150, &[OUTSIDE]);
        for step in 1..=10 {
            story.until(step * 100);
            story.hear(step * 100, OUTSIDE, 12, priority);
        }
        assert_eq!(story.unit.role(), role, "priority {priority}");
    }
}

#[test]
fn an_advertisement_that_is_a_whole_interval_late_is_sent_once_and_begins_a_new_beat() {
    for late in [PACE.interval, PACE.interval * 2] {
        let mut story = Story::master(&[OUTSIDE]);
        let due = story.unit.deadline(story.now).expect("a Master advertises");
        story.give(Input::Timeout { at: due + late });
        assert_eq!(story.says(), ["advertise 0 150"], "{late:?}");
        assert_eq!(story.unit.deadline(story.now), Some(due + late + PACE.interval), "{late:?}");
    }
}

#[test]
fn a_resignation_is_no_lower_master_from_which_the_preempt_delay_counts() {
    let preempt = Preempt::After(Duration::from_secs(1));
    let mut story = Story::new(Settings { preempt, ..settings() }, 150, &[OUTSIDE]);
    story.hear(200, OUTSIDE, 13, 200);
    story.hear(1_000, OUTSIDE, 13, 0);
    story.hear(1_040, OUTSIDE, 12, 100);
    assert!(!story.unit.would_preempt(at(2_039)));
    assert!(story.unit.would_preempt(at(2_040)));
}

#[test]
fn a_dead_master_of_equal_priority_was_not_preempted() {
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    story.hear(100, OUTSIDE, 12, 150);
    story.until(600);
    assert_eq!(story.says()[..2], ["hold 0", "master silence"]);
    // Nor one that was as unfit.
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    story.unfit(50, Reach::Lost);
    story.hear(100, OUTSIDE, 12, 9);
    story.until(600);
    assert_eq!(story.says()[..2], ["hold 0", "master silence"]);
}

/// One that was not heard for longer than its interval and a half has only just taken over, and has yet to announce.
#[test]
fn what_an_earlier_run_has_left_is_kept_the_longer_for_a_master_that_was_silent_before() {
    let added = TIME_TO_ADD;
    for (millis, kept) in [(100, added), (150, added), (151, RELEASE_BOUND), (300, RELEASE_BOUND)] {
        let mut story = Story::with(settings(), 90, &[OUTSIDE]);
        story.link(0, OUTSIDE, true);
        story.time(0);
        story.unit.handle(Input::Advertisement { at: at(millis), session: OUTSIDE, heard: heard(12, 200) });
        let release = Order::Wish { router: RouterId(0), wish: Wish::Release { by: at(millis) + kept } };
        assert_eq!(story.unit.poll(at(millis)), Output::Order(release), "{millis}");
    }
}

#[test]
fn what_an_earlier_run_has_left_is_kept_until_an_election_has_surely_found_a_master() {
    let start_delay = Duration::from_secs(7);
    let members = vec![Member::new(OUTSIDE, 150, 100, PACE)];
    let mut unit = Unit::new(Settings { start_delay, ..settings() }, members, at(0));
    let by = at(0) + start_delay + START_GRACE + PACE.down_interval(150) + RELEASE_BOUND;
    let release = Order::Wish { router: RouterId(0), wish: Wish::Release { by } };
    assert_eq!(unit.poll(at(0)), Output::Order(release));
}
