//! A client that uses its ports again, as a busy proxy does: what the kernel remembers of a port must not lead to a server
//! that has left the table.

use std::net::{IpAddr, SocketAddr};

use crate::policies::{Mode, wait_for_destinations};
use crate::world::World;
use crate::world::addresses::{Family, near};
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
