//! Connections that rest are told to the other director, and live on there: through NAT, DR and TUN, of both families.
//!
//! Two directors hold the same table, typed by hand; director A has the addresses. The connections are there before any
//! synchronisation daemon runs, so the kernel has never told them, and never would.
//!
//! Both directors are one kernel here, with one hash table for all namespaces: while A's part of it is read, what B takes in
//! moves A's entries on, and some are read twice. On two machines only new connections do so.

mod full_nat;
mod many;
mod roles;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use tandem::connections::{EntryCounts, Passed, Told, count, pass};
use tandem::kernel::{Kernel, LinuxKernel};
use tandem::model::{ConnectionSync, Observed, Scope, SyncDaemon, SyncDaemonRole, SyncRole, Tables};
use tandem::reconcile::Change;

use crate::world::World;
use crate::world::addresses::{Addresses, FAMILIES, Family, far, host_length, near};
use crate::world::http;
use crate::world::namespace::Namespace;
use crate::world::real_server::Encapsulation;
use crate::world::wait::until;

const LIMIT: Duration = Duration::from_secs(10);
const SYNC_ID: u8 = 61;

/// The addresses that float: the real servers' gateway and the far client's.
fn gateways() -> [(Addresses, &'static str); 2] {
    [(near(254), "eth0"), (far(254), "eth1")]
}

/// A pair by hand, without synchronisation.
struct Pair {
    world: World,
    vips: Vec<IpAddr>,
}

impl Pair {
    fn new() -> Self {
        let world = World::with_pair();
        for director in &world.directors {
            director.sysctl(&[
                ("net.ipv4.ip_forward", "1"),
                ("net.ipv6.conf.all.forwarding", "1"),
                ("net.ipv4.conf.all.send_redirects", "0"),
                ("net.ipv4.conf.eth0.send_redirects", "0"),
            ]);
        }
        for (gateway, interface) in gateways() {
            for family in FAMILIES {
                world.directors[0].add_address(gateway.of(family), interface);
            }
        }
        let Addresses { ipv4, ipv6 } = far(254);
        world.far_client.ip(&format!("route replace default via {ipv4}\nroute replace default via {ipv6}"));
        world.real_servers.iter().for_each(|server| server.set_up_nat(near(254)));
        Self { world, vips: Vec::new() }
    }

    /// The same service on both directors, and its VIP on the first.
    fn add(&mut self, protocol: &str, vip: IpAddr, port: u16, options: &str, method: &str) {
        let service = SocketAddr::new(vip, port);
        let mut lines = format!("-A {protocol} {service} -s rr {options}\n");
        for server in &self.world.real_servers {
            let own = server.addresses.of(if vip.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 });
            lines += &format!("-a {protocol} {service} -r {} {method}\n", SocketAddr::new(own, port));
        }
        self.world.directors.iter().for_each(|director| director.ipvsadm(&lines));
        self.hold(vip);
    }

    fn hold(&mut self, vip: IpAddr) {
        if !self.vips.contains(&vip) {
            self.vips.push(vip);
            add_vip(&self.world.directors[0], vip);
        }
    }

    /// Starts the master daemon on A and the backup daemon on B, by the kernel layer.
    fn synchronise(&self) {
        let roles = [SyncDaemonRole::Master, SyncDaemonRole::Backup];
        for (director, role) in self.world.directors.iter().zip(roles) {
            let daemon = SyncDaemon { role, interface: "eth0".to_owned(), sync_id: SYNC_ID };
            director.inside(|| {
                let results = LinuxKernel::new().apply(&[Change::StartSyncDaemon { daemon: daemon.clone() }]);
                assert_eq!(results, [Ok(())]);
            });
            assert_eq!(observe(director).sync_daemons, [daemon].into());
        }
    }

    /// Tells A's connections.
    fn pass(&self) -> Passed {
        let a = &self.world.directors[0];
        let tables = Tables { services: observe(a).services, ..Tables::default() };
        let passed = a.inside(|| pass(&sync(), &tables, LIMIT, &mut Told::default())).expect("told");
        println!("{passed:?}");
        passed
    }

    /// Moves every floating address from A to B. Who has the old hardware address forgets it, as by an announcement.
    fn move_addresses(&self) {
        let [a, b] = &self.world.directors[..] else { panic!("a pair") };
        for vip in &self.vips {
            a.ip(&format!("addr del {vip}/{} dev eth0", host_length(*vip)));
            add_vip(b, *vip);
        }
        for (gateway, interface) in gateways() {
            for address in FAMILIES.map(|family| gateway.of(family)) {
                a.ip(&format!("addr del {address}/{} dev {interface}", host_length(address)));
                b.add_address(address, interface);
            }
        }
        let servers = self.world.real_servers.iter().map(|server| &server.namespace);
        for machine in servers.chain([&self.world.near_client, &self.world.far_client]) {
            let interface = if machine.name() == self.world.far_client.name() { "eth1" } else { "eth0" };
            machine.ip(&format!("neigh flush dev {interface}"));
        }
    }
}

fn sync() -> ConnectionSync {
    let sync_id = SYNC_ID.try_into().expect("not zero");
    ConnectionSync { interface: "eth0".to_owned(), sync_id, role: SyncRole::Both }
}

fn add_vip(director: &Namespace, vip: IpAddr) {
    let without_dad = if vip.is_ipv6() { "nodad" } else { "" };
    director.ip(&format!("addr add {vip}/{} dev eth0 {without_dad} preferred_lft 0", host_length(vip)));
}

fn observe(director: &Namespace) -> Observed {
    director.inside(|| LinuxKernel::new().observe(&Scope::default())).expect("the tables can be read")
}

/// The connection table without its heading and the times of expiry, sorted.
fn entries(director: &Namespace) -> Vec<String> {
    let table =
        director.inside(|| std::fs::read_to_string("/proc/thread-self/net/ip_vs_conn")).expect("IPVS");
    let without_time = |line: &str| line.split_whitespace().take(8).collect::<Vec<_>>().join(" ");
    let mut entries: Vec<String> = table.lines().skip(1).map(without_time).collect();
    entries.sort();
    entries
}

/// B has the entries that A has.
#[track_caller]
fn assert_told(pair: &Pair) {
    let [a, b] = &pair.world.directors[..] else { panic!("a pair") };
    let wanted = entries(a);
    until("equal connection tables", LIMIT, || match entries(b) {
        found if found == wanted => Ok(()),
        found => Err(format!("{found:#?}\ninstead of {wanted:#?}")),
    });
    let counts = b.inside(count).expect("IPVS");
    assert_eq!(counts, EntryCounts { local: 0, synchronised: wanted.len() });
}

/// A connection that has said nothing yet.
fn open(client: &Namespace, vip: IpAddr) -> TcpStream {
    client.inside(|| http::connect(SocketAddr::new(vip, 80), LIMIT)).expect("a connection")
}

/// Asks on a connection that was opened before: the greeting of its real server.
fn ask(mut connection: TcpStream) -> std::io::Result<String> {
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Connections through every method that can be synchronised, each with a word for what it is.
fn open_each(pair: &mut Pair) -> Vec<(String, TcpStream)> {
    let mut open_ones = Vec::new();
    for family in FAMILIES {
        let [nat, dr] = [100, 101].map(|host| near(host).of(family));
        pair.add("-t", nat, 80, "", "-m");
        pair.add("-t", dr, 80, "", "-g");
        pair.world.real_servers.iter().for_each(|server| server.set_up_dr(dr));
        open_ones.push((format!("NAT {family:?}"), open(&pair.world.far_client, nat)));
        open_ones.push((format!("DR {family:?}"), open(&pair.world.near_client, dr)));
    }
    let tun = near(102).of(Family::Ipv4);
    pair.add("-t", tun, 80, "", "-i");
    pair.world.real_servers.iter().for_each(|server| server.set_up_tun(tun, Encapsulation::IpIp));
    open_ones.push(("TUN Ipv4".to_owned(), open(&pair.world.near_client, tun)));
    open_ones
}

#[test]
fn idle_connections_are_told_and_live_on_at_the_other_director() {
    let mut pair = Pair::new();
    let connections = open_each(&mut pair);
    pair.synchronise();
    let b = &pair.world.directors[1];
    assert_eq!(entries(b), [""; 0], "the kernel tells nothing of what rests");
    let passed = pair.pass();
    assert!(passed.connections >= connections.len(), "{:#?}", entries(pair.world.director()));
    assert_eq!((passed.omitted, passed.rounds), (0, 2));
    assert_told(&pair);
    let active: u64 =
        b.ipvs().iter().flat_map(|service| &service.destinations).map(|found| found.active).sum();
    assert_eq!(active, 5, "each is bound to its destination and counted as established");
    pair.move_addresses();
    for (what, connection) in connections {
        let answer = ask(connection).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(answer.contains("hello 192.168.101."), "{what}: {answer}");
    }
}

/// The same without telling: if this one passed its connections, the case above would prove nothing.
#[test]
fn connections_that_nobody_told_are_reset() {
    let mut pair = Pair::new();
    let connections = open_each(&mut pair);
    pair.synchronise();
    pair.move_addresses();
    for (what, connection) in connections {
        ask(connection).expect_err(&what);
    }
}

/// Persistent clients, services by mark, and datagrams: what each record must say beside addresses and ports.
#[test]
fn templates_marks_and_datagrams_are_told() {
    let mut pair = Pair::new();
    let [persistent, marked, datagrams] = [103, 104, 105].map(|host| near(host).of(Family::Ipv4));
    pair.add("-t", persistent, 80, "-p 600", "-m");
    pair.add("-u", datagrams, 53, "", "-g");
    for director in &pair.world.directors {
        director.nft(&format!(
            "table ip by_hand {{ chain marks {{ type filter hook prerouting priority mangle;
                ip daddr {marked} tcp dport {{ 80, 8080 }} meta mark set 7
            }}\n}}"
        ));
        director.ipvsadm(
            "-A -f 7 -s rr -p 500\n-a -f 7 -r 192.168.101.110:0 -m\n-a -f 7 -r 192.168.101.210:0 -m\n",
        );
    }
    pair.hold(marked);
    let client = &pair.world.far_client;
    let connections = [persistent, marked].map(|vip| open(client, vip));
    client.inside(|| {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").expect("a socket");
        socket.send_to(b"?", SocketAddr::new(datagrams, 53)).expect("sent");
    });
    pair.synchronise();
    let passed = pair.pass();
    assert!(passed.connections >= 5, "{:#?}", entries(pair.world.director()));
    assert_eq!(passed.omitted, 0);
    assert_told(&pair);
    let b = &pair.world.directors[1];
    let counted: u64 = b
        .ipvs()
        .iter()
        .flat_map(|service| &service.destinations)
        .map(|found| found.active + found.inactive)
        .sum();
    assert_eq!(counted, 3, "bound, that by mark too: {:#?}", b.ipvs());
    pair.move_addresses();
    for connection in connections {
        assert!(ask(connection).expect("it lives on").contains("hello"));
    }
    let greeting = |vip| client.fetch(SocketAddr::new(vip, 80), "/").expect("an answer");
    let first = greeting(marked);
    assert!((0..3).all(|_| greeting(marked) == first), "the client keeps its server");
}
