//! `tandem real-server` for DR, on one network without IPVS: who answers ARP for the VIP is what counts. (TUN, and whether
//! clients are served: tests/lab/real_servers.rs.)

use crate::world::addresses::near;
use crate::world::namespace::Namespace;
use crate::world::printed::Printed;
use std::process::Command;

const POLICY: &str = include_str!("../../conf/dr.yaml");
const VIP: &str = "192.168.101.100";
const RIP: &str = "192.168.101.110";

/// The real servers' gateway floats.
const NAT_PAIR: &str = "policy_version: 1
directors:
  lb-a: {address: 192.168.101.200}
  lb-b: {address: 192.168.101.201}
virtual_routers:
  outside: {interface: eth0, vrid: 51, prefer: [lb-a, lb-b], virtual_addresses: [192.168.101.100/24, 192.168.101.1/24]}
pools:
  web: {virtual_services: [tcp://192.168.101.100:80], forwarding: nat, check: none, real_servers: [192.168.101.110:8080]}
";
const NAT_ALONE: &str = "policy_version: 1
pools:
  web: {virtual_services: [tcp://10.20.0.100:80], forwarding: nat, check: none, real_servers: [192.168.101.110:8080]}
";

/// A real server and a client on one switch.
struct Link {
    client: Namespace,
    server: Namespace,
    _switch: Namespace,
    folder: tempfile::TempDir,
}

impl Link {
    fn new() -> Self {
        let [switch, client, server] = ["switch", "client", "server"].map(Namespace::new);
        switch.connect(&[&client, &server], "eth0");
        client.configure(&[("eth0", near(10))], None);
        server.configure(&[("eth0", near(110))], None);
        Self { client, server, _switch: switch, folder: tempfile::tempdir().expect("a folder") }
    }

    /// Whether the VIP answers a client that asks for it on the link.
    fn answers(&self) -> bool {
        self.client.ip(&format!("neighbour flush to {VIP}"));
        let mut ping = Command::new("ping");
        ping.args(["-c", "1", "-W", "1", "-n", VIP]);
        self.client.output(&mut ping).status.success()
    }

    /// Whether it answers what is sent to the real server's link-layer address, as the director sends it.
    fn answers_the_director(&self) -> bool {
        self.client.ip(&format!("route replace {VIP}/32 via {RIP}"));
        let answers = self.answers();
        self.client.ip(&format!("route del {VIP}/32 via {RIP}"));
        answers
    }
}

#[test]
fn a_dr_server_takes_what_is_meant_for_the_vip_and_answers_no_arp_for_it() {
    let link = Link::new();
    let printed = Printed::new(&link.server, link.folder.path(), POLICY);
    let before = printed.everything();
    assert_eq!(printed.found(), ["arp-ignore", "arp-announce", "vip-missing"]);
    printed.run("up");
    assert_eq!(printed.found(), [""; 0]);
    assert!(!link.answers(), "nobody answers ARP for the VIP");
    assert!(link.answers_the_director());
    let once = printed.everything();
    printed.run("up");
    assert_eq!(printed.everything(), once, "again, and nothing changes");
    printed.run("down");
    assert_eq!(printed.everything(), before);
    assert!(!printed.has_state());
}

#[test]
fn each_thing_that_is_broken_on_a_dr_server_is_found() {
    let link = Link::new();
    let printed = Printed::new(&link.server, link.folder.path(), POLICY);
    let server = &link.server;
    printed.run("up");
    server.sysctl(&[("net.ipv4.conf.all.arp_ignore", "0")]);
    assert_eq!(printed.found(), ["arp-ignore"]);
    assert!(link.answers(), "and indeed: this host takes clients from the director");
    server.sysctl(&[("net.ipv4.conf.lo.arp_ignore", "1")]);
    assert_eq!(printed.found(), ["arp-ignore"], "on lo alone it does nothing");
    printed.run("up");
    assert_eq!(printed.found(), [""; 0]);
    server.ip(&format!("address del {VIP}/32 dev lo"));
    assert_eq!(printed.found(), ["vip-missing"]);
    server.ip(&format!("address add {VIP}/32 dev eth0"));
    assert_eq!(printed.found(), ["vip-answers"]);
    assert!(link.answers(), "and indeed");
}

#[test]
fn two_pools_share_a_vip_and_the_last_one_takes_it_away() {
    let link = Link::new();
    let second = POLICY.replace("  web:\n", "  api:\n");
    let [web, api] = [(POLICY, "web"), (second.as_str(), "api")]
        .map(|(policy, pool)| Printed::of_pool(&link.server, link.folder.path(), policy, pool));
    let before = web.everything();
    web.run("up");
    let once = web.everything();
    api.run("up");
    web.run("down");
    assert_eq!(web.everything(), once, "the other pool needs all of it");
    api.run("down");
    assert_eq!(web.everything(), before);
}

#[test]
fn what_was_there_before_stays() {
    let link = Link::new();
    let printed = Printed::new(&link.server, link.folder.path(), POLICY);
    link.server.ip(&format!("address add {VIP}/32 dev lo"));
    link.server.sysctl(&[("net.ipv4.conf.all.arp_announce", "2")]);
    let before = printed.everything();
    printed.run("up");
    printed.run("down");
    assert_eq!(printed.everything(), before);
}

#[test]
fn the_wrong_machine_is_refused() {
    let link = Link::new();
    let printed = Printed::new(&link.client, link.folder.path(), POLICY);
    let before = printed.everything();
    let complaint = printed.refused();
    assert!(complaint.contains("it is no real server of pool web"), "{complaint}");
    assert_eq!(printed.everything(), before);
    assert_eq!(printed.found(), ["not-a-real-server"]);
    link.client.ip(&format!("address add {RIP}/32 dev lo"));
    assert!(!printed.found().contains(&"not-a-real-server".to_owned()), "it has the address of one now");
}

/// The lines that are not good: as they should be, by their beginnings and ends.
#[track_caller]
fn assert_told(lines: &[String], expected: &[(&str, &str)]) {
    let fits = |line: &String, (start, end): &(&str, &str)| line.starts_with(start) && line.ends_with(end);
    let all = lines.len() == expected.len()
        && lines.iter().zip(expected).all(|(line, expected)| fits(line, expected));
    assert!(all, "{lines:#?}, not {expected:#?}");
}

#[test]
fn a_gateway_that_is_not_the_director_is_found() {
    let link = Link::new();
    let printed = Printed::new(&link.server, link.folder.path(), &NAT_PAIR.replace("nat", "full-nat"));
    assert_eq!(
        printed.told("ok"),
        ["full-NAT: nothing is needed here: answers go to the director's address [full-nat]"]
    );
    let printed = Printed::new(&link.server, link.folder.path(), NAT_PAIR);
    let what = "default gateway, IPv4: ";
    let remedy = "; ip route replace default via 192.168.101.1 [gateway]";
    let told = |evidence: &str| assert_told(&printed.told("look"), &[(&format!("{what}{evidence}"), remedy)]);
    told("there is none, so answers do not reach the director");
    link.server.ip("route replace default via 192.168.101.10");
    told("192.168.101.10 is no address of the director (192.168.101.1, 192.168.101.100): answers pass it by");
    link.server.ip("route replace default via 192.168.101.200");
    told("192.168.101.200 is one director's own address: with the other as Master, answers are lost");
    link.server.ip("route replace default via 192.168.101.1");
    assert_eq!(printed.found(), [""; 0]);
    // The policy does not say where a lone director is in the servers' network.
    let lone = Printed::new(&link.server, link.folder.path(), NAT_ALONE);
    let note = "192.168.101.1; the policy does not say whether that is the director; look whether it is";
    assert_told(&lone.told("note"), &[(&format!("{what}{note}"), "[gateway]")]);
}

#[test]
fn segments_that_do_not_fit_when_they_are_wrapped_are_noted() {
    let link = Link::new();
    let printed = Printed::new(&link.server, link.folder.path(), include_str!("../../conf/tun.yaml"));
    let note = "segments of IPv4 clients: this host asks for up to 1460 bytes; wrapped (20 bytes more) only 1440 fit the 1500 of eth0; \
                let the links from the directors carry 1520, or add `advmss 1440`";
    link.server.ip("route replace default via 192.168.101.10");
    assert_told(&printed.told("note"), &[(note, "[segments]")]);
    link.server.ip("route replace default via 192.168.101.10 advmss 1440");
    assert_told(&printed.told("note"), &[]);
}
