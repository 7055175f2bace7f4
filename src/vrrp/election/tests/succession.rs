//! An election that another process is to go on with.

use super::*;

#[test]
fn while_the_connections_are_passed_that_another_director_asked_for_nothing_is_handed_on() {
    let mut story = Story::master();
    assert_eq!(story.election.under_way(), None);
    story.beat(450, Said { wants: 9, passed: 0 });
    assert_eq!(story.passes_state(), 1);
    let under_way = "connections are being passed to or from the other director";
    assert_eq!(story.election.under_way(), Some(under_way));
}

#[test]
fn where_no_connections_are_synchronised_a_release_hands_over_addresses_and_passes_nothing() {
    let mut story = site::story(&site::two_routers());
    story.until(100, 500, |_, _| {});
    story.give(Input::Release { at: at(510), router: None, until: None });
    assert_eq!(story.passes_state(), 0);
    assert_eq!(story.election.under_way(), Some("addresses are being handed over"));
}

/// It is Master since before this process: what begins here until the addresses are gone is its own to pass.
#[test]
fn a_master_that_goes_on_in_another_process_passes_what_began_until_its_addresses_were_gone() {
    let before = Story::master();
    let mut election = Election::new(&policy(), 8, at(405));
    election.go_on(at(405), &before.election.hand_on());
    let mut story = Story { election, said: Vec::new(), sequence: before.sequence };
    let passes = hand_over(&mut story, Input::Release { at: at(420), router: None, until: None }, 520);
    assert_eq!(passes, [true, false, false]);
}
