//! What is the same in two places is held once.

use super::world::{ONE, TWO, VIP, World, dr, seconds};
use crate::desired::fixtures::{ip, tcp};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_snapshot_shares_with_the_one_before_what_is_as_it_was() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    let first = world.core.snapshot(world.now, Duration::ZERO);
    let again = world.core.snapshot_after(&first, world.now, Duration::ZERO);
    assert_eq!(again, first);
    let (before, after) = (&first.pools[0], &again.pools[0]);
    let mut servers = before.servers.iter().zip(&after.servers);
    assert!(servers.all(|(before, after)| Arc::ptr_eq(before, after)));
    assert!(Arc::ptr_eq(&before.services[0].destinations, &after.services[0].destinations));

    world.dead = [ip(ONE)].into();
    world.run_for(seconds(6));
    let later = world.core.snapshot_after(&again, world.now, Duration::ZERO);
    assert_eq!(later, world.core.snapshot(world.now, Duration::ZERO));
    assert_ne!(later.pools[0].servers[0], again.pools[0].servers[0]);
}

#[test]
fn what_the_kernel_holds_as_it_shall_is_held_once() {
    let mut world = World::fresh(dr());
    let share = |world: &World| {
        let reconciler = &world.core.reconciler;
        let [wanted, found] = [&reconciler.desired().services, &reconciler.observed().services]
            .map(|services| &services[&tcp(VIP, 80)].destinations);
        Arc::ptr_eq(wanted, found)
    };
    world.run_for(seconds(9));
    assert!(share(&world));
    world.dead = [ip(ONE)].into();
    world.run_for(seconds(9));
    assert_eq!(world.addresses(), [TWO]);
    assert!(share(&world), "and again after a change");
}
