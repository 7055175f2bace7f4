//! Consistent hashing (`mh`): two directors send a client to the same server, and a server that is away and comes back
//! moves no client but its own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use crate::lone::Lone;
use crate::world::addresses::near;
use crate::world::wait::until;

const LIMIT: Duration = Duration::from_secs(10);
/// One client address with many ports: the policy hashes the port too.
const CLIENT_PORTS: std::ops::Range<u16> = 20_000..20_080;
const SERVERS: std::ops::RangeInclusive<u16> = 111..=116;
/// The server that is away; its check asks here, so that a case can let it fail.
const AWAY: u16 = 113;

/// A UDP service over six servers, in the order given, with weights of their own. Connections are forgotten after a second.
fn policy(hosts: impl Iterator<Item = u16>) -> String {
    let servers = hosts.map(|host| {
        let check = format!(
            "{{tcp: {{}}, address: 127.0.0.1, port: 7{host}, interval: 300ms, timeout: 200ms, rise: 1, fall: 2}}"
        );
        let check = if host == AWAY { check } else { "none".to_owned() };
        format!("      - {{address: 192.168.101.{host}, weight: {}, check: {check}}}\n", host - 110)
    });
    format!(
        "policy_version: 1
virtual_addresses: [{{address: 192.168.101.100/24, interface: eth0}}]
pools:
  dns:
    virtual_services: [udp://192.168.101.100:53]
    forwarding: dr
    scheduler: {{mh: {{port: true}}}}
    check: none
    real_servers:
{}kernel: {{timeouts: {{udp: 1s}}}}
",
        servers.collect::<String>()
    )
}

/// The port that the check of the server asks.
fn let_in(host: &Lone) -> TcpListener {
    let address: SocketAddr = format!("127.0.0.1:7{AWAY}").parse().expect("an address");
    host.machine.inside(|| TcpListener::bind(address)).expect("a listener")
}

/// Sends a datagram from each port, and reads from the kernel's connections which server each was given.
fn landings(host: &Lone) -> BTreeMap<String, String> {
    until("forgotten connections", LIMIT, || {
        let left = connections(host).len();
        if left == 0 { Ok(()) } else { Err(format!("{left} are left")) }
    });
    let (client, vip) = (IpAddr::from(near(200).ipv4), SocketAddr::new(near(100).ipv4.into(), 53));
    host.machine.inside(|| {
        for port in CLIENT_PORTS {
            let socket = UdpSocket::bind((client, port)).expect("a port");
            socket.send_to(b"?", vip).expect("sent");
        }
    });
    let landed = connections(host);
    assert_eq!(landed.len(), CLIENT_PORTS.len());
    landed
}

/// Client and real server of each connection: `UDP 00:01 UDP client vip server`.
fn connections(host: &Lone) -> BTreeMap<String, String> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let text = host.machine.run("ipvsadm -Lnc");
    let lines = text.lines().map(words).filter(|words| words.first().is_some_and(|word| word == "UDP"));
    lines.map(|words| (words[3].clone(), words[5].clone())).collect()
}

#[track_caller]
fn wait_for_weight(host: &Lone, weight: u32) {
    let address = format!("192.168.101.{AWAY}:53");
    until("weight", LIMIT, || {
        let table = host.machine.ipvs();
        let found = table.iter().flat_map(|service| &service.destinations).find(|it| it.address == address);
        match found {
            Some(found) if found.weight == weight => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

/// The flows that differ are exactly those of the server that was away.
#[track_caller]
fn assert_only_its_own_moved(all: &BTreeMap<String, String>, without: &BTreeMap<String, String>) {
    let away = format!("192.168.101.{AWAY}:53");
    let its_own = all.values().filter(|server| **server == away).count();
    assert!(its_own > 0, "it owns slots");
    for (client, server) in all {
        if *server == away {
            assert_ne!(without[client], away, "{client} falls back");
        } else {
            assert_eq!(without[client], *server, "{client} must not move");
        }
    }
}

#[test]
fn two_directors_send_each_client_to_the_same_server() {
    let [one, other] = [(); 2].map(|()| Lone::new());
    let (_open, _other_open) = (let_in(&one), let_in(&other));
    let _director = one.start(&policy(SERVERS));
    let _other_director = other.start(&policy(SERVERS.rev()));
    for host in [&one, &other] {
        wait_for_weight(host, u32::from(AWAY - 110));
    }
    assert_eq!(one.machine.ipvs_saved(), other.machine.ipvs_saved(), "in the same order");
    assert_eq!(landings(&one), landings(&other));
}

#[test]
fn a_server_that_is_away_and_back_moves_only_its_own_clients() {
    let whole = Lone::new();
    let _open = let_in(&whole);
    let _whole_director = whole.start(&policy(SERVERS));
    wait_for_weight(&whole, u32::from(AWAY - 110));
    let all = landings(&whole);

    let host = Lone::new();
    let _director = host.start(&policy(SERVERS));
    wait_for_weight(&host, 0);
    assert_only_its_own_moved(&all, &landings(&host));
    let open = let_in(&host);
    wait_for_weight(&host, u32::from(AWAY - 110));
    assert_eq!(landings(&host), all, "its slots are its own from the start");
    drop(open);
    wait_for_weight(&host, 0);
    assert_only_its_own_moved(&all, &landings(&host));
}
