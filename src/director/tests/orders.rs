//! What operators order of a running director, over reloads and restarts.

use super::policy::{settled, take, with};
use super::world::{ONE, TWO, World, dr, seconds};
use crate::control::{RefusalCode, Selection, Wanted};
use crate::director::core::Input;
use crate::director::event::{Event, OverrideChange};
use crate::director::ordering::Given;
use crate::model::{Drain, Order, Override, OverrideKind, OverrideTarget, Roles};
use crate::reconcile::Ownership;
use std::time::Duration;

const ALICE: Given<'_> = Given { by: "alice", unix_ms: 7 };

fn of(server: &str) -> OverrideTarget {
    OverrideTarget::Server { server: server.into(), pool: None }
}

fn wanted(kind: OverrideKind, target: OverrideTarget) -> Wanted {
    Wanted { kind, target, for_time: None, by: None, reason: None, force: false }
}

fn an_order(order: Order, server: &str) -> Wanted {
    wanted(OverrideKind::Server(order), of(server))
}

/// Gives it, and lets some seconds pass.
#[track_caller]
fn give(world: &mut World, wanted: &Wanted) -> String {
    let (all, answer) = world.core.with_override(wanted, ALICE).expect("not refused");
    replace(world, all);
    answer.message
}

fn replace(world: &mut World, all: Vec<Override>) {
    let at = world.now;
    world.core.handle(Input::Overrides { at, all });
    world.run_for(seconds(5));
}

#[track_caller]
fn refused(world: &World, wanted: &Wanted) -> (RefusalCode, String) {
    let refused = world.core.with_override(wanted, ALICE).expect_err("refused");
    (refused.code, refused.message)
}

#[test]
fn a_connection_that_came_since_they_were_counted_is_not_cut_off_by_a_drain() {
    let mut world = settled();
    // The kernel was looked at just before.
    world.hold_connections(ONE, 1);
    let (all, _) = world.core.with_override(&an_order(Order::Drain, ONE), ALICE).expect("not refused");
    world.core.handle(Input::Overrides { at: world.now, all });
    world.run_for(Duration::from_millis(50));
    // And before it is looked at again, something else is decided.
    let roles = Roles { master_of: ["outside".into()].into(), ..Roles::default() };
    world.core.handle(Input::Roles { at: world.now, roles });
    world.run_for(seconds(5));
    assert_eq!(world.weights(), [(ONE.to_owned(), 0), (TWO.to_owned(), 1)], "it is waited for");
}

#[test]
fn a_drained_server_leaves_the_table_and_comes_back_when_it_is_cleared() {
    let mut world = settled();
    let said = give(&mut world, &an_order(Order::Drain, ONE));
    assert_eq!(
        said,
        "192.168.101.110 in web gets no new connection, and leaves when its 0 connections have ended, after 5m at the \
         latest, until it is cleared"
    );
    assert_eq!(world.addresses(), [TWO]);
    assert_eq!(world.overrides.len(), 1, "it is kept");
    let (all, answer) = world.core.without_overrides(&Selection::All).expect("cleared");
    assert_eq!(answer.message, "no longer in force: drain of */192.168.101.110");
    replace(&mut world, all);
    assert_eq!(world.addresses(), [ONE, TWO]);
    assert_eq!(world.overrides, []);
}

#[test]
fn each_order_does_what_it_says() {
    let mut world = settled();
    give(&mut world, &an_order(Order::Weight(9), ONE));
    assert_eq!(world.weights(), [(ONE.to_owned(), 9), (TWO.to_owned(), 1)]);
    give(&mut world, &an_order(Order::Disable, ONE));
    assert_eq!(world.addresses(), [TWO], "it takes the place of the former");
    world.dead.insert(crate::desired::fixtures::ip(ONE));
    give(&mut world, &an_order(Order::ForceUp, ONE));
    assert_eq!(world.addresses(), [ONE, TWO]);
    give(&mut world, &wanted(OverrideKind::Freeze, OverrideTarget::Pool("web".into())));
    world.dead.insert(crate::desired::fixtures::ip(TWO));
    world.run_for(seconds(10));
    assert_eq!(world.addresses(), [ONE, TWO], "frozen");
}

#[test]
fn an_override_survives_a_reload_and_may_come_to_name_nothing() {
    let mut world = settled();
    give(&mut world, &an_order(Order::Disable, ONE));
    take(&mut world, with(|policy| policy.pools.get_mut("web").expect("the pool").servers[1].weight = 4));
    world.run_for(seconds(5));
    assert_eq!(world.weights(), [(TWO.to_owned(), 4)]);
    take(&mut world, with(|policy| drop(policy.pools.get_mut("web").expect("the pool").servers.remove(0))));
    world.run_for(seconds(5));
    take(&mut world, dr());
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [TWO], "it is back, and so is what was ordered of it");
}

#[test]
fn an_override_survives_a_restart() {
    let mut world = settled();
    give(&mut world, &an_order(Order::Disable, ONE));
    let (kernel, kept) = (world.kernel.clone(), world.overrides.clone());
    let mut again = World::start_with(dr(), kernel, Ownership::default(), kept);
    again.run_for(seconds(5));
    assert_eq!(again.addresses(), [TWO]);
    assert_eq!(again.applied, [], "it was never in the table meanwhile");
}

#[test]
fn one_with_a_time_ends_by_itself() {
    let mut world = settled();
    let ends = Wanted { for_time: Some(seconds(20)), ..an_order(Order::Disable, ONE) };
    let now =
        u64::try_from(world.now.saturating_since(crate::time::Instant::ZERO).as_millis()).expect("small");
    let (all, _) = world.core.with_override(&ends, Given { by: "alice", unix_ms: now }).expect("not refused");
    replace(&mut world, all);
    assert_eq!(world.addresses(), [TWO]);
    world.run_for(seconds(14));
    assert_eq!(world.addresses(), [TWO]);
    world.run_for(seconds(2));
    assert_eq!(world.addresses(), [ONE, TWO]);
    assert_eq!(world.overrides, [], "that it ended is kept");
    let expired = |event: &Event| matches!(event, Event::Override { change: OverrideChange::Expired, .. });
    assert_eq!(world.events.iter().filter(|event| expired(event)).count(), 1);
}

#[test]
fn a_pool_is_not_emptied_but_by_force() {
    let mut world = settled();
    give(&mut world, &an_order(Order::Drain, ONE));
    for order in [Order::Drain, Order::Disable, Order::Weight(0)] {
        let (code, message) = refused(&world, &an_order(order, TWO));
        assert_eq!(code, RefusalCode::Guard);
        assert!(message.contains("pool web would be left without a server"), "{message}");
    }
    let every = OverrideTarget::EveryServer("web".into());
    assert_eq!(refused(&world, &wanted(OverrideKind::Server(Order::Disable), every)).0, RefusalCode::Guard);
    give(&mut world, &Wanted { force: true, ..an_order(Order::Drain, TWO) });
    assert_eq!(world.addresses(), [""; 0]);
}

#[test]
fn what_is_not_there_is_refused_with_the_nearest_name() {
    let world = settled();
    let (code, message) = refused(&world, &an_order(Order::Drain, "192.168.101.111"));
    assert_eq!(code, RefusalCode::UnknownServer);
    assert!(message.contains("did you mean 192.168.101.110"), "{message}");
    let nowhere = OverrideTarget::Server { server: ONE.into(), pool: Some("wed".into()) };
    let (code, message) = refused(&world, &wanted(OverrideKind::Server(Order::Drain), nowhere));
    assert_eq!(code, RefusalCode::UnknownPool);
    assert!(message.contains("did you mean web?"), "{message}");
    let missing = world.core.without_overrides(&Selection::One("*/x".into())).expect_err("not in force");
    assert_eq!(missing.code, RefusalCode::NotFound);
    let none = Selection::Server { server: ONE.into(), pool: None };
    assert!(world.core.without_overrides(&none).expect("nothing").1.message.contains("nothing was changed"));
}

#[test]
fn the_answer_says_what_else_is_in_force() {
    let mut world = settled();
    let exact = OverrideTarget::Server { server: ONE.into(), pool: Some("web".into()) };
    give(&mut world, &wanted(OverrideKind::Server(Order::Weight(3)), exact));
    let (_, answer) = world.core.with_override(&an_order(Order::Drain, ONE), ALICE).expect("not refused");
    assert_eq!(answer.notes, ["weight 3 of web/192.168.101.110 by alice stays above it where both are"]);
    let everywhere = Selection::Server { server: ONE.into(), pool: None };
    let (_, answer) = world.core.without_overrides(&everywhere).expect("cleared");
    assert_eq!(answer.notes, ["still in force: weight 3 of web/192.168.101.110 (clear it by that name)"]);
}

#[test]
fn a_drain_waits_for_connections_up_to_the_deadline() {
    let mut world = World::fresh(with(|policy| {
        policy.pools.get_mut("web").expect("the pool").rules.drain = Drain { deadline: seconds(30) };
    }));
    world.run_for(seconds(5));
    world.hold_connections(ONE, 3);
    give(&mut world, &an_order(Order::Drain, ONE));
    assert_eq!(world.weights(), [(ONE.to_owned(), 0), (TWO.to_owned(), 1)]);
    world.run_for(seconds(24));
    assert_eq!(world.addresses(), [ONE, TWO]);
    world.run_for(Duration::from_secs(4));
    assert_eq!(world.addresses(), [TWO]);
}
