//! Very many servers: what is due at once is worked off in bounded pieces.

use super::world::beginning;
use crate::desired::fixtures::{policy, pool, server};
use crate::director::core::{Core, Input, Output};
use crate::director::targets::{MOST_AT_ONCE, MOST_IN_A_TURN, TargetId};
use crate::health::ProbeId;
use crate::model::{Forwarding, Outcome, Policy, ProbeSettings};
use crate::time::Instant;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A director of so many servers, each in a check's first second, which may start whatever is due.
fn director(servers: usize) -> Core {
    director_with(servers, ProbeSettings { per_second: 1_000_000 })
}

fn director_with(servers: usize, probes: ProbeSettings) -> Core {
    let mut large = pool("web", "192.168.101.100", &Forwarding::DirectRouting);
    let address = |number: u32| Ipv4Addr::from(0x0a00_0000 + number).to_string();
    let count = u32::try_from(servers).expect("a count");
    large.servers = (0..count).map(|number| server(&address(number), &Forwarding::DirectRouting)).collect();
    Core::new(beginning(Policy { probes, ..policy([large]) }))
}

/// A probe that was started, and how late.
struct Started {
    target: TargetId,
    probe: ProbeId,
    late: Duration,
}

/// What the core starts until it waits, and until when it waits.
fn turn(core: &mut Core) -> (Vec<Started>, Option<Instant>) {
    let mut started = Vec::new();
    loop {
        match core.poll() {
            Output::Overrides(_) => {}
            Output::StartProbe { target, probe, due, .. } => {
                started.push(Started { target, probe, late: probe.0.saturating_since(due) });
            }
            Output::Wait { deadline } => return (started, deadline),
            Output::Kernel(_) | Output::Record(_) | Output::Sights(_) | Output::Tell(_) | Output::Stopped => {
            }
        }
    }
}

fn finish(core: &mut Core, started: &Started, at: Instant) {
    let outcome = Outcome::new(Duration::from_millis(1), Ok(()));
    let (target, probe, lateness) = (started.target, started.probe, started.late);
    core.handle(Input::ProbeFinished { at, target, probe, outcome, lateness });
}

#[test]
fn after_a_stall_the_probes_start_turn_by_turn_and_say_how_late_they_are() {
    let mut core = director(3 * MOST_IN_A_TURN);
    let at = Instant::from_millis(10_000);
    for _ in 0..3 {
        core.handle(Input::Timeout { at });
        let (started, deadline) = turn(&mut core);
        assert_eq!(started.len(), MOST_IN_A_TURN);
        assert!(started.iter().all(|one| one.late > Duration::from_secs(8)), "due in the first second");
        assert!(deadline.is_some_and(|deadline| deadline <= at) || core.targets.deadline() > Some(at));
    }
    core.handle(Input::Timeout { at });
    assert!(turn(&mut core).0.is_empty());
}

#[test]
fn what_is_due_beyond_the_most_at_once_waits_for_the_end_of_a_probe() {
    let mut core = director(MOST_AT_ONCE + 1);
    let at = Instant::from_millis(10_000);
    let mut running = Vec::new();
    for _ in 0..=MOST_AT_ONCE / MOST_IN_A_TURN {
        core.handle(Input::Timeout { at });
        running.extend(turn(&mut core).0);
    }
    assert_eq!(running.len(), MOST_AT_ONCE);
    assert!(core.targets.deadline() > Some(at), "it waits for the first that may be lost");
    finish(&mut core, &running[0], at);
    core.handle(Input::Timeout { at });
    assert_eq!(turn(&mut core).0.len(), 1);
}

#[test]
fn probes_that_nobody_reports_make_room_in_the_end() {
    let mut core = director(MOST_AT_ONCE + 1);
    let mut at = Instant::from_millis(10_000);
    let mut started = 0;
    for _ in 0..4 * MOST_AT_ONCE / MOST_IN_A_TURN {
        core.handle(Input::Timeout { at });
        let (now_started, deadline) = turn(&mut core);
        started += now_started.len();
        at = deadline.map_or(at, |deadline| deadline.max(at));
    }
    assert!(started > MOST_AT_ONCE, "{started}");
}

#[test]
fn in_a_second_no_more_probes_start_than_the_policy_says_and_they_start_as_time_passes() {
    let mut core = director_with(3_000, ProbeSettings { per_second: 1_000 });
    let begun = Instant::from_millis(10_000);
    let (mut at, mut started) = (begun, Vec::new());
    for _ in 0..10_000 {
        core.handle(Input::Timeout { at });
        let (now, deadline) = turn(&mut core);
        started.extend(std::iter::repeat_n(at.saturating_since(begun), now.len()));
        let until = deadline.expect("probes wait").max(at);
        if until >= begun + Duration::from_secs(1) {
            break;
        }
        at = until;
    }
    assert!((1_000..1_100).contains(&started.len()), "{}", started.len());
    let late = started.iter().filter(|after| **after >= Duration::from_millis(900)).count();
    assert!((90..110).contains(&late), "{late} in the last tenth");
}
