//! Another machine answers for an address of this Master.

use super::*;

#[test]
fn a_foreign_claim_is_reported_at_once_and_answered_soon_at_most_once_a_second() {
    let mut world = World::new(&plan(&[address(1), address(2)], true));
    world.wish(0, Wish::Hold);
    world.run_until(1_500);
    world.diary.clear();
    for at in [1_500, 1_600, 2_499, 2_500, 2_600] {
        world.seen(at, 1, FOREIGN);
    }
    world.seen(2_600, 2, FOREIGN);
    world.run_until(3_000);
    let told = world.told(&["Conflict", "announce"]);
    let conflict = |last| {
        format!(
            "Conflict {{ router: RouterId(0), address: 192.0.2.{last}, hardware_address: [2, 0, 0, 0, 0, 2] }}"
        )
    };
    let announce = |last| format!("announce 192.0.2.{last}");
    assert_eq!(
        told,
        [
            (1_500, conflict(1)),
            (1_750, announce(1)),
            (2_500, conflict(1)),
            (2_600, conflict(2)),
            (2_750, announce(1)),
            (2_850, announce(2))
        ]
    );
}

#[test]
fn our_own_hardware_address_an_unknown_address_and_a_router_that_does_not_hold_make_no_conflict() {
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(0, Wish::Hold);
    world.seen(100, 1, OURS);
    world.seen(100, 9, FOREIGN);
    world.wish(200, Wish::Release { by: millis(9_000) });
    world.seen(210, 1, FOREIGN);
    world.wish(220, Wish::Drop);
    world.seen(230, 1, FOREIGN);
    assert_eq!(world.told(&["Conflict"]), []);
}

#[test]
fn a_claim_of_who_is_about_to_take_the_address_over_is_not_answered() {
    for wish in [Wish::Release { by: millis(9_000) }, Wish::Drop] {
        let mut world = World::new(&plan(&[address(1)], true));
        world.wish(0, Wish::Hold);
        world.run_until(1_500);
        world.diary.clear();
        world.seen(1_500, 1, FOREIGN);
        world.wish(1_560, wish);
        world.run_until(5_000);
        assert_eq!(world.told(&["announce"]), []);
    }
}

#[test]
fn an_answer_that_waits_holds_up_no_announcement_and_a_burst_is_not_held_up_by_a_claim() {
    let announced =
        |world: &mut World| -> Vec<u64> { world.told(&["announce"]).iter().map(|(at, _)| *at).collect() };
    let mut world = World::new(&plan(&[address(1)], true));
    world.wish(0, Wish::Hold);
    world.run_until(1_500);
    world.diary.clear();
    world.seen(1_500, 1, FOREIGN);
    world.run_until(1_600);
    world.input(Input::Order { at: millis(1_600), order: Order::Announce { router: WEB, repeat: 1 } });
    world.run_until(1_900);
    assert_eq!(announced(&mut world), [1_600]);

    let mut undisturbed = World::new(&plan(&[address(1)], true));
    let mut claimed = World::new(&plan(&[address(1)], true));
    for world in [&mut undisturbed, &mut claimed] {
        world.wish(0, Wish::Hold);
    }
    claimed.seen(10, 1, FOREIGN);
    for world in [&mut undisturbed, &mut claimed] {
        world.run_until(1_500);
    }
    assert_eq!(announced(&mut claimed), announced(&mut undisturbed));
}
