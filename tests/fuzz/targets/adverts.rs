//! Bytes from the network as the advert thread reads them: advertisements of both versions and families with their
//! trailers, and beats. What can be read can be written, and is read again as the same.

use super::bytes::Bytes;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use tandem::model::{AuthenticationMode, ChecksumReading, Family};
use tandem::vrrp::authentication::{Key, Keys, Session, Signer, Verifier};
use tandem::vrrp::beat::Beats;
use tandem::vrrp::packet::{Decoded, Endpoints, decode};

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let choice = bytes.byte();
    match choice % 4 {
        0 => advertisement(&mut bytes, Family::Ipv4),
        1 => advertisement(&mut bytes, Family::Ipv6),
        2 => beat(bytes.0, None),
        _ => beat(bytes.0, Some(keys())),
    }
}

fn keys() -> Keys {
    let key = |id| Key::new(id, &[id; 32]).expect("a key");
    Keys::new(vec![key(1), key(2)]).expect("keys")
}

fn endpoints(family: Family, multicast: bool) -> Endpoints {
    let (source, other): (IpAddr, IpAddr) = match family {
        Family::Ipv4 => (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(192, 0, 2, 2).into()),
        Family::Ipv6 => {
            let of = |last| Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last).into();
            (of(1), of(2))
        }
    };
    if multicast { Endpoints::multicast(source) } else { Endpoints::new(source, other).expect("one family") }
}

/// A fuzzer does not find checksums: where the first byte says so, the right one is put in.
fn advertisement(bytes: &mut Bytes<'_>, family: Family) {
    let choice = bytes.byte();
    let endpoints = endpoints(family, choice & 1 == 0);
    let mut message = bytes.0.to_vec();
    if choice & 2 == 0 {
        mend(&mut message, &endpoints, choice & 4 == 0);
    }
    let Ok(decoded) = decode(&message, &endpoints) else { return };
    comes_back(&decoded, &endpoints);
    judged(&decoded, &endpoints, choice);
}

/// Puts the checksum in that a message of this length has; with `pseudo` that of RFC 9568, else keepalived's.
fn mend(message: &mut [u8], endpoints: &Endpoints, pseudo: bool) {
    let Some(count) = message.get(3).copied().map(usize::from) else { return };
    let (size, version) = (if endpoints.family() == Family::Ipv4 { 4 } else { 16 }, message[0] >> 4);
    let length = 8 + count * size + if version == 2 { 8 } else { 0 };
    let Some(covered) = message.get_mut(..length) else { return };
    covered[6..8].fill(0);
    let mut words = Vec::new();
    if version != 2 && (pseudo || endpoints.family() == Family::Ipv6) {
        for address in [endpoints.source(), endpoints.destination()] {
            match address {
                IpAddr::V4(address) => words.extend(address.octets()),
                IpAddr::V6(address) => words.extend(address.octets()),
            }
        }
        words.extend(u32::try_from(length).unwrap_or_default().to_be_bytes());
        words.extend([0, 0, 0, 112]);
    }
    words.extend(&*covered);
    let add = |sum: u32, word: &[u8]| sum + u32::from(word[0]) * 256 + u32::from(*word.get(1).unwrap_or(&0));
    let mut sum = words.chunks(2).fold(0, add);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    covered[6..8].copy_from_slice(&(!u16::try_from(sum).unwrap_or_default()).to_be_bytes());
}

fn comes_back(decoded: &Decoded<'_>, endpoints: &Endpoints) {
    let reading = decoded.checksum.unwrap_or(ChecksumReading::Rfc9568);
    let written = decoded.advertisement.encode(endpoints, reading);
    let again = decode(&written, endpoints).expect("what was written can be read");
    assert_eq!(again.advertisement, decoded.advertisement);
    assert_eq!(written.len(), decoded.message.len(), "the same length");
    assert!(again.trailing.is_empty());
}

/// A trailer that came by chance is refused; one that is signed is believed, once.
fn judged(decoded: &Decoded<'_>, endpoints: &Endpoints, choice: u8) {
    let mode = if choice & 8 == 0 { AuthenticationMode::Enforce } else { AuthenticationMode::Permissive };
    let session = Session { router: "outside".into(), family: endpoints.family() };
    let source = endpoints.source();
    let mut verifier = Verifier::new(keys(), mode, BTreeMap::new());
    let trailer = decoded.trailing;
    let believed = verifier.verify(&session, source, decoded.message, trailer).is_ok();
    assert!(!believed || (trailer.is_empty() && mode == AuthenticationMode::Permissive), "a forged trailer");
    let trailer = Signer::new(keys(), 7).sign(&session, source, decoded.message);
    assert!(verifier.verify(&session, source, decoded.message, &trailer).is_ok());
    assert!(verifier.verify(&session, source, decoded.message, &trailer).is_err(), "a replay");
}

fn beat(bytes: &[u8], keys: Option<Keys>) {
    let mut beats = Beats::new(keys);
    let Ok(beat) = beats.decode(bytes) else { return };
    assert!(!beats.are_sealed(), "a forged beat");
    let written = beats.encode(&beat);
    assert_eq!(beats.decode(&written).as_ref(), Ok(&beat));
    let mut sealed = Beats::new(Some(self::keys()));
    let written = sealed.encode(&beat);
    assert_eq!(sealed.decode(&written).as_ref(), Ok(&beat));
}
