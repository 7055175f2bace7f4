//! Handing over.

use super::*;

const STORY: [&str; 5] = ["add", "remove", "announce", "Released", "Conflict"];

fn releasing(addresses: &[IpAddr], by: u64) -> World {
    let mut world = World::new(&plan(addresses, true));
    world.wish(0, Wish::Hold);
    world.run_until(2_000);
    world.wish(2_000, Wish::Release { by: millis(by) });
    world.diary.clear();
    world
}

const RELEASED: &str = "Released { router: RouterId(0) }";

#[test]
fn a_release_keeps_and_renews_until_its_end() {
    let mut world = releasing(&[address(1)], 6_000);
    world.run_until(5_999);
    let times: Vec<u64> = world.told(&["renew"]).into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [3_000, 4_000, 5_000]);
    world.run_until(7_000);
    assert_eq!(world.told(&STORY), lines(&[(6_000, "remove 192.0.2.1"), (6_000, RELEASED)]));
    assert!(world.keeper.is_quiet());
}

#[test]
fn a_release_ends_when_every_address_was_announced_by_another_and_packets_under_way_had_time() {
    let mut world = releasing(&[address(1), address(2)], 6_000);
    world.seen(2_100, 1, FOREIGN);
    world.seen(2_200, 1, FOREIGN);
    world.seen(2_300, 2, OURS);
    world.run_until(2_500);
    assert_eq!(world.told(&STORY), []);
    world.seen(2_510, 2, FOREIGN);
    world.seen(2_530, 2, FOREIGN);
    world.run_until(7_000);
    assert_eq!(
        world.told(&STORY),
        lines(&[(2_560, "remove 192.0.2.1"), (2_560, "remove 192.0.2.2"), (2_560, RELEASED)])
    );
}

#[test]
fn what_was_seen_before_the_release_does_not_count() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(0, Wish::Hold);
    world.seen(1_000, 1, FOREIGN);
    world.wish(2_000, Wish::Release { by: millis(3_000) });
    world.diary.clear();
    world.run_until(4_000);
    assert_eq!(world.told(&["remove"]), lines(&[(3_000, "remove 192.0.2.1")]));
}

#[test]
fn an_address_that_is_not_held_need_not_be_seen() {
    let mut world = releasing(&[address(1), address(2)], 6_000);
    world.lost(2_050, 2);
    world.seen(2_100, 1, FOREIGN);
    world.run_until(3_000);
    assert_eq!(world.told(&STORY), lines(&[(2_150, "remove 192.0.2.1"), (2_150, RELEASED)]));
}

#[test]
fn the_end_of_a_release_is_never_later_than_ordered() {
    let mut world = releasing(&[address(1)], 6_000);
    world.seen(5_980, 1, FOREIGN);
    world.run_until(7_000);
    assert_eq!(world.told(&["remove"]), lines(&[(6_000, "remove 192.0.2.1")]));
}

#[test]
fn another_instant_moves_the_end_and_forgets_nothing_that_was_seen() {
    let mut world = releasing(&[address(1), address(2)], 6_000);
    world.seen(2_100, 1, FOREIGN);
    world.wish(2_200, Wish::Release { by: millis(4_000) });
    world.seen(2_300, 2, FOREIGN);
    world.wish(2_310, Wish::Release { by: millis(8_000) });
    world.run_until(3_000);
    assert_eq!(world.told(&["Released"]), lines(&[(2_350, RELEASED)]));
    let mut world = releasing(&[address(1)], 6_000);
    world.wish(2_200, Wish::Release { by: millis(4_000) });
    world.run_until(9_000);
    assert_eq!(world.told(&["Released"]), lines(&[(4_000, RELEASED)]));
}

#[test]
fn the_start_adopts_what_is_there_and_a_director_that_holds_nothing_has_released_at_once() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.found(0, 1, Some(Duration::from_secs(2)));
    world.wish(1, Wish::Release { by: millis(5_000) });
    assert_eq!(world.told(&["add", "renew", "announce"]), lines(&[(1, "renew 192.0.2.1 3s")]));
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(1, Wish::Release { by: millis(5_000) });
    assert_eq!(world.told(&STORY), lines(&[(1, RELEASED)]));
}

#[test]
fn a_release_that_turns_into_hold_announces_again() {
    let mut world = releasing(&[address(1)], 6_000);
    world.seen(2_100, 1, FOREIGN);
    world.wish(2_120, Wish::Hold);
    world.run_until(2_200);
    assert_eq!(world.told(&STORY), lines(&[(2_120, "announce 192.0.2.1"), (2_140, "announce 192.0.2.1")]));
}

#[test]
fn a_release_that_turns_into_drop_is_still_told() {
    let mut world = releasing(&[address(1)], 6_000);
    world.wish(2_100, Wish::Drop);
    assert_eq!(world.told(&STORY), lines(&[(2_100, "remove 192.0.2.1"), (2_100, RELEASED)]));
}

/// Seed 48716: it announced what was being removed; the other director believed that and let go, and nobody had it.
#[test]
fn an_address_whose_removal_is_under_way_is_announced_when_it_is_there_again_or_stays() {
    let granted = [(1_500, "add 192.0.2.1 3s"), (1_500, "announce 192.0.2.1")];
    let refused = [(1_500, "announce 192.0.2.1")];
    for (result, expected) in [(Ok(()), &granted[..]), (Err(16), &refused[..])] {
        let mut world = World::new(&plan(&[address(1)], true));
        world.wish(0, Wish::Hold);
        world.run_until(1_500);
        world.diary.clear();
        let order = |wish| Input::Order { at: millis(1_500), order: Order::Wish { router: WEB, wish } };
        world.keeper.handle(order(Wish::Drop));
        while !matches!(world.keeper.poll(), Output::Operate(_)) {}
        world.keeper.handle(order(Wish::Hold));
        world.input(Input::Order { at: millis(1_500), order: Order::Announce { router: WEB, repeat: 1 } });
        assert_eq!(world.told(&["announce"]), []);
        world.keeper.handle(Input::Done { at: millis(1_500), results: vec![result] });
        world.run_until(1_510);
        assert_eq!(world.told(&["add", "announce"]), lines(expected), "{result:?}");
    }
}

#[test]
fn with_a_virtual_mac_the_other_director_has_the_same() {
    let mut plan = plan(&[address(1)], true);
    plan.routers[0].virtual_mac = true;
    let mut world = World::new(&plan);
    world.wish(0, Wish::Hold);
    world.wish(1_000, Wish::Release { by: millis(6_000) });
    world.diary.clear();
    world.seen(1_100, 1, OURS);
    world.run_until(2_000);
    assert_eq!(world.told(&["remove"]), lines(&[(1_110, "remove 192.0.2.1")]));
}
