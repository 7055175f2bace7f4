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

/// The codes of what is to be looked at on the director's host.
fn looks(world: &World, policy: &str) -> BTreeSet<String> {
    let file = world.folder().join("doctor.yaml");
    std::fs::write(&file, policy).expect("the policy");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    command.arg("doctor").arg(&file).arg("--json");
    let output = world.director().output(&mut command);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = document["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|finding| finding["mark"] == "ok"), "something is good: {findings:?}");
    let looks = findings.iter().filter(|finding| finding["mark"] == "look");
    looks.map(|finding| finding["code"].as_str().expect("a code").to_owned()).collect()
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
}
