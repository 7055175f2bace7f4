//! The lab's own test: every forwarding method, set up by hand, carries real traffic here. If one of these fails, the lab is
//! broken (or the kernel is), not Tandem.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::world::World;
use crate::world::addresses::{FAMILIES, Family, far, near, url};
use crate::world::capture::Capture;
use crate::world::load::Load;
use crate::world::namespace::Namespace;
use crate::world::real_server::Encapsulation;

/// Both real servers answer, in turn.
#[track_caller]
fn assert_balanced(world: &World, client: &Namespace, vip: IpAddr) {
    let mut answers: Vec<String> =
        (0..4).map(|_| client.fetch(SocketAddr::new(vip, 80), "/").expect("an answer")).collect();
    assert_ne!(answers[0], answers[1], "the scheduler is round robin");
    answers.sort();
    let [first, second] = &world.real_servers[..] else { panic!("two real servers") };
    assert_eq!(answers, [first.greeting(), first.greeting(), second.greeting(), second.greeting()]);
}

/// All requests so far came from this address, in the real servers' eyes.
#[track_caller]
fn assert_clients(world: &World, client: IpAddr) {
    for server in &world.real_servers {
        assert_eq!(server.clients(), [client, client]);
    }
}

/// Everything but the real servers' side: a TCP service on port 80 of the VIP.
fn balance(world: &World, family: Family, method: &str) -> IpAddr {
    let vip = near(100).of(family);
    world.prepare_director_by_hand(vip);
    world.balance_by_hand("-t", SocketAddr::new(vip, 80), method);
    vip
}

fn assert_nat(family: Family) {
    let world = World::new();
    let vip = balance(&world, family, "-m");
    for server in &world.real_servers {
        server.set_up_nat(near(200));
    }
    assert_balanced(&world, &world.far_client, vip);
    assert_clients(&world, far(10).of(family));
}

#[test]
fn nat_ipv4() {
    assert_nat(Family::Ipv4);
}

#[test]
fn nat_ipv6() {
    assert_nat(Family::Ipv6);
}

fn assert_dr(family: Family) {
    let world = World::new();
    let vip = balance(&world, family, "-g");
    for server in &world.real_servers {
        server.set_up_dr(vip);
    }
    assert_balanced(&world, &world.near_client, vip);
    assert_clients(&world, near(10).of(family));
}

#[test]
fn dr_ipv4() {
    assert_dr(Family::Ipv4);
}

#[test]
fn dr_ipv6() {
    assert_dr(Family::Ipv6);
}

fn assert_tun(family: Family, encapsulation: Encapsulation, method: &str) {
    let world = World::new();
    let vip = balance(&world, family, method);
    for server in &world.real_servers {
        server.set_up_tun(vip, encapsulation);
    }
    assert_balanced(&world, &world.near_client, vip);
    assert_clients(&world, near(10).of(family));
}

#[test]
fn tun_ipip() {
    assert_tun(Family::Ipv4, Encapsulation::IpIp, "-i");
    assert_tun(Family::Ipv6, Encapsulation::IpIp, "-i");
}

#[test]
fn tun_gue() {
    for family in FAMILIES {
        assert_tun(family, Encapsulation::Gue { port: 6080 }, "-i --tun-type gue --tun-port 6080");
    }
}

#[test]
fn tun_gre() {
    for family in FAMILIES {
        assert_tun(family, Encapsulation::Gre, "-i --tun-type gre");
    }
}

fn assert_full_nat(family: Family) {
    let world = World::new();
    let vip = balance(&world, family, "-m");
    world.translate_sources_by_hand("tcp", SocketAddr::new(vip, 80));
    assert_balanced(&world, &world.near_client, vip);
    assert_clients(&world, near(200).of(family));
}

#[test]
fn full_nat_ipv4() {
    assert_full_nat(Family::Ipv4);
}

#[test]
fn full_nat_ipv6() {
    assert_full_nat(Family::Ipv6);
}

/// UDP through NAT and DR, in both families, on one world with a VIP each.
#[test]
fn udp_by_nat_and_dr() {
    let world = World::new();
    for server in &world.real_servers {
        server.start_dns();
        server.set_up_nat(near(200));
    }
    for family in FAMILIES {
        let (nat, dr) = (near(100).of(family), near(101).of(family));
        for (vip, method) in [(nat, "-m"), (dr, "-g")] {
            world.prepare_director_by_hand(vip);
            world.balance_by_hand("-u", SocketAddr::new(vip, 53), method);
        }
        for server in &world.real_servers {
            server.set_up_dr(dr);
        }
        for (client, vip) in [(&world.far_client, nat), (&world.near_client, dr)] {
            let mut answers = [(); 2].map(|()| client.dig_who(vip).expect("an answer"));
            answers.sort();
            assert_eq!(answers, ["192.168.101.110", "192.168.101.210"]);
        }
    }
}

/// A pool of each method on the same two real servers at the same time, a VIP each: what the demo shows.
#[test]
fn all_methods_at_once() {
    let world = World::new();
    let [nat, dr, tun, full_nat] = [100, 101, 102, 103].map(|host| near(host).of(Family::Ipv4));
    for (vip, method) in [(nat, "-m"), (dr, "-g"), (tun, "-i"), (full_nat, "-m")] {
        world.prepare_director_by_hand(vip);
        world.balance_by_hand("-t", SocketAddr::new(vip, 80), method);
    }
    world.translate_sources_by_hand("tcp", SocketAddr::new(full_nat, 80));
    for server in &world.real_servers {
        server.set_up_nat(near(200));
        server.set_up_dr(dr);
        server.set_up_tun(tun, Encapsulation::IpIp);
    }
    assert_balanced(&world, &world.far_client, nat);
    for vip in [dr, tun, full_nat] {
        assert_balanced(&world, &world.near_client, vip);
    }
    let seen = [far(10), near(10), near(10), near(200)].map(|client| client.of(Family::Ipv4));
    for server in &world.real_servers {
        assert_eq!(server.clients(), seen.map(|client| [client; 2]).concat());
    }
}

/// HTTPS with the lab's authority, the three ways in which a server fails, the load's report and a capture.
#[test]
fn servers_fail_as_told() {
    let world = World::new();
    let server = &world.real_servers[0];
    let address = server.addresses.ipv4.into();
    let client = &world.near_client;
    let capture =
        Capture::start(client, "eth0", "tcp port 80 and tcp[tcpflags] & tcp-syn != 0", world.folder());
    assert_eq!(client.curl(&url("https", address, 443, "/")), Ok(server.greeting()));
    server.set_sick(true);
    assert!(client.curl(&url("http", address, 80, "/healthz")).expect_err("sick").contains("503"));
    server.set_sick(false);
    client.curl(&url("http", address, 80, "/healthz")).expect("well again");

    let load = Load::start(client, SocketAddr::new(address, 80), "/", 50);
    crate::world::wait::until_true("load", Duration::from_secs(10), || load.answered() > 20);
    server.stop();
    let stopped = load.elapsed();
    crate::world::wait::until("refusal", Duration::from_secs(5), || {
        let refusal = client.curl(&url("http", address, 80, "/")).expect_err("it is down");
        if refusal.contains("connect to") { Ok(()) } else { Err(refusal) }
    });
    let report = load.finish();
    let (first, _) = report.suffering().expect("failures");
    assert!(first + Duration::from_secs(1) > stopped, "first failure at {first:?}, stopped at {stopped:?}");
    assert!(report.answers(&server.greeting()) > 20);

    server.start();
    server.wait_until_serving();
    server.hang();
    let quick = ["--max-time", "1"];
    assert!(
        client.curl_with(&quick, &url("http", address, 80, "/")).expect_err("it hangs").contains("timed out")
    );
    server.resume();
    client.curl(&url("http", address, 80, "/")).expect("it goes on");
    server.namespace.set_cable(&world.near_switch, false);
    assert!(
        client.curl_with(&quick, &url("http", address, 80, "/")).expect_err("no cable").contains("timed out")
    );
    server.namespace.set_cable(&world.near_switch, true);
    client.curl(&url("http", address, 80, "/")).expect("it is back");
    assert!(capture.lines(client).len() > 40, "two packets a connection");
}
