//! Where an advertisement comes from, and whether its version and interval are ours.

use super::*;
use crate::model::{Authentication, AuthenticationMode, Secret};
use crate::vrrp::authentication::{Key, Session, TRAILER_LENGTH};

const SECOND: Duration = Duration::from_secs(1);

fn keys() -> Keys {
    Keys::new(vec![Key::new(1, &[7; 32]).expect("a key")]).expect("keys")
}

fn hmac(mode: AuthenticationMode) -> (Policy, Keyring) {
    let mut outside = router("outside", 51);
    outside.authentication = Some(Authentication::Hmac { mode, keys: Vec::new() });
    let routers = [("outside".into(), RouterKeys::Hmac(keys()))].into();
    (policy([outside]), Keyring { routers, peer: None })
}

pub(super) fn with_hmac(mode: AuthenticationMode, marks: BTreeMap<Sender, Mark>) -> Story {
    let (policy, keyring) = hmac(mode);
    Story::of(&policy, keyring, marks)
}

/// As `b` signs it.
pub(super) fn signed() -> Vec<u8> {
    let mut bytes = advertisement(&router("outside", 51), 200);
    let identity = Session { router: "outside".into(), family: Family::Ipv4 };
    Signer::new(keys(), 9).append(&identity, PEER, &mut bytes);
    bytes
}

fn password(text: &str) -> Password {
    Password::from_text(text).expect("a password")
}

fn version2() -> VirtualRouter {
    let mut outside = router("outside", 51);
    (outside.version, outside.interval) = (VrrpVersion::V2, SECOND);
    outside.accept_versions = vec![VrrpVersion::V2, VrrpVersion::V3];
    outside
}

#[test]
fn advertisements_are_signed_unless_the_mode_is_to_receive_only() {
    let plain = advertisement(&router("outside", 51), 150).len();
    for (mode, length) in [
        (AuthenticationMode::Receive, plain),
        (AuthenticationMode::Permissive, plain + TRAILER_LENGTH),
        (AuthenticationMode::Enforce, plain + TRAILER_LENGTH),
    ] {
        let mut story = with_hmac(mode, BTreeMap::new());
        story.until(500);
        let sent = story.sent();
        assert!(!sent.is_empty() && sent.iter().all(|bytes| bytes.len() == length), "{mode:?}");
    }
}

#[test]
fn what_was_accepted_in_an_earlier_run_is_not_accepted_again() {
    let bytes = signed();
    let mut first = with_hmac(AuthenticationMode::Enforce, BTreeMap::new());
    first.hear(100, &advertisement(&router("outside", 51), 200));
    assert_eq!(first.errors(), [("missing", 1)]);
    first.hear(200, &bytes);
    assert_eq!((first.picture().counts.received, first.errors()), (1, vec![("missing", 1)]));
    let marks = first.station.marks();
    assert_eq!(marks.len(), 1);
    let mut second = with_hmac(AuthenticationMode::Enforce, marks);
    second.hear(100, &bytes);
    assert_eq!((second.picture().counts.received, second.errors()), (0, vec![("replayed", 1)]));
}

#[test]
fn a_mark_of_another_router_is_none_of_this_one() {
    let session = Session { router: "inside".into(), family: Family::Ipv4 };
    let foreign = Sender { session, source: PEER };
    let newer = Mark { epoch: 99, counter: 99 };
    let mut story = with_hmac(AuthenticationMode::Enforce, [(foreign, newer)].into());
    story.hear(100, &signed());
    assert_eq!(story.picture().counts.received, 1);
    assert_eq!(story.station.marks().len(), 1, "its own only");
}

#[test]
fn a_password_is_sent_with_version_2_and_demanded() {
    let mut outside = version2();
    outside.authentication = Some(Authentication::V2Password(Secret::Credential("vrrp".to_owned())));
    let routers = [("outside".into(), RouterKeys::Password(password("s3cret")))].into();
    let keyring = Keyring { routers, peer: None };
    let mut story = Story::of(&policy([outside.clone()]), keyring, BTreeMap::new());
    let said = |password| said_by_peer(&outside, 200, (VrrpVersion::V2, SECOND), password);
    story.hear(100, &said(None));
    story.hear(200, &said(Some(password("s3creu"))));
    assert_eq!((story.picture().counts.received, story.errors()), (0, vec![("password", 2)]));
    story.hear(300, &said(Some(password("s3cret"))));
    assert_eq!((story.picture().counts.received, story.errors()), (1, vec![("password", 2)]));
    story.until(5_000);
    let sent = story.sent();
    assert!(sent.iter().all(|bytes| bytes.ends_with(b"s3cret\0\0")) && !sent.is_empty(), "{sent:?}");
}

#[test]
fn a_password_that_nobody_asked_for_is_refused() {
    let outside = version2();
    let mut story = Story::new(outside.clone());
    story.hear(100, &said_by_peer(&outside, 200, (VrrpVersion::V2, SECOND), Some(password("s3cret"))));
    assert_eq!((story.picture().counts.received, story.errors()), (0, vec![("password_not_expected", 1)]));
    story.hear(200, &said_by_peer(&outside, 200, (VrrpVersion::V2, SECOND), None));
    assert_eq!(story.picture().counts.received, 1);
}

/// RFC 3768, section 7.1; version 3 learns the interval instead.
#[test]
fn another_interval_is_refused_between_two_routers_of_version_2_only() {
    let mut version3 = version2();
    (version3.version, version3.interval) = (VrrpVersion::V3, SECOND);
    for (own, version, seconds, received, error) in [
        (version2(), VrrpVersion::V2, 1, 1, None),
        (version2(), VrrpVersion::V2, 2, 0, Some("interval_mismatch")),
        (version2(), VrrpVersion::V3, 2, 1, None),
        (version3.clone(), VrrpVersion::V2, 2, 1, None),
        (version3, VrrpVersion::V3, 2, 1, Some("interval_differs")),
    ] {
        let mut story = Story::new(own.clone());
        story.hear(100, &said_by_peer(&own, 200, (version, SECOND * seconds), None));
        let errors: Vec<_> = error.map(|kind| (kind, 1)).into_iter().collect();
        let found = (story.picture().counts.received, story.errors());
        assert_eq!(found, (received, errors), "{:?} hears {version:?} of {seconds} s", own.version);
    }
}
