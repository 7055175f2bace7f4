//! A macvlan is up while its router is Master.

use super::*;

const DOWN: Link = Link { up: false, carrier: false, ..LINK };
const STORY: [&str; 4] = ["set", "add", "remove", "announce"];

/// With one address on a macvlan that is down.
fn world() -> World {
    let mut plan = plan(&[address(1)], true);
    plan.routers[0].virtual_mac = true;
    let mut world = World::new(&plan);
    world.link(0, Some(DOWN));
    world
}

#[test]
fn before_the_first_wish_a_link_stays_as_it_is() {
    let mut world = world();
    world.run_until(1_000);
    world.link(1_000, Some(LINK));
    world.run_until(2_000);
    assert_eq!(world.told(&["set"]), []);
}

#[test]
fn a_link_goes_up_before_the_addresses_and_down_before_they_leave() {
    let mut world = world();
    world.wish(100, Wish::Hold);
    assert_eq!(world.told(&STORY), lines(&[(100, "set eth0 up")]));
    world.link(101, Some(LINK));
    assert_eq!(world.told(&STORY), lines(&[(101, "add 192.0.2.1 3s"), (101, "announce 192.0.2.1")]));
    world.wish(110, Wish::Drop);
    assert_eq!(world.told(&STORY), lines(&[(110, "set eth0 down"), (110, "remove 192.0.2.1")]));
    assert!(!world.keeper.is_quiet(), "it is not down yet");
    world.link(112, Some(DOWN));
    assert!(world.keeper.is_quiet());
}

#[test]
fn a_release_keeps_the_link_up_until_its_end() {
    let mut world = world();
    world.wish(0, Wish::Hold);
    world.link(0, Some(LINK));
    world.run_until(2_000);
    world.wish(2_000, Wish::Release { by: millis(3_000) });
    world.diary.clear();
    world.run_until(2_980);
    assert_eq!(world.told(&STORY), []);
    world.seen(2_980, 1, OURS);
    world.run_until(2_990);
    assert_eq!(world.told(&STORY), lines(&[(2_990, "set eth0 down"), (2_990, "remove 192.0.2.1")]));
}

#[test]
fn a_link_that_does_not_obey_is_asked_again() {
    let mut world = world();
    world.wish(0, Wish::Hold);
    world.run_until(250);
    assert_eq!(
        world.told(&["set"]),
        lines(&[(0, "set eth0 up"), (100, "set eth0 up"), (200, "set eth0 up")])
    );
}

#[test]
fn what_another_program_set_down_is_set_up_again() {
    let mut world = world();
    world.wish(0, Wish::Hold);
    world.link(0, Some(LINK));
    world.diary.clear();
    world.link(50, Some(DOWN));
    assert_eq!(world.told(&["set"]), lines(&[(50, "set eth0 up")]));
}

#[test]
fn a_silent_advert_threads_link_goes_down_with_its_last_address() {
    let mut world = world();
    world.lives_until = millis(1_000);
    world.wish(0, Wish::Hold);
    world.link(0, Some(LINK));
    world.run_until(3_900);
    world.diary.clear();
    world.lost(4_000, 1);
    world.run_until(4_050);
    assert_eq!(world.told(&["set"]), lines(&[(4_000, "set eth0 down")]));
}

#[test]
fn one_frame_of_the_virtual_mac_ends_the_release_of_all_addresses_on_the_link() {
    let mut plan = plan(&[address(1), address(2)], true);
    plan.routers[0].virtual_mac = true;
    let mut world = World::new(&plan);
    world.wish(0, Wish::Hold);
    world.wish(1_000, Wish::Release { by: millis(6_000) });
    world.diary.clear();
    world.seen(1_100, 2, OURS);
    world.run_until(1_200);
    let removed = [(1_110, "set eth0 down"), (1_110, "remove 192.0.2.1"), (1_110, "remove 192.0.2.2")];
    assert_eq!(world.told(&STORY), lines(&removed));
}
