//! A director that changes nothing, beside a table that another one keeps.

use super::world::{ONE, TWO, VIP, World, dr, seconds};
use crate::desired::fixtures::{in_a_pair, ip, tcp};
use crate::director::event::Event;
use crate::director::snapshot::ObservingSnapshot;
use crate::model::{Observed, OnStop, Policy, SyncRole, VirtualAddress};
use crate::reconcile::{Ownership, Table};
use std::time::Duration;

/// The table as another director left it with every server up.
fn kept(policy: &Policy) -> Observed {
    let mut world = World::fresh(policy.clone());
    world.run_for(seconds(5));
    world.kernel
}

fn beside(policy: Policy) -> World {
    let kernel = kept(&policy);
    World::observing(policy, kernel)
}

fn seen(world: &World) -> ObservingSnapshot {
    world.core.snapshot(world.now, Duration::ZERO).observing.expect("it observes")
}

fn words(world: &World) -> Vec<String> {
    seen(world).told.iter().map(|(_, _, what)| what.to_string()).collect()
}

fn untouched(world: &World) {
    assert!(world.applied.is_empty(), "{:?}", world.applied);
    assert_eq!(world.record, Ownership::default(), "nothing was recorded");
}

#[test]
fn a_table_that_is_as_it_should_be_is_said_to_be_so_once() {
    let mut world = beside(dr());
    world.run_for(seconds(20));
    assert_eq!(seen(&world), ObservingSnapshot::default());
    assert_eq!(world.core.readiness(world.now), Ok(()));
    let told: Vec<_> = world.events.iter().filter(|event| matches!(event, Event::Differs { .. })).collect();
    assert_eq!(told, [&Event::Differs { appeared: vec![], ended: vec![], left: 0 }]);
    untouched(&world);
}

#[test]
fn a_weight_of_another_hand_is_a_difference_until_it_is_put_back_and_never_drift() {
    let mut world = beside(dr());
    world.run_for(seconds(5));
    world.kernel_edit(|found| found.weight = 7);
    let since = world.now;
    world.run_for(seconds(3));
    assert_eq!(
        words(&world),
        ["~ destination 192.168.101.110:80 of tcp://192.168.101.100:80: weight 7 -> 1"]
    );
    assert!(seen(&world).told[0].0 >= since);
    assert_eq!(seen(&world).differences, [(Table::Destinations, 1)].into());
    world.kernel_edit(|found| found.weight = 1);
    world.run_for(seconds(3));
    assert!(words(&world).is_empty());
    let told = world.events.iter().filter_map(|event| match event {
        Event::Differs { appeared, ended, left } => Some((appeared.len(), ended.len(), *left)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(0, 0, 0), (1, 0, 1), (0, 1, 0)]);
    assert!(!world.events.iter().any(|event| matches!(event, Event::Drift { .. })));
    untouched(&world);
}

#[test]
fn a_verdict_that_the_live_table_does_not_follow_is_a_difference() {
    let mut world = beside(dr());
    world.run_for(seconds(5));
    world.dead.insert(ip(TWO));
    world.run_for(seconds(6));
    assert_eq!(words(&world), ["- destination 192.168.101.210:80 of tcp://192.168.101.100:80"]);
    assert_eq!(world.addresses(), [ONE, TWO]);
    untouched(&world);
}

#[test]
fn a_service_that_the_policy_does_not_name_is_told() {
    let mut kernel = kept(&dr());
    let service = kernel.services[&tcp(VIP, 80)].clone();
    kernel.services.insert(tcp(VIP, 443), service);
    let mut world = World::observing(dr(), kernel);
    world.run_for(seconds(3));
    assert_eq!(words(&world), ["? tcp://192.168.101.100:443: leave it alone, the policy does not name it"]);
    untouched(&world);
}

#[test]
fn a_stop_takes_nothing_back_and_tells_what_differs_in_the_end() {
    let mut policy = dr();
    policy.on_stop = OnStop::Remove;
    let mut world = beside(policy);
    world.run_for(seconds(5));
    world.kernel_edit(|found| found.weight = 7);
    world.run_for(seconds(3));
    world.core.handle(crate::director::core::Input::Stop { at: world.now });
    world.run_for(seconds(3));
    assert!(world.stopped);
    assert_eq!(world.addresses(), [ONE, TWO]);
    let last = world.events.iter().rev().find_map(|event| match event {
        Event::ObservedUntilNow { differences } => Some(differences.len()),
        _ => None,
    });
    assert_eq!(last, Some(1));
    untouched(&world);
}

#[test]
fn the_role_is_the_one_that_the_addresses_show() {
    let mut policy = dr();
    in_a_pair(&mut policy, VIP);
    policy.pair.connection_sync = Some(crate::model::ConnectionSync {
        interface: "eth1".into(),
        sync_id: 61.try_into().expect("not zero"),
        role: SyncRole::FollowRouter("outside".into()),
    });
    let mut world = beside(policy);
    world.run_for(seconds(3));
    let role = |world: &World| world.core.seen_routers().expect("it observes").routers[0].role.name();
    assert_eq!(role(&world), "backup");
    // With another prefix, as keepalived has it where none is written.
    let address = format!("{VIP}/32").parse().expect("an address");
    let on = |interface: &str| VirtualAddress { address, interface: interface.into() };
    world.kernel.held = [on("lo")].into();
    world.run_for(seconds(3));
    assert_eq!(role(&world), "backup", "a real server's own VIP is none of the election's");
    world.kernel.held = [on("eth0")].into();
    world.run_for(seconds(3));
    assert_eq!(role(&world), "master");
    assert!(
        words(&world).contains(&"+ sync daemon master on eth1 (sync id 61)".to_owned()),
        "{:?}",
        words(&world)
    );
    untouched(&world);
}
