//! `tandem doctor` where IPVS is: the host of a running director is well under every shipped policy, and what is broken of
//! IPVS or of the clock is found. (What needs no IPVS: tests/pair/doctor.rs.)

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, clock_gettime, clock_settime};

use crate::policies::Mode;
use crate::world::World;
use crate::world::director::Director;
use crate::world::real_server::Encapsulation;

/// How often the clock is set.
const STEPS: i64 = 12;

/// A pair with full-NAT, which needs most of IPVS's settings.
const PAIR: &str = "policy_version: 1
directors:
  lb-a: {address: 192.168.101.200}
  lb-b: {address: 192.168.101.201}
virtual_routers:
  outside: {interface: eth0, vrid: 51, prefer: [lb-a, lb-b], virtual_addresses: [192.168.101.100/24]}
connection_sync: {interface: eth0, sync_id: 61, role: {follow: outside}}
pools:
  web:
    virtual_services: [tcp://192.168.101.100:80]
    forwarding: {full-nat: {local_addresses: {router: outside, addresses: [192.168.101.120]}}}
    persistence: {timeout: 10m}
    check: none
    real_servers: [192.168.101.110:8080]
";

/// The codes of what is to be looked at on the director's host.
fn looks(world: &World, policy: &str) -> BTreeSet<String> {
    looks_by(world, policy, &[]).into_iter().map(|(code, _)| code).collect()
}

/// The same, each with its evidence and its remedy.
fn looks_by(world: &World, policy: &str, more: &[&str]) -> BTreeSet<(String, String)> {
    let file = world.folder().join("doctor.yaml");
    std::fs::write(&file, policy).expect("the policy");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.arg("doctor").arg(&file).arg("--json").args(more);
    let output = world.director().output(&mut command);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = document["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|finding| finding["mark"] == "ok"), "something is good: {findings:?}");
    let looks = findings.iter().filter(|finding| finding["mark"] == "look");
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().expect("a text").to_owned();
    let words = |finding| format!("{}; {}", text(finding, "evidence"), text(finding, "remedy"));
    looks.map(|finding| (text(finding, "code"), words(finding))).collect()
}

#[track_caller]
fn assert_looks(world: &World, policy: &str, codes: &[&str]) {
    let looks = looks(world, policy);
    assert_eq!(looks.iter().map(String::as_str).collect::<Vec<_>>(), codes);
}

#[test]
fn the_host_of_a_running_director_is_well() {
    for mode in [Mode::Nat, Mode::Dr, Mode::Tun(Encapsulation::IpIp), Mode::FullNat] {
        let world = World::new();
        let _director = Director::start(world.director(), world.folder(), mode.shipped());
        assert_looks(&world, mode.shipped(), &[]);
    }
}

#[test]
fn counters_that_stand_still_and_tracking_that_is_off_are_found() {
    let world = World::new();
    let policy = Mode::FullNat.shipped();
    let mut director = Director::start(world.director(), world.folder(), policy);
    world.director().sysctl(&[("net.ipv4.vs.run_estimation", "0")]);
    assert_looks(&world, policy, &["run-estimation"]);
    world.director().sysctl(&[("net.ipv4.vs.run_estimation", "1")]);
    // A director that runs would repair it.
    director.kill();
    world.director().sysctl(&[("net.ipv4.vs.conntrack", "0"), ("net.ipv4.ip_forward", "0")]);
    assert_looks(&world, policy, &["ip-forward", "vs-conntrack"]);
}

#[test]
fn each_setting_of_ipvs_that_is_not_as_a_pair_needs_it_is_found_and_mended() {
    let world = World::new();
    let host = world.director();
    let of_ipvs = |more: &[&str]| -> Vec<(String, String)> {
        let looks = looks_by(&world, PAIR, &[&["--director", "lb-a"], more].concat());
        looks.into_iter().filter(|(code, _)| code.starts_with("vs-")).collect()
    };
    of_ipvs(&["--fix"]);
    assert_eq!(of_ipvs(&[]), []);
    let mended = "; `tandem run` sets it to ";
    let broken = [
        ("expire_nodest_conn", "0", "vs-expire", "clients of a server that has left stay on it"),
        ("conntrack", "0", "vs-conntrack", "full-NAT's connections are not tracked"),
        ("sync_threshold", "3 50", "vs-sync", "connections are told to the other director late"),
        ("conn_reuse_mode", "1", "vs-setting", "IPVS does not do what the policy says"),
    ];
    for (name, value, _, _) in broken {
        host.sysctl(&[(&format!("net.ipv4.vs.{name}"), value)]);
    }
    let found = of_ipvs(&[]);
    assert_eq!(found.len(), broken.len(), "{found:?}");
    for (name, _, code, evidence) in broken {
        let is_told = |(found, words): &(String, String)| {
            found == code && words.starts_with(evidence) && words.contains(mended)
        };
        assert!(found.iter().any(is_told), "{name}: {found:?}");
    }
    of_ipvs(&["--fix"]);
    assert_eq!(of_ipvs(&[]), []);
}

#[test]
fn a_clock_that_is_set_while_the_doctor_looks_is_found() {
    if std::env::var("TANDEM_LAB_PLACE").as_deref() != Ok("vm") {
        println!("left out: this would set the clock of the machine itself");
        return;
    }
    let world = World::new();
    let policy = Mode::Dr.shipped();
    let step = thread::spawn(|| {
        let set = |step| {
            let now = clock_gettime(ClockId::CLOCK_REALTIME).expect("the clock");
            clock_settime(ClockId::CLOCK_REALTIME, now + TimeSpec::seconds(step)).expect("root may");
        };
        // The doctor watches for a second, and an emulated machine takes its time to start it.
        for _ in 0..STEPS {
            thread::sleep(Duration::from_millis(700));
            set(60);
        }
        set(-60 * STEPS);
    });
    let looks = looks(&world, policy);
    step.join().expect("it ends");
    assert!(looks.contains("clock-jump"), "{looks:?}");
    assert!(!self::looks(&world, policy).contains("clock-jump"), "nobody sets it any more");
}
