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
