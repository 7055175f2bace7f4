//! What a director does, told by a small [`world`].

mod alone;
mod both;
mod changed;
mod conditions;
mod crowd;
mod explained;
mod held_once;
mod observing;
mod orders;
mod policy;
mod stopping;
mod succession;
mod touched;
mod tracked;
mod world;

use super::core::Input;
use super::event::Event;
use super::reconciler::OBSERVE_EVERY;
use crate::desired::fixtures::{ip, policy, pool, tcp};
use crate::model::{
    Forwarding, HostFacts, Initial, Observed, ObservedRuleset, OnFailure, OnStop, Reach, SideTable,
    SourceTranslation, Sysctl,
};
use crate::reconcile::{Change, Ownership};
use std::time::Duration;
use world::{KERNEL_TAKES, ONE, PROBE_TAKES, TWO, VIP, World, dr, seconds};

#[test]
fn servers_join_after_their_first_success_and_only_those_that_answer() {
    let mut world = World::fresh(dr());
    world.dead.insert(ip(TWO));
    world.run_for(Duration::from_millis(4));
    assert!(world.core.readiness(world.now).is_err(), "not ready before the first pass");
    world.run_for(seconds(2));
    assert_eq!(world.addresses(), [ONE]);
    assert_eq!(world.core.readiness(world.now), Ok(()));
}

#[test]
fn a_director_is_warm_when_each_server_has_a_verdict_and_the_kernel_was_told() {
    let mut world = World::fresh(dr());
    let mut until = |what: &dyn Fn(&World) -> bool| {
        while !what(&world) {
            world.run_for(Duration::from_millis(5));
            assert!(world.now < crate::time::Instant::ZERO + seconds(5), "never so");
        }
        (world.now, world.addresses().len())
    };
    let (ready, served) = until(&|world| world.core.readiness(world.now).is_ok());
    assert!(served < 2, "one verdict is enough to be ready");
    let (warm, served) = until(&|world| world.core.is_warm(crate::time::Instant::ZERO, world.now));
    assert!(warm > ready);
    assert_eq!(served, 2, "the kernel has both");
}

#[test]
fn a_server_that_dies_is_out_within_fall_intervals_and_back_within_rise_intervals() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [ONE, TWO]);
    world.dead.insert(ip(ONE));
    world.run_for(seconds(3) + PROBE_TAKES + KERNEL_TAKES * 4);
    assert_eq!(world.addresses(), [TWO]);
    world.dead.clear();
    world.run_for(seconds(2) + PROBE_TAKES + KERNEL_TAKES * 4);
    assert_eq!(world.addresses(), [ONE, TWO]);
    let verdicts: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Verdict { up, servers, .. } => Some((*up, servers.len())),
            _ => None,
        })
        .collect();
    assert_eq!(verdicts, [(true, 1), (true, 1), (false, 1), (true, 1)]);
}

#[test]
fn a_right_table_that_is_found_is_adopted_without_a_single_change() {
    for pools in [
        [pool("web", VIP, &Forwarding::DirectRouting)],
        [pool("web", VIP, &Forwarding::FullNat(SourceTranslation::Masquerade))],
    ] {
        let mut first = World::fresh(policy(pools));
        first.run_for(seconds(5));
        let mut second =
            World::start((*first.core.policy).clone(), first.kernel.clone(), first.record.clone());
        second.run_for(seconds(10));
        assert_eq!(second.applied, [], "dumps and nothing else");
        assert!(matches!(&second.events[0], Event::Adopted { ours, .. } if ours == &[tcp(VIP, 80)]));
    }
}

#[test]
fn what_changed_while_nobody_looked_is_put_right_at_the_start() {
    let mut first = World::fresh(dr());
    first.run_for(seconds(5));
    first.kernel_edit(|found| found.weight = 7);
    let mut second = World::start(dr(), first.kernel.clone(), first.record.clone());
    second.dead.insert(ip(TWO));
    second.run_for(Duration::from_millis(20));
    assert_eq!(second.weights(), [(ONE.to_owned(), 1), (TWO.to_owned(), 1)], "the weight at once");
    second.run_for(seconds(4));
    assert_eq!(second.addresses(), [ONE], "the dead server after its fall");
    assert_eq!(second.kinds(), ["edit_destination", "remove_destination"]);
}

#[test]
fn drift_is_counted_and_repaired_within_one_observation() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    let before = world.applied.len();
    world.kernel_edit(|found| found.weight = 7);
    world.run_for(OBSERVE_EVERY + KERNEL_TAKES * 4);
    assert!(world.is_level());
    assert_eq!(world.applied.len(), before + 1);
    assert_eq!(world.core.reconciler.counts.drift.values().sum::<u64>(), 1);
    assert!(world.events.iter().any(|event| matches!(event, Event::Drift { changes } if changes.len() == 1)));
}

/// One entry that the kernel never takes must not make the director blind to what others do.
#[test]
fn drift_is_counted_beside_a_refused_change_too() {
    let mut world = World::fresh(dr());
    world.refuse = |change| matches!(change, Change::AddDestination { key, .. } if key.address == ip(TWO));
    world.run_for(seconds(10));
    assert!(
        world.core.reconciler.counts.drift.is_empty(),
        "a refused change is no drift, however often tried"
    );
    world.kernel_edit(|found| found.weight = 7);
    world.run_for(OBSERVE_EVERY + KERNEL_TAKES * 4);
    assert_eq!(world.core.reconciler.counts.drift.values().sum::<u64>(), 1);
    let drift = |event: &&Event| matches!(event, Event::Drift { changes } if changes.len() == 1);
    assert_eq!(world.events.iter().filter(drift).count(), 1);
}

#[test]
fn a_decision_is_not_drift() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    world.dead.insert(ip(ONE));
    world.run_for(seconds(10));
    assert!(world.core.reconciler.counts.drift.is_empty());
}

#[test]
fn a_refused_destination_is_told_once_retried_and_does_not_hold_up_the_rest() {
    let mut world = World::fresh(dr());
    world.refuse = |change| matches!(change, Change::AddDestination { key, .. } if key.address == ip(ONE));
    world.run_for(seconds(30));
    assert_eq!(world.addresses(), [TWO]);
    let refused = world.events.iter().filter(|event| matches!(event, Event::Refused { .. })).count();
    assert_eq!(refused, 1, "told once");
    let tries = world.kinds().iter().filter(|kind| **kind == "add_destination").count();
    assert!((4..=8).contains(&tries), "backed off, {tries} tries");
    world.refuse = |_| false;
    world.run_for(seconds(16));
    assert_eq!(world.addresses(), [ONE, TWO]);
    assert!(world.events.iter().any(|event| matches!(event, Event::Accepted { .. })));
}

#[test]
fn a_refused_service_is_one_message_however_many_destinations_it_has() {
    let mut world = World::fresh(dr());
    world.refuse = |change| matches!(change, Change::AddService { .. } | Change::AddDestination { .. });
    world.run_for(seconds(20));
    let refused = world.events.iter().filter(|event| matches!(event, Event::Refused { .. })).count();
    assert_eq!(refused, 1);
}

#[test]
fn a_rack_that_fails_at_once_is_few_passes() {
    let mut large = pool("web", VIP, &Forwarding::DirectRouting);
    large.servers = (0..200)
        .map(|number| {
            crate::desired::fixtures::server(&format!("10.0.0.{number}"), &Forwarding::DirectRouting)
        })
        .collect();
    let mut world = World::fresh(policy([large]));
    world.run_for(seconds(5));
    assert_eq!(world.addresses().len(), 200);
    let before = world.applied.len();
    world.dead = (0..200).map(|number| ip(&format!("10.0.0.{number}"))).collect();
    world.run_for(seconds(5));
    assert_eq!(world.addresses().len(), 0);
    let passes = world.applied.len() - before;
    assert!(passes < 200, "verdicts that come while the kernel is busy go in together: {passes} passes");
}

#[test]
fn a_quiesced_server_keeps_its_place_and_one_found_quiesced_must_prove_itself() {
    let mut pool = pool("web", VIP, &Forwarding::DirectRouting);
    pool.on_failure = OnFailure::Quiesce;
    let policy = policy([pool]);
    let mut world = World::fresh(policy.clone());
    world.dead.insert(ip(ONE));
    world.run_for(seconds(5));
    assert_eq!(world.weights(), [(ONE.to_owned(), 0), (TWO.to_owned(), 1)]);
    let mut again = World::start(policy, world.kernel.clone(), world.record.clone());
    again.dead.insert(ip(ONE));
    again.run_for(seconds(5));
    assert_eq!(again.applied, [], "weight 0 says that it was down: it is left so");
}

#[test]
fn a_stop_keeps_the_table_or_takes_back_everything_that_is_ours() {
    let mut keeping = World::fresh(dr());
    keeping.run_for(seconds(5));
    let before = keeping.kernel.clone();
    keeping.core.handle(Input::Stop { at: keeping.now });
    keeping.run_for(seconds(1));
    assert!(keeping.stopped);
    assert_eq!(keeping.kernel, before);

    let mut policy = policy([pool("web", VIP, &Forwarding::FullNat(SourceTranslation::Masquerade))]);
    policy.on_stop = OnStop::Remove;
    let mut kernel = Observed::default();
    let forward = Sysctl::from_path("net/ipv4/ip_forward");
    kernel.sysctls.insert(forward.clone(), "0".into());
    let mut removing = World::start(policy, kernel, Ownership::default());
    removing.run_for(seconds(5));
    assert_eq!(removing.kernel.sysctls[&forward], "1");
    removing.core.handle(Input::Stop { at: removing.now });
    removing.run_for(seconds(1));
    assert!(removing.stopped);
    assert!(removing.kernel.services.is_empty());
    assert_eq!(removing.kernel.ruleset, ObservedRuleset::Absent);
    assert_eq!(removing.kernel.sysctls[&forward], "0", "the value that was found");
    assert_eq!(removing.record, Ownership::default(), "and the record says that nothing is ours");
}

#[test]
fn a_stop_that_is_refused_tries_again() {
    let mut policy = dr();
    policy.on_stop = OnStop::Remove;
    let mut world = World::fresh(policy);
    world.run_for(seconds(5));
    world.refuse = |change| change.kind() == "remove_service";
    world.core.handle(Input::Stop { at: world.now });
    world.run_for(seconds(2));
    assert!(!world.stopped);
    world.refuse = |_| false;
    world.run_for(seconds(5));
    assert!(world.stopped && world.kernel.services.is_empty());
}

#[test]
fn a_table_that_was_right_when_found_is_taken_back_too() {
    let mut policy = dr();
    policy.on_stop = OnStop::Remove;
    let mut first = World::fresh(policy.clone());
    first.run_for(seconds(5));
    let mut second = World::start(policy, first.kernel.clone(), Ownership::default());
    second.run_for(seconds(5));
    assert_eq!(second.applied, [], "nothing to change");
    second.core.handle(Input::Stop { at: second.now });
    second.run_for(seconds(1));
    assert!(second.kernel.services.is_empty());
}

#[test]
fn drift_is_told_while_something_else_is_refused() {
    let mut world = World::fresh(dr());
    world.refuse = |change| change.kind() == "set_sysctl";
    world.run_for(seconds(5));
    world.kernel_edit(|found| found.weight = 7);
    world.run_for(OBSERVE_EVERY + KERNEL_TAKES * 4);
    assert_eq!(world.weights()[0].1, 1, "repaired");
    let drift = &world.core.reconciler.counts.drift;
    assert_eq!(drift.values().sum::<u64>(), 1, "{drift:?}");
}

#[test]
fn initial_up_does_not_bring_back_the_dead_at_a_restart() {
    let mut pool = pool("web", VIP, &Forwarding::DirectRouting);
    pool.initial = Initial::Up;
    let policy = policy([pool]);
    let mut first = World::fresh(policy.clone());
    first.dead.insert(ip(ONE));
    first.run_for(seconds(6));
    assert_eq!(first.addresses(), [TWO]);
    let mut second = World::start(policy, first.kernel.clone(), first.record.clone());
    second.dead.insert(ip(ONE));
    second.run_for(seconds(6));
    assert_eq!(second.applied, []);
}

#[test]
fn a_pool_that_loses_its_last_server_is_told_with_the_right_reason() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    world.dead = [ip(ONE), ip(TWO)].into();
    world.run_for(seconds(6));
    let told: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| if let Event::Pool { up, .. } = event { Some(*up) } else { None })
        .collect();
    assert_eq!(told, [true, false]);
    let snapshot = world.core.snapshot(world.now, Duration::ZERO);
    let transitions: Vec<_> = snapshot.pools[0].transitions.keys().copied().collect();
    let down = (super::snapshot::Direction::Down, "connection_refused");
    assert!(transitions.contains(&down), "{transitions:?}");
}

#[test]
fn a_table_that_cannot_be_read_holds_up_no_other_and_is_no_drift() {
    let full_nat = Forwarding::FullNat(SourceTranslation::Masquerade);
    let mut world = World::fresh(policy([pool("web", VIP, &full_nat)]));
    world.run_for(seconds(5));
    let before = world.applied.len();
    world.kernel.ruleset = ObservedRuleset::Absent;
    world.kernel.unreadable = vec![(SideTable::Nftables, "nft is gone".into())];
    world.kernel_edit(|found| found.weight = 7);
    world.run_for(seconds(5));
    assert_eq!(world.weights()[0].1, 1, "the rest is repaired");
    assert_eq!(world.applied.len(), before + 1, "and of the ruleset nothing is assumed");
    world.kernel.ruleset = ObservedRuleset::Present("as listed".into());
    world.kernel.unreadable.clear();
    world.run_for(seconds(5));
    let count = |wanted: fn(&Event) -> bool| world.events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Unreadable { .. })), 1, "told once");
    assert_eq!(count(|event| matches!(event, Event::Readable)), 1);
}

#[test]
fn two_pools_share_a_probe_and_each_keeps_its_own_start() {
    let mut eager = pool("eager", VIP, &Forwarding::DirectRouting);
    eager.initial = Initial::Up;
    let careful = pool("careful", "192.168.101.101", &Forwarding::DirectRouting);
    let mut world = World::fresh(policy([eager, careful]));
    world.dead = [ip(ONE), ip(TWO)].into();
    world.run_for(Duration::from_millis(20));
    assert_eq!(world.addresses(), [ONE, TWO], "initial: up is in at once");
    let second = &world.kernel.services[&tcp("192.168.101.101", 80)];
    assert!(second.destinations.is_empty(), "initial: down is not");
    assert_eq!(world.core.targets.len(), 2, "one probe a target");
    world.run_for(seconds(4));
    assert_eq!(world.addresses().len(), 0);
}

#[test]
fn a_server_behind_a_gateway_joins_when_it_is_on_the_link() {
    let mut world = World::fresh(dr());
    let behind = Reach::Gateway { interface: "eth0".into() };
    let on_link = world.core.host.clone();
    let mut facts = on_link.clone();
    facts.reach.insert(ip(ONE), behind);
    world.core.handle(Input::Host { at: world.now, facts });
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [TWO]);
    world.core.handle(Input::Host { at: world.now, facts: HostFacts { reach: on_link.reach, kernel: None } });
    world.run_for(Duration::from_millis(20));
    assert_eq!(world.addresses(), [ONE, TWO]);
    let told = world.events.iter().filter(|event| matches!(event, Event::Obstructed { .. })).count();
    assert_eq!(told, 2);
}

#[test]
fn a_probe_that_cannot_be_made_is_told_once_and_changes_no_verdict() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    world.no_sockets = true;
    world.run_for(seconds(20));
    assert_eq!(world.addresses(), [ONE, TWO]);
    let told = world.events.iter().filter(|event| matches!(event, Event::NotProbed { .. })).count();
    assert_eq!(told, 2, "once a target");
}

/// Any history of deaths, returns, foreign edits and refusals: once they end, the kernel is level with the servers that
/// live, and foreign services are as they were.
#[test]
fn after_any_history_the_table_is_level_again() {
    for seed in 0..60_u64 {
        let mut state = seed;
        let mut random = move |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let mut world = World::fresh(policy([
            pool("web", VIP, &Forwarding::DirectRouting),
            pool("api", "192.168.101.102", &Forwarding::FullNat(SourceTranslation::Masquerade)),
        ]));
        let foreign = tcp("10.9.9.9", 25);
        for _ in 0..30 {
            let server = if random(2) == 0 { ip(ONE) } else { ip(TWO) };
            match random(7) {
                0 => drop(world.dead.insert(server)),
                1 => drop(world.dead.remove(&server)),
                2 => drop(world.kernel.services.remove(&tcp(VIP, 80))),
                3 => world.kernel.ruleset = ObservedRuleset::Absent,
                4 => world.refuse = |change| change.kind() == "add_destination",
                5 => world.refuse = |_| false,
                _ => {
                    let other = world.kernel.services.get(&tcp(VIP, 80)).cloned();
                    other.map(|service| world.kernel.services.insert(foreign, service));
                }
            }
            world.run_for(Duration::from_millis(random(3_000)));
        }
        let untouched = world.kernel.services.get(&foreign).cloned();
        world.refuse = |_| false;
        world.dead = [ip(ONE)].into();
        world.run_for(seconds(40));
        assert!(world.is_level(), "seed {seed}");
        assert_eq!(world.addresses(), [TWO], "seed {seed}");
        assert_eq!(world.kernel.services.get(&foreign), untouched.as_ref(), "seed {seed}");
    }
}

#[test]
fn a_role_moves_the_synchronisation_daemon() {
    use crate::model::{ConnectionSync, Roles, SyncDaemonRole, SyncRole};
    let mut policy = dr();
    let role = SyncRole::FollowRouter("outside".into());
    let sync_id = 61.try_into().expect("not zero");
    policy.pair.connection_sync = Some(ConnectionSync { interface: "eth1".into(), sync_id, role });
    let mut world = World::fresh(policy);
    world.run_for(seconds(5));
    let roles =
        |world: &World| -> Vec<_> { world.kernel.sync_daemons.iter().map(|found| found.role).collect() };
    assert_eq!(roles(&world), [SyncDaemonRole::Backup]);
    let roles_now = Roles { master_of: ["outside".into()].into(), changing_hands: ["outside".into()].into() };
    world.core.handle(Input::Roles { at: world.now, roles: roles_now });
    world.run_for(Duration::from_millis(100));
    let both = [SyncDaemonRole::Master, SyncDaemonRole::Backup];
    assert_eq!(roles(&world), both, "the old Master still passes on what began there");
    world.run_for(seconds(3));
    assert_eq!(roles(&world), [SyncDaemonRole::Master]);
    assert!(world.is_level());
}

#[test]
fn a_takeover_that_is_through_does_not_begin_anew_with_another_routers_role() {
    use crate::model::Roles;
    let mut world = World::fresh(dr());
    let mut roles = |master_of: &[&str], changing_hands: &[&str]| {
        let names = |all: &[&str]| all.iter().map(|name| (*name).into()).collect();
        let roles = Roles { master_of: names(master_of), changing_hands: names(changing_hands) };
        world.core.handle(Input::Roles { at: world.now, roles });
        world.run_for(seconds(2));
        world.core.roles.changing_hands.contains("outside")
    };
    assert!(roles(&["outside"], &["outside"]), "three seconds are not over");
    assert!(roles(&["outside", "inside"], &["inside"]), "what goes on is not cut short");
    assert!(!roles(&["outside", "inside"], &[]));
    assert!(!roles(&["outside", "inside", "third"], &["third"]), "only the third begins");
}
