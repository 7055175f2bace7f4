//! Each forwarding method serves real clients under a policy: the shipped ones of `conf`, exactly as they are, and the same
//! for IPv6.

use std::net::IpAddr;

use crate::policies::{Mode, askers, forwarded, wait_for_destinations};
use crate::world::World;
use crate::world::addresses::{Family, far, near, url};
use crate::world::director::Director;
use crate::world::namespace::Namespace;
use crate::world::real_server::Encapsulation;

/// A page that only the case's own clients ask for: checks ask for `/`.
const PAGE: &str = "/?client";

/// `curl` gets an answer from both servers in turn.
#[track_caller]
pub(crate) fn assert_in_turn(world: &World, client: &Namespace, vip: IpAddr) {
    let curl = || client.curl(&url("http", vip, 80, PAGE)).expect("an answer");
    let mut answers = [(); 4].map(|()| curl());
    for pair in answers.chunks(2) {
        assert_ne!(pair[0], pair[1], "the servers take turns: {answers:?}");
    }
    answers.sort();
    let [first, second] = &world.real_servers[..] else { panic!("two real servers") };
    assert_eq!(answers, [first.greeting(), first.greeting(), second.greeting(), second.greeting()]);
}

/// What both real servers took for their clients' addresses.
fn clients_seen(world: &World) -> Vec<String> {
    let mut seen: Vec<_> = world.real_servers.iter().flat_map(|server| askers(server, PAGE)).collect();
    seen.dedup();
    seen
}

/// Under `policy` the VIP serves from both servers; the client addresses that those saw.
fn serve(mode: Mode, family: Family, policy: &str) -> Vec<String> {
    let world = World::new();
    let vip = near(100).of(family);
    for server in &world.real_servers {
        mode.set_up(server, vip);
    }
    let _director = Director::start(world.director(), world.folder(), policy);
    wait_for_destinations(world.director(), 2);
    assert_in_turn(&world, mode.client(&world), vip);
    clients_seen(&world)
}

/// The servers see the client's own address.
fn assert_transparent(mode: Mode, family: Family) {
    let client = if mode == Mode::Nat { far(10) } else { near(10) };
    assert_eq!(serve(mode, family, &mode.policy(family)), [client.of(family).to_string()]);
}

#[test]
fn nat_serves_ipv4() {
    assert_transparent(Mode::Nat, Family::Ipv4);
}

#[test]
fn nat_serves_ipv6() {
    assert_transparent(Mode::Nat, Family::Ipv6);
}

#[test]
fn dr_serves_ipv4() {
    assert_transparent(Mode::Dr, Family::Ipv4);
}

#[test]
fn dr_serves_ipv6() {
    assert_transparent(Mode::Dr, Family::Ipv6);
}

#[test]
fn tun_serves_ipv4_in_ipip_gue_and_gre() {
    for encapsulation in [Encapsulation::IpIp, Encapsulation::Gue { port: 6080 }, Encapsulation::Gre] {
        assert_transparent(Mode::Tun(encapsulation), Family::Ipv4);
    }
}

#[test]
fn tun_serves_ipv6_in_ipip_gue_and_gre() {
    for encapsulation in [Encapsulation::IpIp, Encapsulation::Gue { port: 6080 }, Encapsulation::Gre] {
        assert_transparent(Mode::Tun(encapsulation), Family::Ipv6);
    }
}

/// Without local addresses connections bear the director's own address on the link, and never the VIP.
#[test]
fn full_nat_masquerades_ipv4_and_ipv6() {
    for family in [Family::Ipv4, Family::Ipv6] {
        let seen = serve(Mode::FullNat, family, &Mode::FullNat.policy(family));
        assert_eq!(seen, [near(200).of(family).to_string()]);
    }
}

/// A policy that makes connections bear the local addresses .20 and .21, which the director holds.
fn with_local_addresses(family: Family) -> String {
    let length = if family == Family::Ipv4 { 24 } else { 64 };
    let [first, last] = [20, 21].map(|host| near(host).of(family));
    let hold = |address| format!("  - {{address: \"{address}/{length}\", interface: eth0}}\n");
    let held = format!("virtual_addresses:\n{}{}", hold(first), hold(last));
    let policy = Mode::FullNat.policy(family).replace("virtual_addresses:\n", &held);
    forwarded(&policy, "full-nat", &format!("{{full-nat: {{local_addresses: [\"{first}-{last}\"]}}}}"))
}

#[test]
fn full_nat_bears_its_local_addresses() {
    for family in [Family::Ipv4, Family::Ipv6] {
        let local = [20, 21].map(|host| near(host).of(family).to_string());
        let seen = serve(Mode::FullNat, family, &with_local_addresses(family));
        assert!(!seen.is_empty() && seen.iter().all(|address| local.contains(address)), "{seen:?}");
    }
}
