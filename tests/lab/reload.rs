//! The policy changes while the director runs: what the file says is in the kernel with nothing else touched, or it is refused
//! whole; and there is a way back.

use crate::policies::{Mode, wait_for_destinations};
use crate::restart::Download;
use crate::world::World;
use crate::world::capture::Capture;
use crate::world::director::Director;
use crate::world::netlink;
use crate::world::wait::{stays, until, until_true};
use nix::sys::signal::Signal;
use std::process::Output;
use std::time::Duration;

const POLICY: &str = r#"
policy_version: 1
virtual_addresses:
  - {address: 192.168.101.100/24, interface: eth0}
  - {address: 192.168.101.101/24, interface: eth0}
checks:
  alive: {http: {path: /}, port: 80, interval: 1s, timeout: 500ms, rise: 2, fall: 3}
defaults: {pool: {check: alive, scheduler: wrr}}
pools:
  nat: {virtual_services: [tcp://192.168.101.100:80], forwarding: nat, real_servers: [192.168.101.110:80, 192.168.101.210:80]}
  dr: {virtual_services: [tcp://192.168.101.101:80], forwarding: dr, real_servers: [192.168.101.110, 192.168.101.210]}
"#;
const ONE: &str = "192.168.101.110:80";
const TWO: &str = "192.168.101.210:80";
const SOON: Duration = Duration::from_secs(5);

fn start(world: &World) -> Director<'_> {
    for server in &world.real_servers {
        Mode::Nat.set_up(server, "192.168.101.100".parse().expect("an address"));
        Mode::Dr.set_up(server, "192.168.101.101".parse().expect("an address"));
    }
    let director = Director::start(world.director(), world.folder(), POLICY);
    wait_for_destinations(world.director(), 4);
    director
}

/// The weights of the NAT pool.
fn weights(world: &World) -> Vec<(String, u32)> {
    let table = world.director().ipvs();
    let service = table.iter().find(|service| service.address == "192.168.101.100:80").expect("the service");
    service.destinations.iter().map(|found| (found.address.clone(), found.weight)).collect()
}

fn weight_of_one(world: &World) -> Option<u32> {
    weights(world).iter().find(|(address, _)| address == ONE).map(|(_, weight)| *weight)
}

fn heavier() -> String {
    POLICY.replacen("192.168.101.110:80", "{address: 192.168.101.110:80, weight: 7}", 1)
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn one_weight_is_one_netlink_change() {
    let world = World::new();
    let director = start(&world);
    let capture = Capture::start_netlink(world.director(), world.folder());
    director.write_policy(&heavier());
    let output = director.ask(&["reload"]);
    assert_eq!(code(&output), Some(0), "{}", said(&output));
    assert!(said(&output).contains("nat/192.168.101.110:80"), "{}", said(&output));
    until_true("weight", SOON, || weight_of_one(&world) == Some(7));
    let requests = netlink::requests(&capture.finish());
    let changes = requests.iter().filter(|request| request.is_ipvs() && !request.is_get()).count();
    assert_eq!(changes, 1, "{requests:?}");
    until_true("it counted", SOON, || {
        director.metric("tandem_policy_reload_total{result=\"success\"}") == Some(1.0)
    });
    until_true("it counted", SOON, || director.metric("tandem_policy_generation") == Some(2.0));
    let history = String::from_utf8(director.ask(&["history"]).stdout).expect("text");
    assert!(
        history.lines().nth(1).is_some_and(|line| line.starts_with('2') && line.ends_with("in force")),
        "{history}"
    );
}

#[test]
fn a_bad_file_is_refused_whole_and_the_last_good_one_stays_over_a_restart() {
    let world = World::new();
    let mut director = start(&world);
    let before = world.director().ipvs_saved();
    director.write_policy(&heavier().replace("forwarding: dr", "forwarding: direct"));
    let output = director.ask(&["reload"]);
    assert_eq!(code(&output), Some(1));
    assert!(
        said(&output).contains("direct") && said(&output).contains("tandem.yaml:11:"),
        "{}",
        said(&output)
    );
    stays("the table", Duration::from_secs(3), || {
        let found = world.director().ipvs_saved();
        if found == before { Ok(()) } else { Err(format!("{found:?}")) }
    });
    until_true("it counted", SOON, || director.metric("tandem_policy_last_reload_successful") == Some(0.0));
    until_true("it counted", SOON, || {
        director.metric("tandem_policy_reload_total{result=\"refused\"}") == Some(1.0)
    });
    until_true("the file that differs", Duration::from_secs(15), || {
        director.metric("tandem_policy_file_differs") == Some(1.0)
    });
    assert!(director.stop().success());
    director.start_again();
    assert_eq!(world.director().ipvs_saved(), before);
    assert!(director.log().contains("the last good one, runs instead"), "{}", director.log());
    director.write_policy(&heavier());
    assert_eq!(code(&director.ask(&["reload"])), Some(0), "it is mended without a restart");
    until_true("weight", SOON, || weight_of_one(&world) == Some(7));
}

#[test]
fn sighup_reloads() {
    let world = World::new();
    let director = start(&world);
    director.write_policy(&heavier());
    director.signal(Signal::SIGHUP);
    until_true("weight", SOON, || weight_of_one(&world) == Some(7));
}

#[test]
fn what_would_empty_a_pool_is_done_by_force_only() {
    let world = World::new();
    let director = start(&world);
    let servers = "real_servers: [192.168.101.110:80, 192.168.101.210:80]";
    assert!(POLICY.contains(servers));
    director.write_policy(&POLICY.replace(servers, "real_servers: [192.168.101.99:80]"));
    let output = director.ask(&["reload"]);
    assert_eq!(code(&output), Some(6), "{}", said(&output));
    assert!(said(&output).contains("nat would have no server"), "{}", said(&output));
    assert_eq!(weights(&world).len(), 2, "nothing was changed");
    assert_eq!(code(&director.ask(&["reload", "--force"])), Some(0));
    until_true("an empty pool", SOON, || weights(&world).is_empty());
    assert_eq!(code(&director.ask(&["rollback"])), Some(0));
    until_true("the servers", SOON, || weights(&world).len() == 2);
}

#[test]
fn what_is_not_confirmed_in_time_is_rolled_back() {
    let world = World::new();
    let director = start(&world);
    director.write_policy(&heavier());
    assert_eq!(code(&director.ask(&["confirm"])), Some(6), "nothing waits");
    assert_eq!(code(&director.ask(&["reload", "--confirm", "3s"])), Some(0));
    until_true("weight", SOON, || weight_of_one(&world) == Some(7));
    until_true("the weight before", Duration::from_secs(10), || weight_of_one(&world) == Some(1));
    until_true("it counted", SOON, || {
        director.metric("tandem_policy_reload_total{result=\"rolled_back\"}") == Some(1.0)
    });

    assert_eq!(code(&director.ask(&["reload", "--confirm", "3s"])), Some(0));
    assert_eq!(code(&director.ask(&["confirm"])), Some(0));
    stays("the weight", Duration::from_secs(5), || match weight_of_one(&world) {
        Some(7) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn a_pool_that_loses_its_quorum_by_a_reload_is_rolled_back_at_once() {
    let world = World::new();
    let director = start(&world);
    // A check that no server passes: they stand as they stood until it has failed them.
    let wrong = POLICY.replace("path: /}", "path: /, status: [418]}");
    director.write_policy(&wrong);
    assert_eq!(code(&director.ask(&["reload", "--confirm", "10m"])), Some(0));
    until("the rollback", Duration::from_secs(20), || {
        let rolled_back = director.metric("tandem_policy_reload_total{result=\"rolled_back\"}");
        if rolled_back == Some(1.0) { Ok(()) } else { Err(format!("{rolled_back:?}")) }
    });
    until_true("all servers", Duration::from_secs(10), || world.director().ipvs_destinations() == 4);
    assert_eq!(weights(&world), [(ONE.to_owned(), 1), (TWO.to_owned(), 1)]);
}

#[test]
fn a_new_service_comes_and_goes_and_connections_of_the_others_live_on() {
    let world = World::new();
    let director = start(&world);
    let downloads = [(0, Mode::Nat), (1, Mode::Dr)].map(|(index, mode)| Download::start(&world, index, mode));
    downloads.iter().for_each(Download::assert_goes_on);
    let more = format!(
        "{POLICY}  more: {{virtual_services: [\"tcp://192.168.101.100:8080\"], forwarding: nat, real_servers: [192.168.101.110:80]}}\n"
    );
    for _ in 0..10 {
        director.write_policy(&more);
        assert_eq!(code(&director.ask(&["reload"])), Some(0));
        until_true("the new pool", SOON, || world.director().ipvs_destinations() == 5);
        director.write_policy(POLICY);
        assert_eq!(code(&director.ask(&["reload"])), Some(0));
        until_true("the pools before", SOON, || world.director().ipvs_destinations() == 4);
    }
    downloads.into_iter().for_each(Download::assert_complete);
}
