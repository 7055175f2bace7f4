//! What a removal is worth to clients whom the kernel remembers: UDP clients that keep their port, and persistent ones. Each
//! case is seen from the client, with the setting and without.

mod real_path;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::policies::wait_for_destinations;
use crate::world::World;
use crate::world::addresses::{Family, near, url};
use crate::world::director::Director;
use crate::world::namespace::Namespace;
use crate::world::real_server::RealServer;
use crate::world::wait::{stays, until, until_true};

const NAMES: &str = r#"
policy_version: 1
virtual_addresses: [{address: 192.168.101.100/24, interface: eth0}]
pools:
  names:
    virtual_services: [udp://192.168.101.100:53]
    forwarding: nat
    scheduler: rr
    check: {tcp: {}, port: 53, interval: 500ms, timeout: 400ms, fall: 1}
    real_servers: [192.168.101.110:53, 192.168.101.210:53]
"#;

/// From the removal of its server a client gets its answers elsewhere within this.
const MOVE_LIMIT: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two questions of a client.
const PAUSE: Duration = Duration::from_millis(50);

/// A question for the TXT record of `who.lab` (RFC 1035, section 4).
const QUESTION: &[u8] = b"\x07\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03who\x03lab\x00\x00\x10\x00\x01";

/// A client that keeps its port, as a resolver or a phone does.
struct Client(UdpSocket);

impl Client {
    fn new(namespace: &Namespace, server: SocketAddr) -> Self {
        let socket = namespace.inside(|| {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            socket.connect(server)?;
            socket.set_read_timeout(Some(PAUSE))?;
            Ok::<_, std::io::Error>(socket)
        });
        Self(socket.expect("a socket"))
    }

    /// Which real server answers now: its record says.
    fn ask(&self) -> Result<String, String> {
        // An ICMP error of the question before is reported here, and is no answer either.
        self.0.send(QUESTION).map_err(|error| error.to_string())?;
        let mut answer = [0; 512];
        let length = self.0.recv(&mut answer).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&answer[..length]).into_owned();
        let address = text.find("192.168.101.").map(|at| text[at..].to_owned());
        address.ok_or_else(|| format!("no address in {text:?}"))
    }
}

/// The real server of this address, and the other one.
fn split<'a>(world: &'a World, address: &str) -> (&'a RealServer, &'a RealServer) {
    let [first, second] = &world.real_servers[..] else { panic!("two real servers") };
    if first.addresses.ipv4.to_string() == address { (first, second) } else { (second, first) }
}

/// Lets the server of a client die and leave the table; what became of the client.
fn lose_a_name_server(kernel: &str, then: impl FnOnce(&World, &Client, &RealServer)) {
    let world = World::new();
    for server in &world.real_servers {
        server.start_dns();
        server.set_up_nat(near(200));
    }
    let _director = Director::start(world.director(), world.folder(), &format!("{NAMES}{kernel}"));
    wait_for_destinations(world.director(), 2);
    let vip = SocketAddr::new(near(100).of(Family::Ipv4), 53);
    let client = Client::new(&world.far_client, vip);
    let first = until("an answer", PATIENCE, || client.ask());
    assert_eq!(client.ask().as_ref(), Ok(&first), "the kernel remembers the client");
    let (dead, alive) = split(&world, &first);
    dead.stop_dns();
    until_true("removal", PATIENCE, || world.director().ipvs_destinations() == 1);
    then(&world, &client, alive);
}

#[test]
fn udp_clients_of_a_removed_server_move_on_within_a_second() {
    lose_a_name_server("", |world, client, alive| {
        let removed = Instant::now();
        let answer = until("an answer of the other server", MOVE_LIMIT, || client.ask());
        println!("a UDP client moved on {:.0?} after the removal of its server was seen", removed.elapsed());
        assert_eq!(answer, alive.addresses.ipv4.to_string());
        assert_eq!(world.director().read_sysctl("net.ipv4.vs.expire_nodest_conn"), "1");
    });
}

#[test]
fn udp_clients_of_a_removed_server_hang_where_the_policy_keeps_connections() {
    lose_a_name_server("kernel: {expire_nodest_conn: false}\n", |_, client, _| {
        stays("silence", 3 * MOVE_LIMIT, || match client.ask() {
            Ok(answer) => Err(format!("{answer} answered")),
            Err(_) => Ok(()),
        });
    });
}

const PERSISTENT: &str = r#"
policy_version: 1
virtual_addresses: [{address: 192.168.101.100/24, interface: eth0}]
pools:
  web:
    virtual_services: [tcp://192.168.101.100:80]
    forwarding: full-nat
    scheduler: rr
    persistence: {timeout: 10m}
    on_failure: quiesce
    check: {tcp: {}, interval: 500ms, timeout: 400ms, fall: 1}
    real_servers: [192.168.101.110:80, 192.168.101.210:80]
"#;

/// Lets the server of a persistent client die and be quiesced; what the client gets.
fn lose_a_persistent_server(kernel: &str, then: impl FnOnce(&World, &str, &RealServer)) {
    let world = World::new();
    let _director = Director::start(world.director(), world.folder(), &format!("{PERSISTENT}{kernel}"));
    until_true("both servers in rotation", PATIENCE, || weights(world.director()) == [1, 1]);
    let page = url("http", near(100).of(Family::Ipv4), 80, "/");
    let first = world.near_client.curl(&page).expect("an answer");
    assert_eq!(world.near_client.curl(&page).as_ref(), Ok(&first), "the client persists");
    let (dead, alive) = split(&world, first.trim_start_matches("hello ").trim_end());
    assert_eq!(dead.greeting(), first);
    dead.stop();
    until_true("a server of weight 0", PATIENCE, || weights(world.director()).contains(&0));
    then(&world, &page, alive);
}

fn weights(director: &Namespace) -> Vec<u32> {
    let table = director.ipvs();
    table.iter().flat_map(|service| &service.destinations).map(|destination| destination.weight).collect()
}

#[test]
fn persistent_clients_leave_a_failed_server_that_is_quiesced() {
    lose_a_persistent_server("", |world, page, alive| {
        assert_eq!(world.near_client.curl(page), Ok(alive.greeting()));
        assert_eq!(world.director().read_sysctl("net.ipv4.vs.expire_quiescent_template"), "1");
    });
}

#[test]
fn persistent_clients_stay_on_a_quiesced_server_where_the_policy_keeps_them() {
    lose_a_persistent_server("kernel: {expire_quiescent_template: false}\n", |world, page, _| {
        world.near_client.curl(page).expect_err("its server is dead");
    });
}
