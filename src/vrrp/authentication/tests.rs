//! The modes, the kinds of refusal, the rotation of keys, and freshness over restarts of either end.

use super::*;
use crate::model::{AuthenticationMode, Family};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

const MESSAGE: &[u8] = b"an advertisement";
const MODES: [AuthenticationMode; 3] =
    [AuthenticationMode::Receive, AuthenticationMode::Permissive, AuthenticationMode::Enforce];

fn key(id: u8) -> Key {
    Key::new(id, &[id; 32]).expect("a key")
}

fn keys(ids: &[u8]) -> Keys {
    Keys::new(ids.iter().map(|id| key(*id)).collect()).expect("keys")
}

fn session() -> Session {
    Session { router: "outside".into(), family: Family::Ipv4 }
}

fn source() -> IpAddr {
    [192, 0, 2, 1].into()
}

fn sign(signer: &mut Signer) -> [u8; TRAILER_LENGTH] {
    signer.sign(&session(), source(), MESSAGE)
}

fn verify(verifier: &mut Verifier, trailer: &[u8]) -> Result<Authenticity, Refusal> {
    verifier.verify(&session(), source(), MESSAGE, trailer)
}

fn fresh(ids: &[u8], mode: AuthenticationMode) -> Verifier {
    Verifier::new(keys(ids), mode, BTreeMap::new())
}

const SIGNED: Result<Authenticity, Refusal> = Ok(Authenticity::Signed { key_id: 1 });

#[test]
fn the_trailer_is_laid_out_as_documented() {
    let mut signer = Signer::new(keys(&[1]), 0x0102);
    sign(&mut signer);
    let trailer = sign(&mut signer);
    let head =
        [b"TNDM\x01\x01\0\0".as_slice(), &[0, 0, 0, 0, 0, 0, 1, 2], &[0, 0, 0, 0, 0, 0, 0, 2]].concat();
    assert_eq!((&trailer[..24], trailer.len()), (&head[..], 56));
    // Every director of a pair computes the same, whatever release it runs: the covered bytes, written out.
    let part = |bytes: &[u8]| [&(bytes.len() as u64).to_be_bytes(), bytes].concat();
    let parts: [&[u8]; 6] = [b"tandem vrrp 1", b"outside", &[4], &[192, 0, 2, 1], MESSAGE, &head];
    let covered: Vec<u8> = parts.iter().flat_map(|bytes| part(bytes)).collect();
    let mut hasher = key(1).hasher();
    hmac::Mac::update(&mut hasher, &covered);
    assert_eq!(trailer[24..], *hmac::Mac::finalize(hasher).into_bytes());
}

#[test]
fn a_good_trailer_is_accepted_in_every_mode_and_its_key_named() {
    for mode in MODES {
        let trailer = sign(&mut Signer::new(keys(&[1]), 1));
        assert_eq!(verify(&mut fresh(&[1], mode), &trailer), SIGNED, "{mode:?}");
    }
}

#[test]
fn a_message_without_trailer_is_refused_by_enforce_alone() {
    let of_mode = MODES.map(|mode| verify(&mut fresh(&[1], mode), &[]));
    let unsigned = Ok(Authenticity::Unsigned);
    assert_eq!(of_mode, [unsigned, unsigned, Err(Refusal::Missing)]);
}

#[test]
fn receive_alone_sends_without_trailer() {
    assert_eq!(MODES.map(signs), [false, true, true]);
}

#[test]
fn a_wrong_trailer_is_refused_in_every_mode() {
    for mode in MODES {
        let good = sign(&mut Signer::new(keys(&[1]), 1));
        let refused = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut trailer = good.to_vec();
            change(&mut trailer);
            verify(&mut fresh(&[1], mode), &trailer)
        };
        assert_eq!(refused(&|trailer| trailer.truncate(55)), Err(Refusal::BadTrailer));
        assert_eq!(refused(&|trailer| trailer.push(0)), Err(Refusal::BadTrailer));
        assert_eq!(refused(&|trailer| trailer[0] = b'X'), Err(Refusal::BadTrailer));
        assert_eq!(refused(&|trailer| trailer[4] = 2), Err(Refusal::BadTrailer));
        assert_eq!(refused(&|trailer| trailer[5] = 2), Err(Refusal::UnknownKey));
        assert_eq!(refused(&|trailer| trailer[6] = 1), Err(Refusal::BadMac));
        assert_eq!(refused(&|trailer| trailer[15] = 9), Err(Refusal::BadMac));
        assert_eq!(refused(&|trailer| trailer[23] = 9), Err(Refusal::BadMac));
        assert_eq!(refused(&|trailer| trailer[55] ^= 1), Err(Refusal::BadMac));
    }
}

#[test]
fn a_signature_holds_for_its_router_family_source_and_message_only() {
    let trailer = sign(&mut Signer::new(keys(&[1]), 1));
    let mut verifier = fresh(&[1], AuthenticationMode::Permissive);
    let inside = Session { router: "inside".into(), ..session() };
    let ipv6 = Session { family: Family::Ipv6, ..session() };
    for (session, source, message) in [
        (&inside, source(), MESSAGE),
        (&ipv6, source(), MESSAGE),
        (&session(), [192, 0, 2, 2].into(), MESSAGE),
        (&session(), "::ffff:192.0.2.1".parse().expect("an address"), MESSAGE),
        (&session(), source(), &MESSAGE[1..]),
        (&session(), source(), b"an advertisemenu"),
    ] {
        assert_eq!(
            verifier.verify(session, source, message, &trailer),
            Err(Refusal::BadMac),
            "{session:?} {source}"
        );
    }
    assert_eq!(verify(&mut verifier, &trailer), SIGNED, "a refused message leaves no mark");
}

#[test]
fn the_same_bytes_under_another_key_of_the_same_id_are_refused() {
    let other = Keys::new(vec![Key::new(1, &[9; 32]).expect("a key")]).expect("keys");
    let trailer = sign(&mut Signer::new(other, 1));
    assert_eq!(verify(&mut fresh(&[1], AuthenticationMode::Receive), &trailer), Err(Refusal::BadMac));
}

#[test]
fn a_message_is_accepted_once_and_none_older_after_it() {
    let mut signer = Signer::new(keys(&[1]), 5);
    let [first, second, third] = std::array::from_fn(|_| sign(&mut signer));
    let mut verifier = fresh(&[1], AuthenticationMode::Enforce);
    assert_eq!(verify(&mut verifier, &second), SIGNED);
    assert_eq!(verify(&mut verifier, &second), Err(Refusal::Replayed));
    assert_eq!(verify(&mut verifier, &first), Err(Refusal::Replayed));
    assert_eq!(verify(&mut verifier, &third), SIGNED);
}

#[test]
fn a_sender_that_restarted_is_believed_and_its_earlier_run_no_more() {
    let mut earlier = Signer::new(keys(&[1]), 7);
    let mut verifier = fresh(&[1], AuthenticationMode::Enforce);
    for _ in 0..100 {
        assert_eq!(verify(&mut verifier, &sign(&mut earlier)), SIGNED);
    }
    // Epochs need not follow each other, and are no time: the sender's clock may have gone anywhere.
    assert_eq!(verify(&mut verifier, &sign(&mut Signer::new(keys(&[1]), 8))), SIGNED);
    assert_eq!(verify(&mut verifier, &sign(&mut earlier)), Err(Refusal::StaleEpoch));
}

#[test]
fn a_receiver_that_restarted_with_its_marks_accepts_nothing_twice() {
    let mut signer = Signer::new(keys(&[1]), 7);
    let recorded = sign(&mut signer);
    let mut verifier = fresh(&[1], AuthenticationMode::Enforce);
    assert_eq!(verify(&mut verifier, &recorded), SIGNED);
    let mut restarted = Verifier::new(keys(&[1]), AuthenticationMode::Enforce, verifier.marks());
    assert_eq!(verify(&mut restarted, &recorded), Err(Refusal::Replayed));
    let of_earlier_run = sign(&mut Signer::new(keys(&[1]), 6));
    assert_eq!(verify(&mut restarted, &of_earlier_run), Err(Refusal::StaleEpoch));
    assert_eq!(verify(&mut restarted, &sign(&mut signer)), SIGNED);
}

#[test]
fn a_receiver_that_another_has_told_its_marks_accepts_nothing_older() {
    let mut signer = Signer::new(keys(&[1]), 7);
    let [first, second] = std::array::from_fn(|_| sign(&mut signer));
    let mut predecessor = fresh(&[1], AuthenticationMode::Enforce);
    assert_eq!(verify(&mut predecessor, &first), SIGNED);
    let mut successor = fresh(&[1], AuthenticationMode::Enforce);
    for (Sender { session, source }, mark) in predecessor.marks() {
        successor.remember(&session, source, mark);
    }
    assert_eq!(verify(&mut successor, &first), Err(Refusal::Replayed));
    assert_eq!(verify(&mut successor, &second), SIGNED);
}

/// RFC 4231, section 4.2.
#[test]
fn a_key_for_another_use_is_the_hmac_of_its_name() {
    let derived = Key::new(1, &[0x0b; 20]).expect("a key").derive(b"Hi There");
    assert_eq!(derived[..8], [0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53]);
    assert_eq!(derived[28..], [0x2e, 0x32, 0xcf, 0xf7]);
}

#[test]
fn keys_rotate_without_a_message_refused() {
    let (mode, old) = (AuthenticationMode::Enforce, [1]);
    let steps: [&[u8]; 4] = [&old, &[1, 2], &[2, 1], &[2]];
    let mut signer = Signer::new(keys(&old), 1);
    let mut verifier = fresh(&old, mode);
    for step in steps.windows(2) {
        // The receiver gets the new keys before the sender does, and then the other way round.
        verifier.set_policy(keys(step[1]), mode);
        assert!(verify(&mut verifier, &sign(&mut signer)).is_ok(), "{step:?}");
        verifier.set_policy(keys(step[0]), mode);
        signer.set_keys(keys(step[1]));
        assert_eq!(
            verify(&mut verifier, &sign(&mut signer)),
            Ok(Authenticity::Signed { key_id: step[1][0] })
        );
    }
    verifier.set_policy(keys(&[2]), mode);
    let with_old = sign(&mut Signer::new(keys(&old), 2));
    assert_eq!(verify(&mut verifier, &with_old), Err(Refusal::UnknownKey));
}

#[test]
fn sources_of_a_session_are_bounded_and_the_one_heard_last_longest_ago_is_forgotten() {
    let mut verifier = fresh(&[1], AuthenticationMode::Enforce);
    let mut signer = Signer::new(keys(&[1]), 1);
    let mut hear = |verifier: &mut Verifier, last: u8| {
        let source = IpAddr::from([192, 0, 2, last]);
        let trailer = signer.sign(&session(), source, MESSAGE);
        verifier.verify(&session(), source, MESSAGE, &trailer).expect("accepted");
    };
    let most = u8::try_from(SOURCES_PER_SESSION).expect("few");
    (0..most).for_each(|last| hear(&mut verifier, last));
    hear(&mut verifier, 0);
    hear(&mut verifier, most);
    let known: BTreeSet<IpAddr> = verifier.marks().into_keys().map(|sender| sender.source).collect();
    assert_eq!(known.len(), SOURCES_PER_SESSION);
    let forgotten = IpAddr::from([192, 0, 2, 1]);
    assert!(known.contains(&IpAddr::from([192, 0, 2, 0])) && !known.contains(&forgotten), "{known:?}");
    let restarted = Verifier::new(keys(&[1]), AuthenticationMode::Enforce, verifier.marks());
    assert_eq!(restarted.marks(), verifier.marks());
}

#[test]
fn a_mark_of_an_earlier_run_is_taken_over_only_where_none_as_new_is_known() {
    let mark = |epoch, counter| Mark { epoch, counter };
    let mut marks = Marks::new(2);
    marks.accept("lb-b", mark(2, 5)).expect("the first");
    marks.remember("lb-b", mark(2, 4));
    assert!(marks.iter().eq([(&"lb-b", mark(2, 5))]));
    marks.remember("lb-b", mark(3, 1));
    assert!(marks.iter().eq([(&"lb-b", mark(3, 1))]));
    // To hear what is known already is no sign of life: it is still the one that was heard longest ago.
    marks.accept("lb-c", mark(1, 1)).expect("another");
    marks.remember("lb-b", mark(3, 1));
    marks.accept("lb-d", mark(1, 1)).expect("a third");
    assert!(marks.iter().map(|(sender, _)| *sender).eq(["lb-c", "lb-d"]));
}

#[test]
fn a_trailer_of_another_use_does_not_fit_and_parts_do_not_run_together() {
    let mark = Mark { epoch: 1, counter: 1 };
    let trailer = seal(&key(1), &[b"tandem beat 1", b"lb-a"], b"alive", mark);
    let opened = |context: &[&[u8]], message: &[u8]| open(&keys(&[1]), context, message, &trailer);
    assert_eq!(opened(&[b"tandem beat 1", b"lb-a"], b"alive"), Ok(Opened { key_id: 1, mark }));
    assert_eq!(opened(&[b"tandem vrrp 1", b"lb-a"], b"alive"), Err(Refusal::BadMac));
    assert_eq!(opened(&[b"tandem beat 1lb-a"], b"alive"), Err(Refusal::BadMac));
    assert_eq!(opened(&[b"tandem beat 1", b"lb-aalive"], b""), Err(Refusal::BadMac));
    assert_eq!(opened(&[b"tandem beat 1", b"lb-a", b"alive"], b""), Err(Refusal::BadMac));
}

#[test]
fn keys_are_checked_and_never_printed() {
    for length in [0, 15, 65] {
        assert_eq!(Key::new(3, &vec![0; length]).err(), Some(KeyError::Length { id: 3, length }));
    }
    for length in [16, 64] {
        assert!(Key::new(3, &vec![0; length]).is_ok());
    }
    assert_eq!(Keys::new(Vec::new()).err(), Some(KeyError::NoKey));
    assert_eq!(Keys::new(vec![key(1), key(2), key(1)]).err(), Some(KeyError::DuplicateId { id: 1 }));
    let ring = Keys::new(vec![Key::new(7, b"correct horse battery").expect("a key")]).expect("keys");
    let printed = format!("{:?} {:?}", ring, Password::from_text("s3cret"));
    assert_eq!(printed, "Keys { first: Key { id: 7, .. }, others: [] } Ok(Password(..))");
}

#[test]
fn a_password_is_padded_with_zeros_and_never_cut_off() {
    assert_eq!(Password::from_text("s3cret").expect("a password").bytes(), b"s3cret\0\0");
    assert_eq!(Password::from_text("12345678").expect("a password").bytes(), b"12345678");
    assert_eq!(Password::from_text("123456789"), Err(PasswordError::TooLong { length: 9 }));
    assert_eq!(Password::from_text(""), Err(PasswordError::Empty));
}

/// The differences of two bytes must not make up for each other.
#[test]
fn passwords_that_differ_in_two_bytes_alike_are_two() {
    let [one, other] = ["aa", "bb"].map(|text| Password::from_text(text).expect("a password"));
    assert_ne!(one, other);
}

#[test]
fn a_password_is_demanded_where_one_is_configured_and_refused_where_none_is() {
    let [right, wrong] = ["s3cret", "s3creu"].map(|text| Password::from_text(text).expect("a password"));
    let check =
        |expected: Option<&Password>, received: Option<&Password>| Password::check(expected, received);
    assert_eq!(check(None, None), Ok(()));
    assert_eq!(check(Some(&right), Some(&right.clone())), Ok(()));
    assert_eq!(check(Some(&right), Some(&wrong)), Err(Refusal::WrongPassword));
    assert_eq!(check(Some(&right), None), Err(Refusal::Missing));
    assert_eq!(check(None, Some(&right)), Err(Refusal::WrongPassword));
}

#[test]
fn the_kinds_have_names_of_their_own() {
    let names: BTreeSet<_> = Refusal::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Refusal::ALL.len());
}

proptest! {
    #[test]
    fn any_bytes_for_a_trailer_are_refused(trailer in prop::collection::vec(any::<u8>(), 1..70), framed: bool) {
        let mut trailer = trailer;
        if framed {
            trailer.resize(TRAILER_LENGTH, 0);
            trailer[..6].copy_from_slice(b"TNDM\x01\x01");
        }
        prop_assert!(verify(&mut fresh(&[1], AuthenticationMode::Receive), &trailer).is_err());
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused(message in prop::collection::vec(any::<u8>(), 0..40), bit: prop::sample::Index) {
        let mut packet = message.clone();
        Signer::new(keys(&[1]), 3).append(&session(), source(), &mut packet);
        let bit = bit.index(packet.len() * 8);
        packet[bit / 8] ^= 1 << (bit % 8);
        let (message, trailer) = packet.split_at(message.len());
        prop_assert!(fresh(&[1], AuthenticationMode::Permissive).verify(&session(), source(), message, trailer).is_err());
    }
}
