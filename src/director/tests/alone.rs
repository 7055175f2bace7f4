//! Addresses that a director holds without a virtual router: there, taken away, refused, and another program's.

use super::policy::take;
use super::world::{World, dr, seconds};
use crate::model::{Observed, Policy, VirtualAddress};
use crate::reconcile::Change;
use crate::time::Instant;
use std::time::Duration;

fn held() -> VirtualAddress {
    VirtualAddress { address: "192.168.101.100/24".parse().expect("a network"), interface: "eth0".into() }
}

fn alone() -> Policy {
    Policy { virtual_addresses: vec![held()], ..dr() }
}

/// Whether it is there, since when, and why not.
fn told(world: &World) -> (bool, Instant, Option<String>) {
    let [told] = &world.core.snapshot(world.now, Duration::ZERO).addresses[..] else { panic!("one address") };
    (told.held, told.since, told.refusal.clone())
}

#[test]
fn it_is_told_as_there_from_when_it_was_added_until_somebody_takes_it_away() {
    let mut world = World::fresh(alone());
    assert_eq!(told(&world), (false, Instant::ZERO, None));
    world.run_for(seconds(5));
    let (is_there, since, _) = told(&world);
    assert!(is_there && since > Instant::ZERO && since < Instant::ZERO + seconds(1), "{since:?}");
    let taken = world.now;
    world.kernel.addresses.clear();
    world.refuse = |change| matches!(change, Change::AddAddress { .. });
    world.run_for(seconds(3));
    let (is_there, since, refusal) = told(&world);
    assert!(!is_there && since > taken, "{since:?}");
    assert!(refusal.expect("the kernel's words").contains("refused"));
    world.refuse = |_| false;
    world.run_for(seconds(10));
    let (is_there, since, refusal) = told(&world);
    assert!(is_there && since > taken + seconds(3) && refusal.is_none(), "{since:?}");
}

#[test]
fn a_policy_that_names_it_no_more_ends_the_word_about_it() {
    let mut world = World::fresh(alone());
    world.run_for(seconds(5));
    take(&mut world, dr());
    assert!(world.core.snapshot(world.now, Duration::ZERO).addresses.is_empty());
}

/// keepalived adds its addresses as /32.
#[test]
fn one_that_observes_sees_it_with_another_programs_prefix() {
    let other = VirtualAddress { address: "192.168.101.100/32".parse().expect("a network"), ..held() };
    let kernel = Observed { held: [other].into(), ..Observed::default() };
    let mut world = World::observing(alone(), kernel);
    world.run_for(seconds(3));
    assert!(told(&world).0);
    world.kernel.held.clear();
    world.run_for(seconds(3));
    assert!(!told(&world).0);
}
