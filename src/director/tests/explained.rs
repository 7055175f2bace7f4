//! What the small world went through, as a chronicle and as an explanation.

use super::world::{ONE, TWO, VIP, World, dr, seconds};
use crate::control::{EventQuery, EventRecord, Explanation, MOST_EVENTS, Step, explain};
use crate::desired::fixtures::ip;
use crate::director::chronicle::{Chronicle, Stamp, of_pools};
use crate::model::EventKind;
use crate::reconcile::Change;
use std::sync::Arc;
use std::time::Duration;

fn chronicle(world: &World) -> Vec<Arc<EventRecord>> {
    let mut chronicle = Chronicle::default();
    for draft in world.events.iter().flat_map(|event| of_pools(event, &world.core.policy)) {
        chronicle.push(draft, Stamp { unix_ms: 1_000, at_ms: 0, director: None });
    }
    let web = EventQuery { pool: Some("web".to_owned()), ..EventQuery::default() };
    chronicle.find(&web, MOST_EVENTS).unpacked().events
}

fn explained(world: &World, server: Option<&str>) -> Explanation {
    let snapshot = world.core.snapshot(world.now, Duration::from_secs(1_700_000_000));
    explain(&snapshot, &chronicle(world), "web", server).expect("a pool")
}

fn says(explanation: &Explanation, step: Step) -> Vec<&str> {
    explanation.because.iter().filter(|link| link.step == step).map(|link| &*link.says).collect()
}

#[test]
fn a_server_that_died_is_explained_by_the_check_that_found_it() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(10));
    let found = explained(&world, Some("192.168.101.110:80"));
    assert!(
        says(&found, Step::Check)[1].ends_with("0 of the 3 failures in a row that take it out"),
        "{found:?}"
    );
    world.dead.insert(ip(ONE));
    // One failure of three.
    world.run_for(seconds(1));
    let found = explained(&world, Some("192.168.101.110:80"));
    assert!(
        says(&found, Step::Check)[1].ends_with("1 of the 3 failures in a row that take it out"),
        "{found:?}"
    );
    world.run_for(seconds(10));
    let found = explained(&world, Some("192.168.101.110:80"));
    let check = says(&found, Step::Check);
    assert!(check[0].starts_with("down: failed its check ") && check[0].contains("by alive"), "{check:?}");
    assert!(check[1].ends_with("0 of the 2 successes in a row that bring it back"), "{check:?}");
    assert!(says(&found, Step::Rule)[0].starts_with("verdict: out of the table: failed"), "{found:?}");
    assert_eq!(says(&found, Step::Kernel), [format!("tcp://{VIP}:80: not in the table")]);
    let kinds: Vec<EventKind> = found.events.iter().map(|event| event.kind).collect();
    let [.., down, changed] = kinds.as_slice() else { panic!("{kinds:?}") };
    assert_eq!((*down, *changed), (EventKind::ServerDown, EventKind::TableChanged));
    let pool = explained(&world, None);
    assert!(pool.up && says(&pool, Step::Quorum)[0].starts_with("1 of 2 real servers are up"), "{pool:?}");
}

#[test]
fn what_the_kernel_refuses_is_in_the_chain_until_it_is_accepted() {
    let mut world = World::fresh(dr());
    world.refuse = |change| matches!(change, Change::AddDestination { key, .. } if key.address == ip(TWO));
    world.run_for(seconds(10));
    let found = explained(&world, Some("192.168.101.210:80"));
    assert_eq!(says(&found, Step::Disturbance).len(), 1, "{found:?}");
    let kernel = says(&found, Step::Kernel);
    assert_eq!(kernel, [format!("tcp://{VIP}:80: not in the table, and shall be with weight 1")]);
    world.refuse = |_| false;
    world.run_for(seconds(60));
    let found = explained(&world, Some("192.168.101.210:80"));
    assert!(says(&found, Step::Disturbance).is_empty(), "{found:?}");
    assert!(says(&found, Step::Kernel)[0].contains("weight 1, "), "{found:?}");
}

#[test]
fn a_pool_without_servers_is_explained_by_its_quorum() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(10));
    world.dead.extend([ip(ONE), ip(TWO)]);
    world.run_for(seconds(10));
    let found = explained(&world, None);
    assert!(!found.up);
    let quorum = found.because.iter().find(|link| link.step == Step::Quorum).expect("a quorum");
    assert!(quorum.says.ends_with("its quorum is lost"), "{quorum:?}");
    assert_eq!(quorum.since_unix_ms, Some(1_000), "from the chronicle");
    assert!(found.events.iter().any(|event| event.kind == EventKind::PoolDown));
}
