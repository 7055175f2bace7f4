//! Virtual services of other kinds than one TCP port: UDP, joined ports, firewall marks; a check over TLS; untracked pools.

use std::net::IpAddr;
use std::time::Duration;

use crate::modes::assert_in_turn;
use crate::policies::wait_for_destinations;
use crate::world::World;
use crate::world::addresses::{FAMILIES, Family, near, url};
use crate::world::certificates;
use crate::world::director::Director;
use crate::world::wait::{until, until_true};

/// Everything that the policies here have in common: VIPs .100 and .101, in both families, and a check.
const COMMON: &str = r#"
policy_version: 1
virtual_addresses:
  - {address: 192.168.101.100/24, interface: eth0}
  - {address: 192.168.101.101/24, interface: eth0}
  - {address: "fd00:192:168:101::100/64", interface: eth0}
  - {address: "fd00:192:168:101::101/64", interface: eth0}
checks:
  alive: {http: {path: /}, port: 80, interval: 1s, timeout: 500ms}
defaults: {pool: {scheduler: rr, check: alive}}
"#;

const UDP: &str = r#"
pools:
  nat:
    virtual_services: [udp://192.168.101.100:53]
    forwarding: nat
    real_servers: [192.168.101.110:53, 192.168.101.210:53]
  nat6:
    virtual_services: ["udp://[fd00:192:168:101::100]:53"]
    forwarding: nat
    real_servers: ["[fd00:192:168:101::110]:53", "[fd00:192:168:101::210]:53"]
  dr:
    virtual_services: [udp://192.168.101.101:53]
    forwarding: dr
    check: none
    real_servers: [192.168.101.110, 192.168.101.210]
  dr6:
    virtual_services: ["udp://[fd00:192:168:101::101]:53"]
    forwarding: dr
    real_servers: ["fd00:192:168:101::110", "fd00:192:168:101::210"]
"#;

#[test]
fn udp_is_served_by_nat_and_dr_in_both_families() {
    let world = World::new();
    for server in &world.real_servers {
        server.start_dns();
        server.set_up_nat(near(200));
        FAMILIES.into_iter().for_each(|family| server.set_up_dr(near(101).of(family)));
    }
    let _director = Director::start(world.director(), world.folder(), &format!("{COMMON}{UDP}"));
    wait_for_destinations(world.director(), 8);
    for family in FAMILIES {
        for (client, vip) in [(&world.far_client, near(100)), (&world.near_client, near(101))] {
            let mut answers = [(); 2].map(|()| client.dig_who(vip.of(family)).expect("an answer"));
            answers.sort();
            assert_eq!(answers, ["192.168.101.110", "192.168.101.210"], "{vip:?}");
        }
    }
}

const JOINED: &str = r#"
pools:
  shop:
    virtual_services: [tcp://192.168.101.100:80, tcp://192.168.101.100:443]
    join_ports: true
    persistence: {timeout: 5m}
    forwarding: nat
    real_servers: [192.168.101.110, 192.168.101.210]
"#;

/// With persistence over joined ports, a client's HTTP and HTTPS reach one and the same real server.
#[test]
fn joined_ports_are_one_service() {
    let world = World::new();
    for server in &world.real_servers {
        server.set_up_nat(near(200));
    }
    let _director = Director::start(world.director(), world.folder(), &format!("{COMMON}{JOINED}"));
    wait_for_destinations(world.director(), 2);
    let table = world.director().ipvs();
    assert_eq!(
        table.iter().map(|service| service.protocol.as_str()).collect::<Vec<_>>(),
        ["FWM"],
        "{table:?}"
    );
    let vip = near(100).ipv4.into();
    let answers = [("http", 80), ("https", 443), ("http", 80), ("https", 443)]
        .map(|(scheme, port)| world.far_client.curl(&url(scheme, vip, port, "/")).expect("an answer"));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

const MARKED: &str = r#"
pools:
  nat:
    virtual_services: [fwmark://7]
    forwarding: nat
    real_servers: [192.168.101.110:80, 192.168.101.210:80]
  full-nat:
    virtual_services: [fwmark://8]
    forwarding: full-nat
    real_servers: [192.168.101.110:80, 192.168.101.210:80]
"#;

/// What an operator writes to send packets to a service by mark.
const MARKS: &str = "table inet operator {
    chain prerouting {
        type filter hook prerouting priority mangle;
        ip daddr 192.168.101.100 tcp dport 80 meta mark set 7
        ip daddr 192.168.101.101 tcp dport 80 meta mark set 8
    }
}";

#[test]
fn marked_packets_are_served_by_nat_and_full_nat() {
    let world = World::new();
    for server in &world.real_servers {
        server.set_up_nat(near(200));
    }
    world.director().nft(MARKS);
    let _director = Director::start(world.director(), world.folder(), &format!("{COMMON}{MARKED}"));
    wait_for_destinations(world.director(), 4);
    assert_in_turn(&world, &world.far_client, near(100).ipv4.into());
    // On the servers' own link: only a translated source brings their answers back through the director.
    assert_in_turn(&world, &world.near_client, near(101).ipv4.into());
}

/// Two pools whose servers are checked over TLS with the lab's own authority: in one with the name that they have.
fn checked_over_tls() -> String {
    let authority = certificates::shared().authority.display();
    let check = |name: &str| {
        format!(
            "{{https: {{path: /healthz, host: {name}, tls: {{ca: {{file: {authority}}}}}}}, port: 443, interval: 1s, timeout: 500ms}}"
        )
    };
    let pool = |vip: u16, check: String| {
        format!(
            "virtual_services: [tcp://{}:80]\n    forwarding: full-nat\n    check: {check}\n    \
             real_servers: [192.168.101.110:80, 192.168.101.210:80]\n",
            near(vip).ipv4
        )
    };
    format!(
        "{COMMON}pools:\n  good:\n    {}  bad:\n    {}",
        pool(100, check("web.lab")),
        pool(101, check("other.lab"))
    )
}

#[test]
fn https_checks_verify_the_name_against_their_own_authority() {
    let world = World::new();
    let director = Director::start(world.director(), world.folder(), &checked_over_tls());
    wait_for_destinations(world.director(), 2);
    assert_in_turn(&world, &world.near_client, near(100).ipv4.into());
    until("complaint about the name", Duration::from_secs(10), || {
        let log = director.log();
        if log.contains("down: ") && log.contains("bad/") { Ok(()) } else { Err(log) }
    });
    assert_eq!(director.metric("tandem_pool_servers_up{pool=\"good\"}"), Some(2.0));
    assert_eq!(director.metric("tandem_pool_servers_up{pool=\"bad\"}"), Some(0.0));
}

const UNTRACKED: &str = r#"
pools:
  untracked:
    virtual_services: [tcp://192.168.101.100:80]
    untracked: true
    forwarding: nat
    real_servers: [192.168.101.110:80, 192.168.101.210:80]
  tracked:
    virtual_services: [tcp://192.168.101.101:80]
    forwarding: full-nat
    real_servers: [192.168.101.110:80, 192.168.101.210:80]
"#;

/// Beside a full-NAT pool, which needs connection tracking, an untracked one leaves nothing in its table.
#[test]
fn an_untracked_pool_stays_out_of_connection_tracking() {
    let world = World::new();
    for server in &world.real_servers {
        server.set_up_nat(near(200));
    }
    let _director = Director::start(world.director(), world.folder(), &format!("{COMMON}{UNTRACKED}"));
    wait_for_destinations(world.director(), 4);
    let [untracked, tracked]: [IpAddr; 2] = [100, 101].map(|host| near(host).of(Family::Ipv4));
    assert_in_turn(&world, &world.far_client, untracked);
    assert_in_turn(&world, &world.near_client, tracked);
    let entries = world.director().run("conntrack -L");
    let of = |client: &str| entries.lines().filter(|line| line.contains(&format!("src={client} "))).count();
    assert_eq!((of("192.168.102.10"), of("192.168.101.10")), (0, 4), "{entries}");
    until_true("table of rules", Duration::from_secs(5), || {
        world.director().nft_table("inet", "tandem").is_some()
    });
}
