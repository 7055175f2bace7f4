//! What two stations tell each other, as bytes.

use crate::model::{Authentication, AuthenticationKey, AuthenticationMode, Family, Policy, Secret};
use crate::vrrp::authentication::Key;
use crate::vrrp::station::*;

const SESSION: SessionId = SessionId { router: RouterId(0), family: Family::Ipv4 };

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn source(director: &str) -> IpAddr {
    [192, 0, 2, if director == "a" { 11 } else { 12 }].into()
}

fn router(mode: AuthenticationMode) -> VirtualRouter {
    let key = AuthenticationKey { id: 1, secret: Secret::Credential("vrrp".to_owned()) };
    VirtualRouter {
        authentication: Some(Authentication::Hmac { mode, keys: vec![key] }),
        ..super::router("outside", 1)
    }
}

fn policy(own: &str, mode: AuthenticationMode) -> Policy {
    let mut policy = super::policy([router(mode)]);
    policy.pair.own = Some(own.into());
    policy
}

fn differently(change: impl Fn(&mut VirtualRouter)) -> Policy {
    let mut policy = policy("b", AuthenticationMode::Enforce);
    policy.pair.routers.values_mut().for_each(|router| router.authentication = None);
    policy.pair.routers.values_mut().for_each(change);
    policy
}

/// One director, and what it said and what it has on the wire.
struct Side {
    name: &'static str,
    station: Station,
    wire: Vec<Output>,
    runs: Vec<u64>,
    told: Vec<Event>,
}

impl Side {
    fn new(name: &'static str, epoch: u64, mode: AuthenticationMode, peer_key: bool) -> Self {
        let keys = || Keys::new(vec![Key::new(1, &[7; 32]).expect("a key")]).expect("keys");
        let keyring = Keyring {
            routers: [("outside".into(), RouterKeys::Hmac(keys()))].into(),
            peer: peer_key.then(keys),
        };
        Self::of(name, &policy(name, mode), keyring, epoch)
    }

    fn of(name: &'static str, policy: &Policy, keyring: Keyring, epoch: u64) -> Self {
        let beginning = Beginning { policy, keyring, epoch, marks: BTreeMap::new(), now: Instant::ZERO };
        let station = Station::new(beginning);
        let mut side = Self { name, station, wire: Vec::new(), runs: Vec::new(), told: Vec::new() };
        side.give(Input::Link { at: at(0), session: SESSION, source: Some(source(name)) });
        side.give(Input::Warm { at: at(0), since: at(0) });
        side
    }

    fn give(&mut self, input: Input<'_>) {
        self.station.handle(input);
        loop {
            match self.station.poll() {
                Output::Wait { .. } => return,
                Output::Run { epoch } => self.runs.push(epoch),
                Output::Tell(event) => self.told.push(event),
                output @ (Output::Send { .. } | Output::Beat { .. }) => self.wire.push(output),
                _ => {}
            }
        }
    }

    fn hear(&mut self, millis: u64, from: &str, said: &[Output]) {
        for output in said {
            match output {
                Output::Send { destination, bytes, .. } => {
                    let (source, destination) = (source(from), *destination);
                    let datagram = Datagram { source, destination, ttl: 255, bytes };
                    self.give(Input::Datagram { at: at(millis), sessions: &[SESSION], datagram });
                }
                Output::Beat { bytes } => self.give(Input::Beat { at: at(millis), bytes, apart: false }),
                _ => {}
            }
        }
    }

    fn is_master(&self) -> bool {
        self.station.picture().routers[0].role == crate::vrrp::role::Role::Master
    }

    fn errors(&self, kind: &str) -> u64 {
        self.station.picture().routers[0].counts.errors.get(kind).copied().unwrap_or_default()
    }
}

/// Both hear each other, in steps of 10 ms.
fn run(one: &mut Side, other: &mut Side, from: u64, until: u64) {
    for millis in (from..until).step_by(10) {
        for side in [&mut *one, &mut *other] {
            side.give(Input::Timeout { at: at(millis) });
        }
        let (first, second) = (std::mem::take(&mut one.wire), std::mem::take(&mut other.wire));
        one.hear(millis, other.name, &second);
        other.hear(millis, one.name, &first);
    }
}

/// `a` ran as 9,000 before its state was lost; it comes back as 5.
fn return_without_state(mode: AuthenticationMode, peer_key: bool) -> (Side, Side) {
    let (mut a, mut b) = (Side::new("a", 9_000, mode, peer_key), Side::new("b", 4, mode, peer_key));
    run(&mut a, &mut b, 0, 2_000);
    assert!(a.is_master() && !b.is_master());
    let mut again = Side::new("a", 5, mode, peer_key);
    run(&mut again, &mut b, 2_000, 6_000);
    (again, b)
}

/// It was refused until its clock reached the earlier run's: with both Master meanwhile.
#[test]
fn a_director_whose_state_was_lost_is_told_its_number_in_a_sealed_beat_and_believed_under_a_higher_one() {
    for mode in [AuthenticationMode::Permissive, AuthenticationMode::Enforce] {
        let (a, b) = return_without_state(mode, true);
        assert_eq!(a.runs, [9_001], "{mode:?}");
        assert!(a.told.contains(&Event::Renumbered { epoch: 9_001 }));
        assert!(b.station.picture().bad_beats["stale_epoch"] > 0 && b.runs.is_empty());
        assert!(a.is_master() && !b.is_master(), "they hear each other again");
    }
}

#[test]
fn without_a_peer_key_nobody_takes_a_number_that_anybody_could_have_said() {
    let (a, b) = return_without_state(AuthenticationMode::Enforce, false);
    assert_eq!((a.runs.as_slice(), b.runs.as_slice()), (&[][..], &[][..]));
    let told = |event: &Event| matches!(event, Event::Dropped { kind: "stale_epoch", .. });
    assert!(b.told.iter().any(told), "it is told, with what to do");
}

#[test]
fn what_was_recorded_of_the_lost_run_is_not_believed_after_the_return() {
    let mode = AuthenticationMode::Enforce;
    let (mut a, mut b) = (Side::new("a", 9_000, mode, true), Side::new("b", 4, mode, true));
    run(&mut a, &mut b, 0, 1_000);
    a.give(Input::Timeout { at: at(1_100) });
    let recorded = std::mem::take(&mut a.wire);
    assert!(!recorded.is_empty());
    let mut again = Side::new("a", 5, mode, true);
    run(&mut again, &mut b, 2_000, 6_000);
    let (before, refused) = (b.station.picture().routers[0].counts.received, b.errors("stale_epoch"));
    b.hear(6_000, "a", &recorded);
    assert_eq!(b.station.picture().routers[0].counts.received, before);
    assert!(b.errors("stale_epoch") > refused);
    // What `b` says of that is not about the run that `a` is now.
    let runs = again.runs.clone();
    run(&mut again, &mut b, 6_010, 7_000);
    assert_eq!(again.runs, runs);
}

/// What `b` counts and tells of `a`, whose policy is the usual one but for a change.
fn noticed(change: impl Fn(&mut VirtualRouter)) -> (BTreeMap<&'static str, u64>, Vec<&'static str>) {
    let mut usual = differently(|_| {});
    usual.pair.own = Some("a".into());
    let mut a = Side::of("a", &usual, Keyring::default(), 1);
    let mut b = Side::of("b", &differently(change), Keyring::default(), 1);
    run(&mut a, &mut b, 0, 5_000);
    let kind = |event: &Event| match event {
        Event::Differs { kind, .. } | Event::Dropped { kind, .. } => Some(*kind),
        _ => None,
    };
    let picture = b.station.picture();
    (picture.routers[0].counts.errors.clone(), b.told.iter().filter_map(kind).collect())
}

#[test]
fn policies_that_differ_are_counted_and_told_once() {
    type Change = fn(&mut VirtualRouter);
    let cases: [(Change, &str); 3] = [
        (|router| router.interval = Duration::from_millis(200), "interval_differs"),
        (|router| router.addresses.push("192.0.2.7/24".parse().expect("a network")), "address_list"),
        (|router| router.priorities = [("a".into(), 100), ("b".into(), 150)].into(), "equal_priority"),
    ];
    for (change, kind) in cases {
        let (counted, told) = noticed(change);
        assert!(counted.get(kind).is_some_and(|count| *count > 0), "{kind}: {counted:?}");
        assert_eq!(told, [kind]);
    }
    assert_eq!(noticed(|_| {}), (BTreeMap::new(), Vec::new()));
}

#[test]
fn what_is_not_believed_stands_in_the_picture_with_its_source_and_in_words() {
    let (_, b) = return_without_state(AuthenticationMode::Enforce, false);
    let complaints = &b.station.picture().routers[0].complaints;
    assert_eq!(complaints["stale_epoch"].0, source("a"));
    assert!(crate::vrrp::complaint::words("stale_epoch").is_some_and(|words| words.contains("peer.key")));
}

#[test]
fn beats_that_only_one_director_seals_are_told_at_both() {
    let mode = AuthenticationMode::Enforce;
    let (mut a, mut b) = (Side::new("a", 5, mode, true), Side::new("b", 4, mode, false));
    run(&mut a, &mut b, 0, 2_000);
    for side in [&a, &b] {
        let told = side.told.iter().filter(|event| matches!(event, Event::BadBeat { kind: "malformed", .. }));
        assert!(side.station.picture().bad_beats["malformed"] > 10);
        assert_eq!(told.count(), 1, "{}", side.name);
    }
}

/// keepalived does so, too; both directors followed it, and nobody held the addresses.
#[test]
fn another_virtual_router_under_our_vrid_is_told_and_not_followed() {
    let mut foreign =
        differently(|router| router.addresses = vec!["192.0.2.7/24".parse().expect("a network")]);
    foreign.pair.own = Some("a".into());
    let mut foreign = Side::of("a", &foreign, Keyring::default(), 1);
    let mut b = Side::of("b", &differently(|_| {}), Keyring::default(), 1);
    run(&mut foreign, &mut b, 0, 2_000);
    assert!(b.is_master() && b.errors("foreign_router") > 0);
    let told = |event: &&Event| matches!(event, Event::Dropped { kind: "foreign_router", .. });
    assert_eq!(b.told.iter().filter(told).count(), 1);
}
