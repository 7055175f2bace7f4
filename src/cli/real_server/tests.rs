//! The script for each mode, read by a shell; and what is said of a host with one thing broken after the other.

use super::judge::{Seen, judge, sysctl};
use super::script::script;
use super::setup::{Setup, overhead};
use crate::cli::finding::Mark;
use crate::desired::fixtures::{in_a_pair, ip, policy, pool, server, service, tcp};
use crate::model::{
    AddressFacts, DefaultRoute, Encapsulation, Family, Forwarding, InterfaceFacts, NetworkFacts,
    SourceTranslation, TunnelChecksum,
};
use std::io::Write as _;
use std::process::{Command, Stdio};

const VIP: &str = "192.168.101.100";
const RIP: &str = "192.168.101.110";
const IPIP: Forwarding = Forwarding::Tunnelling(Encapsulation::IpIp);
const GUE: Forwarding =
    Forwarding::Tunnelling(Encapsulation::Gue { port: 6080, checksum: TunnelChecksum::None });

fn setup(forwarding: &Forwarding) -> Setup {
    let mut policy = policy([pool("web", VIP, forwarding)]);
    in_a_pair(&mut policy, VIP);
    Setup::of(&policy, "web", None).expect("a set-up")
}

/// The script of a pool, which a shell must be able to read.
fn printed(setup: &Setup) -> String {
    let text = script(setup);
    let mut shell =
        Command::new("sh").args(["-n"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sh");
    shell.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    let output = shell.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}\nin\n{text}", String::from_utf8_lossy(&output.stderr));
    assert!(text.lines().all(|line| line.chars().count() <= 140), "long lines in\n{text}");
    text
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found.trim() == *line), "{line}\nis not in\n{text}");
    }
}

#[test]
fn direct_routing_holds_the_vip_and_keeps_quiet() {
    let mut policy = policy([pool("web", VIP, &Forwarding::DirectRouting)]);
    let web = policy.pools.get_mut("web").expect("the pool");
    web.services.push(service(tcp("2001:db8::100", 80), "rr"));
    web.servers.push(server("2001:db8::110", &Forwarding::DirectRouting));
    let text = printed(&Setup::of(&policy, "web", None).expect("a set-up"));
    has(
        &text,
        &[
            "set -eu",
            "own_address 192.168.101.110 192.168.101.210 2001:db8::110 >/dev/null",
            "setting net/ipv4/conf/all/arp_ignore -ge 1",
            "setting net/ipv4/conf/all/arp_announce -ge 2",
            "hold 192.168.101.100/32 lo scope host",
            "hold 2001:db8::100/128 lo nodad noprefixroute preferred_lft 0",
            "let_go 192.168.101.100/32 lo",
            "restore net/ipv4/conf/all/arp_ignore",
        ],
    );
    assert!(!text.contains("rp_filter") && !text.contains("fou add"), "what it does not need: {text}");
    assert!(text.find("arp_ignore -ge") < text.find("hold 192"), "quiet before it holds the VIP");
}

#[test]
fn tunnelling_unwraps_on_a_device_of_its_encapsulation() {
    let gre = Forwarding::Tunnelling(Encapsulation::Gre { checksum: TunnelChecksum::Full });
    let cases: [(&Forwarding, &[&str]); 3] = [
        (
            &IPIP,
            &[
                "rip4=$(own_address 192.168.101.110 192.168.101.210)",
                "setting net/ipv4/conf/all/rp_filter -ne 1 0",
                "unwrap tandem-ipip type ipip local \"$rip4\" remote any",
                "hold 192.168.101.100/32 tandem-ipip scope host",
                "remove tandem-ipip",
                "#   ip route change default via GATEWAY advmss 1440",
                "# Whoever may send wrapped packets here can forge any client: let a firewall accept them only from 192.168.101.200, 192.168.101.201.",
            ],
        ),
        (
            &GUE,
            &[
                "open_port -4 6080",
                "close_port -4 6080",
                "#   ip route change default via GATEWAY advmss 1428",
            ],
        ),
        (&gre, &["unwrap tandem-gre type gre icsum local \"$rip4\" remote any"]),
    ];
    for (forwarding, lines) in cases {
        has(&printed(&setup(forwarding)), lines);
    }
}

#[test]
fn the_families_of_both_headers_choose_the_device() {
    let kind = |rip: &str, vip: &str, forwarding: &Forwarding| {
        let mut pool = pool("web", vip, forwarding);
        pool.servers = vec![server(rip, forwarding)];
        let setup = Setup::of(&policy([pool]), "web", None).expect("a set-up");
        printed(&setup);
        let (device, vips) = setup.devices().into_iter().next().expect("a device");
        assert_eq!(vips, [ip(vip)]);
        device.kind
    };
    let gre = Forwarding::Tunnelling(Encapsulation::Gre { checksum: TunnelChecksum::None });
    assert_eq!(kind(RIP, VIP, &IPIP), "ipip");
    assert_eq!(kind(RIP, "2001:db8::1", &GUE), "sit");
    assert_eq!(kind("2001:db8::110", "2001:db8::1", &IPIP), "ip6tnl");
    assert_eq!(kind("2001:db8::110", VIP, &IPIP), "ip6tnl");
    assert_eq!((kind(RIP, "2001:db8::1", &gre), kind("2001:db8::110", VIP, &gre)), ("gre", "ip6gre"));
}

#[test]
fn wrapping_takes_what_its_headers_have() {
    let gue = |checksum| Encapsulation::Gue { port: 1, checksum };
    assert_eq!(overhead(Encapsulation::IpIp, Family::Ipv4), 20);
    assert_eq!(overhead(Encapsulation::IpIp, Family::Ipv6), 40);
    assert_eq!(overhead(gue(TunnelChecksum::None), Family::Ipv4), 32);
    assert_eq!(overhead(gue(TunnelChecksum::Remote), Family::Ipv6), 60);
    assert_eq!(overhead(Encapsulation::Gre { checksum: TunnelChecksum::Full }, Family::Ipv4), 28);
}

#[test]
fn nat_needs_the_way_back_and_full_nat_nothing() {
    let mut policy = policy([pool("web", VIP, &Forwarding::Nat)]);
    in_a_pair(&mut policy, VIP);
    let text = |policy: &crate::model::Policy| printed(&Setup::of(policy, "web", None).expect("a set-up"));
    has(&text(&policy), &["ip route replace default via 192.168.101.100"]);
    // A floating address that is no VIP is the better gateway.
    let router = policy.pair.routers.values_mut().next().expect("the router");
    router.addresses.push("192.168.101.101/24".parse().expect("a prefix"));
    has(&text(&policy), &["ip route replace default via 192.168.101.101"]);
    policy.pair.routers.clear();
    has(&text(&policy), &["# ip route replace default via ADDRESS"]);
    let full_nat = setup(&Forwarding::FullNat(SourceTranslation::Masquerade));
    assert!(printed(&full_nat).contains("Nothing is needed here"), "{}", printed(&full_nat));
}

#[test]
fn what_cannot_be_said_is_refused_with_its_reason() {
    let mut mixed = pool("web", VIP, &IPIP);
    mixed.servers[1].forwarding = Forwarding::DirectRouting;
    let policy = policy([mixed]);
    let refused = |pool: &str, server| Setup::of(&policy, pool, server).expect_err("refused");
    assert_eq!(refused("wep", None), "there is no pool wep; there are web");
    assert!(
        refused("web", None).ends_with("(tun and dr): choose with --server NAME"),
        "{}",
        refused("web", None)
    );
    assert_eq!(
        refused("web", Some("x")),
        "there is no real server of pool web x; there are 192.168.101.110:80, 192.168.101.210:80"
    );
    let one = Setup::of(&policy, "web", Some("192.168.101.210")).expect("chosen by its RIP");
    assert_eq!((one.rips, one.forwarding), (vec![ip("192.168.101.210")], Forwarding::DirectRouting));
}

// --- judging

fn interface(name: &str, kind: Option<&str>) -> InterfaceFacts {
    let mtu = if name == "lo" { 65_536 } else { 1500 };
    let kind = kind.map(str::to_owned);
    InterfaceFacts { name: name.to_owned(), up: true, carrier: true, mtu, kind, local: None, remote: None }
}

fn held(interface: &str, address: &str) -> AddressFacts {
    let address = address.parse().expect("a prefix");
    AddressFacts { interface: interface.to_owned(), address, tentative: false }
}

/// A host that is set up as the scripts do it, for DR and for TUN.
fn good() -> Seen {
    let mut tunnel = interface("tandem-ipip", Some("ipip"));
    tunnel.local = Some(ip(RIP));
    let values = [("all", "arp_ignore", "1"), ("all", "arp_announce", "2"), ("all", "rp_filter", "0")];
    let sysctls = values.map(|(interface, name, value)| (sysctl(interface, name), value.to_owned()));
    let route = DefaultRoute {
        family: Family::Ipv4,
        gateway: Some(ip(VIP)),
        interface: "eth0".to_owned(),
        segment: Some(1428),
    };
    Seen {
        network: NetworkFacts {
            interfaces: vec![interface("lo", None), interface("eth0", None), tunnel],
            addresses: vec![held("eth0", &format!("{RIP}/24")), held("tandem-ipip", &format!("{VIP}/32"))],
            default_routes: vec![route],
        },
        sysctls: sysctls.into(),
        gue: [(Family::Ipv4, 6080)].into(),
    }
}

/// The codes of what is to be looked at, after something was broken.
fn looked_at(forwarding: &Forwarding, break_it: impl FnOnce(&mut Seen)) -> Vec<&'static str> {
    let mut seen = good();
    break_it(&mut seen);
    let findings = judge(&setup(forwarding), &seen);
    assert!(!findings.is_empty());
    findings.into_iter().filter(|finding| finding.mark == Mark::Look).map(|finding| finding.code).collect()
}

fn set(interface: &'static str, name: &'static str, value: &'static str) -> impl FnOnce(&mut Seen) {
    move |seen| {
        seen.sysctls.insert(sysctl(interface, name), value.to_owned());
    }
}

#[test]
fn a_host_that_is_set_up_is_good_in_each_mode() {
    for forwarding in [&Forwarding::DirectRouting, &IPIP, &GUE, &Forwarding::Nat] {
        assert_eq!(looked_at(forwarding, |_| {}), [""; 0], "{forwarding:?}");
    }
}

#[test]
fn each_broken_thing_is_found() {
    let dr = &Forwarding::DirectRouting;
    assert_eq!(looked_at(dr, set("all", "arp_ignore", "0")), ["arp-ignore"]);
    assert_eq!(
        looked_at(dr, set("all", "arp_ignore", "3")),
        ["arp-ignore"],
        "3 answers for a VIP of global scope"
    );
    assert_eq!(looked_at(dr, set("all", "arp_announce", "1")), ["arp-announce"]);
    assert_eq!(looked_at(dr, |seen| seen.network.addresses.truncate(1)), ["vip-missing"]);
    let loud = |seen: &mut Seen| seen.network.addresses.push(held("eth0", &format!("{VIP}/32")));
    assert_eq!(looked_at(dr, loud), ["vip-answers"]);
    assert_eq!(looked_at(dr, |seen| seen.network.addresses[1].tentative = true), ["vip-tentative"]);
    assert_eq!(
        looked_at(dr, |seen| seen.network.addresses.remove(0).tentative = true),
        ["not-a-real-server"]
    );

    assert_eq!(looked_at(&IPIP, set("all", "rp_filter", "1")), ["rp-filter"]);
    assert_eq!(looked_at(&IPIP, set("tandem-ipip", "rp_filter", "1")), ["rp-filter"]);
    assert_eq!(looked_at(&IPIP, |seen| seen.network.interfaces[2].up = false), ["tunnel-missing"]);
    let other = |seen: &mut Seen| seen.network.interfaces[2].local = Some(ip("192.168.101.210"));
    assert_eq!(looked_at(&IPIP, other), ["tunnel-missing"], "it unwraps for somebody else");
    let gone = |seen: &mut Seen| {
        seen.network.interfaces.truncate(2);
        seen.network.addresses.truncate(1);
    };
    assert_eq!(looked_at(&IPIP, gone), ["tunnel-missing", "vip-missing"]);
    assert_eq!(looked_at(&GUE, |seen| seen.gue.clear()), ["gue-port"]);

    let gateway = |gateway: &'static str| {
        move |seen: &mut Seen| seen.network.default_routes[0].gateway = Some(ip(gateway))
    };
    assert_eq!(looked_at(&Forwarding::Nat, gateway("192.168.101.254")), ["gateway"], "past the director");
    assert_eq!(looked_at(&Forwarding::Nat, gateway("192.168.101.200")), ["gateway"], "one director's own");
    assert_eq!(looked_at(&Forwarding::Nat, |seen| seen.network.default_routes.clear()), ["gateway"]);
}

#[test]
fn what_is_strong_enough_in_another_way_is_good() {
    let dr = &Forwarding::DirectRouting;
    let on_the_interface = |seen: &mut Seen| {
        seen.sysctls =
            ["arp_ignore", "arp_announce"].map(|name| (sysctl("eth0", name), "2".to_owned())).into();
    };
    assert_eq!(looked_at(dr, on_the_interface), [""; 0]);
    assert_eq!(looked_at(&IPIP, set("tandem-ipip", "rp_filter", "2")), [""; 0], "loose");
    let loose_over_strict = |seen: &mut Seen| {
        set("all", "rp_filter", "1")(seen);
        set("tandem-ipip", "rp_filter", "2")(seen);
    };
    assert_eq!(looked_at(&IPIP, loose_over_strict), [""; 0]);
}

#[test]
fn segments_that_do_not_fit_are_a_note() {
    let mut seen = good();
    seen.network.default_routes[0].segment = None;
    let findings = judge(&setup(&IPIP), &seen);
    let found = findings.iter().find(|finding| finding.code == "segments").expect("it");
    assert_eq!(found.mark, Mark::Note);
    assert_eq!(
        found.evidence,
        "this host asks for up to 1460 bytes; wrapped (20 bytes more) only 1440 fit the 1500 of eth0"
    );
    seen.network.interfaces[1].mtu = 9000;
    seen.network.default_routes[0].segment = Some(1460);
    let findings = judge(&setup(&IPIP), &seen);
    assert!(findings.iter().all(|finding| finding.mark == Mark::Good), "a larger link: {findings:?}");
}
