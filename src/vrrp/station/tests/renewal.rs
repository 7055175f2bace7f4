//! A station under another policy that has the same sessions.

use super::proof::{signed, with_hmac};
use super::site::keys;
use super::*;
use crate::model::{Authentication, AuthenticationMode};
use crate::vrrp::authentication::{Session, TRAILER_LENGTH, Verifier};

fn renew(story: &mut Story, millis: u64, policy: &Policy, keyring: Keyring) {
    story.until(millis);
    let beginning = Beginning { policy, keyring, epoch: 1, marks: BTreeMap::new(), now: at(millis) };
    story.station.renew(at(millis), Station::new(beginning));
    story.give(Input::Timeout { at: at(millis) });
}

/// The usual router signs in this mode with a key of this secret from then on.
fn renew_hmac(story: &mut Story, millis: u64, mode: AuthenticationMode, secret: u8) {
    let mut outside = router("outside", 51);
    outside.authentication = Some(Authentication::Hmac { mode, keys: Vec::new() });
    let routers = [("outside".into(), RouterKeys::Hmac(keys(secret)))].into();
    renew(story, millis, &policy([outside]), Keyring { routers, peer: None });
}

#[test]
fn the_next_advertisement_says_what_the_new_policy_says_and_the_master_stays_master() {
    let mut outside = router("outside", 51);
    outside.priorities.insert("a".into(), 120);
    outside.addresses.push("192.0.2.52/24".parse().expect("a network"));
    let mut story = Story::master();
    renew(&mut story, 600, &policy([outside.clone()]), Keyring::default());
    assert_eq!((story.role(), story.picture().since), (Role::Master, at(350)));
    story.said.clear();
    story.until(650);
    assert_eq!(story.sent(), [advertisement(&outside, 120)]);
}

#[test]
fn keys_and_mode_are_the_new_policys_and_what_was_accepted_is_not_accepted_again() {
    let (plain, signed) = (advertisement(&router("outside", 51), 200), signed());
    let mut story = with_hmac(AuthenticationMode::Enforce, BTreeMap::new());
    story.hear(100, &plain);
    story.hear(110, &signed);
    assert_eq!((story.picture().counts.received, story.errors()), (1, vec![("missing", 1)]));
    renew_hmac(&mut story, 120, AuthenticationMode::Permissive, 8);
    story.hear(130, &plain);
    story.hear(140, &signed);
    let errors = vec![("bad_mac", 1), ("missing", 1)];
    assert_eq!((story.picture().counts.received, story.errors()), (2, errors));
    renew_hmac(&mut story, 150, AuthenticationMode::Permissive, 7);
    story.hear(160, &signed);
    let errors = vec![("bad_mac", 1), ("missing", 1), ("replayed", 1)];
    assert_eq!((story.picture().counts.received, story.errors()), (2, errors));
}

#[test]
fn a_mode_that_only_receives_sends_without_a_trailer_from_then_on() {
    let mut story = with_hmac(AuthenticationMode::Enforce, BTreeMap::new());
    story.until(500);
    story.said.clear();
    renew_hmac(&mut story, 510, AuthenticationMode::Receive, 7);
    story.until(700);
    let sent = story.sent();
    let plain = advertisement(&router("outside", 51), 150);
    assert!(!sent.is_empty() && sent.iter().all(|bytes| *bytes == plain));
}

/// A signer that began anew would be taken for a replay by all who have heard the one before.
#[test]
fn the_others_believe_what_is_signed_after_a_reload() {
    let mut story = with_hmac(AuthenticationMode::Enforce, BTreeMap::new());
    story.until(600);
    renew_hmac(&mut story, 610, AuthenticationMode::Enforce, 7);
    story.until(800);
    let mut other = Verifier::new(keys(7), AuthenticationMode::Enforce, BTreeMap::new());
    let session = Session { router: "outside".into(), family: Family::Ipv4 };
    let sent = story.sent();
    assert!(sent.len() > 4, "before and after: {}", sent.len());
    for bytes in sent {
        let (message, trailer) = bytes.split_at(bytes.len() - TRAILER_LENGTH);
        let judged = other.verify(&session, OWN, message, trailer);
        assert!(judged.is_ok(), "{judged:?}");
    }
}
