//! Several checks of one server, tracked servers, and checks that are one.

use super::world::{ONE, TWO, VIP, World, seconds};
use crate::desired::fixtures::{check, ip, policy, pool};
use crate::director::event::Event;
use crate::model::{
    Check, Condition, Forwarding, Policy, Pool, ServiceKey, TargetKey, Tracking, VirtualService,
};
use crate::reconcile::Ownership;
use crate::time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// Where the second check of the servers asks.
const DEEP: &str = "192.168.101.250";

fn target(check: &str, address: &str) -> Condition {
    let address = (ip(address), 80).into();
    Condition::Check(TargetKey { check: check.into(), address, real_path: None }.into())
}

/// The pool of two servers, with a second check that asks another host beside each server's own.
fn with(condition: fn(Vec<Condition>) -> Condition) -> Policy {
    let mut policy = policy([pool("web", VIP, &Forwarding::DirectRouting)]);
    let deep = Check { name: "deep".into(), address: Some(ip(DEEP)), ..check() };
    policy.checks.insert("deep".into(), deep);
    for server in policy.pools.values_mut().flat_map(|pool| &mut pool.servers) {
        let own = server.check.take().expect("a check");
        server.check = Some(condition(vec![own, target("deep", DEEP)]));
    }
    policy
}

fn verdicts(world: &World) -> Vec<(String, bool, Vec<String>)> {
    let verdict = |event: &Event| match event {
        Event::Verdict { target, up, servers, .. } => {
            let servers = servers.iter().map(|(_, server)| server.to_string()).collect();
            Some((target.address.ip().to_string(), *up, servers))
        }
        _ => None,
    };
    world.events.iter().filter_map(verdict).collect()
}

#[test]
fn with_all_a_server_is_out_while_one_of_its_checks_is_down_and_says_which() {
    let mut world = World::fresh(with(Condition::All));
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [ONE, TWO]);
    assert_eq!(world.core.targets.len(), 3, "both servers share the second check");
    world.events.clear();
    world.dead.insert(ip(DEEP));
    world.run_for(seconds(10));
    assert!(world.addresses().is_empty());
    let both = [ONE, TWO].map(|address| format!("{address}:80")).to_vec();
    assert_eq!(verdicts(&world), [(DEEP.to_owned(), false, both)], "each is told once");
    let snapshot = world.core.snapshot(world.now, seconds(0));
    let server = &snapshot.pools[0].servers[0];
    assert_eq!((server.up, server.went_down), (false, 1));
    assert!(
        server.reason.as_ref().is_some_and(|reason| reason.to_string().contains("3 times in a row")),
        "{server:?}"
    );
    let out_since = server.last_change.expect("it went down");

    world.events.clear();
    world.dead.insert(ip(ONE));
    world.run_for(seconds(10));
    assert_eq!(verdicts(&world), [(ONE.to_owned(), false, vec![])], "it was out before");
    world.dead.remove(&ip(DEEP));
    world.run_for(seconds(10));
    assert_eq!(world.addresses(), [TWO]);
    let snapshot = world.core.snapshot(world.now, seconds(0));
    assert_eq!(snapshot.pools[0].servers[0].last_change, Some(out_since), "nothing has changed for this one");
    assert_eq!(snapshot.pools[0].servers[1].went_up, 2);
}

#[test]
fn with_any_a_server_serves_while_one_of_its_checks_is_up() {
    let mut world = World::fresh(with(Condition::Any));
    world.dead.extend([ip(ONE), ip(DEEP)]);
    world.run_for(seconds(10));
    assert_eq!(world.addresses(), [TWO]);
    world.dead.remove(&ip(DEEP));
    world.run_for(seconds(10));
    assert_eq!(world.addresses(), [ONE, TWO]);
    world.dead.extend([ip(TWO)]);
    world.run_for(seconds(10));
    assert_eq!(world.addresses(), [ONE, TWO], "the second check carries both");
}

#[test]
fn a_server_in_rotation_is_adopted_until_its_checks_together_fail_it() {
    for (condition, stays) in
        [(Condition::All as fn(Vec<Condition>) -> Condition, false), (Condition::Any, true)]
    {
        let mut before = World::fresh(with(condition));
        before.run_for(seconds(5));
        let mut world = World::start(with(condition), before.kernel, Ownership::default());
        assert_eq!(world.core.waiting(), 0, "in the table, so trusted");
        assert!(world.core.readiness(world.now).is_err(), "nothing is known yet");
        world.dead.insert(ip(DEEP));
        world.run_for(seconds(20));
        assert_eq!(!world.addresses().is_empty(), stays);
        assert_eq!(world.core.readiness(world.now), Ok(()));
        assert!(world.core.is_warm(Instant::ZERO, world.now), "each server's verdict is known");
    }
}

#[test]
fn all_are_warm_with_one_fresh_failure_and_any_with_one_fresh_success() {
    let mut world = World::fresh(with(Condition::All));
    world.run_for(seconds(5));
    let cut = world.now + Duration::from_millis(1_001);
    world.dead.insert(ip(DEEP));
    world.run_for(seconds(2));
    assert!(!world.core.is_warm(cut, world.now), "one failure decides nothing, and the last success is old");
    world.run_for(seconds(4));
    assert!(world.core.is_warm(cut, world.now));
}

/// The pool `app` on another port, each server of which tracks its counterpart in `web`.
fn tracking() -> Policy {
    let web = pool("web", VIP, &Forwarding::DirectRouting);
    let mut app = Pool { name: "app".into(), ..web.clone() };
    let VirtualService { key, .. } = &mut app.services[0];
    if let ServiceKey::Address { port, .. } = key {
        *port = 81;
    }
    for server in &mut app.servers {
        server.check = Some(Condition::Track(Tracking {
            pool: web.name.clone(),
            server: server.name.clone(),
            named: false,
            decided_by: server.check.take().map(Arc::new),
        }));
    }
    policy([web, app])
}

#[test]
fn a_tracker_follows_the_server_that_it_tracks_and_costs_no_probe() {
    let mut world = World::fresh(tracking());
    world.dead.insert(ip(TWO));
    world.run_for(seconds(5));
    assert_eq!(world.core.targets.len(), 2);
    let in_both = |world: &World| {
        let destinations = world.kernel.services.values().map(|service| service.destinations.len());
        destinations.collect::<Vec<_>>()
    };
    assert_eq!(in_both(&world), [1, 1]);
    world.dead.clear();
    world.run_for(seconds(5));
    assert_eq!(in_both(&world), [2, 2]);
    world.dead.insert(ip(ONE));
    world.run_for(seconds(5));
    assert_eq!(in_both(&world), [1, 1]);
}

#[test]
fn equal_checks_under_two_names_are_probed_once_and_counted_under_both() {
    let mut policy =
        policy([pool("web", VIP, &Forwarding::DirectRouting), pool("app", VIP, &Forwarding::Nat)]);
    policy.checks.insert("app/check".into(), Check { name: "app/check".into(), ..check() });
    let app = policy.pools.get_mut("app").expect("the pool");
    for server in &mut app.servers {
        server.check = Some(target("app/check", &server.address.to_string()));
    }
    let mut world = World::fresh(policy);
    world.run_for(seconds(5));
    assert_eq!(world.core.targets.len(), 2, "one probe an address");
    let runs = |name: &str| world.core.statistics.checks[name].runs["success"];
    assert!(runs("alive") >= 8 && runs("alive") == runs("app/check"), "{}", runs("alive"));
    world.dead.insert(ip(ONE));
    world.run_for(seconds(5));
    let names = |(pool, server): &(Arc<str>, Arc<str>)| format!("{pool}/{server}");
    let told = world.events.iter().rev().find_map(|event| match event {
        Event::Verdict { up: false, servers, .. } => Some(servers.iter().map(names).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(told.expect("a verdict"), [format!("app/{ONE}:80"), format!("web/{ONE}:80")]);
}
