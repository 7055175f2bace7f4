//! Another policy is taken over while the director runs.

use super::world::{ONE, PROBE_TAKES, TWO, VIP, World, dr, seconds};
use crate::desired::fixtures::{check, host, ip, policy, pool, server, tcp};
use crate::director::core::Input;
use crate::director::event::Event;
use crate::model::{Check, Forwarding, Initial, Policy, ProbeSpec};
use std::time::Duration;

const THREE: &str = "192.168.101.77";

pub(super) fn take(world: &mut World, policy: Policy) {
    let facts = host(&policy);
    let at = world.now;
    world.core.handle(Input::Policy { at, policy: policy.into(), facts });
}

pub(super) fn settled() -> World {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    world.applied.clear();
    world
}

pub(super) fn with(edit: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = dr();
    edit(&mut policy);
    policy
}

fn web(policy: &mut Policy) -> &mut crate::model::Pool {
    policy.pools.get_mut("web").expect("the pool")
}

#[test]
fn the_same_policy_changes_nothing() {
    let mut world = settled();
    take(&mut world, dr());
    world.run_for(seconds(5));
    assert_eq!(world.applied, []);
    assert_eq!(world.core.generation, 2);
}

#[test]
fn one_weight_is_one_change_at_once() {
    let mut world = settled();
    take(&mut world, with(|policy| web(policy).servers[0].weight = 9));
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.kinds(), ["edit_destination"]);
    assert_eq!(world.weights(), [(ONE.to_owned(), 9), (TWO.to_owned(), 1)]);
}

#[test]
fn a_new_server_joins_after_its_first_success_and_the_others_stay() {
    let mut world = settled();
    take(&mut world, with(|policy| web(policy).servers.push(server(THREE, &Forwarding::DirectRouting))));
    world.run_for(Duration::from_micros(1));
    assert_eq!(world.addresses(), [ONE, TWO]);
    world.run_for(seconds(2));
    assert_eq!(world.addresses().len(), 3);
    assert_eq!(world.kinds(), ["add_destination"]);
}

#[test]
fn a_new_server_of_a_pool_that_says_so_joins_at_once() {
    let mut world = settled();
    let joins = with(|policy| {
        let pool = web(policy);
        pool.initial = Initial::Up;
        pool.servers.push(server(THREE, &Forwarding::DirectRouting));
    });
    take(&mut world, joins);
    world.run_for(Duration::from_millis(10));
    assert_eq!(world.addresses().len(), 3);
}

#[test]
fn what_is_left_out_leaves_the_table_and_is_probed_no_more() {
    let mut world = settled();
    take(&mut world, with(|policy| drop(web(policy).servers.remove(1))));
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [ONE]);
    assert_eq!(world.kinds(), ["remove_destination"]);
    assert_eq!(world.core.targets.len(), 1);
    take(&mut world, policy([]));
    world.run_for(seconds(5));
    assert!(world.kernel.services.is_empty(), "a service that was ours");
    assert_eq!(world.core.targets.len(), 0);
}

#[test]
fn a_server_that_failed_halfway_to_its_fall_is_not_forgiven() {
    let mut world = settled();
    world.dead.insert(ip(ONE));
    world.run_for(seconds(2) + PROBE_TAKES * 2);
    assert_eq!(world.addresses(), [ONE, TWO], "two failures of three");
    take(&mut world, with(|policy| web(policy).servers[1].weight = 3));
    world.run_for(seconds(1) + PROBE_TAKES * 2);
    assert_eq!(world.addresses(), [TWO], "the third counts with those before");
}

#[test]
fn under_another_check_a_server_stands_as_it_stood_until_it_has_a_verdict() {
    let mut world = settled();
    world.dead.insert(ip(TWO));
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [ONE]);
    world.applied.clear();
    let slower = Check { interval: seconds(2), ..check() };
    take(&mut world, with(|policy| drop(policy.checks.insert("alive".into(), slower))));
    world.run_for(seconds(10));
    assert_eq!(world.applied, [], "up stays up, and down is not tried with clients");
    world.dead.clear();
    world.run_for(seconds(10));
    assert_eq!(world.addresses(), [ONE, TWO]);
}

#[test]
fn a_server_with_another_address_under_the_same_name_is_another() {
    let mut world = settled();
    let moved = with(|policy| {
        let pool = web(policy);
        pool.servers[1] = server(THREE, &Forwarding::DirectRouting);
        pool.servers[1].name = dr().pools["web"].servers[1].name.clone();
    });
    world.dead.insert(ip(THREE));
    take(&mut world, moved);
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [ONE], "nobody vouches for it");
}

#[test]
fn probes_under_way_find_their_check_and_those_of_ended_checks_find_nobody() {
    let mut world = settled();
    // Probes are in flight at every moment of this second: policies change meanwhile, and no verdict is lost or misled.
    for turn in 0..200 {
        let renamed = Check { name: "other".into(), probe: ProbeSpec::Tcp, interval: seconds(3), ..check() };
        let next = with(|policy| {
            if turn % 2 == 0 {
                policy.checks.insert("other".into(), renamed);
                let other = server(THREE, &Forwarding::DirectRouting);
                web(policy).servers.insert(0, other);
            }
        });
        take(&mut world, next);
        world.run_for(Duration::from_millis(7));
    }
    world.run_for(seconds(3));
    assert_eq!(world.addresses(), [ONE, TWO]);
    world.dead.insert(ip(TWO));
    world.run_for(seconds(4));
    assert_eq!(world.addresses(), [ONE]);
}

#[test]
fn a_new_pool_adopts_what_it_finds() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    let before = world.kernel.services.clone();
    // The service was somebody else's until now.
    let mut alone = World::start(policy([]), world.kernel.clone(), Default::default());
    alone.run_for(seconds(3));
    assert_eq!(alone.kernel.services, before, "foreign services are left alone");
    take(&mut alone, dr());
    alone.run_for(seconds(5));
    assert_eq!(alone.kernel.services, before);
    assert!(alone.kernel.services.contains_key(&tcp(VIP, 80)));
}

#[test]
fn a_pool_under_another_name_keeps_its_table() {
    let mut world = settled();
    take(&mut world, policy([pool("shop", VIP, &Forwarding::DirectRouting)]));
    world.run_for(seconds(5));
    assert_eq!(world.applied, []);
    let taken = |event: &&Event| matches!(event, Event::PolicyTaken { generation: 2 });
    assert_eq!(world.events.iter().filter(taken).count(), 1);
}
