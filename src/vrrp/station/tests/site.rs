//! The other directors, what is tracked, and what the station says of its routers.

use super::*;
use crate::model::Tracker;
use crate::vrrp::authentication::Key;

pub(super) fn keys(secret: u8) -> Keys {
    Keys::new(vec![Key::new(1, &[secret; 32]).expect("a key")]).expect("keys")
}

#[test]
fn a_director_that_is_heard_and_one_that_falls_silent_are_told_once_each() {
    let mut story = Story::master();
    let peer = |up| Event::Peer { director: "b".into(), up };
    story.beat(1_000, 1, None);
    assert_eq!(story.told(), [peer(true)]);
    story.beat(1_100, 2, None);
    assert_eq!(story.told(), []);
    let pictured = story.station.picture().peers.remove(0);
    assert_eq!((pictured.up, pictured.last_heard), (true, Some(at(1_100))));
    story.until(1_499);
    assert_eq!(story.told(), [], "three beats may be missed");
    story.until(1_500);
    assert_eq!(story.told(), [peer(false)]);
    let pictured = story.station.picture().peers.remove(0);
    assert_eq!((pictured.up, pictured.last_heard), (false, Some(at(1_100))));
}

#[test]
fn beats_that_are_not_believed_are_counted_by_kind() {
    let keyring = Keyring { routers: BTreeMap::new(), peer: Some(keys(1)) };
    let mut story = Story::of(&policy([router("outside", 51)]), keyring, BTreeMap::new());
    story.beat(100, 1, Some(keys(2)));
    story.beat(200, 2, Some(keys(2)));
    story.give(Input::Beat { at: at(200), bytes: b"no beat", apart: false });
    let counted: Vec<_> = story.station.picture().bad_beats.into_iter().collect();
    assert_eq!(counted, [("bad_mac", 2), ("malformed", 1)]);
    assert!(!story.station.picture().peers[0].up);
    story.beat(300, 3, Some(keys(1)));
    assert!(story.station.picture().peers[0].up);
}

#[test]
fn a_tracker_is_told_when_it_becomes_bad_and_when_it_is_good_again() {
    let upstream = Tracked::Check("upstream".into());
    let mut outside = router("outside", 51);
    outside.track =
        vec![Tracker { name: "check upstream".into(), what: upstream.clone(), priority_change: Some(-20) }];
    let mut story = Story::new(outside);
    let mut tracked = |millis, good| {
        story.until(millis);
        story.said.clear();
        story.give(Input::Tracked { at: at(millis), what: upstream.clone(), good });
        (story.told(), story.picture().trackers)
    };
    let event = |good| Event::Tracker { router: "outside".into(), tracker: "check upstream".into(), good };
    let now = |good| vec![("check upstream".into(), good)];
    assert_eq!(tracked(100, true), (vec![], now(true)), "good is what is expected");
    assert_eq!(tracked(200, false), (vec![event(false)], now(false)));
    assert_eq!(tracked(300, false), (vec![], now(false)));
    assert_eq!(tracked(400, true), (vec![event(true)], now(true)));
}

#[test]
fn the_hooks_of_a_unit_are_those_of_its_routers() {
    let hook = Hook { argv: vec!["/bin/true".to_owned()], timeout: Duration::from_secs(1) };
    let mut outside = router("outside", 51);
    outside.before_master = Some(hook.clone());
    let story = Story::new(outside);
    assert_eq!(story.station.hooks(0), [hook]);
    assert_eq!(story.station.hooks(1), []);
    assert_eq!(story.station.pair().own, Some("a".into()));
}

#[test]
fn the_margin_is_that_of_the_router_whose_others_wait_the_shortest() {
    let millis = Duration::from_millis;
    let story = Story::new(router("outside", 51));
    // Of `b`, which has priority 100: 156 parts of 256.
    let skew = Duration::from_nanos(60_937_500);
    assert_eq!(story.station.margin(), (millis(100), skew));
    let mut slow = router("inside", 52);
    slow.interval = millis(110);
    slow.priorities.insert("b".into(), 254);
    let mut fast = router("outside", 51);
    fast.priorities.insert("b".into(), 1);
    let both = Story::of(&policy([slow, fast]), Keyring::default(), BTreeMap::new());
    assert_eq!(both.station.margin(), (millis(110), Duration::from_nanos(859_375)));
    let mut lone = router("outside", 51);
    lone.priorities.retain(|name, _| **name == *"a");
    let quickest = Duration::from_nanos(781_250);
    assert_eq!(Story::new(lone).station.margin(), (millis(100), quickest), "strangers are quick at most");
}
