//! A rack of a thousand real servers fails at once: silently, or with every port closed. One failure takes a server out, so
//! each is out one interval and one time-out later, whenever its probe was due. Where every server's check names the rack's
//! switch too, that one's verdict takes them all out, in one plan.
//!
//! The table is read in the kernel; how many passes emptied it is the director's own count.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::canary::Canary;
use crate::servers::{NETWORK, Servers, address};
use crate::world::director::Director;
use crate::world::namespace::Namespace;
use crate::world::wait::until_true;

const SERVERS: usize = 1_000;
/// Two hundred probes a second: an emulated machine stands that.
const INTERVAL: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(1);
/// From the last verdict to the kernel's table.
const ALLOWANCE: Duration = Duration::from_millis(200);
const JOIN_LIMIT: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(20);
const CANARY_PERIOD: Duration = Duration::from_millis(5);
/// A view of the director is published at least so often.
const PUBLISHED: Duration = Duration::from_secs(3);
/// Verdicts that come within a tenth of a second go into the kernel together.
const PASSES_MAX: f64 = 62.0;
const VIP: &str = "192.0.2.1:80";
/// Asked more often than the servers behind it, so that its verdict is there before theirs.
const SWITCH_INTERVAL: Duration = Duration::from_millis(500);
const SWITCH_TIMEOUT: Duration = Duration::from_millis(400);

/// Servers behind one cable, and the place of the director at its other end.
struct Rack {
    machine: Namespace,
    director: Namespace,
    folder: tempfile::TempDir,
}

impl Rack {
    fn new() -> Self {
        let [machine, director] = ["rack", "director"].map(Namespace::new);
        machine.ip("link set lo up");
        director.ip(&format!(
            "link set lo up\nlink add eth0 type veth peer name uplink netns {}\naddr add 10.255.0.2/30 dev eth0\n\
             link set eth0 up",
            machine.name()
        ));
        machine.ip("addr add 10.255.0.1/30 dev uplink\nlink set uplink up");
        director.ip(&format!("route add {NETWORK} via 10.255.0.1"));
        Self { machine, director, folder: tempfile::tempdir().expect("a folder") }
    }

    /// How many servers of the rack the kernel holds.
    fn destinations(&self) -> usize {
        let table = self.director.ipvs();
        let rack = table.iter().find(|service| service.address == VIP);
        rack.map_or(0, |service| service.destinations.len())
    }
}

/// `check`: what decides on each server.
fn policy(check: &str) -> String {
    let ms = |time: Duration| format!("{}ms", time.as_millis());
    let [interval, timeout, switch_interval, switch_timeout] =
        [INTERVAL, TIMEOUT, SWITCH_INTERVAL, SWITCH_TIMEOUT].map(ms);
    let mut text = format!(
        "policy_version: 1
checks:
  alive: {{tcp: {{}}, interval: {interval}, timeout: {timeout}, rise: 1, fall: 1}}
  switch: {{ping: {{}}, interval: {switch_interval}, timeout: {switch_timeout}, rise: 1, fall: 1}}
pools:
  switches:
    virtual_services: [tcp://192.0.2.2:80]
    forwarding: nat
    check: switch
    real_servers: [{{name: top-of-rack, address: 10.255.0.1:80}}]
  web:
    virtual_services: [tcp://{VIP}]
    forwarding: nat
    check: {check}
    real_servers:
",
    );
    for server in 0..SERVERS {
        writeln!(text, "      - {}:80", address(server)).expect("text");
    }
    text
}

/// What fails, how soon each server is out, and in how many passes over the table at most.
struct Failure {
    kind: &'static str,
    check: &'static str,
    within: Duration,
    passes_max: f64,
}

impl Failure {
    /// What it takes, from when `fail` is through, until the kernel has no destination left; and the passes over the table that
    /// this took.
    fn assert_falls(&self, fail: impl FnOnce(&Rack, Servers) -> Option<Servers>) {
        let rack = Rack::new();
        let servers = Servers::start(&rack.machine, rack.folder.path());
        let director = Director::start(&rack.director, rack.folder.path(), &policy(self.check));
        until_true("full table", JOIN_LIMIT, || rack.destinations() == SERVERS);
        // From the second probe on each server is asked at its own place within the interval.
        sleep(INTERVAL);
        let passes = || director.metric("tandem_reconcile_duration_seconds_count").expect("passes");
        let (before, canary) = (passes(), Canary::start(CANARY_PERIOD));
        let _left = fail(&rack, servers);
        let failed = Instant::now();
        until_true("empty table", PATIENCE, || rack.destinations() == 0);
        let (took, late) = (failed.elapsed(), canary.worst_since(failed));
        sleep(PUBLISHED);
        let (passes, kind) = (passes() - before, self.kind);
        println!(
            "{kind}: {SERVERS} servers out after {took:.2?}, in {passes} passes; the machine was late by {late:.0?} at most"
        );
        assert!(took <= self.within + ALLOWANCE + late, "{kind}: {took:?}, the machine late by {late:?}");
        assert!(passes <= self.passes_max, "{kind}: {passes} passes");
    }
}

/// The servers go on, but nothing leads to them any more: each probe runs into its time-out.
#[test]
fn a_rack_that_falls_silent_is_out_after_one_interval_and_one_time_out() {
    let silent =
        Failure { kind: "silent", check: "alive", within: INTERVAL + TIMEOUT, passes_max: PASSES_MAX };
    silent.assert_falls(|rack, servers| {
        rack.machine.ip(&format!("route del local {NETWORK} dev lo"));
        Some(servers)
    });
}

/// Every port is closed: each probe fails at once.
#[test]
fn a_rack_whose_servers_end_is_out_after_one_interval() {
    let refused =
        Failure { kind: "refused", check: "alive", within: INTERVAL + TIMEOUT, passes_max: PASSES_MAX };
    refused.assert_falls(|_, servers| {
        drop(servers);
        None
    });
}

/// The servers of a rack follow its switch, beside what they say themselves.
#[test]
fn a_rack_whose_switch_fails_is_out_in_one_plan() {
    let switch = Failure {
        kind: "switch",
        check: "{all: [alive, {track: {pool: switches, server: top-of-rack}}]}",
        within: SWITCH_INTERVAL + SWITCH_TIMEOUT,
        passes_max: 1.0,
    };
    switch.assert_falls(|rack, servers| {
        rack.machine.ip("link set uplink down");
        Some(servers)
    });
}
