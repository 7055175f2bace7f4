//! How several checks, their counts and their times make one verdict.

use super::{LIMIT, Stage};
use crate::world::asked::{Asked, Neighbour};
use crate::world::wait::until_true;
use std::time::Duration;

/// What an emulated machine adds to a time, or a late probe before takes from it.
const SLACK: Duration = Duration::from_millis(600);

/// A check that wants to hear `good` from the one that is asked at this port.
fn asking(port: u16, times: &str) -> String {
    let address = Neighbour::ADDRESS;
    format!("{{tcp: {{expect: good}}, address: {address}, port: {port}, timeout: 900ms, {times}}}")
}

#[track_caller]
fn about(gaps: &[Duration], wanted: Duration) {
    assert!(!gaps.is_empty(), "it was not asked twice");
    let is_near = |gap: &Duration| *gap + SLACK > wanted && *gap < wanted + SLACK;
    assert!(gaps.iter().all(is_near), "{gaps:?} instead of {wanted:?}");
}

#[test]
fn all_of_several_checks_or_any_of_them() {
    let stage = Stage::new();
    stage.up("x y");
    let [x, y, z] = ["x", "y", "z"].map(|name| stage.file(name));
    let both = format!("[{x}, {y}]");
    let nested = format!("{{all: [{x}, {{any: [{y}, {z}]}}]}}");
    let _director = stage.start_checked(&[
        ("a", &format!("{{all: {both}}}")),
        ("b", &format!("{{any: {both}}}")),
        ("c", &nested),
    ]);
    stage.wait_for(&[(11, 100), (12, 100), (13, 100)]);
    stage.down("y");
    stage.wait_for(&[(12, 100)]);
    stage.up("z");
    stage.wait_for(&[(12, 100), (13, 100)]);
    stage.down("x");
    stage.wait_for(&[]);
    stage.up("y");
    stage.wait_for(&[(12, 100)]);
}

#[test]
fn a_verdict_takes_so_many_probes_at_such_times() {
    let stage = Stage::new();
    let neighbour = Neighbour::of(&stage.host.machine);
    let server = Asked::start(&neighbour, 7001, "good");
    let times = "interval: 3s, interval_changing: 1s, interval_down: 2s, rise: 2, fall: 3";
    let _director = stage.start_checked(&[("a", &asking(7001, times))]);
    stage.wait_for(&[(11, 100)]);
    server.say("good");
    until_true("three probes of one that is up", LIMIT, || server.count() >= 3);
    about(&server.gaps(), Duration::from_secs(3));
    server.say("bad");
    stage.wait_for(&[]);
    assert_eq!(server.count(), 3, "failures that took it out");
    about(&server.gaps(), Duration::from_secs(1));
    server.say("bad");
    until_true("three probes of one that is down", LIMIT, || server.count() >= 3);
    about(&server.gaps(), Duration::from_secs(2));
    server.say("good");
    stage.wait_for(&[(11, 100)]);
    assert_eq!(server.count(), 2, "successes that brought it back");
    about(&server.gaps(), Duration::from_secs(1));
}

#[test]
fn the_first_probe_comes_at_once() {
    let stage = Stage::new();
    let neighbour = Neighbour::of(&stage.host.machine);
    let server = Asked::start(&neighbour, 7001, "good");
    let _director = stage.start_checked(&[("a", &asking(7001, "interval: 1m, rise: 1"))]);
    stage.wait_for(&[(11, 100)]);
    assert_eq!(server.count(), 1);
}

#[test]
fn some_failures_take_a_server_out_at_the_first_time() {
    let stage = Stage::new();
    let neighbour = Neighbour::of(&stage.host.machine);
    let (refuses, babbles) = (Asked::start(&neighbour, 7001, "good"), Asked::start(&neighbour, 7002, "good"));
    let times = "interval: 4s, rise: 1, fall: 3, fail_at_once: [connection_refused]";
    let _director = stage.start_checked(&[("a", &asking(7001, times)), ("b", &asking(7002, times))]);
    stage.wait_for(&[(11, 100), (12, 100)]);
    drop(refuses);
    babbles.say("bad");
    stage.wait_for(&[(12, 100)]);
    assert!(babbles.count() < 3, "{} failures are not enough for the other", babbles.count());
    stage.wait_for(&[]);
    assert_eq!(babbles.count(), 3);
}

#[test]
fn a_server_follows_that_of_another_pool() {
    let stage = Stage::new();
    stage.up("a b");
    let more = "  second:\n    virtual_services: [tcp://192.168.101.100:81]\n    forwarding: dr\n    check: {track: {pool: web}}\n    \
                real_servers:\n      - {name: a, address: 192.168.101.21, weight: 7}\n      - {name: other, address: \
                192.168.101.22, weight: 7, check: {track: {pool: web, server: b}}}\n";
    let _director = stage.start_checked_with(&[("a", &stage.file("a")), ("b", &stage.file("b"))], more);
    stage.wait_for(&[(11, 100), (12, 100), (21, 7), (22, 7)]);
    stage.down("b");
    stage.wait_for(&[(11, 100), (21, 7)]);
    stage.down("a");
    stage.up("b");
    stage.wait_for(&[(12, 100), (22, 7)]);
}

#[test]
fn who_asks_the_same_asks_once() {
    let stage = Stage::new();
    let neighbour = Neighbour::of(&stage.host.machine);
    let server = Asked::start(&neighbour, 7001, "good");
    let check = asking(7001, "interval: 1s");
    let pool = |number: u8| {
        format!(
            "  more-{number}:\n    virtual_services: [tcp://192.168.101.100:8{number}]\n    forwarding: dr\n    real_servers: \
             [{{address: 192.168.101.11, weight: 100, check: {check}}}]\n"
        )
    };
    let more: String = (1..=5).map(pool).collect();
    let _director = stage.start_checked_with(&[("a", &check)], &more);
    let table = || stage.host.machine.ipvs();
    until_true("six services with a server", LIMIT, || {
        table().iter().filter(|service| service.destinations.len() == 1).count() == 6
    });
    server.say("good");
    until_true("seven probes", LIMIT, || server.count() >= 7);
    about(&server.gaps(), Duration::from_secs(1));
    server.say("bad");
    stage.wait_for(&[]);
}

#[test]
fn jitter_moves_each_probe_and_not_their_pace() {
    let stage = Stage::new();
    let neighbour = Neighbour::of(&stage.host.machine);
    let server = Asked::start(&neighbour, 7001, "good");
    let _director = stage.start_checked(&[("a", &asking(7001, "interval: 1s, jitter: 50%"))]);
    until_true("nineteen probes", LIMIT * 2, || server.count() >= 19);
    let gaps = server.gaps();
    let mean = gaps.iter().sum::<Duration>().as_secs_f64() / gaps.len() as f64;
    assert!((0.9..1.1).contains(&mean), "a second in the mean and not {mean}: {gaps:?}");
    let (least, most) = (gaps.iter().min().expect("some"), gaps.iter().max().expect("some"));
    assert!(*most - *least > Duration::from_millis(300), "{gaps:?}");
}
