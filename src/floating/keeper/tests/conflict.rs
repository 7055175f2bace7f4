//! Another machine answers for an address of this Master.

use super::*;

#[test]
fn a_foreign_claim_is_reported_and_answered_at_most_once_a_second() {
    let mut world = World::new(&plan(&[address(1), address(2)], true));
    world.wish(0, Wish::Hold);
    world.run_until(1_500);
    world.diary.clear();
    for at in [1_500, 1_600, 2_499, 2_500, 2_600] {
        world.seen(at, 1, FOREIGN);
    }
    world.seen(2_600, 2, FOREIGN);
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
            (1_500, announce(1)),
            (2_500, conflict(1)),
            (2_500, announce(1)),
            (2_600, conflict(2)),
            (2_600, announce(2))
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
