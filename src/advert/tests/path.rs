use super::*;
use crate::desired::fixtures;
use crate::model::{DirectorName, PeerSettings};

fn director(ipv4: &str, ipv6: &str) -> Director {
    Director { ipv4: ipv4.parse().ok(), ipv6: ipv6.parse().ok() }
}

fn router(name: &str, interface: &str, addresses: &[&str], transport: Transport) -> VirtualRouter {
    VirtualRouter {
        interface: interface.to_owned(),
        addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
        transport,
        ..fixtures::router(name, 1)
    }
}

fn pair(directors: &[(&str, Director)], routers: Vec<VirtualRouter>) -> Pair {
    let name = |text: &str| DirectorName::from(text);
    Pair {
        directors: directors.iter().map(|(text, director)| (name(text), director.clone())).collect(),
        own: directors.first().map(|(text, _)| name(text)),
        routers: routers.into_iter().map(|router| (router.name.clone(), router)).collect(),
        peer: PeerSettings { port: 9751, key: None },
        ..Pair::default()
    }
}

fn session(router: usize, family: Family) -> SessionId {
    SessionId { router: RouterId(router), family }
}

fn told(paths: &Paths) -> Vec<String> {
    paths.paths.iter().map(ToString::to_string).collect()
}

#[test]
fn routers_on_one_interface_share_its_path() {
    let two = [("a", director("192.0.2.1", "-")), ("b", director("192.0.2.2", "-"))];
    let routers = vec![
        router("inside", "eth1", &["10.0.0.1/24"], Transport::Multicast),
        router("outside", "eth0", &["192.0.2.100/24", "fe80::100/64"], Transport::Multicast),
        router("outside2", "eth0", &["192.0.2.101/24"], Transport::Multicast),
    ];
    let paths = Paths::of(&pair(&two, routers));
    assert_eq!(
        told(&paths),
        [
            "advertisements, IPv4 multicast on eth1",
            "advertisements, IPv4 multicast on eth0",
            "advertisements, IPv6 multicast on eth0",
            "beats on UDP port 9751, IPv4 unicast from 192.0.2.1",
        ]
    );
    assert_eq!(paths.sessions[&session(1, Family::Ipv4)], paths.sessions[&session(2, Family::Ipv4)]);
    assert_eq!(paths.sessions[&session(1, Family::Ipv6)], PathId(2));
    assert_eq!(paths.on_interface("eth0").collect::<Vec<_>>(), [PathId(1), PathId(2)]);
}

#[test]
fn unicast_goes_to_the_other_directors_of_the_family_and_needs_an_own_address() {
    let three = [
        ("a", director("192.0.2.1", "-")),
        ("b", director("192.0.2.2", "2001:db8::2")),
        ("c", director("-", "2001:db8::3")),
    ];
    let routers = vec![router("r", "eth0", &["192.0.2.100/24", "fe80::1/64"], Transport::Unicast)];
    let paths = Paths::of(&pair(&three, routers));
    let kind = Kind::Unicast { own: [192, 0, 2, 1].into(), peers: vec![[192, 0, 2, 2].into()] };
    assert_eq!(paths.paths[0].kind, kind);
    assert_eq!(paths.sessions.keys().copied().collect::<Vec<_>>(), [session(0, Family::Ipv4)]);
}

#[test]
fn a_heartbeat_interface_is_heard_in_both_families_and_sent_in_ipv4_first() {
    let two = [("a", director("192.0.2.1", "2001:db8::1")), ("b", director("192.0.2.2", "2001:db8::2"))];
    let mut one = router("r", "eth0", &["192.0.2.100/24"], Transport::Multicast);
    one.heartbeat = vec!["eth2".to_owned(), "eth1".to_owned()];
    let mut other = one.clone();
    other.name = "s".into();
    let paths = Paths::of(&pair(&two, vec![one, other]));
    let beats: Vec<(Option<&str>, Vec<Family>)> = paths
        .beats
        .iter()
        .map(|beat| {
            (beat.interface.as_deref(), beat.paths.iter().map(|id| paths.paths[id.0].family).collect())
        })
        .collect();
    let both = || vec![Family::Ipv4, Family::Ipv6];
    assert_eq!(
        beats,
        [
            (None, vec![Family::Ipv4]),
            (None, vec![Family::Ipv6]),
            (Some("eth1"), both()),
            (Some("eth2"), both())
        ]
    );
}

#[test]
fn a_director_that_is_alone_has_no_beats_and_a_policy_without_directors_no_paths() {
    let routers = vec![router("r", "eth0", &["192.0.2.100/24"], Transport::Multicast)];
    let alone = Paths::of(&pair(&[("a", director("192.0.2.1", "-"))], routers.clone()));
    assert_eq!((alone.paths.len(), alone.beats.len()), (1, 0));
    assert_eq!(Paths::of(&pair(&[], routers)), Paths::default());
}

#[test]
fn every_address_that_floats_is_known_as_such() {
    let two = [("a", director("192.0.2.1", "-")), ("b", director("192.0.2.2", "-"))];
    let mut one = router("r", "eth0", &["192.0.2.100/24"], Transport::Multicast);
    one.local_addresses = vec![[10, 0, 0, 20].into()];
    let paths = Paths::of(&pair(&two, vec![one]));
    let floating: Vec<IpAddr> = paths.floating.into_iter().collect();
    assert_eq!(floating, [IpAddr::from([10, 0, 0, 20]), [192, 0, 2, 100].into()]);
    assert_eq!(paths.own, [IpAddr::from([192, 0, 2, 1])]);
}
