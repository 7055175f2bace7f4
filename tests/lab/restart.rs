//! The director is stopped, killed and started again while traffic runs: the kernel's table serves on, nothing that is right
//! is touched, and what went wrong meanwhile is put right.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::policies::{Mode, wait_for_destinations};
use crate::world::World;
use crate::world::addresses::{Family, near, url};
use crate::world::capture::Capture;
use crate::world::director::Director;
use crate::world::ipvs::Counters;
use crate::world::namespace::Namespace;
use crate::world::netlink;
use crate::world::process::Process;
use crate::world::real_server::{Encapsulation, SLOW_SECONDS, slow_content};
use crate::world::wait::{stays, until, until_true};

/// One VIP a mode, from .100 on.
pub(crate) const MODES: [Mode; 4] = [Mode::Nat, Mode::Dr, Mode::Tun(Encapsulation::IpIp), Mode::FullNat];

pub(crate) const POLICY: &str = r#"
policy_version: 1
virtual_addresses:
  - {address: 192.168.101.100/24, interface: eth0}
  - {address: 192.168.101.101/24, interface: eth0}
  - {address: 192.168.101.102/24, interface: eth0}
  - {address: 192.168.101.103/24, interface: eth0}
checks:
  alive: {http: {path: /}, port: 80, interval: 1s, timeout: 500ms, rise: 2, fall: 3}
defaults: {pool: {check: alive}}
pools:
  nat: {virtual_services: [tcp://192.168.101.100:80], forwarding: nat, real_servers: [192.168.101.110:80, 192.168.101.210:80]}
  dr: {virtual_services: [tcp://192.168.101.101:80], forwarding: dr, real_servers: [192.168.101.110, 192.168.101.210]}
  tun: {virtual_services: [tcp://192.168.101.102:80], forwarding: tun, real_servers: [192.168.101.110, 192.168.101.210]}
  full-nat: {virtual_services: [tcp://192.168.101.103:80], forwarding: full-nat, real_servers: [192.168.101.110:80, 192.168.101.210:80]}
"#;

pub(crate) fn vip(index: u16) -> IpAddr {
    near(100 + index).of(Family::Ipv4)
}

/// Four pools, one a mode, up and with both servers in each.
pub(crate) fn start<'world>(world: &'world World, policy: &str) -> Director<'world> {
    for (index, mode) in (0..).zip(MODES) {
        for server in &world.real_servers {
            mode.set_up(server, vip(index));
        }
    }
    let director = Director::start(world.director(), world.folder(), policy);
    wait_for_destinations(world.director(), 8);
    director
}

/// A download of a minute under way.
pub(crate) struct Download {
    mode: Mode,
    process: Process,
    file: PathBuf,
}

impl Download {
    pub(crate) fn start(world: &World, index: u16, mode: Mode) -> Self {
        let file = world.folder().join(format!("download-{index}"));
        let output = file.to_str().expect("a plain path");
        let url = url("http", vip(index), 80, "/slow");
        let arguments =
            ["-q", "--silent", "--show-error", "--fail", "--noproxy", "*", "--output", output, &url];
        let process = Process::start(mode.client(world), "curl", &arguments, &file.with_extension("log"));
        Self { mode, process, file }
    }

    fn bytes(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |file| file.len())
    }

    /// Waits until more bytes have come.
    pub(crate) fn assert_goes_on(&self) {
        let before = self.bytes();
        until_true(&format!("{:?} download", self.mode), Duration::from_secs(10), || self.bytes() > before);
    }

    /// The whole content has come, byte for byte.
    pub(crate) fn assert_complete(mut self) {
        let limit = Duration::from_secs(2 * SLOW_SECONDS as u64);
        let status = self.process.wait_until_ended(limit);
        assert!(status.success(), "{:?}: {status}: {}", self.mode, self.process.log());
        assert!(fs::read(&self.file).expect("a file") == slow_content(), "{:?}: other bytes", self.mode);
    }
}

/// No counter went back, and connections are counted.
fn assert_counters_go_on(before: &[(String, Counters)], after: &[(String, Counters)]) {
    assert_eq!(names(before), names(after));
    for ((name, before), (_, after)) in before.iter().zip(after) {
        let goes_on = after.connections >= before.connections
            && after.packets_in >= before.packets_in
            && after.bytes_in >= before.bytes_in;
        assert!(goes_on, "{name}: {before:?}, then {after:?}");
    }
    assert!(after.iter().any(|(_, counters)| counters.connections > 0), "{after:?}");
}

fn names(counters: &[(String, Counters)]) -> Vec<&str> {
    counters.iter().map(|(name, _)| name.as_str()).collect()
}

/// Starts the director again while a capture runs: it asks the kernel, and changes nothing.
fn assert_start_only_asks(world: &World, director: &mut Director<'_>) {
    let capture = Capture::start_netlink(world.director(), world.folder());
    director.start_again();
    // The first pass and a look at the table after it.
    let passes = || director.metric("tandem_check_runs_total{check=\"alive\",result=\"success\"}");
    until_true("checks", Duration::from_secs(10), || passes() >= Some(6.0));
    let requests = netlink::requests(&capture.finish());
    world.director().ip("link del nlmon0");
    let of_ipvs = requests.iter().filter(|request| request.is_ipvs()).count();
    assert!(of_ipvs >= 2, "services and destinations are dumped: {requests:?}");
    let others: Vec<_> = requests.iter().filter(|request| !request.is_get()).collect();
    assert!(
        others.is_empty(),
        "{} of {} requests do more than ask: {others:?}",
        others.len(),
        requests.len()
    );
    println!("start: {} netlink requests, {of_ipvs} to IPVS, all of them GET", requests.len());
}

/// One in each mode.
fn downloads(world: &World) -> Vec<Download> {
    (0..).zip(MODES).map(|(index, mode)| Download::start(world, index, mode)).collect()
}

#[test]
fn a_restart_disturbs_no_download_and_changes_nothing() {
    let world = World::new();
    let mut director = start(&world, POLICY);
    let downloads = downloads(&world);
    let go_on = || downloads.iter().for_each(Download::assert_goes_on);
    go_on();
    let before = world.director().ipvs_counters();

    assert!(director.stop().success());
    go_on();
    assert_start_only_asks(&world, &mut director);
    go_on();
    director.kill();
    go_on();
    assert_start_only_asks(&world, &mut director);
    go_on();

    assert_counters_go_on(&before, &world.director().ipvs_counters());
    let size = slow_content().len() as u64;
    for download in &downloads {
        assert!(download.bytes() < size, "the {:?} download ended before the last start", download.mode);
    }
    downloads.into_iter().for_each(Download::assert_complete);
}

/// Another process goes on ten times, under downloads in every mode: no request to the kernel does more than ask, and each pool
/// has its verdicts from the first moment on.
#[test]
fn a_takeover_disturbs_no_download_and_changes_nothing() {
    let world = World::new();
    let mut director = start(&world, POLICY);
    let downloads = downloads(&world);
    let go_on = || downloads.iter().for_each(Download::assert_goes_on);
    go_on();
    let (before, table) = (world.director().ipvs_counters(), world.director().ipvs_saved());
    let capture = Capture::start_netlink(world.director(), world.folder());
    for _ in 0..10 {
        director.succeed();
        let ready = || world.director().fetch(([127, 0, 0, 1], 9752).into(), "/readyz").is_ok();
        until_true("verdicts", Duration::from_secs(2), ready);
        assert_eq!(world.director().ipvs_saved(), table);
        go_on();
    }
    let requests = netlink::requests(&capture.finish());
    world.director().ip("link del nlmon0");
    let others: Vec<_> = requests.iter().filter(|request| !request.is_get()).collect();
    assert!(others.is_empty(), "{} of {} do more than ask: {others:?}", others.len(), requests.len());
    assert_counters_go_on(&before, &world.director().ipvs_counters());
    downloads.into_iter().for_each(Download::assert_complete);
}

/// The destinations of a pool's service: address and weight.
fn weights(director: &Namespace, index: u16) -> Vec<(String, u32)> {
    let address = format!("{}:80", vip(index));
    let table = director.ipvs();
    let service = table.iter().find(|service| service.address == address).expect("the service");
    service.destinations.iter().map(|found| (found.address.clone(), found.weight)).collect()
}

#[test]
fn what_went_wrong_while_the_director_was_away_is_put_right() {
    let world = World::new();
    let mut director = start(&world, POLICY);
    let [dead, alive] = ["192.168.101.110:80", "192.168.101.210:80"];
    director.kill();
    world.real_servers[0].stop();
    world.director().ipvsadm(&format!("-e -t 192.168.101.100:80 -r {alive} -m -w 7"));
    let begun = Instant::now();
    director.start_again();
    until("weight of the policy", Duration::from_secs(5), || {
        let found = weights(world.director(), 0);
        if found.contains(&(alive.to_owned(), 1)) { Ok(()) } else { Err(format!("{found:?}")) }
    });
    let weight_after = begun.elapsed();
    wait_for_destinations(world.director(), 4);
    let dead_after = begun.elapsed();
    for index in 0..4 {
        assert_eq!(
            weights(world.director(), index),
            [(alive.to_owned(), 1)],
            "{dead} is out of each service"
        );
    }
    println!("after the start: weight put right by {weight_after:.2?}, dead server out by {dead_after:.2?}");
}

/// The settings that four modes make Tandem change.
const SETTINGS: [&str; 6] = [
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.send_redirects",
    "net.ipv4.conf.eth0.send_redirects",
    "net.ipv4.vs.conntrack",
    "net.ipv4.vs.expire_nodest_conn",
    "net.ipv4.vs.conn_reuse_mode",
];

fn settings(director: &Namespace) -> [String; 6] {
    SETTINGS.map(|name| director.read_sysctl(name))
}

#[test]
fn on_stop_remove_takes_back_what_is_ours_and_nothing_else() {
    let world = World::new();
    let host = world.director();
    host.ipvsadm("-A -t 192.168.101.99:80 -s rr\n-a -t 192.168.101.99:80 -r 192.168.101.110:80 -m -w 5");
    let (foreign, found) = (host.ipvs_saved(), settings(host));
    let director = Director::start(host, world.folder(), &format!("{POLICY}on_stop: remove\n"));
    let mut director = director;
    wait_for_destinations(host, 9);
    assert_eq!(settings(host), ["1", "0", "0", "1", "1", "0"]);
    assert!(host.nft_table("inet", "tandem").is_some());

    assert!(director.stop().success());
    assert_eq!(host.ipvs_saved(), foreign);
    assert_eq!(settings(host), found);
    assert_eq!(host.nft_table("inet", "tandem"), None);
    for index in 0..4 {
        assert!(!host.has_address(vip(index)), "{} is still held", vip(index));
    }
}

/// A kept table serves without a director for as long as it is away.
#[test]
fn on_stop_keep_leaves_the_table_serving() {
    let world = World::new();
    let mut director = start(&world, POLICY);
    let kept = world.director().ipvs_saved();
    assert!(director.stop().success());
    stays("the service without a director", Duration::from_secs(2), || {
        (0..)
            .zip(MODES)
            .try_for_each(|(index, mode)| mode.client(&world).fetch((vip(index), 80).into(), "/").map(drop))
    });
    assert_eq!(world.director().ipvs_saved(), kept);
}
