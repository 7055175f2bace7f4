//! The page of real directors: one that is alone with its addresses, and a pair with pools, in namespaces; the browser is on the
//! director's own host, as an operator with a tunnel to it would be.

use crate::browser::{Browser, DESK, PHONE};
use crate::director::{self, Ipvs, POLICY};
use crate::world::director::Director;
use crate::world::namespace::Namespace;
use crate::world::process::Process;
use serde_json::json;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};
use std::{fs, thread};

const PAGE: &str = "http://127.0.0.1:9750/";
const OPS: &str = "0123456789abcdef0123456789abcdef";
const GRAFANA: &str = "fedcba9876543210fedcba9876543210";
const HOSTS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 168, 101, 200), Ipv4Addr::new(192, 168, 101, 201)];
const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 168, 101, 110), Ipv4Addr::new(192, 168, 101, 210)];
const START: Duration = Duration::from_secs(60);
/// A director that was killed is seen so soon, though the page looks every two seconds only.
const AT_ONCE: Duration = Duration::from_millis(1500);

const LONE: &str = "policy_version: 1
virtual_addresses:
  - {address: 192.168.101.100/24, interface: eth0}
  - {address: 10.20.0.1/24, interface: eth9}
api: {listen: 127.0.0.1:9750}
";

/// Both directors' policy.
const PAIR: &str = "policy_version: 1
directors: {lb-a: {address: 192.168.101.200}, lb-b: {address: 192.168.101.201}}
peer: {key: {file: peer.key}}
virtual_routers:
  outside: {interface: eth0, vrid: 51, prefer: [lb-a, lb-b], virtual_addresses: [192.168.101.100/24]}
checks:
  alive: {tcp: {}, interval: 300ms, timeout: 200ms}
pools:
  web:
    virtual_services: [tcp://192.168.101.100:80]
    forwarding: dr
    check: alive
    real_servers:
      - {name: web1, address: 192.168.101.110}
      - {name: web2, address: 192.168.101.210}
api:
  listen: 127.0.0.1:9750
  tokens:
    - {name: ops, scope: act, token: {file: ops}}
    - {name: grafana, scope: read, token: {file: grafana}}
";

/// The directors' machines and the real servers' on one network.
struct Site {
    machines: Vec<Namespace>,
    servers: Namespace,
    _switch: Namespace,
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        fs::create_dir_all("/run/netns").expect("root, for namespaces");
        let switch = Namespace::new("switch");
        let machines: Vec<Namespace> = ["lb-a", "lb-b"].map(Namespace::new).into();
        let servers = Namespace::new("servers");
        switch.connect(&machines.iter().chain([&servers]).collect::<Vec<_>>(), "eth0");
        let hosts = machines.iter().zip(HOSTS).chain(SERVERS.map(|host| (&servers, host)));
        for (machine, host) in hosts {
            machine.ip(&format!("link set lo up\naddr add {host}/24 dev eth0\nlink set eth0 up\n"));
        }
        Self { machines, servers, _switch: switch, folder: tempfile::tempdir().expect("a folder") }
    }

    fn start(&self, which: usize) -> Process {
        let name = ["lb-a", "lb-b"][which];
        let folder = self.folder.path().join(name);
        fs::create_dir_all(folder.join("state")).expect("a folder");
        let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        for (file, text) in [(POLICY, PAIR), ("ops", OPS), ("grafana", GRAFANA), ("peer.key", key)] {
            fs::write(folder.join(file), text).expect("a file");
        }
        director::start(&self.machines[which], &folder, name, Ipvs::Real)
    }
}

#[track_caller]
fn until(browser: &Browser, selector: &str, words: &str) {
    let script = format!(
        "const e = document.querySelector({selector:?}); return !!e && e.textContent.includes({words:?})"
    );
    browser.until(words, START, &script);
}

/// Opens the page once the director answers.
#[track_caller]
fn open(browser: &Browser, log: impl Fn() -> String) {
    let begun = Instant::now();
    while !browser.can_open(PAGE) {
        assert!(begun.elapsed() < START, "nobody serves the page: {}", log());
        thread::sleep(Duration::from_millis(200));
    }
    browser.until("the status", START, "return !!document.querySelector('#verdict-card')");
}

fn use_token(browser: &Browser, token: &str, may: &str) {
    browser.run(&format!("sessionStorage.setItem('tandem-token', '{token}')"));
    browser.open(PAGE);
    until(browser, "#who", may);
}

fn count(browser: &Browser, selector: &str) -> u64 {
    browser.run(&format!("return document.querySelectorAll({selector:?}).length")).as_u64().expect("a number")
}

fn click(browser: &Browser, selector: &str) {
    browser.until(selector, START, &format!("return !!document.querySelector({selector:?})"));
    browser.run(&format!("document.querySelector({selector:?}).click()"));
}

/// Kills a director whose page is open, and sees that the page says so.
fn is_seen_to_die(browser: &Browser, words: &str, kill: impl FnOnce()) {
    until(browser, "#age", "live");
    let begun = Instant::now();
    kill();
    until(browser, "#stale", words);
    assert!(begun.elapsed() < AT_ONCE, "it was seen after {:?}", begun.elapsed());
}

#[test]
fn a_lone_director_tells_whether_its_addresses_are_there() {
    let site = Site::new();
    let host = &site.machines[0];
    host.inside(|| {
        let mut director = Director::launch(host, site.folder.path(), LONE, None);
        let browser = Browser::start();
        browser.look_like(DESK, false);
        open(&browser, || director.log());
        until(&browser, "[data-interface=eth0]", "1 of 1 really there");
        until(&browser, "[data-interface=eth9]", "held by nobody");
        until(&browser, "[data-interface=eth9]", "eth9");
        assert!(host.has_address("192.168.101.100".parse().expect("an address")), "it is really there");
        browser.screenshot("real-lone-desk-light");
        // What somebody takes away is missed, told and put back.
        host.run("ip addr del 192.168.101.100/24 dev eth0");
        until(
            &browser,
            "#events-list",
            "somebody else changed what is ours; repaired by: + address 192.168.101.100/24",
        );
        until(&browser, "[data-interface=eth0]", "1 of 1 really there");
        is_seen_to_die(&browser, "The director does not answer", || director.kill());
        assert_eq!(count(&browser, "#stale:not([hidden])"), 1);
        director.launch_again();
        browser.until("its return", START, "return document.querySelector('#stale').hidden");
        until(&browser, "[data-interface=eth0]", "1 of 1 really there");
    });
}

#[test]
fn a_pair_is_watched_a_server_is_drained_and_cleared_and_the_survivor_goes_on_telling() {
    let site = Site::new();
    let host = &site.machines[0];
    let listen = |host| site.servers.inside(|| TcpListener::bind((host, 80)).expect("a real server"));
    let [_web1, web2] = SERVERS.map(listen);
    let (first, second) = (site.start(0), site.start(1));
    host.inside(|| {
        let browser = Browser::start();
        browser.look_like(DESK, false);
        open(&browser, || first.log());
        until(&browser, "[data-router=outside]", "held by lb-a");
        until(&browser, "[data-router=outside]", "1 of 1 really there");
        until(&browser, "[data-router=outside]", "lb-b agrees");
        until(&browser, "#verdict", "Safe to fail over: yes");
        until(&browser, "#pools-list", "1 healthy pool");
        // What happened at the other director stands among it.
        until(&browser, "#events-list", "lb-b tandem 0.1.0 has started");
        browser.screenshot("real-calm-desk-light");

        // Who may only read is shown nothing to click.
        click(&browser, "[data-fold=pools-good] summary");
        click(&browser, "[data-pool=web] summary");
        until(&browser, "[data-server=web1]", "up");
        let acts = "[data-action=drain], [data-action=clear], [data-action=release]";
        assert_eq!(count(&browser, acts), 0);
        use_token(&browser, GRAFANA, "May read");
        click(&browser, "[data-fold=pools-good] summary");
        click(&browser, "[data-pool=web] summary");
        until(&browser, "[data-server=web1]", "up");
        assert_eq!(count(&browser, acts), 0);

        use_token(&browser, OPS, "May act");
        click(&browser, "[data-fold=pools-good] summary");
        click(&browser, "[data-pool=web] summary");
        click(&browser, "[data-server=web1] [data-action=drain]");
        browser.run("document.querySelector('#act-reason').value = 'new disks'");
        click(&browser, "#act-do");
        until(&browser, "#overrides-list", "web1 in web");
        until(&browser, "#overrides-list", "by ops · new disks");
        until(&browser, "[data-server=web1]", "ordered: drain");
        browser.screenshot("real-drained-desk-light");
        click(&browser, "#overrides-list [data-action=clear]");
        click(&browser, "#act-do");
        until(&browser, "#overrides-list", "None.");

        // A server dies while the page is looked at.
        until(&browser, "#age", "live");
        drop(web2);
        until(&browser, "#events-list", "web2");
        until(&browser, "#pools-list [data-level=warn][data-pool=web]", "web2");

        second.signal(nix::sys::signal::Signal::SIGKILL);
        until(&browser, "#verdict", "Safe to fail over: no");
        until(&browser, "[data-router=outside]", "lb-b not heard for");
        until(&browser, "#events-list", "lb-b tandem 0.1.0 has started");
        browser.look_like(PHONE, true);
        browser.screenshot("real-survivor-phone-dark");
        assert_eq!(browser.run("return document.querySelector('#stale').hidden"), json!(true));
        is_seen_to_die(&browser, "lb-a does not answer", || first.signal(nix::sys::signal::Signal::SIGKILL));
        browser.screenshot("real-silent-phone-dark");
    });
}
