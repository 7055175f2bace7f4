//! A large site, as each program is told of it: 37,000 real servers in 2,000 services, one of them with a weight that changes.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

pub(crate) const SERVICES: usize = 2_000;
pub(crate) const SERVERS: usize = 37_000;
/// The server whose weight changes, in the middle.
const CHANGED: usize = SERVERS / 2;

/// The VIP of all services, each on a port of its own.
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 101, 100);
const FIRST_PORT: usize = 1_000;

/// All servers are in it.
pub(crate) const SERVERS_NETWORK: &str = "10.0.0.0/8";

/// What precedes the pools, where servers are probed.
pub(crate) const ALIVE: &str = "virtual_addresses: [{address: 192.168.101.100/32, interface: lo}]
checks: {alive: {tcp: {}, interval: 5s, timeout: 1s}}
defaults: {pool: {scheduler: wrr, forwarding: nat, check: alive}}
";
/// And where they are not.
pub(crate) const UNCHECKED: &str = "virtual_addresses: [{address: 192.168.101.100/32, interface: lo}]
defaults: {pool: {scheduler: wrr, forwarding: nat, check: none}}
";

/// The service of the server whose weight changes, and that server.
pub(crate) fn changed() -> (SocketAddr, SocketAddr) {
    let pool = (0..SERVICES).find(|pool| servers(*pool).contains(&CHANGED)).expect("a pool");
    (service(pool).into(), SocketAddr::new(server(CHANGED).into(), 8080))
}

fn servers(pool: usize) -> std::ops::Range<usize> {
    let first = |pool: usize| (SERVERS * pool).div_ceil(SERVICES);
    first(pool)..first(pool + 1)
}

fn service(pool: usize) -> SocketAddrV4 {
    SocketAddrV4::new(VIP, u16::try_from(FIRST_PORT + pool).expect("a port"))
}

fn server(number: usize) -> Ipv4Addr {
    address(10, number / 62_500, number % 62_500)
}

/// One of 250 in each network.
fn address(first: u8, second: usize, number: usize) -> Ipv4Addr {
    let octet = |number: usize| u8::try_from(number).expect("less than 256");
    Ipv4Addr::new(first, octet(second), octet(number / 250), octet(number % 250 + 1))
}

/// Tandem's policy; `weight` is that of the one server.
pub(crate) fn policy(before: &str, weight: usize) -> String {
    let mut text = format!("policy_version: 1\n{before}pools:\n");
    for pool in 0..SERVICES {
        let service = service(pool);
        let _ = writeln!(text, "  pool-{pool}:\n    virtual_services: [tcp://{service}]\n    real_servers:");
        for number in servers(pool) {
            let address = server(number);
            let _ = match number == CHANGED {
                true => writeln!(text, "      - {{address: {address}:8080, weight: {weight}}}"),
                false => writeln!(text, "      - {address}:8080"),
            };
        }
    }
    text
}

/// keepalived's file, without checkers.
pub(crate) fn keepalived(weight: usize) -> String {
    let mut text = "global_defs {\n    router_id bench\n}\n".to_owned();
    for pool in 0..SERVICES {
        let port = service(pool).port();
        let _ = writeln!(
            text,
            "virtual_server {VIP} {port} {{\n    lb_algo wrr\n    lb_kind NAT\n    protocol TCP"
        );
        for number in servers(pool) {
            let (address, weight) = (server(number), if number == CHANGED { weight } else { 1 });
            let _ = writeln!(text, "    real_server {address} 8080 {{\n        weight {weight}\n    }}");
        }
        text.push_str("}\n");
    }
    text
}
