//! `tandem real-server`: real servers that are set up by the printed scripts serve, `--check` finds what is broken on them,
//! and `down` leaves nothing. (DR alone, without IPVS: tests/pair/real_server.rs.)

use std::net::IpAddr;

use crate::modes::assert_in_turn;
use crate::policies::{Mode, wait_for_destinations};
use crate::world::World;
use crate::world::addresses::{Family, near};
use crate::world::director::Director;
use crate::world::printed::Printed;
use crate::world::real_server::Encapsulation;

const GUE: Encapsulation = Encapsulation::Gue { port: 6080 };

/// The VIP serves under the mode's policy.
fn serve(mode: Mode, family: Family) {
    serve_by(mode, near(100).of(family), &mode.policy(family));
}

/// Under `policy` the VIP serves from two servers that nothing but the scripts have set up.
fn serve_by(mode: Mode, vip: IpAddr, policy: &str) {
    let world = World::new();
    let printed: Vec<Printed> = world
        .real_servers
        .iter()
        .map(|server| Printed::new(&server.namespace, world.folder(), policy))
        .collect();
    for printed in &printed {
        assert_ne!(printed.found(), [""; 0], "a plain machine is none");
        printed.run("up");
        assert_eq!(printed.found(), [""; 0]);
    }
    let _director = Director::start(world.director(), world.folder(), policy);
    wait_for_destinations(world.director(), 2);
    assert_in_turn(&world, mode.client(&world), vip);
}

#[test]
fn dr_serves_from_servers_that_the_script_has_set_up() {
    serve(Mode::Dr, Family::Ipv4);
    serve(Mode::Dr, Family::Ipv6);
}

#[test]
fn tun_serves_from_servers_that_the_script_has_set_up() {
    for encapsulation in [Encapsulation::IpIp, GUE, Encapsulation::Gre] {
        serve(Mode::Tun(encapsulation), Family::Ipv4);
    }
}

#[test]
fn tun_serves_ipv6_from_servers_that_the_script_has_set_up() {
    for encapsulation in [Encapsulation::IpIp, Encapsulation::Gre] {
        serve(Mode::Tun(encapsulation), Family::Ipv6);
    }
}

#[test]
fn tun_carries_ipv6_to_servers_of_ipv4_that_the_script_has_set_up() {
    let mode = Mode::Tun(Encapsulation::IpIp);
    let rips = [110, 210].map(near);
    let crossing = rips.iter().fold(mode.policy(Family::Ipv6), |policy, rip| {
        policy.replace(&format!("\"{}\"", rip.ipv6), &rip.ipv4.to_string())
    });
    serve_by(mode, near(100).ipv6.into(), &crossing);
}

#[test]
fn nat_wants_the_gateway_that_the_script_sets() {
    let world = World::new();
    let server = &world.real_servers[0].namespace;
    let printed = Printed::new(server, world.folder(), Mode::Nat.shipped());
    assert_eq!(printed.found(), ["gateway"]);
    printed.run("up");
    assert_eq!(printed.found(), [""; 0]);
    server.ip("route replace default via 192.168.101.10");
    assert_eq!(printed.found(), ["gateway"], "that is a client");
}

#[test]
fn each_thing_that_is_broken_on_a_tun_server_is_found_and_down_leaves_nothing() {
    let world = World::new();
    let server = &world.real_servers[0].namespace;
    let printed = Printed::new(server, world.folder(), &Mode::Tun(GUE).policy(Family::Ipv4));
    // What `down` must give back: a host that is strict.
    server.sysctl(&[("net.ipv4.conf.all.rp_filter", "1"), ("net.ipv4.conf.default.rp_filter", "1")]);
    let before = printed.everything();
    printed.run("up");
    assert_eq!(printed.found(), [""; 0]);
    let once = printed.everything();
    printed.run("up");
    assert_eq!(printed.everything(), once, "again, and nothing changes");

    let broken = |code: &[&str], break_it: &dyn Fn()| {
        break_it();
        assert_eq!(printed.found(), code);
        printed.run("up");
        assert_eq!(printed.found(), [""; 0], "after {code:?}");
    };
    broken(&["arp-ignore"], &|| server.sysctl(&[("net.ipv4.conf.all.arp_ignore", "0")]));
    broken(&["arp-announce"], &|| server.sysctl(&[("net.ipv4.conf.all.arp_announce", "0")]));
    broken(&["rp-filter"], &|| server.sysctl(&[("net.ipv4.conf.all.rp_filter", "1")]));
    broken(&["rp-filter"], &|| server.sysctl(&[("net.ipv4.conf.tandem-ipip.rp_filter", "1")]));
    broken(&["vip-missing"], &|| server.ip("address del 192.168.101.100/32 dev tandem-ipip"));
    broken(&["tunnel-missing"], &|| server.ip("link set tandem-ipip down"));
    broken(&["tunnel-missing", "vip-missing"], &|| server.ip("link del tandem-ipip"));
    broken(&["gue-port"], &|| drop(server.run("ip fou del port 6080")));

    printed.run("down");
    assert_eq!(printed.everything(), before);
    assert!(!printed.has_state());
    printed.run("down");
    assert_eq!(printed.everything(), before, "nothing is left to take back");
}

#[test]
fn a_vip_that_waits_for_the_detection_of_duplicates_is_found() {
    let world = World::new();
    let server = &world.real_servers[0].namespace;
    let printed = Printed::new(server, world.folder(), &Mode::Dr.policy(Family::Ipv6));
    let vip = near(100).ipv6;
    // A device that asks its neighbours, for a long time.
    server.ip("link add vip0 type dummy\nlink set vip0 arp on");
    for interface in ["all", "vip0"] {
        server.sysctl(&[(&format!("net.ipv6.conf.{interface}.accept_dad"), "1")]);
    }
    server.sysctl(&[("net.ipv6.conf.vip0.dad_transmits", "100")]);
    server.ip(&format!("link set vip0 up\naddress add {vip}/128 dev vip0"));
    let told = printed.told("look");
    assert_eq!(
        told,
        [format!(
            "VIP {vip}: vip0 holds it but does not use it: detection of duplicates; add it with `nodad` [vip-tentative]"
        )]
    );
    server.ip(&format!("address del {vip}/128 dev vip0\naddress add {vip}/128 dev vip0 nodad"));
    assert_eq!(printed.told("look"), [""; 0]);
}
