//! Sessions that move together.

use super::*;

#[test]
fn a_group_becomes_master_only_when_every_session_wants_to() {
    let mut story = Story::new(settings(), 90, &[OUTSIDE, INSIDE]);
    (1..=20).for_each(|step| story.hear(step * 100, INSIDE, 12, 100));
    story.until(2_300);
    assert_eq!(story.unit.role(), Role::Backup, "outside is silent, inside was heard");
    story.until(2_400);
    let expected = ["hold 0", "hold 1", "master silence", "advertise 0 90", "advertise 1 90"];
    assert_eq!(story.says(), expected);
}

#[test]
fn a_session_that_is_beaten_takes_all_along() {
    let mut story = Story::master(&[OUTSIDE, INSIDE]);
    story.hear(410, INSIDE, 12, 200);
    let expected = ["advertise 1 0", "release 0", "release 1", "backup higher_priority", "advertise 0 0"];
    assert_eq!(story.says(), expected);
}

#[test]
fn a_lost_link_makes_it_unfit_and_drops_what_cannot_be_answered_for() {
    let mut story = Story::master(&[OUTSIDE, INSIDE]);
    story.link(410, INSIDE, false);
    let said = story.says();
    assert!(said.contains(&"drop 1".to_owned()) && said.contains(&"advertise 0 9".to_owned()), "{said:?}");
    assert!(!said.contains(&"drop 0".to_owned()));
    story.link(420, OUTSIDE, false);
    let said = story.says();
    assert!(said.contains(&"fault link_down".to_owned()) && said.contains(&"drop 0".to_owned()), "{said:?}");
}

#[test]
fn a_router_keeps_its_addresses_while_one_of_its_families_has_a_link() {
    let mut story = Story::master(&[OUTSIDE, OUTSIDE6]);
    story.link(410, OUTSIDE6, false);
    assert!(!story.says().contains(&"drop 0".to_owned()));
}

/// Seeds 16937 and 28210: without preemption the session followed the other Master for ever, and both stayed.
#[test]
fn a_session_whose_link_returns_to_a_master_settles_at_once_with_the_master_that_it_hears() {
    for preempt in [Preempt::Never, Preempt::After(Duration::ZERO)] {
        let mut story = Story::new(Settings { preempt, ..settings() }, 150, &[OUTSIDE, INSIDE]);
        story.until(400);
        story.link(410, INSIDE, false);
        story.link(430, INSIDE, true);
        story.says();
        story.hear(440, INSIDE, 12, 100);
        assert_eq!(story.says(), ["hold 0", "hold 1", "advertise 1 150"]);
    }
}

/// The sessions of four, when two Masters meet: one advertisement each is no queue.
#[test]
fn advertisements_of_many_sessions_together_are_no_sign_of_a_standstill() {
    let sessions = [OUTSIDE, OUTSIDE6, INSIDE];
    let mut story = Story::master(&sessions);
    let lower: Vec<_> = sessions.iter().map(|session| (*session, heard(12, 100))).collect();
    story.hear_together(410, &lower);
    assert_eq!(story.unit.role(), Role::Master);
}

/// Sessions whose addresses are ordered differently made each director step down for the other, again and again.
#[test]
fn between_equal_priorities_the_first_session_decides_for_all() {
    let mut story = Story::master(&[OUTSIDE, OUTSIDE6]);
    for step in 0..9 {
        story.hear(410 + step, OUTSIDE6, 12, 150);
        story.hear(410 + step, OUTSIDE, 10, 150);
    }
    assert_eq!(story.unit.role(), Role::Master, "on the first session it has the higher address");
    story.hear(420, OUTSIDE, 12, 150);
    assert_eq!(story.unit.role(), Role::Backup);
}

#[test]
fn another_session_decides_after_three_advertisements_without_one_on_the_first() {
    let mut story = Story::master(&[OUTSIDE, OUTSIDE6]);
    story.hear(410, OUTSIDE6, 12, 150);
    story.hear(420, OUTSIDE6, 12, 150);
    assert_eq!(story.unit.role(), Role::Master);
    story.hear(430, OUTSIDE6, 12, 150);
    assert_eq!(story.unit.role(), Role::Backup);
}

#[test]
fn a_session_whose_link_returns_to_a_better_master_takes_its_unit_along() {
    for (priority, role) in [(149, Role::Master), (150, Role::Backup), (200, Role::Backup)] {
        let mut story = Story::master(&[OUTSIDE, INSIDE]);
        story.link(410, INSIDE, false);
        story.link(430, INSIDE, true);
        story.hear(440, INSIDE, 12, priority);
        assert_eq!(story.unit.role(), role, "{priority}");
    }
}
