//! Files that change between two probes, and certificates that expire.

use super::world::{World, dr, seconds};
use crate::director::core::Input;
use crate::director::event::Event;
use crate::model::{Findings, ProbeSpec, TlsSpec};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

fn runs(world: &World) -> u64 {
    world.core.statistics.checks.values().flat_map(|check| check.runs.values()).sum()
}

#[test]
fn the_checks_of_a_changed_file_are_made_at_once_and_no_others() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(10));
    let before = runs(&world);
    let names: Vec<_> = world.core.policy.checks.keys().cloned().collect();
    world.core.handle(Input::Changed { at: world.now, checks: vec!["unknown".into()] });
    world.run_for(Duration::from_millis(1));
    assert_eq!(runs(&world), before);
    world.core.handle(Input::Changed { at: world.now, checks: names });
    world.run_for(Duration::from_millis(150));
    assert_eq!(runs(&world), before + 2, "both targets of the check");
}

#[test]
fn a_director_that_stops_makes_no_more_probes() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(10));
    let names: Vec<_> = world.core.policy.checks.keys().cloned().collect();
    world.core.handle(Input::Stop { at: world.now });
    let before = runs(&world);
    world.core.handle(Input::Changed { at: world.now, checks: names });
    world.run_for(seconds(1));
    assert_eq!(runs(&world), before);
}

/// A world whose check speaks TLS and warns a week before; its targets, by the probes in flight.
fn with_tls() -> World {
    let mut policy = dr();
    let tls = TlsSpec { expiry_warning: DAY * 7, ..TlsSpec::default() };
    let probe = ProbeSpec::Tls(tls);
    policy.checks.values_mut().for_each(|check| check.probe = probe.clone());
    World::fresh(policy)
}

#[test]
fn a_certificate_that_expires_soon_is_told_once_and_shown_until_it_is_renewed() {
    let mut world = with_tls();
    world.core.handle(Input::Calendar { at: world.now, epoch: DAY * 100 });
    let sees = |expires: Duration| Findings { certificate_expires: Some(expires), ..Findings::default() };
    world.findings = sees(DAY * 105);
    world.run_for(seconds(20));
    let told: Vec<_> =
        world.events.iter().filter(|event| matches!(event, Event::CertificateExpires { .. })).collect();
    assert_eq!(told.len(), 2, "once for each of the two servers: {told:?}");
    let snapshot = world.core.snapshot(world.now, DAY * 100);
    let shown: Vec<_> = snapshot.certificates.iter().map(|found| (&*found.server, found.expires)).collect();
    let names: Vec<_> =
        world.core.policy.pools.values().flat_map(|pool| &pool.servers).map(|server| &*server.name).collect();
    assert_eq!(shown, names.iter().map(|name| (*name, DAY * 105)).collect::<Vec<_>>());
    world.findings = sees(DAY * 190);
    world.events.clear();
    world.run_for(seconds(20));
    assert!(!world.events.iter().any(|event| matches!(event, Event::CertificateExpires { .. })));
    assert!(
        world.core.snapshot(world.now, DAY * 100).certificates.iter().all(|found| found.expires == DAY * 190)
    );
}
