//! What the keeper of the addresses reports: how long a takeover took, and who else claims an address.

use super::*;
use crate::model::SyncGroup;

fn held(router: usize, held: usize, wanted: usize) -> Report {
    Report::Held { router: RouterId(router), held, wanted }
}

#[test]
fn a_takeover_lasts_until_every_address_is_held() {
    let mut story = Story::new(router("outside", 51));
    story.until(350);
    assert_eq!(story.role(), Role::Master);
    story.keeper(360, held(0, 0, 0));
    assert_eq!(story.picture().counts.last_takeover, None, "nothing was asked for yet");
    story.keeper(370, held(0, 1, 2));
    assert_eq!(story.picture().counts.last_takeover, None);
    story.keeper(380, held(0, 2, 2));
    assert_eq!(story.picture().counts.last_takeover, Some(Duration::from_millis(30)));
    story.keeper(500, held(0, 1, 2));
    story.keeper(600, held(0, 2, 2));
    let picture = story.picture();
    assert_eq!(picture.counts.last_takeover, Some(Duration::from_millis(30)), "a repair is no takeover");
    assert_eq!((picture.addresses_held, picture.addresses_wanted), (2, 2));
}

#[test]
fn a_backup_takes_nothing_over() {
    let outside = router("outside", 51);
    let mut story = Story::new(outside.clone());
    story.hear(100, &advertisement(&outside, 200));
    story.keeper(200, held(0, 2, 2));
    assert_eq!(story.picture().counts.last_takeover, None);
}

/// The unit stays Master, but this router's addresses cannot be answered for any more.
#[test]
fn a_takeover_that_was_given_up_for_want_of_a_link_is_not_measured() {
    for (link_lost, measured) in [(false, Some(Duration::from_millis(600))), (true, None)] {
        let mut both = policy([router("inside", 52), router("outside", 51)]);
        let routers = both.pair.routers.keys().cloned().collect();
        let group = SyncGroup { name: "site".into(), routers, both_unfit: Default::default() };
        both.pair.groups = [("site".into(), group)].into();
        let mut story = Story::of(&both, Keyring::default(), BTreeMap::new());
        story.until(350);
        if link_lost {
            story.link(360, 0, false);
        }
        assert_eq!(story.role(), Role::Master);
        story.keeper(950, held(0, 1, 1));
        assert_eq!(story.picture().counts.last_takeover, measured, "link lost: {link_lost}");
    }
}

#[test]
fn a_claim_that_lasts_half_a_second_is_a_conflict_and_is_told_every_ten_seconds() {
    let address: IpAddr = [192, 0, 2, 51].into();
    let hardware_address = [2, 0, 0, 0, 0, 9];
    let claim = || Report::Conflict { router: RouterId(0), address, hardware_address };
    let told = Event::Conflict { router: "outside".into(), address, hardware_address };
    let mut story = Story::master();
    for (millis, conflicts, is_told) in [
        (1_000, 0, false),
        (1_499, 0, false),
        (1_500, 1, true),
        (1_600, 2, false),
        (11_499, 3, false),
        (11_500, 4, true),
    ] {
        story.until(millis);
        story.said.clear();
        story.keeper(millis, claim());
        assert_eq!(story.told(), if is_told { vec![told.clone()] } else { vec![] }, "{millis}");
        assert_eq!(story.picture().counts.address_conflicts, conflicts, "{millis}");
    }
}

#[test]
fn a_claim_of_before_the_role_changed_is_forgotten() {
    let outside = router("outside", 51);
    let claim = || Report::Conflict {
        router: RouterId(0),
        address: [192, 0, 2, 51].into(),
        hardware_address: [2, 0, 0, 0, 0, 9],
    };
    let mut story = Story::master();
    story.keeper(600, claim());
    story.hear(700, &advertisement(&outside, 200));
    story.hear(800, &advertisement(&outside, 0));
    story.until(1_000);
    assert_eq!(story.role(), Role::Master);
    story.keeper(1_200, claim());
    assert_eq!(story.picture().counts.address_conflicts, 0);
    story.keeper(1_700, claim());
    assert_eq!(story.picture().counts.address_conflicts, 1);
}
