//! Another process goes on with the pools: nothing changes for it, and what is under way stays under way.

use super::policy::{settled, with};
use super::world::{KERNEL_TAKES, ONE, TWO, World, beginning, dr, seconds};
use crate::desired::fixtures::ip;
use crate::director::core::{Beginning, Core, Input};
use crate::director::event::Event;
use crate::director::succession::pools::HandedPools;
use crate::model::{Curve, Order, Override, OverrideKind, OverrideTarget, Percent, Policy, SlowStart};
use std::time::Duration;

/// The same world, with a core of another process in it.
fn succeeded(mut world: World, policy: Policy) -> World {
    world.core.rest(true);
    world.run_for(KERNEL_TAKES * 2);
    assert!(world.core.is_at_rest());
    let text = serde_json::to_vec(&world.core.hand_on()).expect("JSON");
    let handed: HandedPools = serde_json::from_slice(&text).expect("understood");
    let beginning = Beginning {
        generation: handed.generation,
        roles: handed.roles(),
        observed: world.kernel.clone(),
        owned: world.record.clone(),
        overrides: world.overrides.clone(),
        now: world.now,
        ..beginning(policy)
    };
    let core = Core::succeed(beginning, &handed);
    // Its probes in flight end with a process.
    let mut world = world.with_core(core);
    world.events.clear();
    world.applied.clear();
    world
}

fn verdicts(world: &World) -> usize {
    world.events.iter().filter(|event| matches!(event, Event::Verdict { .. })).count()
}

#[test]
fn nothing_changes_and_nothing_is_told_again() {
    let mut world = settled();
    world.dead.insert(ip(TWO));
    world.run_for(seconds(5));
    let mut world = succeeded(world, dr());
    assert_eq!(world.core.pool_verdict(&"web".into()), Some(true), "from the first moment on");
    world.run_for(seconds(10));
    assert_eq!((world.applied.len(), verdicts(&world)), (0, 0), "{:?}", world.events);
    assert_eq!(world.addresses(), [ONE]);
    assert!(world.core.is_applied() && world.core.readiness(world.now).is_ok());
}

#[test]
fn failures_before_and_after_count_together() {
    let mut world = settled();
    world.dead.insert(ip(ONE));
    world.run_for(seconds(2) + Duration::from_millis(20));
    assert_eq!(world.addresses(), [ONE, TWO], "two failures of three");
    let mut world = succeeded(world, dr());
    world.run_for(seconds(1) + Duration::from_millis(20));
    assert_eq!(world.addresses(), [TWO]);
    world.dead.clear();
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [ONE, TWO], "and it comes back as any other");
}

fn slowly() -> Policy {
    let from = Percent::new(10).expect("a share");
    let rules = SlowStart { duration: seconds(60), from, steps: 6, curve: Curve::Linear, shadow: false };
    with(|policy| {
        let pool = policy.pools.get_mut("web").expect("the pool");
        pool.rules.slow_start = Some(rules);
        pool.servers.iter_mut().for_each(|server| server.weight = 100);
    })
}

/// The weights of a server that comes back, a look each five seconds; with a takeover or without.
fn weights_of_return(takeover: bool) -> Vec<Vec<(String, u32)>> {
    let mut world = World::fresh(slowly());
    world.run_for(seconds(5));
    world.dead.insert(ip(TWO));
    world.run_for(seconds(10));
    world.dead.clear();
    world.run_for(seconds(15) + Duration::from_millis(500));
    if takeover {
        world = succeeded(world, slowly());
    } else {
        world.run_for(KERNEL_TAKES * 2);
    }
    let look = |_| {
        world.run_for(seconds(5));
        world.weights()
    };
    (0..12).map(look).collect()
}

#[test]
fn a_slow_start_goes_on_where_it_was() {
    let weights = weights_of_return(true);
    assert!(weights.iter().any(|weights| weights[1].1 > 10 && weights[1].1 < 100), "{weights:?}");
    assert_eq!(weights, weights_of_return(false));
}

#[test]
fn a_drain_ends_at_the_deadline_that_it_had() {
    let mut world = settled();
    let drain = Override {
        kind: OverrideKind::Server(Order::Drain),
        target: OverrideTarget::Server { server: ONE.into(), pool: None },
        by: "alice".to_owned(),
        reason: None,
        director: None,
        set_unix_ms: 1,
        until_unix_ms: None,
    };
    world.hold_connections(ONE, 3);
    let at = world.now;
    world.core.handle(Input::Overrides { at, all: vec![drain] });
    world.run_for(seconds(200));
    assert_eq!(world.weights(), [(ONE.to_owned(), 0), (TWO.to_owned(), 1)]);
    let mut world = succeeded(world, dr());
    world.run_for(seconds(90));
    assert_eq!(world.weights(), [(ONE.to_owned(), 0), (TWO.to_owned(), 1)]);
    world.run_for(seconds(20));
    assert_eq!(world.addresses(), [TWO], "five minutes after it was ordered");
}

#[test]
fn one_that_rests_begins_nothing_and_catches_up_afterwards() {
    let mut world = settled();
    world.core.rest(true);
    world.dead.insert(ip(ONE));
    world.run_for(seconds(20));
    assert_eq!((world.applied.len(), world.addresses()), (0, vec![ONE.to_owned(), TWO.to_owned()]));
    world.core.rest(false);
    let at = world.now;
    world.core.handle(Input::Timeout { at });
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [TWO]);
}

#[test]
fn a_document_that_says_nothing_is_a_start() {
    let mut world = settled();
    let empty: HandedPools = serde_json::from_str("{}").expect("understood");
    assert_eq!(empty, HandedPools::default());
    let beginning = Beginning {
        roles: empty.roles(),
        observed: world.kernel.clone(),
        owned: world.record.clone(),
        now: world.now,
        ..beginning(dr())
    };
    let core = Core::succeed(beginning, &empty);
    world = world.with_core(core);
    world.run_for(seconds(5));
    assert_eq!(world.applied, [], "what serves is adopted");
    assert_eq!(world.addresses(), [ONE, TWO]);
}
