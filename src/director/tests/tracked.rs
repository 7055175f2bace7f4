//! Checks that a virtual router tracks and no pool uses: they run, and their verdict can be asked for.

use super::world::{World, dr, seconds};
use crate::desired::fixtures::{self, check, ip};
use crate::model::{
    Check, CheckName, ExecSpec, PingSpec, Policy, ProbeSpec, Tracked, Tracker, VirtualRouter,
};

const GATEWAY: &str = "192.168.101.254";

fn router(track: Vec<Tracker>) -> VirtualRouter {
    VirtualRouter { priorities: [("lb-a".into(), 150)].into(), track, ..fixtures::router("outside", 1) }
}

/// The policy of two servers with further checks, all of them tracked.
fn tracking(checks: impl IntoIterator<Item = Check>) -> Policy {
    let mut policy = dr();
    let mut track = Vec::new();
    for check in checks {
        let what = Tracked::Check(check.name.clone());
        track.push(Tracker { name: check.name.clone(), what, priority_change: None });
        policy.checks.insert(check.name.clone(), check);
    }
    policy.pair.routers.insert("outside".into(), router(track));
    policy
}

fn upstream() -> Check {
    let probe = ProbeSpec::Ping(PingSpec { size: 56 });
    Check { name: "upstream".into(), probe, address: Some(ip(GATEWAY)), ..check() }
}

fn name(text: &str) -> CheckName {
    text.into()
}

#[test]
fn a_tracked_check_runs_and_its_verdict_follows_the_probes() {
    let mut world = World::fresh(tracking([upstream()]));
    assert_eq!(world.core.check_verdict(&name("upstream")), None, "nothing is known yet");
    world.run_for(seconds(5));
    assert_eq!(world.core.check_verdict(&name("upstream")), Some(true));
    world.dead.insert(ip(GATEWAY));
    world.run_for(seconds(5));
    assert_eq!(world.core.check_verdict(&name("upstream")), Some(false));
    assert_eq!(world.addresses().len(), 2, "the pools don't care");
    world.dead.clear();
    world.run_for(seconds(5));
    assert_eq!(world.core.check_verdict(&name("upstream")), Some(true));
}

#[test]
fn a_tracked_check_that_fails_from_the_start_is_bad_and_not_unknown() {
    let mut world = World::fresh(tracking([upstream()]));
    world.dead.insert(ip(GATEWAY));
    world.run_for(seconds(10));
    assert_eq!(world.core.check_verdict(&name("upstream")), Some(false));
}

#[test]
fn a_check_that_no_router_tracks_has_no_verdict_of_its_own() {
    let mut world = World::fresh(tracking([]));
    std::sync::Arc::make_mut(&mut world.core.policy).checks.insert(name("upstream"), upstream());
    world.run_for(seconds(5));
    for check in ["upstream", "alive", "unknown"] {
        assert_eq!(world.core.check_verdict(&name(check)), None, "{check}");
    }
}

#[test]
fn the_target_of_a_tracked_check_is_what_its_kind_needs() {
    let target = |check: Check| check.own_target().map(|target| target.to_string());
    assert_eq!(target(upstream()).as_deref(), Some("192.168.101.254:0"));
    assert_eq!(target(Check { address: None, ..upstream() }), None);
    let tcp = Check { address: Some(ip(GATEWAY)), port: Some(53), ..check() };
    assert_eq!(target(tcp.clone()).as_deref(), Some("192.168.101.254:53"));
    assert_eq!(target(Check { port: None, ..tcp }), None);
    let probe = ProbeSpec::Exec(ExecSpec { command: vec!["/bin/true".to_owned()], user: None, weight: None });
    let exec = Check { probe, ..check() };
    assert_eq!(target(exec.clone()).as_deref(), Some("0.0.0.0:0"));
    assert_eq!(target(Check { address: Some(ip(GATEWAY)), ..exec }).as_deref(), Some("192.168.101.254:0"));
}

#[test]
fn two_routers_that_track_the_same_check_share_its_probes() {
    let mut policy = tracking([upstream()]);
    let second = VirtualRouter { name: "inside".into(), ..policy.pair.routers["outside"].clone() };
    policy.pair.routers.insert("inside".into(), second);
    assert_eq!(policy.tracked_targets().len(), 1);
    assert_eq!(World::fresh(policy).core.targets.len(), 3, "two servers and the gateway");
}
