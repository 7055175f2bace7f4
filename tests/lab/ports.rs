//! A client that uses its ports again, as a busy proxy does: what the kernel remembers of a port must not lead to a server
//! that has left the table.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::policies::{Mode, wait_for_destinations};
use crate::world::World;
use crate::world::addresses::{Family, far, near};
use crate::world::director::Director;
use crate::world::namespace::Namespace;
use crate::world::real_server::Encapsulation;

/// Few enough that those which hang are done before the server is out.
const PORTS: [u16; 6] = [40_001, 40_002, 40_003, 40_004, 40_005, 40_006];

/// A request from this port of the client's.
fn ask(client: &Namespace, vip: IpAddr, port: u16, seconds: &str) -> Result<String, String> {
    let url = format!("http://{}/", SocketAddr::new(vip, 80));
    client.curl_with(&["--local-port", &port.to_string(), "--max-time", seconds], &url)
}

/// The ports whose requests meet the silent server must serve once it is out.
fn assert_hung_ports_serve_again(mode: Mode) {
    let world = World::new();
    let vip = near(100).of(Family::Ipv4);
    for server in &world.real_servers {
        mode.set_up(server, vip);
    }
    let in_turn = mode.policy(Family::Ipv4).replace("    forwarding:", "    scheduler: rr\n    forwarding:");
    let _director = Director::start(world.director(), world.folder(), &in_turn);
    wait_for_destinations(world.director(), 2);
    let client = mode.client(&world);
    world.real_servers[1].namespace.set_cable(&world.near_switch, false);
    let hung: Vec<u16> = PORTS.into_iter().filter(|port| ask(client, vip, *port, "0.5").is_err()).collect();
    assert!(!hung.is_empty(), "some requests met the silent server");
    wait_for_destinations(world.director(), 1);
    for port in hung {
        let greeting = world.real_servers[0].greeting();
        assert_eq!(ask(client, vip, port, "5"), Ok(greeting), "{mode:?}, port {port}");
    }
}

#[test]
fn a_port_that_hung_serves_again_in_each_mode() {
    for mode in [Mode::Nat, Mode::Dr, Mode::Tun(Encapsulation::IpIp), Mode::FullNat] {
        assert_hung_ports_serve_again(mode);
    }
}

/// Two services of NAT at one port of one real server: where do the answers to one client port go?
fn ask_through_both(ports: [u16; 2]) -> [Result<(), String>; 2] {
    let world = World::new();
    let director = world.director();
    director.sysctl(&[("net.ipv4.ip_forward", "1")]);
    let server = &world.real_servers[0];
    server.set_up_nat(near(254));
    director.add_address(near(254).of(Family::Ipv4), "eth0");
    let vips = [100, 103].map(|host| near(host).of(Family::Ipv4));
    for (vip, port) in vips.into_iter().zip(ports) {
        director.add_address(vip, "eth0");
        let (service, address) = (SocketAddr::new(vip, 80), server.addresses.of(Family::Ipv4));
        director.ipvsadm(&format!(
            "-A -t {service} -s rr\n-a -t {service} -r {} -m\n",
            SocketAddr::new(address, port)
        ));
    }
    world.far_client.ip(&format!("route replace default via {}", far(254).of(Family::Ipv4)));
    director.add_address(far(254).of(Family::Ipv4), "eth1");
    let open = |vip| world.far_client.inside(|| connect_from(PORTS[0], SocketAddr::new(vip, 80)));
    let connections = vips.map(|vip| open(vip).expect("it opens"));
    connections.map(|connection| exchange(connection).map_err(|error| error.to_string()))
}

fn connect_from(port: u16, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from(([0, 0, 0, 0], port)).into())?;
    socket.connect_timeout(&to.into(), Duration::from_secs(5))?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(socket.into())
}

fn exchange(mut connection: TcpStream) -> std::io::Result<()> {
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).map(drop)
}

/// IPVS finds the connection of an answer by the client's address and port and the real server's alone: which VIP the client
/// asked is no part of it (`ip_vs_conn_out_get`). `tandem doctor` says so of such a policy (`shared-destination`).
#[test]
fn of_two_services_at_one_port_of_a_real_server_one_client_port_can_use_one() {
    let [first, second] = ask_through_both([80, 80]);
    assert!(first.is_err() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!(ask_through_both([80, 8080]), [Ok(()), Ok(())], "ports of their own");
}
