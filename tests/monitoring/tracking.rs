//! What the kernel says of connection tracking, of entries that are put into its table.

use crate::world::namespace::Namespace;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use tandem::kernel::Conntrack;
use tandem::model::{Connection, ConntrackEntry, Protocol};

const LOCAL: [&str; 2] = ["10.20.0.20", "10.20.0.21"];
const ESTABLISHED: u8 = 3;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A connection of a client's port to a real server, which bears a local address.
fn entry(port: u16, destination: &str, local: &str) -> ConntrackEntry {
    let connection = Connection {
        protocol: Protocol::Tcp,
        client: SocketAddr::new(address("192.0.2.9"), port),
        virtual_service: SocketAddr::new(address("192.168.101.100"), 80),
        destination: SocketAddr::new(address(destination), 8080),
    };
    ConntrackEntry { connection, source: address(local), tcp_state: Some(ESTABLISHED), timeout_s: 600 }
}

/// A port is free towards one real server while it is taken towards another: the one that has most of them counts.
#[test]
fn ports_are_counted_towards_the_real_server_that_has_most_of_them() {
    let host = Namespace::new("director");
    host.ip("link set lo up\n");
    let entries = [
        entry(5_000, "10.20.0.11", LOCAL[0]),
        entry(5_001, "10.20.0.11", LOCAL[0]),
        entry(5_002, "10.20.0.11", LOCAL[0]),
        entry(5_003, "10.20.0.12", LOCAL[0]),
        entry(5_004, "10.20.0.12", "10.20.0.99"),
    ];
    let used = host.inside(|| {
        let mut conntrack = Conntrack::open().expect("ctnetlink");
        let restored = conntrack.restore(&entries, |_| false).expect("entries");
        assert_eq!(restored.added, entries.len());
        conntrack.ports_used(&BTreeSet::from(LOCAL.map(address))).expect("a count")
    });
    assert_eq!(used, BTreeMap::from([(address(LOCAL[0]), 3), (address(LOCAL[1]), 0)]));
}
