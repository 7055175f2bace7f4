//! A large site, as each program is told of it: 37,000 real servers in 2,000 services, one of them with a weight that changes.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

pub(crate) const SERVICES: usize = 2_000;
pub(crate) const SERVERS: usize = 37_000;
/// The server whose weight changes, in the middle.
const CHANGED: usize = SERVERS / 2;

/// What precedes the pools, where servers are probed.
pub(crate) const ALIVE: &str = "checks: {alive: {tcp: {}, interval: 5s, timeout: 1s}}
defaults: {pool: {scheduler: wrr, forwarding: nat, check: alive}}
";
/// And where they are not.
pub(crate) const UNCHECKED: &str = "defaults: {pool: {scheduler: wrr, forwarding: nat, check: none}}\n";

/// The service of the server whose weight changes, and that server.
pub(crate) fn changed() -> (SocketAddr, SocketAddr) {
    let pool = (0..SERVICES).find(|pool| servers(*pool).contains(&CHANGED)).expect("a pool");
    (SocketAddr::new(vip(pool).into(), 80), SocketAddr::new(server(CHANGED).into(), 8080))
}

fn servers(pool: usize) -> std::ops::Range<usize> {
    let first = |pool: usize| (SERVERS * pool).div_ceil(SERVICES);
    first(pool)..first(pool + 1)
}

fn vip(pool: usize) -> Ipv4Addr {
    address(192, 0, pool)
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
        let vip = vip(pool);
        let _ = writeln!(text, "  pool-{pool}:\n    virtual_services: [tcp://{vip}:80]\n    real_servers:");
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
        let vip = vip(pool);
        let _ =
            writeln!(text, "virtual_server {vip} 80 {{\n    lb_algo wrr\n    lb_kind NAT\n    protocol TCP");
        for number in servers(pool) {
            let (address, weight) = (server(number), if number == CHANGED { weight } else { 1 });
            let _ = writeln!(text, "    real_server {address} 8080 {{\n        weight {weight}\n    }}");
        }
        text.push_str("}\n");
    }
    text
}
