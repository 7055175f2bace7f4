//! Every kind of malformed bytes, and what holds for any bytes and any advertisement.

use super::*;
use crate::model::ChecksumReading;
use crate::time::Centiseconds;
use crate::vrrp::authentication::Password;
use proptest::collection::vec;
use proptest::prelude::*;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

const IPV4: Endpoints =
    Endpoints::V4 { source: Ipv4Addr::new(192, 0, 2, 1), destination: Ipv4Addr::new(192, 0, 2, 2) };

fn ipv6() -> Endpoints {
    Endpoints::multicast("fe80::1".parse().expect("an address"))
}

/// Of VRID 7, one address, in RFC 9568's reading; the checksum of the changed bytes is put right by the caller's wish.
fn changed(version: VrrpVersion, endpoints: &Endpoints, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let interval = Interval::exactly(version, Duration::from_secs(1)).expect("an interval");
    let vrid = NonZeroU8::new(7).expect("a VRID");
    let advertisement =
        Advertisement::new(vrid, 100, interval, vec![endpoints.source()], None).expect("legal");
    let mut bytes = advertisement.encode(endpoints, ChecksumReading::Rfc9568);
    change(&mut bytes);
    if bytes.len() >= HEADER {
        bytes[6..8].fill(0);
        checksum::write(&mut bytes, version, endpoints, ChecksumReading::Rfc9568);
    }
    bytes
}

#[track_caller]
fn is(expected: Malformed, version: VrrpVersion, endpoints: &Endpoints, change: impl FnOnce(&mut Vec<u8>)) {
    assert_eq!(decode(&changed(version, endpoints, change), endpoints), Err(expected));
}

#[test]
fn each_kind_of_malformed_bytes_is_named() {
    use VrrpVersion::{V2, V3};
    is(Malformed::TooShort, V3, &IPV4, |bytes| bytes.truncate(7));
    is(Malformed::TooShort, V3, &IPV4, Vec::clear);
    is(Malformed::WrongVersion, V3, &IPV4, |bytes| bytes[0] = 0x11);
    is(Malformed::WrongVersion, V3, &ipv6(), |bytes| bytes[0] = 0x41);
    is(Malformed::Version2OverIpv6, V3, &ipv6(), |bytes| bytes[0] = 0x21);
    is(Malformed::WrongType, V3, &IPV4, |bytes| bytes[0] = 0x32);
    is(Malformed::WrongType, V2, &IPV4, |bytes| bytes[0] = 0x20);
    is(Malformed::NoAddress, V3, &IPV4, |bytes| bytes[3] = 0);
    is(Malformed::NoAddress, V2, &IPV4, |bytes| bytes[3] = 0);
    is(Malformed::AddressListLength, V3, &IPV4, |bytes| bytes[3] = 2);
    is(Malformed::AddressListLength, V3, &ipv6(), |bytes| bytes.truncate(23));
    is(Malformed::AddressListLength, V2, &IPV4, |bytes| bytes.truncate(19));
    is(Malformed::VridZero, V3, &IPV4, |bytes| bytes[1] = 0);
    is(Malformed::UnknownAuthenticationType, V2, &IPV4, |bytes| bytes[4] = 2);
    is(Malformed::IntervalZero, V2, &IPV4, |bytes| bytes[5] = 0);
    is(Malformed::IntervalZero, V3, &IPV4, |bytes| bytes[4..6].copy_from_slice(&[0xf0, 0]));
    let mut wrong = changed(V3, &IPV4, |_| ());
    wrong[7] ^= 1;
    assert_eq!(decode(&wrong, &IPV4), Err(Malformed::Checksum));
}

#[test]
fn the_kinds_have_names_of_their_own() {
    let names: std::collections::BTreeSet<_> = Malformed::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Malformed::ALL.len());
}

#[test]
fn the_reserved_bits_of_version_3_are_ignored_and_sent_as_zero() {
    let sent = changed(VrrpVersion::V3, &IPV4, |_| ());
    assert_eq!(sent[4] & 0xf0, 0);
    let received = changed(VrrpVersion::V3, &IPV4, |bytes| bytes[4] |= 0xf0);
    let interval = decode(&received, &IPV4).expect("a good packet").advertisement.interval();
    assert_eq!(interval, Interval::Centiseconds(Centiseconds::new(100).expect("an interval")));
}

#[test]
fn authentication_data_without_its_type_is_no_password_but_counts_for_the_checksum() {
    let mut bytes = changed(VrrpVersion::V2, &IPV4, |bytes| bytes[12] = 9);
    assert_eq!(decode(&bytes, &IPV4).expect("a good packet").advertisement.password(), None);
    bytes[12] = 8;
    assert_eq!(decode(&bytes, &IPV4), Err(Malformed::Checksum));
}

#[test]
fn what_no_advertisement_can_say_is_refused() {
    let one = NonZeroU8::MIN;
    let second = Interval::exactly(VrrpVersion::V2, Duration::from_secs(1)).expect("an interval");
    let tenth = Interval::exactly(VrrpVersion::V3, Duration::from_millis(100)).expect("an interval");
    let (v4, v6) = (IPV4.source(), ipv6().source());
    let refused =
        |interval, addresses, password| Advertisement::new(one, 1, interval, addresses, password).err();
    assert_eq!(refused(tenth, Vec::new(), None), Some(Illegal::NoAddress));
    assert_eq!(refused(tenth, vec![v4; 256], None), Some(Illegal::TooManyAddresses { count: 256 }));
    assert_eq!(refused(tenth, vec![v4, v6], None), Some(Illegal::MixedFamilies { first: v4, other: v6 }));
    assert_eq!(refused(second, vec![v6], None), Some(Illegal::Version2OverIpv6 { address: v6 }));
    let password = Password::from_text("open").ok();
    assert_eq!(refused(tenth, vec![v4], password.clone()), Some(Illegal::PasswordInVersion3));
    assert_eq!(refused(second, vec![v4], password), None);
}

#[test]
fn an_interval_is_never_rounded_to_the_unit_of_its_version() {
    for (version, good, bad) in [(VrrpVersion::V2, 255_000, 1_500), (VrrpVersion::V3, 40_950, 15)] {
        let interval = Interval::exactly(version, Duration::from_millis(good)).expect("an interval");
        assert_eq!((interval.version(), interval.duration()), (version, Duration::from_millis(good)));
        for wrong in [0, bad, good + 1_000] {
            assert_eq!(Interval::exactly(version, Duration::from_millis(wrong)), None, "{wrong}");
        }
    }
}

fn readings() -> impl Strategy<Value = ChecksumReading> {
    prop_oneof![Just(ChecksumReading::Rfc9568), Just(ChecksumReading::Rfc5798)]
}

fn endpoints() -> impl Strategy<Value = Endpoints> {
    prop_oneof![
        any::<(Ipv4Addr, Ipv4Addr)>().prop_map(|(source, destination)| Endpoints::V4 { source, destination }),
        any::<(Ipv6Addr, Ipv6Addr)>().prop_map(|(source, destination)| Endpoints::V6 { source, destination }),
    ]
}

fn intervals(family: Family) -> BoxedStrategy<Interval> {
    let centiseconds = (1..=Centiseconds::MOST).prop_filter_map("1..=4095", Centiseconds::new);
    let centiseconds = centiseconds.prop_map(Interval::Centiseconds);
    match family {
        Family::Ipv4 => prop_oneof![centiseconds, any::<NonZeroU8>().prop_map(Interval::Seconds)].boxed(),
        Family::Ipv6 => centiseconds.boxed(),
    }
}

fn addresses_of(family: Family) -> BoxedStrategy<Vec<IpAddr>> {
    let one = match family {
        Family::Ipv4 => any::<Ipv4Addr>().prop_map(IpAddr::V4).boxed(),
        Family::Ipv6 => any::<Ipv6Addr>().prop_map(IpAddr::V6).boxed(),
    };
    prop_oneof![9 => vec(one.clone(), 1..=4), 1 => vec(one, 1..=MOST_ADDRESSES)].boxed()
}

prop_compose! {
    fn legal()(endpoints in endpoints())(
        endpoints in Just(endpoints),
        vrid in any::<NonZeroU8>(),
        priority in any::<u8>(),
        interval in intervals(endpoints.family()),
        addresses in addresses_of(endpoints.family()),
        password in any::<Option<[u8; 8]>>(),
    ) -> (Endpoints, Advertisement) {
        let password = password.filter(|_| interval.version() == VrrpVersion::V2).map(Password::from_bytes);
        (endpoints, Advertisement::new(vrid, priority, interval, addresses, password).expect("legal"))
    }
}

/// Bytes that look like a message up to the field that a case is about: pure noise seldom gets past the version.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![Just(0x21_u8), Just(0x31), any::<u8>()];
    (start, any::<[u8; 2]>(), 0..6_u8, vec(any::<u8>(), 0..90))
        .prop_map(|(start, middle, count, rest)| [&[start, middle[0], middle[1], count][..], &rest].concat())
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_or_refused_and_what_is_decoded_encodes_to_itself(
        mut bytes in prop_oneof![vec(any::<u8>(), 0..64), nearly()],
        endpoints in endpoints(),
        repaired in readings(),
    ) {
        let _ = decode(&bytes, &endpoints);
        let version = if bytes.first().is_some_and(|byte| byte >> 4 == 2) { VrrpVersion::V2 } else { VrrpVersion::V3 };
        let count = bytes.get(3).copied().map_or(0, usize::from);
        let length = message_length(version, endpoints.family(), count);
        if let Some(message) = bytes.get_mut(..length) {
            message[6..8].fill(0);
            checksum::write(message, version, &endpoints, repaired);
        }
        let Ok(decoded) = decode(&bytes, &endpoints) else { return Ok(()) };
        let again = decoded.advertisement.encode(&endpoints, decoded.checksum.unwrap_or(repaired));
        let twice = decode(&again, &endpoints).expect("what was encoded");
        prop_assert_eq!(twice.advertisement, decoded.advertisement);
        prop_assert_eq!([decoded.message, decoded.trailing].concat(), bytes);
    }

    #[test]
    fn every_legal_advertisement_comes_back_whatever_stands_behind_it(
        (endpoints, advertisement) in legal(),
        reading in readings(),
        trailing in vec(any::<u8>(), 0..60),
    ) {
        let message = advertisement.encode(&endpoints, reading);
        let packet = [&message[..], &trailing].concat();
        let decoded = decode(&packet, &endpoints).expect("a good packet");
        prop_assert_eq!(&decoded.advertisement, &advertisement);
        prop_assert_eq!(decoded.message, &message[..]);
        prop_assert_eq!(decoded.trailing, &trailing[..]);
        // Endpoints whose pseudo-header sums to nothing make both readings one.
        let told = decoded.checksum.unwrap_or(reading);
        prop_assert_eq!(advertisement.encode(&endpoints, told), message);
    }

    /// One bit changes the sum by a power of two, which is never 0 modulo 65535. Two things can still make it fit: the other
    /// reading, whose pseudo-header may sum to just that, and another length, which covers other bytes.
    #[test]
    fn a_flipped_bit_is_refused_or_makes_the_other_reading_or_another_length(
        (endpoints, advertisement) in legal(),
        reading in readings(),
        bit in any::<prop::sample::Index>(),
    ) {
        let sent = advertisement.encode(&endpoints, reading);
        let mut flipped = sent.clone();
        let bit = bit.index(sent.len() * 8);
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(decoded) = decode(&flipped, &endpoints) {
            let other_length = decoded.message.len() != sent.len();
            let other_reading = decoded.checksum.is_some_and(|told| told != reading);
            prop_assert!(other_length || other_reading, "{:?}", decoded);
        }
    }
}
