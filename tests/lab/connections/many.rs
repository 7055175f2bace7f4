//! Many entries: none is lost on the way, and the time that it takes.

use super::*;
use std::net::UdpSocket;

const ENTRIES: u16 = 20_000;
const FIRST_PORT: u16 = 20_000;

#[test]
fn twenty_thousand_entries_arrive() {
    let mut pair = Pair::new();
    let vip = near(105).of(Family::Ipv4);
    pair.add("-u", vip, 53, "", "-g");
    let [a, b] = &pair.world.directors[..] else { panic!("a pair") };
    pair.world.near_client.inside(|| {
        for port in FIRST_PORT..FIRST_PORT + ENTRIES {
            let socket = UdpSocket::bind(("0.0.0.0", port)).expect("a socket");
            socket.send_to(b"?", SocketAddr::new(vip, 53)).expect("sent");
        }
    });
    let start = std::time::Instant::now();
    let held = a.inside(count).expect("IPVS").local;
    println!("{held} entries counted in {:?}", start.elapsed());
    assert!(held > usize::from(ENTRIES) * 9 / 10, "{held} connections were made");
    pair.synchronise();
    let passed = pair.pass();
    assert!(passed.connections >= held);
    until("all entries", LIMIT, || match b.inside(count).expect("IPVS").synchronised {
        found if found == held => Ok(()),
        found => Err(format!("{found} of {held}")),
    });
}
