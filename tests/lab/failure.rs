//! A real server fails under load and returns. In each mode: how soon it is out of the kernel's table and back in it, and
//! that no request fails but those which met it before it was out.
//!
//! The shipped policies probe every second, with a time-out of 500 ms; three failures take a server out, two successes
//! bring it back.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::policies::{Mode, wait_for_destinations};
use crate::world::World;
use crate::world::addresses::{Family, near};
use crate::world::director::Director;
use crate::world::http;
use crate::world::load::{Load, Report};
use crate::world::namespace::Namespace;
use crate::world::real_server::{Encapsulation, RealServer};
use crate::world::wait::{until, until_true};

const PER_SECOND: u32 = 200;
/// Software emulation is slow.
const ALLOWANCE: Duration = Duration::from_millis(300);
/// Fall × interval and one time-out.
const OUT_LIMIT: Duration = Duration::from_millis(3 * 1000 + 500).saturating_add(ALLOWANCE);
/// Rise × interval.
const BACK_LIMIT: Duration = Duration::from_millis(2 * 1000).saturating_add(ALLOWANCE);
/// So long a case waits before it gives up: the figures of a late director are worth more than a time-out.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests that must do well before the next act.
const CALM: usize = PER_SECOND as usize;

/// One failure and return; times count from the start of the load. An act is a program that is run, which takes a good part
/// of a second to start in an emulated machine and acts at its end: so it counts from when it is done.
#[derive(Debug)]
struct Loss {
    kind: &'static str,
    begun: Duration,
    acted: Duration,
    out: Duration,
    returned: Duration,
    back: Duration,
}

impl Loss {
    const fn out_after(&self) -> Duration {
        self.out.saturating_sub(self.acted)
    }

    const fn back_after(&self) -> Duration {
        self.back.saturating_sub(self.returned)
    }

    /// Whether a request may have met the failed server.
    fn excuses(&self, began: Duration, ended: Duration) -> bool {
        began <= self.out && ended >= self.begun
    }
}

/// Waits for so many more good answers.
fn calm(load: &Load) {
    let before = load.answered();
    until_true("good answers", PATIENCE, || load.answered() >= before + CALM);
}

/// Waits until the kernel's table has so many destinations; when that was.
fn when_in_table(director: &Namespace, load: &Load, count: usize) -> Duration {
    until_true(&format!("table of {count}"), PATIENCE, || director.ipvs_destinations() == count);
    load.elapsed()
}

/// Lets a server fail by `fail`, and after some calm return by `mend`, which ends when the server can serve again.
fn lose(
    director: &Namespace,
    load: &Load,
    kind: &'static str,
    fail: impl FnOnce(),
    mend: impl FnOnce(),
) -> Loss {
    calm(load);
    let begun = load.elapsed();
    fail();
    let acted = load.elapsed();
    let out = when_in_table(director, load, 1);
    calm(load);
    mend();
    let returned = load.elapsed();
    let back = when_in_table(director, load, 2);
    Loss { kind, begun, acted, out, returned, back }
}

/// Waits until the server's own address is reached by a machine that is not the director: the kernel takes up to a second to
/// notice that a cable is back.
fn wait_until_reached(world: &World, server: &RealServer, family: Family) {
    let address = SocketAddr::new(server.addresses.of(family), 80);
    until("server on the network", PATIENCE, || {
        world.near_client.inside(|| http::connect(address, Duration::from_millis(100))).map(drop)
    });
}

/// One server is stopped and started, then the other's cable is pulled and put back.
fn lose_both(world: &World, load: &Load, family: Family) -> [Loss; 2] {
    let [first, second] = &world.real_servers[..] else { panic!("two real servers") };
    let start = || {
        first.start();
        first.wait_until_serving();
    };
    let refused = lose(world.director(), load, "refused", || first.stop(), start);
    // From now on the client knows the server's hardware address, so that later attempts wait for no resolution.
    wait_until_reached(world, second, family);
    let cable = |plugged| second.namespace.set_cable(&world.near_switch, plugged);
    let plug = || {
        cable(true);
        wait_until_reached(world, second, family);
    };
    let cut_off = lose(world.director(), load, "cut off", || cable(false), plug);
    calm(load);
    [refused, cut_off]
}

/// The time within which so many percent of the good answers came: how busy the emulated machine is.
fn answered_within(report: &Report, percent: usize) -> Duration {
    let good = report.requests.iter().filter(|request| request.result.is_ok());
    let mut times: Vec<_> = good.map(|request| request.took).collect();
    times.sort();
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

/// The figures, for people: on the screen, and in the lab's results.
fn tell(name: &str, losses: &[Loss], report: &Report) {
    let seconds = report.requests.last().map_or(0.0, |request| request.at.as_secs_f64());
    let count = report.requests.len();
    let mut line = format!("{name:<14}");
    for loss in losses {
        let (kind, act) = (loss.kind, loss.acted.saturating_sub(loss.begun));
        let (out, back) = (loss.out_after(), loss.back_after());
        write!(line, " {kind} (took {act:.0?}): out after {out:.2?}, back after {back:.2?};").expect("text");
    }
    let failures = report.failures().count();
    let [half, most] = [50, 99].map(|percent| answered_within(report, percent));
    let rate = count as f64 / seconds;
    writeln!(
        line,
        " {failures} of {count} requests failed, {rate:.0} a second; half of the answers within {half:.0?}, 99 % within {most:.0?}"
    )
    .expect("text");
    print!("{line}");
    if let Ok(results) = std::env::var("TANDEM_LAB_OUT") {
        let file = File::options().create(true).append(true).open(Path::new(&results).join("failure.txt"));
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the lab's results");
    }
}

fn assert_figures(losses: &[Loss], report: &Report) {
    for loss in losses {
        assert!(loss.out_after() <= OUT_LIMIT, "{loss:?}");
        assert!(loss.back_after() <= BACK_LIMIT, "{loss:?}");
    }
    let unexcused: Vec<_> = report
        .failures()
        .filter(|request| !losses.iter().any(|loss| loss.excuses(request.at, request.at + request.took)))
        .collect();
    assert!(unexcused.is_empty(), "{losses:#?}\n{} failed without cause: {unexcused:#?}", unexcused.len());
}

/// Both are back with their weights. (Requests that they get then are no measure: `wlc` counts finished connections for two
/// minutes, so for a while it may prefer the other server.)
fn assert_weights(director: &Namespace) {
    let table = director.ipvs();
    let weights: Vec<_> = table[0].destinations.iter().map(|destination| destination.weight).collect();
    assert_eq!(weights, [1, 1], "{table:?}");
}

fn assert_survives(name: &str, mode: Mode, family: Family) {
    let world = World::new();
    let vip = near(100).of(family);
    for server in &world.real_servers {
        mode.set_up(server, vip);
    }
    let _director = Director::start(world.director(), world.folder(), &mode.policy(family));
    wait_for_destinations(world.director(), 2);
    let load = Load::start(mode.client(&world), SocketAddr::new(vip, 80), "/?load", PER_SECOND);
    let losses = lose_both(&world, &load, family);
    let report = load.finish();
    tell(name, &losses, &report);
    assert_figures(&losses, &report);
    assert_weights(world.director());
}

#[test]
fn nat_loses_no_request_once_a_server_is_out() {
    assert_survives("nat ipv4", Mode::Nat, Family::Ipv4);
    assert_survives("nat ipv6", Mode::Nat, Family::Ipv6);
}

#[test]
fn dr_loses_no_request_once_a_server_is_out() {
    assert_survives("dr ipv4", Mode::Dr, Family::Ipv4);
    assert_survives("dr ipv6", Mode::Dr, Family::Ipv6);
}

#[test]
fn tun_loses_no_request_once_a_server_is_out() {
    assert_survives("tun ipv4", Mode::Tun(Encapsulation::IpIp), Family::Ipv4);
    assert_survives("tun ipv6", Mode::Tun(Encapsulation::IpIp), Family::Ipv6);
}

#[test]
fn full_nat_loses_no_request_once_a_server_is_out() {
    assert_survives("full-nat ipv4", Mode::FullNat, Family::Ipv4);
    assert_survives("full-nat ipv6", Mode::FullNat, Family::Ipv6);
}
