//! The rules of a pool beyond its checks, each read in the kernel's table with `ipvsadm`.
//!
//! Health is what these cases play with, so a server is up while a file of its name is there: its check is of that
//! kind. No packet is sent, and a verdict follows at once, even in an emulated machine. Only where it matters when, or how often,
//! a server is asked, somebody is.

mod sources;
mod verdicts;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::lone::Lone;
use crate::world::director::Director;
use crate::world::wait::{stays, until};

const LIMIT: Duration = Duration::from_secs(20);
const CALM: Duration = Duration::from_secs(4);

/// A director with one pool whose servers are up while their files are there.
struct Stage {
    host: Lone,
    files: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let host = Lone::new();
        let files = host.folder().join("up");
        fs::create_dir(&files).expect("a folder");
        Self { host, files }
    }

    fn up(&self, servers: &str) {
        for name in servers.split_whitespace() {
            fs::write(self.files.join(name), "").expect("a file");
        }
    }

    fn down(&self, servers: &str) {
        for name in servers.split_whitespace() {
            fs::remove_file(self.files.join(name)).expect("a file that was there");
        }
    }

    /// The check of a server's file.
    fn file(&self, name: &str) -> String {
        format!("{{file: {{path: {}}}}}", self.files.join(name).display())
    }

    /// Starts the director; `keys` of the pool, and its servers as names with further keys.
    fn start(&self, keys: &str, servers: &[(&str, &str)]) -> Director<'_> {
        self.start_scheduled("wrr", keys, servers)
    }

    fn start_scheduled(&self, scheduler: &str, keys: &str, servers: &[(&str, &str)]) -> Director<'_> {
        let server = |(name, more): &(&str, &str)| format!("name: {name}{more}, check: {}", self.file(name));
        let servers: Vec<String> = servers.iter().map(server).collect();
        self.host.start(&policy(scheduler, keys, &servers))
    }

    /// The same of servers as names with their checks.
    fn start_checked(&self, servers: &[(&str, &str)]) -> Director<'_> {
        self.start_checked_with(servers, "")
    }

    /// With further pools.
    fn start_checked_with(&self, servers: &[(&str, &str)], pools: &str) -> Director<'_> {
        let server = |(name, check): &(&str, &str)| format!("name: {name}, check: {check}");
        let servers: Vec<String> = servers.iter().map(server).collect();
        self.host.start(&(policy("wrr", "", &servers) + pools))
    }

    /// Waits until the table has these servers, by the last part of their addresses, with these weights.
    #[track_caller]
    fn wait_for(&self, wanted: &[(u8, u32)]) {
        let wanted: BTreeMap<u8, u32> = wanted.iter().copied().collect();
        until("weights", LIMIT, || self.is(&wanted));
    }

    #[track_caller]
    fn stays(&self, wanted: &[(u8, u32)]) {
        let wanted: BTreeMap<u8, u32> = wanted.iter().copied().collect();
        stays("weights", CALM, || self.is(&wanted));
    }

    fn is(&self, wanted: &BTreeMap<u8, u32>) -> Result<(), String> {
        let found = self.weights();
        if found == *wanted { Ok(()) } else { Err(format!("{found:?} instead of {wanted:?}")) }
    }

    /// Who serves, and with what weight.
    fn serving(&self) -> BTreeMap<u8, u32> {
        self.weights().into_iter().filter(|(_, weight)| *weight > 0).collect()
    }

    /// The weights that a server has, one after the other, until it has its full one; 0 is its absence.
    #[track_caller]
    fn weights_until_full(&self, host: u8) -> Vec<u32> {
        let mut seen = vec![0];
        until("full weight", LIMIT, || {
            let weight = self.weights().get(&host).copied().unwrap_or(0);
            if seen.last() != Some(&weight) {
                seen.push(weight);
            }
            if weight == 100 { Ok(()) } else { Err(format!("{seen:?}")) }
        });
        seen
    }

    fn weights(&self) -> BTreeMap<u8, u32> {
        let table = self.host.machine.ipvs();
        let destinations = table.iter().flat_map(|service| &service.destinations);
        let host = |address: &str| address.split(['.', ':']).nth(3).and_then(|host| host.parse().ok());
        destinations.filter_map(|found| Some((host(&found.address)?, found.weight))).collect()
    }
}

/// One pool, of these servers.
fn policy(scheduler: &str, keys: &str, servers: &[String]) -> String {
    let mut policy = format!(
        "policy_version: 1\nvirtual_addresses: [{{address: 192.168.101.100/24, interface: eth0}}]\npools:\n  web:\n    \
         virtual_services: [tcp://192.168.101.100:80]\n    forwarding: dr\n    scheduler: {scheduler}\n{keys}    real_servers:\n"
    );
    for (number, server) in servers.iter().enumerate() {
        policy += &format!("      - {{address: 192.168.101.{}, weight: 100, {server}}}\n", 11 + number);
    }
    policy
}

/// Metrics follow the table after a while.
#[track_caller]
fn wait_for_metric(director: &Director<'_>, series: &str, wanted: f64) {
    until(series, LIMIT, || {
        let found = director.metric(series);
        if found == Some(wanted) { Ok(()) } else { Err(format!("{found:?}")) }
    });
}

const FOUR: [(&str, &str); 4] = [("a", ""), ("b", ""), ("c", ""), ("d", "")];

#[test]
fn without_its_quorum_the_sorry_server_answers_until_enough_are_back() {
    let stage = Stage::new();
    stage.up("a b c d");
    let keys =
        "    quorum: {servers: 2, recover: 3}\n    sorry_server: {address: 192.168.101.99, check: none}\n";
    let director = stage.start(keys, &FOUR);
    stage.wait_for(&[(11, 100), (12, 100), (13, 100), (14, 100)]);
    stage.down("b c d");
    stage.wait_for(&[(11, 0), (99, 1)]);
    wait_for_metric(&director, "tandem_pool_sorry{pool=\"web\"}", 1.0);
    wait_for_metric(&director, "tandem_pool_up{pool=\"web\"}", 0.0);
    stage.up("b");
    stage.wait_for(&[(11, 0), (12, 0), (99, 1)]);
    stage.stays(&[(11, 0), (12, 0), (99, 1)]);
    stage.up("c");
    stage.wait_for(&[(11, 100), (12, 100), (13, 100)]);
}

#[test]
fn a_sorry_server_goes_on_answering_over_a_restart() {
    let stage = Stage::new();
    let keys = "    sorry_server: {address: 192.168.101.99, check: none}\n";
    let mut director = stage.start(keys, &FOUR[..2]);
    stage.wait_for(&[(99, 1)]);
    director.kill();
    director.start_again();
    stage.stays(&[(99, 1)]);
    stage.up("a");
    stage.wait_for(&[(11, 100)]);
}

#[test]
fn a_panic_keeps_those_that_served() {
    let stage = Stage::new();
    stage.up("a b c d");
    let director = stage.start("    panic: {below: 50%}\n", &FOUR);
    stage.wait_for(&[(11, 100), (12, 100), (13, 100), (14, 100)]);
    stage.down("b c d");
    // The first ones to fail are believed; the panic brings them back.
    wait_for_metric(&director, "tandem_pool_panic{pool=\"web\"}", 1.0);
    stage.wait_for(&[(11, 100), (12, 100), (13, 100), (14, 100)]);
    stage.stays(&[(11, 100), (12, 100), (13, 100), (14, 100)]);
    stage.up("b c");
    stage.wait_for(&[(11, 100), (12, 100), (13, 100)]);
}

#[test]
fn a_panic_in_shadow_is_only_counted() {
    let stage = Stage::new();
    stage.up("a b c d");
    let director = stage.start("    panic: {below: 50%, action: all, shadow: true}\n", &FOUR);
    stage.wait_for(&[(11, 100), (12, 100), (13, 100), (14, 100)]);
    stage.down("b c d");
    stage.wait_for(&[(11, 100)]);
    let counted = "tandem_pool_acts_total{pool=\"web\",act=\"panic\",shadow=\"true\"}";
    wait_for_metric(&director, counted, 1.0);
}

#[test]
fn backup_servers_serve_while_the_others_do_not() {
    let stage = Stage::new();
    stage.up("a spare");
    let _director = stage.start("", &[("a", ""), ("b", ""), ("spare", ", backup: true")]);
    stage.wait_for(&[(11, 100)]);
    stage.down("a");
    stage.wait_for(&[(13, 100)]);
    stage.up("b");
    stage.wait_for(&[(12, 100)]);
}

#[test]
fn a_server_that_comes_back_gets_its_weight_in_steps() {
    let stage = Stage::new();
    stage.up("a b");
    let keys = "    slow_start: {duration: 12s, from: 25%, steps: 3}\n";
    let _director = stage.start(keys, &FOUR[..2]);
    stage.wait_for(&[(11, 100), (12, 100)]);
    stage.down("b");
    stage.wait_for(&[(11, 100)]);
    stage.up("b");
    assert_eq!(stage.weights_until_full(12), [0, 25, 50, 75, 100]);
}

#[test]
fn weights_follow_a_file_and_who_drains_leaves() {
    let stage = Stage::new();
    stage.up("a b");
    let file = stage.host.folder().join("weight");
    fs::write(&file, "40%").expect("a file");
    let keys = format!(
        "    weight_from: {{file: {{path: {}}}, interval: 1s, timeout: 900ms, valid_for: 5m}}\n",
        file.display()
    );
    let _director = stage.start(&keys, &FOUR[..2]);
    stage.wait_for(&[(11, 40), (12, 40)]);
    fs::write(&file, "drain").expect("a file");
    stage.wait_for(&[]);
    fs::write(&file, "up").expect("a file");
    stage.wait_for(&[(11, 100), (12, 100)]);
}
