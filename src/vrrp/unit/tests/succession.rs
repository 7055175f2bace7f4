//! A unit that another process is to go on with: whether it is at rest, and what it lets go of.

use super::*;
use crate::vrrp::handed::HandedUnit;
use crate::vrrp::machine::State;

#[test]
fn a_unit_is_not_at_rest_before_it_has_begun_and_knows_whose_its_addresses_are() {
    let begins = Some("the election has only just begun");
    let mut story = Story::with(settings(), 150, &[OUTSIDE]);
    story.unit.released_by_keeper(RouterId(0));
    assert_eq!(story.unit.under_way(), begins, "it waits for its link");
    let mut story = Story::with(settings(), 150, &[OUTSIDE]);
    story.link(0, OUTSIDE, true);
    story.time(0);
    assert_eq!(story.unit.role(), Role::Backup);
    assert_eq!(story.unit.under_way(), begins, "an earlier run may have left addresses");
    story.unit.released_by_keeper(RouterId(0));
    assert_eq!(story.unit.under_way(), None);
}

#[test]
fn a_unit_that_stops_is_not_at_rest() {
    let mut story = Story::master(&[OUTSIDE]);
    assert_eq!(story.unit.under_way(), None);
    story.give(Input::Stop { at: at(410) });
    assert_eq!(story.unit.under_way(), Some("the director stops"));
}

#[test]
fn a_unit_is_not_at_rest_from_the_offer_of_its_addresses_until_they_are_gone() {
    let hands_over = Some("addresses are being handed over");
    let mut story = Story::master(&[OUTSIDE]);
    story.give(Input::Release { at: at(410) });
    assert_eq!(story.unit.under_way(), hands_over);
    story.hear(450, OUTSIDE, 12, 100);
    assert_eq!(story.unit.under_way(), hands_over);
    story.unit.released_by_keeper(RouterId(0));
    assert_eq!(story.unit.under_way(), None);
}

#[test]
fn a_unit_is_not_at_rest_while_it_is_open_who_is_master() {
    let decides = Some("it is being decided who is Master");
    let mut story = Story::master(&[OUTSIDE]);
    story.hear_together(410, &[(OUTSIDE, heard(12, 100)); 3]);
    assert_eq!(story.unit.under_way(), decides, "it suspects that it stood still");
    let mut story = Story::new(settings(), 150, &[OUTSIDE]);
    story.elsewhere(300, "lb-b", true, Reach::Untracked);
    assert_eq!(story.unit.under_way(), None);
    story.until(400);
    assert_eq!(story.unit.under_way(), decides, "another path hears a Master");
}

#[test]
fn one_that_goes_on_lets_go_of_what_it_does_not_hold_and_says_nothing_else() {
    for (role, said) in [(Role::Master, vec!["drop 1"]), (Role::Backup, vec!["drop 0", "drop 1"])] {
        let mut story = Story::with(settings(), 150, &[OUTSIDE, INSIDE]);
        story.says();
        // The link of the other session is down.
        let member = story.unit.members_mut().next().expect("a session");
        member.go_on_from(Some([192, 0, 2, 11].into()));
        member.machine.go_on(match role {
            Role::Master => State::Master { advertise_at: at(100) },
            _ => State::Backup { pace: PACE, down_at: at(300) },
        });
        let handed =
            HandedUnit { role: role.name().to_owned(), holds: role == Role::Master, ..HandedUnit::default() };
        story.unit.go_on(&handed, Fitness::default());
        story.poll();
        assert_eq!(story.says(), said);
    }
}
