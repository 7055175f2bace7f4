//! On a real kernel, in network namespaces of their own with a veth pair between them; skipped where these can't be made.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use super::super::errands::{Done, Errand, Errands};
use super::super::links::{self, LinkEvent, LinkListener};
use super::super::path::BeatPath;
use super::super::realtime::{Clock, wait};
use super::super::socket::look_up_source;
use super::*;
use crate::model::Family;
use std::collections::BTreeSet;
use std::fs::File;
use std::process::Command;
use std::time::Duration;

#[path = "world.rs"]
mod world;
use world::{World, enter, ip, keepalived};

const PATIENCE: Duration = Duration::from_secs(5);
/// Nothing comes within this.
const SILENCE: Duration = Duration::from_millis(150);
const PORT: u16 = 9751;

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn multicast(protocol: Protocol, family: Family) -> Path {
    Path { protocol, family, kind: Kind::Multicast { interface: "eth0".to_owned() } }
}

fn unicast(protocol: Protocol, own: &str, peer: &str) -> Path {
    let (own, peers) = (address(own), vec![address(peer)]);
    Path { protocol, family: Family::of(own), kind: Kind::Unicast { own, peers } }
}

fn paths(list: Vec<Path>, floating: &[&str]) -> Arc<Paths> {
    let floating: BTreeSet<IpAddr> = floating.iter().map(|text| address(text)).collect();
    Arc::new(Paths { paths: list, floating, ..Paths::default() })
}

/// All paths must open; an IPv6 source that is not ready yet is waited for.
fn open(host: &File, paths: &Arc<Paths>) -> Transport {
    enter(host);
    let (mut transport, errors) = Transport::open(paths).expect("a transport");
    assert_eq!(errors, []);
    let clock = Clock::start();
    while paths.ids().any(|id| transport.source_of(id).is_none())
        && clock.now() < crate::time::Instant::ZERO + PATIENCE
    {
        for id in paths.ids() {
            transport.set_source(id, look_up_source(paths, id).expect("a listing"));
        }
    }
    transport
}

/// The next datagram and its message, if one comes in time.
fn hear(transport: &mut Transport, patience: Duration) -> Option<(Datagram, Vec<u8>)> {
    let clock = Clock::start();
    let deadline = clock.now() + patience;
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    loop {
        if let Some(datagram) = transport.receive(&mut buffer) {
            let message = buffer[datagram.message.clone()].to_vec();
            return Some((datagram, message));
        }
        if clock.now() >= deadline {
            return None;
        }
        wait(clock, &[transport.as_fd()], Some(deadline)).expect("a wait");
    }
}

/// Sends on a path from near to far and expects it there, from this source to this destination.
fn cross(near: &Transport, far: &mut Transport, path: usize, source: &str, destination: &str) {
    let message = [0x31, 51, 100, u8::try_from(path).expect("few paths"), 0, 10, 0, 0, 1, 2, 3, 4];
    near.send(PathId(path), Destination::All, &message).expect("sent");
    let (datagram, heard) = hear(far, PATIENCE).unwrap_or_else(|| panic!("nothing came on path {path}"));
    assert_eq!(heard, message, "every byte as it was sent, the checksum too");
    assert_eq!(datagram.path, PathId(path));
    assert_eq!((datagram.source, datagram.destination), (address(source), address(destination)));
    assert_eq!(datagram.ttl, 255);
}

const BEAT: Protocol = Protocol::Beat { port: PORT };
const ADVERT: Protocol = Protocol::Advertisement;

#[test]
fn multicast_crosses_the_cable_and_never_comes_back() {
    World::run(|world| {
        world.with(&["192.0.2.1/24"], &["192.0.2.2/24"]);
        world.each(|| ip("address add fe80::aa/64 dev eth0"));
        let list =
            [(ADVERT, Family::Ipv4), (ADVERT, Family::Ipv6), (BEAT, Family::Ipv4), (BEAT, Family::Ipv6)];
        let paths = paths(
            list.iter().map(|(protocol, family)| multicast(*protocol, *family)).collect(),
            &["fe80::aa"],
        );
        let mut far = open(&world.far, &paths);
        let mut near = open(&world.near, &paths);
        let link_local = near.source_of(PathId(1)).expect("a link-local address").to_string();
        assert!(link_local.starts_with("fe80::") && link_local != "fe80::aa", "{link_local}");
        cross(&near, &mut far, 0, "192.0.2.1", "224.0.0.18");
        cross(&near, &mut far, 1, &link_local, "ff02::12");
        cross(&near, &mut far, 2, "192.0.2.1", "224.0.0.18");
        cross(&near, &mut far, 3, &link_local, "ff02::12");
        assert_eq!(hear(&mut near, SILENCE), None, "nobody hears himself");
        assert_eq!(hear(&mut far, SILENCE), None, "nothing comes twice");
        assert_eq!((near.dropped(), far.dropped()), (Dropped::default(), Dropped::default()));
    });
}

#[test]
fn every_socket_sends_as_network_control() {
    World::run(|world| {
        world.with(&["192.0.2.1/24"], &[]);
        let list = [multicast(ADVERT, Family::Ipv4), unicast(BEAT, "192.0.2.1", "192.0.2.2")];
        let near = open(&world.near, &paths([&list[..], &[multicast(ADVERT, Family::Ipv6)]].concat(), &[]));
        for (socket, path) in near.sockets.iter().flatten().zip(&near.paths.paths) {
            let class = match path.family {
                Family::Ipv4 => socket.socket.tos_v4(),
                Family::Ipv6 => socket.socket.tclass_v6(),
            };
            assert_eq!(class.expect("a class"), 0xc0);
            let priority = nix::sys::socket::getsockopt(&socket.socket, nix::sys::socket::sockopt::Priority);
            assert_eq!(priority, Ok(6));
        }
    });
}

#[test]
fn unicast_crosses_the_cable_in_both_families() {
    World::run(|world| {
        world.with(&["192.0.2.1/24", "2001:db8::1/64"], &["192.0.2.2/24", "2001:db8::2/64"]);
        let ends = |here: &str, there: &str| {
            let both = |protocol| {
                [("192.0.2", "."), ("2001:db8", "::")].map(|(net, dot)| {
                    unicast(protocol, &format!("{net}{dot}{here}"), &format!("{net}{dot}{there}"))
                })
            };
            paths([both(ADVERT), both(BEAT)].concat(), &[])
        };
        let mut far = open(&world.far, &ends("2", "1"));
        let near = open(&world.near, &ends("1", "2"));
        for path in [0, 2] {
            cross(&near, &mut far, path, "192.0.2.1", "192.0.2.2");
        }
        for path in [1, 3] {
            cross(&near, &mut far, path, "2001:db8::1", "2001:db8::2");
        }
    });
}

#[test]
fn a_strangers_unicast_is_dropped_and_counted() {
    World::run(|world| {
        world.with(&["192.0.2.1/24", "192.0.2.9/24"], &["192.0.2.2/24"]);
        let mut far = open(&world.far, &paths(vec![unicast(ADVERT, "192.0.2.2", "192.0.2.1")], &[]));
        let stranger = open(&world.near, &paths(vec![unicast(ADVERT, "192.0.2.9", "192.0.2.2")], &[]));
        stranger.send(PathId(0), Destination::All, &[0x31; 12]).expect("sent");
        assert_eq!(hear(&mut far, SILENCE), None);
        assert_eq!(far.dropped(), Dropped { strangers: 1, ..Dropped::default() });
    });
}

#[test]
fn a_multicast_beat_from_another_network_than_the_interfaces_is_a_strangers() {
    World::run(|world| {
        world.with(&["198.51.100.1/24", "192.0.2.1/24"], &["192.0.2.2/24"]);
        let paths = paths(vec![multicast(BEAT, Family::Ipv4)], &[]);
        let (mut far, mut near) = (open(&world.far, &paths), open(&world.near, &paths));
        assert_eq!(near.source_of(PathId(0)), Some(address("198.51.100.1")));
        near.send(PathId(0), Destination::All, &[0x31; 12]).expect("sent");
        assert_eq!(hear(&mut far, SILENCE), None);
        assert_eq!(far.dropped(), Dropped { strangers: 1, ..Dropped::default() });
        near.set_source(PathId(0), Some("192.0.2.1/24".parse().expect("a network")));
        near.send(PathId(0), Destination::All, &[0x31; 12]).expect("sent");
        assert!(hear(&mut far, PATIENCE).is_some());
    });
}

#[test]
fn the_ttl_is_told_as_it_arrived_and_a_routed_beat_is_dropped() {
    World::run(|world| {
        world.with(&["192.0.2.1/24"], &["192.0.2.2/24"]);
        let list =
            [(ADVERT, Family::Ipv4), (ADVERT, Family::Ipv6), (BEAT, Family::Ipv4), (BEAT, Family::Ipv6)];
        let paths = paths(list.iter().map(|(protocol, family)| multicast(*protocol, *family)).collect(), &[]);
        let mut far = open(&world.far, &paths);
        let near = open(&world.near, &paths);
        for socket in near.sockets.iter().flatten() {
            // One of the two fits the family.
            let (four, six) =
                (socket.socket.set_multicast_ttl_v4(254), socket.socket.set_multicast_hops_v6(254));
            assert!(four.is_ok() || six.is_ok());
        }
        for path in 0..4 {
            near.send(PathId(path), Destination::All, &[0x31; 12]).expect("sent");
        }
        let ttls: Vec<(PathId, u8)> = (0..2)
            .filter_map(|_| hear(&mut far, PATIENCE))
            .map(|(datagram, _)| (datagram.path, datagram.ttl))
            .collect();
        assert_eq!(ttls, [(PathId(0), 254), (PathId(1), 254)]);
        assert_eq!(hear(&mut far, SILENCE), None);
        assert_eq!(far.dropped(), Dropped { routed: 2, ..Dropped::default() });
    });
}

#[test]
fn the_source_stays_though_a_virtual_address_was_there_first() {
    World::run(|world| {
        world.with(&["192.0.2.100/32", "192.0.2.101/24", "192.0.2.1/24"], &["192.0.2.2/24"]);
        let list = || vec![multicast(ADVERT, Family::Ipv4), multicast(BEAT, Family::Ipv4)];
        let known = paths(list(), &["192.0.2.100", "192.0.2.101"]);
        let mut far = open(&world.far, &known);
        let near = open(&world.near, &known);
        cross(&near, &mut far, 0, "192.0.2.1", "224.0.0.18");
        cross(&near, &mut far, 1, "192.0.2.1", "224.0.0.18");
        let mut nowhere = near;
        nowhere.set_source(PathId(0), Some(address("192.0.2.77").into()));
        let error = nowhere.send(PathId(0), Destination::All, &[0; 8]).expect_err("not an address of ours");
        assert!(matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENETUNREACH)), "{error}");
        nowhere.set_source(PathId(0), None);
        let error = nowhere.send(PathId(0), Destination::All, &[0; 8]).expect_err("no source");
        assert_eq!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL));
    });
}

#[test]
fn a_beat_goes_over_ipv6_where_the_interface_has_no_ipv4() {
    World::run(|world| {
        world.with(&[], &["192.0.2.2/24"]);
        let paths = paths(vec![multicast(BEAT, Family::Ipv4), multicast(BEAT, Family::Ipv6)], &[]);
        let beat = BeatPath { interface: Some("eth0".to_owned()), paths: vec![PathId(0), PathId(1)] };
        let mut far = open(&world.far, &paths);
        let near = open(&world.near, &paths);
        assert_eq!(near.source_of(PathId(0)), None);
        near.send_first(&beat.paths, b"beat").expect("sent");
        let (datagram, message) = hear(&mut far, PATIENCE).expect("a beat");
        assert_eq!((datagram.path, message), (PathId(1), b"beat".to_vec()));
    });
}

#[test]
fn another_policy_keeps_the_sockets_that_serve_it_too() {
    World::run(|world| {
        world.with(&["192.0.2.1/24"], &["192.0.2.2/24"]);
        let before =
            paths(vec![multicast(ADVERT, Family::Ipv4), unicast(BEAT, "192.0.2.1", "192.0.2.9")], &[]);
        let after = paths(vec![multicast(BEAT, Family::Ipv4), unicast(BEAT, "192.0.2.1", "192.0.2.2")], &[]);
        let far_paths = vec![multicast(BEAT, Family::Ipv4), unicast(BEAT, "192.0.2.2", "192.0.2.1")];
        let mut far = open(&world.far, &paths(far_paths, &[]));
        let mut near = open(&world.near, &before);
        let (to_open, retired) = near.follow(&after);
        assert_eq!((to_open, retired.len()), (vec![PathId(0)], 1));
        let socket = PathSocket::open(&after, PathId(0)).expect("a socket");
        assert!(near.install(PathId(0), socket).is_none());
        cross(&near, &mut far, 0, "192.0.2.1", "224.0.0.18");
        cross(&near, &mut far, 1, "192.0.2.1", "192.0.2.2");
        far.send(PathId(1), Destination::One(address("192.0.2.1")), b"back").expect("sent");
        assert_eq!(hear(&mut near, PATIENCE).expect("a beat").1, b"back");
    });
}

#[test]
fn a_missing_interface_is_an_error_of_its_path_alone_and_an_errand_opens_it_later() {
    World::run(|world| {
        world.with(&["192.0.2.1/24"], &["192.0.2.2/24"]);
        let late = Path {
            kind: Kind::Multicast { interface: "late".to_owned() },
            ..multicast(ADVERT, Family::Ipv4)
        };
        let paths = paths(vec![late, multicast(ADVERT, Family::Ipv4)], &[]);
        enter(&world.near);
        let (mut transport, errors) = Transport::open(&paths).expect("a transport");
        assert_eq!(
            errors.iter().map(|error| (error.path, error.errno)).collect::<Vec<_>>(),
            [(PathId(0), Some(libc::ENODEV))]
        );
        assert!(errors[0].message.contains("late: No such device"), "{}", errors[0]);
        assert_eq!(
            transport.send(PathId(0), Destination::All, &[0]).expect_err("closed").raw_os_error(),
            Some(libc::ENODEV)
        );
        assert!(transport.is_open(PathId(1)) && !transport.is_open(PathId(0)));

        ip("link add late type veth peer name late2");
        ip("link set late2 up");
        ip("address add 198.51.100.1/24 dev late");
        ip("link set late up");
        let errands = Errands::start(Arc::clone(&paths)).expect("a thread");
        errands.order(Errand::Open(PathId(0))).expect("room");
        let clock = Clock::start();
        assert!(wait(clock, &[errands.as_fd()], Some(clock.now() + PATIENCE)).expect("a wait").has(0));
        let Some(Done::Opened(path, Ok(socket))) = errands.take() else { panic!("not opened") };
        assert!(transport.install(path, socket).is_none());
        assert_eq!(transport.source_of(PathId(0)), Some(address("198.51.100.1")));
        transport.send(PathId(0), Destination::All, &[0; 8]).expect("sent");
        assert!(errands.take().is_none());
        let quiet = wait(clock, &[errands.as_fd()], Some(clock.now())).expect("a wait");
        assert!(quiet.is_empty(), "the descriptor is quiet again");
        let retired = transport.retire(PathId(0)).expect("a socket");
        errands.order(Errand::Close(retired)).expect("room");
    });
}

#[test]
fn a_link_that_goes_down_is_noticed_at_both_ends_within_50_ms() {
    World::run(|world| {
        world.with(&[], &[]);
        enter(&world.near);
        let mut listener = LinkListener::open().expect("a listener");
        // The kernel may take a second to call it operational.
        let known = links::list().expect("links").into_iter().find(|link| link.name == "eth0").expect("eth0");
        let up = settle(&mut listener, &known, true, PATIENCE);
        assert!(up.good);
        // A machine that is busy may be late once, or twice.
        let noticed = (0..3).any(|_| {
            enter(&world.far);
            ip("link set eth0 down");
            let last = settle(&mut listener, &up, false, Duration::from_millis(50));
            ip("link set eth0 up");
            settle(&mut listener, &last, true, PATIENCE);
            last == links::Link { good: false, ..up.clone() }
        });
        assert!(noticed, "carrier is lost when the other end goes down");
    });
}

/// What the listener says of `eth0` until it is as expected, or the time is up.
fn settle(listener: &mut LinkListener, before: &links::Link, good: bool, patience: Duration) -> links::Link {
    let clock = Clock::start();
    let deadline = clock.now() + patience;
    let mut last = before.clone();
    while last.good != good && clock.now() < deadline {
        wait(clock, &[listener.as_fd()], Some(deadline)).expect("a wait");
        while let Some(event) = listener.receive() {
            if let LinkEvent::Is(link) = event {
                last = link;
            }
        }
    }
    last
}

#[test]
fn more_changes_than_the_buffer_holds_are_told_as_an_overrun() {
    World::run(|world| {
        enter(&world.near);
        let mut listener = LinkListener::open().expect("a listener");
        socket2::SockRef::from(&listener.as_fd()).set_recv_buffer_size(1).expect("a small buffer");
        for _ in 0..10 {
            ip("link set eth0 up");
            ip("link set eth0 down");
        }
        let events: Vec<LinkEvent> = std::iter::from_fn(|| listener.receive()).collect();
        assert!(events.contains(&LinkEvent::Overrun), "{events:?}");
    });
}

#[test]
fn keepalived_is_heard_with_its_source_and_ttl() {
    let present = Command::new("keepalived").arg("--version").output().is_ok();
    if !present {
        eprintln!("skipped: keepalived is not installed");
        return;
    }
    World::run(|world| {
        world.with(&["192.0.2.1/24"], &["192.0.2.2/24"]);
        let paths = paths(vec![multicast(ADVERT, Family::Ipv4), multicast(ADVERT, Family::Ipv6)], &[]);
        let mut near = open(&world.near, &paths);
        let far_link_local = {
            let far = open(&world.far, &paths);
            far.source_of(PathId(1)).expect("a link-local address")
        };
        enter(&world.far);
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = keepalived(folder.path());
        let mut heard = [None, None];
        while heard.iter().any(Option::is_none) {
            let Some((datagram, message)) = hear(&mut near, PATIENCE) else { break };
            heard[datagram.path.0] = Some((datagram.source, datagram.ttl, message[0], message[1]));
        }
        let id = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a process number"));
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("stopped");
        child.wait().expect("ended");
        assert_eq!(heard[0], Some((address("192.0.2.2"), 255, 0x31, 51)));
        assert_eq!(heard[1], Some((far_link_local, 255, 0x31, 52)));
    });
}

/// A raw packet socket of the far end that hears everything.
fn tap() -> socket2::Socket {
    let index = nix::net::if_::if_nametoindex("eth0").expect("the cable's end");
    let socket = socket2::Socket::new(socket2::Domain::PACKET, socket2::Type::RAW, None).expect("a socket");
    const ETH_P_ALL: u16 = 3;
    crate::kernel::sys::bind_packet_socket(socket.as_fd(), ETH_P_ALL, index).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

#[test]
fn a_framed_advertisement_arrives_as_any_other_under_its_own_hardware_address() {
    World::run(|world| {
        world.with(&["192.0.2.1/24"], &["192.0.2.2/24"]);
        let list = [Family::Ipv4, Family::Ipv6].map(|family| multicast(ADVERT, family));
        let paths = paths(list.to_vec(), &[]);
        let mut far = open(&world.far, &paths);
        let tap = tap();
        let near = open(&world.near, &paths);
        let message = [0x31, 51, 100, 1, 0, 10, 0, 0, 192, 0, 2, 9];
        for (path, mac) in [[0, 0, 0x5e, 0, 1, 51], [0, 0, 0x5e, 0, 2, 51]].into_iter().enumerate() {
            near.send_framed(PathId(path), mac, &message).expect("sent");
            let (datagram, heard) = hear(&mut far, PATIENCE).expect("it arrives");
            assert_eq!((datagram.path, datagram.ttl, heard), (PathId(path), 255, message.to_vec()));
            assert_eq!(Some(datagram.source), near.source_of(PathId(path)));
            let mut frame = [0; 256];
            while frame[6..12] != mac {
                io::Read::read(&mut &tap, &mut frame).expect("the frame");
            }
        }
        let long = near.send_framed(PathId(0), [0, 0, 0x5e, 0, 1, 51], &[0; 2_000]);
        assert_eq!(long.map_err(|error| error.raw_os_error()), Err(Some(libc::EMSGSIZE)));
    });
}
