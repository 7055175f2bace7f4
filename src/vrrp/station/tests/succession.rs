//! A station that goes on in another process does what the one before would have done, at the same instants.

use super::site::keys;
use super::*;
use crate::floating::Wish;
use crate::model::{Authentication, AuthenticationMode, Preempt, Tracker};
use crate::vrrp::authentication::Session;
use crate::vrrp::fitness::Reach;
use crate::vrrp::handed::{
    HandedCause, HandedElsewhere, HandedHeard, HandedMark, HandedPace, HandedPeer, HandedRouter,
    HandedSession, HandedState, HandedStation, HandedTracker, HandedUnit,
};
use proptest::prelude::*;

/// Something that happens so many milliseconds after the step before.
#[derive(Clone, Debug)]
enum Step {
    Quiet,
    Hear(u8),
    Beat,
    Tracked(bool),
    Link(bool),
    Release(Option<u64>),
    Clear,
    Held(usize),
    Released,
}

fn step() -> impl Strategy<Value = (u64, Step)> {
    let step = prop_oneof![
        4 => Just(Step::Quiet),
        6 => prop::sample::select(vec![0, 1, 9, 90, 100, 149, 150, 151, 254]).prop_map(Step::Hear),
        4 => Just(Step::Beat),
        2 => any::<bool>().prop_map(Step::Tracked),
        1 => any::<bool>().prop_map(Step::Link),
        1 => prop::option::of(1..3_000_u64).prop_map(Step::Release),
        1 => Just(Step::Clear),
        1 => (0..=1_usize).prop_map(Step::Held),
        2 => Just(Step::Released),
    ];
    (prop_oneof![3 => 0..=120_u64, 1 => 0..=900_u64], step)
}

fn tracked() -> Policy {
    let mut outside = router("outside", 51);
    let what = Tracked::Check("upstream".into());
    outside.track = vec![Tracker { name: "check upstream".into(), what, priority_change: None }];
    let inside = VirtualRouter { preempt: Preempt::Never, ..router("inside", 52) };
    policy([outside, inside])
}

/// Does one step at its instant; what was said, and until when it waits.
fn take(story: &mut Story, millis: u64, count: u64, step: &Step) {
    let routers: Vec<_> = story.station.routers().to_vec();
    story.until(millis);
    let now = at(millis);
    match step {
        Step::Quiet => {}
        Step::Hear(priority) => {
            let bytes = advertisement(&routers[usize::try_from(count).expect("small") % 2], *priority);
            story.hear(millis, &bytes);
        }
        Step::Beat => story.beat(millis, count, None),
        Step::Tracked(good) => {
            story.give(Input::Tracked { at: now, what: Tracked::Check("upstream".into()), good: *good });
        }
        Step::Link(up) => story.link(millis, 0, *up),
        Step::Release(until) => {
            let until = until.map(|until| now + Duration::from_millis(until));
            story.give(Input::Release { at: now, router: None, until });
        }
        Step::Clear => story.give(Input::Clear { at: now, router: None }),
        Step::Held(held) => {
            let report = Report::Held { router: RouterId(1), held: *held, wanted: 1 };
            story.give(Input::Keeper { at: now, report });
        }
        Step::Released => {
            for router in [RouterId(0), RouterId(1)] {
                story.give(Input::Keeper { at: now, report: Report::Released { router } });
            }
        }
    }
}

/// The same at another process that has what this one hands on, after it went over a wire.
fn successor(before: &Story, policy: &Policy, handed: &HandedStation) -> Story {
    let text = serde_json::to_vec(handed).expect("JSON");
    let handed: HandedStation = serde_json::from_slice(&text).expect("understood");
    let now = at(before.now);
    let beginning = Beginning { policy, keyring: Keyring::default(), epoch: 2, marks: BTreeMap::new(), now };
    let mut story = Story { station: Station::new(beginning), now: before.now, said: Vec::new() };
    story.station.go_on(now, &handed);
    story.give(Input::Timeout { at: now });
    let is_drop = |said: &Output| matches!(said, Output::Order(Order::Wish { wish: Wish::Drop, .. }));
    let asks = |said: &Output| matches!(said, Output::WarmUp { .. });
    assert!(story.said.iter().all(|said| is_drop(said) || asks(said)), "{:?}", story.said);
    story.said.clear();
    story
}

/// What others see and hear of it: beats are numbered anew, and a policy that differs is told once by each process.
fn seen(story: &mut Story) -> Vec<Output> {
    let is_said = |output: &Output| !matches!(output, Output::Tell(Event::Differs { .. }));
    let said = std::mem::take(&mut story.said).into_iter().filter(is_said);
    said.map(|output| match output {
        Output::Beat { .. } => Output::Beat { bytes: Vec::new() },
        other => other,
    })
    .collect()
}

proptest! {
    #[test]
    fn it_says_and_does_what_the_one_before_would_have(
        before in prop::collection::vec(step(), 0..40), after in prop::collection::vec(step(), 1..40),
    ) {
        let policy = tracked();
        let mut old = Story::of(&policy, Keyring::default(), BTreeMap::new());
        let mut now = 500;
        let mut count = 0;
        for (later, step) in &before {
            (now, count) = (now + later, count + 1);
            take(&mut old, now, count, step);
        }
        old.until(now);
        let Ok(handed) = old.station.hand_on() else { return Ok(()) };
        old.give(Input::Timeout { at: at(now) });
        old.said.clear();
        let mut new = successor(&old, &policy, &handed);
        for (later, step) in &after {
            (now, count) = (now + later, count + 1);
            take(&mut old, now, count, step);
            take(&mut new, now, count, step);
            prop_assert_eq!(seen(&mut new), seen(&mut old), "at {} ms, {:?}", now, step);
            let shown = |story: &Story| {
                let shown = story.station.picture();
                let router = |router: RouterPicture| (router.role, router.since, router.cause, router.priority);
                (shown.routers.into_iter().map(router).collect::<Vec<_>>(), shown.peers)
            };
            prop_assert_eq!(shown(&new), shown(&old));
        }
    }
}

#[test]
fn a_master_hands_on_its_role_and_the_instant_of_its_next_advertisement() {
    let policy = policy([router("outside", 51)]);
    let mut old = Story::master_of(&policy);
    old.until(4_730);
    let handed = old.station.hand_on().expect("it is at rest");
    assert_eq!((handed.units[0].role.as_str(), handed.units[0].holds), ("master", true));
    assert_eq!(old.station.held_routers(), [RouterId(0)].into());
    let due = old.station.election().advertises_at().expect("it is Master");
    old.said.clear();
    let mut new = successor(&old, &policy, &handed);
    assert_eq!(new.station.held_routers(), [RouterId(0)].into());
    assert_eq!(new.station.poll(), Output::Wait { deadline: Some(due.min(new_beat(&handed))) });
    new.until(4_900);
    assert_eq!(new.sent().len(), 2, "its beat goes on");
}

fn new_beat(handed: &HandedStation) -> Instant {
    handed.beat_at.expect("beats are sent")
}

#[test]
fn nothing_is_handed_on_in_the_middle_of_something() {
    let policy = policy([router("outside", 51)]);
    let mut story = Story::of(&policy, Keyring::default(), BTreeMap::new());
    assert!(story.station.hand_on().is_err(), "it does not know yet whose the addresses are");
    story.until(500);
    assert!(story.station.hand_on().is_ok());
    story.give(Input::Release { at: at(500), router: None, until: None });
    assert!(story.station.hand_on().is_err(), "they are offered");
    story.give(Input::Stop { at: at(500) });
    assert_eq!(story.station.hand_on().expect_err("it stops"), "the director stops");
}

#[test]
fn one_that_takes_back_is_a_run_that_the_others_believe() {
    let mut story = Story::master();
    story.station.take_back(at(600), 9);
    story.give(Input::Timeout { at: at(600) });
    assert!(story.said.contains(&Output::Run { epoch: 9 }));
    story.said.clear();
    story.station.take_back(at(700), 9);
    story.give(Input::Timeout { at: at(700) });
    assert!(!story.said.contains(&Output::Run { epoch: 9 }), "once");
}

#[test]
fn what_is_still_to_be_said_is_said_before_anything_is_handed_on() {
    let mut story = Story::master();
    let datagram = Datagram { source: PEER, destination: GROUP, ttl: 255, bytes: &[0x31, 51] };
    story.station.handle(Input::Datagram { at: at(500), sessions: &[session(0)], datagram });
    assert_eq!(story.station.hand_on(), Err("something is still to be said"));
    story.give(Input::Timeout { at: at(500) });
    assert!(story.station.hand_on().is_ok());
}

/// Anybody may have said what nobody sealed: it is no reason to be deaf to the director.
#[test]
fn no_beat_is_believed_that_is_older_than_a_sealed_one_that_the_process_before_has_heard() {
    for (sealed, refused) in [(true, 1), (false, 0)] {
        let keyring = Keyring { routers: BTreeMap::new(), peer: Some(keys(1)) };
        let mut story = Story::of(&policy([router("outside", 51)]), keyring, BTreeMap::new());
        let peer = HandedPeer {
            name: "b".to_owned(),
            last: Some((1, 9)),
            heard_at: None,
            interval_us: 100_000,
            fit: Vec::new(),
            sealed,
        };
        story.station.go_on(at(10), &HandedStation { peers: vec![peer], ..HandedStation::default() });
        story.beat(20, 8, Some(keys(1)));
        let counted = story.station.picture().bad_beats.get("replayed").copied().unwrap_or_default();
        assert_eq!(counted, refused, "sealed: {sealed}");
    }
}

/// Two routers, `outside` of both families; with keys, and something tracked.
fn sealed_site() -> (Policy, Keyring) {
    let mut both = ["inside", "outside"].map(|name| router(name, 51));
    for router in &mut both {
        let mode = AuthenticationMode::Enforce;
        router.authentication = Some(Authentication::Hmac { mode, keys: Vec::new() });
        let what = Tracked::Check("upstream".into());
        router.track = vec![Tracker { name: "check upstream".into(), what, priority_change: Some(-20) }];
    }
    both[1].addresses.push("2001:db8::51/64".parse().expect("a network"));
    let routers = ["inside", "outside"].map(|name| (name.into(), RouterKeys::Hmac(keys(7))));
    (policy(both), Keyring { routers: routers.into(), peer: Some(keys(1)) })
}

fn handed_router(name: &str, number: u64) -> HandedRouter {
    HandedRouter {
        name: name.to_owned(),
        since: at(number),
        cause: Some(HandedCause::from(&Cause::Preempts { source: PEER, priority: 90 })),
        contested_at: Some(at(number + 1)),
        last_received: Some(at(number + 2)),
        last_master: Some(PEER),
    }
}

fn handed_unit(name: &str, role: Role, number: u64) -> HandedUnit {
    let (good, since, counts) = (false, at(number + 2), true);
    let elsewhere = HandedElsewhere {
        director: "b".to_owned(),
        is_master: true,
        is_fit: true,
        reach: Reach::Lost as u8,
        sealed: true,
        until: at(10_400 + number),
    };
    HandedUnit {
        name: name.to_owned(),
        role: role.name().to_owned(),
        holds: role == Role::Master,
        released: true,
        released_until: Some(at(20_000 + number)),
        lower_since: Some(at(number)),
        preempting: true,
        listening_since: Some(at(number + 1)),
        rests_until: Some(at(30_000 + number)),
        unfit_until: Some(at(40_000 + number)),
        trackers: vec![HandedTracker { name: "check upstream".to_owned(), good, since, counts }],
        elsewhere: vec![elsewhere],
    }
}

fn handed_session(router: &str, source: IpAddr, is_master: bool, number: u32) -> HandedSession {
    let pace = HandedPace { version: 3, interval_us: 110_000 };
    HandedSession {
        router: router.to_owned(),
        family: Family::of(source),
        source: Some(source),
        state: match is_master {
            true => HandedState::Master { advertise_at: at(10_080) },
            false => HandedState::Backup { pace, down_at: at(10_300) },
        },
        last_heard: Some(HandedHeard { source: PEER, priority: 90, pace }),
        ties: number,
        pseudo_header: number == 2,
        marks: vec![HandedMark { source: PEER, epoch: 3, counter: u64::from(number) }],
    }
}

/// Of that site, at 10 s: Master of `outside`; each thing is another than at a start.
fn far_along() -> HandedStation {
    let peer = HandedPeer {
        name: "b".to_owned(),
        last: Some((4, 17)),
        heard_at: Some(at(9_990)),
        interval_us: 200_000,
        fit: vec![7],
        sealed: true,
    };
    HandedStation {
        routers: vec![handed_router("inside", 10), handed_router("outside", 20)],
        units: vec![handed_unit("inside", Role::Backup, 30), handed_unit("outside", Role::Master, 40)],
        sessions: vec![
            handed_session("inside", [192, 0, 2, 21].into(), false, 1),
            handed_session("outside", [192, 0, 2, 22].into(), true, 2),
            handed_session("outside", [0xfe80, 0, 0, 0, 0, 0, 0, 0x23].into(), true, 3),
        ],
        peers: vec![peer],
        beat_at: Some(at(10_050)),
        peers_known_at: at(2_345),
        cold_since: at(5),
        warm_since: Some(at(7)),
        passed: 77,
    }
}

/// Nothing is lost on the way through any number of processes.
#[test]
fn what_a_station_goes_on_with_is_what_it_hands_on_itself() {
    let ((policy, keyring), handed) = (sealed_site(), far_along());
    let now = at(10_000);
    let beginning = Beginning { policy: &policy, keyring, epoch: 2, marks: BTreeMap::new(), now };
    let mut story = Story { station: Station::new(beginning), now: 10_000, said: Vec::new() };
    story.station.go_on(now, &handed);
    story.give(Input::Timeout { at: now });
    let dropped = Output::Order(Order::Wish { router: RouterId(0), wish: Wish::Drop });
    assert_eq!(story.said, [dropped], "what is not held here is nobody's");
    assert_eq!(story.station.held_routers(), [RouterId(1)].into());
    let mark = |router: &str, family, counter| {
        let session = Session { router: router.into(), family };
        (Sender { session, source: PEER }, Mark { epoch: 3, counter })
    };
    let marks =
        [mark("inside", Family::Ipv4, 1), mark("outside", Family::Ipv4, 2), mark("outside", Family::Ipv6, 3)];
    assert_eq!(story.station.marks(), marks.into());
    assert_eq!(story.station.hand_on(), Ok(handed));
}
