//! Source ports of probes that go through IPVS to a VIP.
//!
//! IPVS knows a connection by its two ends alone, and goes on sending it to the same real server for a while after its end
//! (10 s after a reset, up to 60 s where nobody answered). All real servers of a pool are probed at one VIP: a probe that
//! used the port of an earlier one would reach the server of that. So ports are taken in turn, and each comes round last.

use super::socket::local;
use crate::model::Failure;
use socket2::Socket;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The kernel's own range for outgoing connections (`ip_local_port_range`), where nobody listens. With 60 s from one turn to
/// the next, 470 probes a second find a port of which IPVS knows nothing.
const FIRST: u16 = 32_768;
const COUNT: u16 = 28_232;
/// Ports in use that are passed over, at most.
const MOST_TRIES: usize = 64;

/// The turn begins elsewhere in each run: the kernel still remembers what an earlier one did.
static NEXT: LazyLock<AtomicU32> =
    LazyLock::new(|| AtomicU32::new(std::process::id().wrapping_mul(0x9e37_79b1)));

/// The next port in turn.
fn next_port() -> u16 {
    let turn = NEXT.fetch_add(1, Ordering::Relaxed) % u32::from(COUNT);
    FIRST + u16::try_from(turn).unwrap_or(0)
}

/// Binds to `source` and the next port that is free.
pub(super) fn bind(socket: &Socket, source: IpAddr, target: SocketAddr) -> Result<(), Failure> {
    if source.is_ipv4() != target.is_ipv4() {
        return Err(Failure::Local(format!(
            "source {source} and target {target} are of two address families"
        )));
    }
    let attempt = || socket.bind(&SocketAddr::new(source, next_port()).into());
    for _ in 1..MOST_TRIES {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            result => return told(source, result),
        }
    }
    told(source, attempt())
}

fn told(source: IpAddr, result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| local(&format!("source address {source}"), &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Type};
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    #[test]
    fn no_port_comes_twice_before_all_had_their_turn_and_one_in_use_is_passed_over() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let target = SocketAddr::new(loopback, 9);
        let open = || Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let sockets: Vec<Socket> = (0..200).map(|_| open()).collect();
        let ports: Vec<u16> = sockets
            .iter()
            .map(|socket| {
                bind(socket, loopback, target).expect("a port");
                let address = socket.local_addr().expect("bound").as_socket().expect("an address");
                address.port()
            })
            .collect();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), sockets.len());
        assert!(ports.iter().all(|port| (FIRST..FIRST + COUNT).contains(port)));
        // The last in turn, not the highest: behind that one the others may be, where the turn has begun anew.
        let taken = *ports.last().expect("some");
        let place = u32::from(taken - FIRST);
        let round = NEXT.load(Ordering::Relaxed) / u32::from(COUNT);
        NEXT.store(round * u32::from(COUNT) + place, Ordering::Relaxed);
        let late = open();
        bind(&late, loopback, target).expect("another port");
        assert_ne!(late.local_addr().expect("bound").as_socket().map(|address| address.port()), Some(taken));
    }
}
