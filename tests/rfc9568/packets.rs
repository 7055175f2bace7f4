//! Sections 5.1, 5.2, 7.1, 7.2, 7.3 and 8.4: what is sent, and what is believed of what is received.

use crate::bench::{Bench, at, ip, mend, router};
use std::num::NonZeroU8;
use tandem::model::{ChecksumReading, Family, Tracked, Tracker, Transport, VrrpVersion};
use tandem::vrrp::packet::{self, virtual_link_local, virtual_mac};
use tandem::vrrp::role::Role;
use tandem::vrrp::station::{Input, Output};

fn active(family: Family) -> Bench {
    Bench::new(router(family, 150)).becomes_active()
}

/// The first message that an Active Router sends at its timer.
fn first_sent(mut bench: Bench) -> Vec<u8> {
    bench.time(600);
    bench.sent().remove(0)
}

fn destination(mut bench: Bench) -> Option<std::net::IpAddr> {
    bench.time(600);
    bench.said.iter().find_map(|output| match output {
        Output::Send { destination, .. } => Some(*destination),
        _ => None,
    })
}

/// Bytes that a Backup of priority 90 is to discard: the peer of priority 100 would be followed otherwise.
fn is_discarded(bytes: &[u8], ttl: u8, kind: &str) {
    let mut bench = Bench::new(router(Family::Ipv4, 90));
    bench.hear_with(300, ttl, bytes);
    assert_eq!((bench.received(), bench.errors(kind)), (0, 1), "{kind}");
    bench.time(399);
    assert_eq!(bench.role(), Role::Master, "{kind}: the timer ran on");
}

fn good() -> Vec<u8> {
    Bench::new(router(Family::Ipv4, 90)).advertisement(100)
}

#[test]
fn s5_1_1_1_and_5_1_2_1_nothing_is_sent_before_the_interface_has_a_source_address() {
    let mut bench = Bench::without_link(router(Family::Ipv4, 150));
    (0..100).for_each(|step| bench.time(step * 100));
    assert_eq!((bench.sent().len(), bench.role()), (0, Role::Fault));
}

#[test]
fn s5_1_1_2_advertisements_over_ipv4_go_to_224_0_0_18() {
    assert_eq!(destination(active(Family::Ipv4)), Some(ip("224.0.0.18")));
}

#[test]
fn s5_1_2_2_advertisements_over_ipv6_go_to_ff02_12() {
    assert_eq!(destination(active(Family::Ipv6)), Some(ip("ff02::12")));
}

#[test]
fn s5_1_1_3_a_ttl_other_than_255_is_discarded() {
    is_discarded(&good(), 254, "ttl");
    is_discarded(&good(), 0, "ttl");
}

#[test]
fn s5_1_2_3_a_hop_limit_other_than_255_is_discarded() {
    let mut bench = Bench::new(router(Family::Ipv6, 90));
    let bytes = bench.advertisement(100);
    bench.hear_with(300, 64, &bytes);
    assert_eq!((bench.received(), bench.errors("ttl")), (0, 1));
    bench.hear(300, &bytes);
    assert_eq!(bench.received(), 1);
}

#[test]
fn s5_1_1_4_and_5_1_2_4_the_protocol_is_112() {
    assert_eq!(packet::PROTOCOL, 112);
}

#[test]
fn s5_2_1_and_7_1_the_version_sent_is_3_and_another_one_is_discarded() {
    assert_eq!(first_sent(active(Family::Ipv4))[0] >> 4, 3);
    for version in [0, 1, 4, 15] {
        let mut bytes = good();
        bytes[0] = version << 4 | 1;
        is_discarded(&mend(bytes), 255, "wrong_version");
    }
}

#[test]
fn s5_2_2_and_7_1_the_type_sent_is_1_and_an_unknown_type_is_discarded() {
    assert_eq!(first_sent(active(Family::Ipv4))[0] & 0x0f, 1);
    for kind in [0, 2, 15] {
        let mut bytes = good();
        bytes[0] = 3 << 4 | kind;
        is_discarded(&mend(bytes), 255, "wrong_type");
    }
}

#[test]
fn s5_2_3_the_vrid_sent_is_the_virtual_routers() {
    assert_eq!(first_sent(active(Family::Ipv4))[1], crate::bench::VRID);
}

#[test]
fn s5_2_4_the_owner_says_255() {
    assert_eq!(first_sent(Bench::new(router(Family::Ipv4, 255)).becomes_active())[2], 255);
}

#[test]
fn s5_2_4_a_router_that_backs_up_says_1_to_254_whatever_is_added() {
    for change in [-253, -100, 100, 253] {
        let mut tracked = router(Family::Ipv4, 150);
        let what = Tracked::Interface("eth1".to_owned());
        tracked.track =
            vec![Tracker { name: "eth1".into(), what: what.clone(), priority_change: Some(change) }];
        let mut bench = Bench::new(tracked);
        bench.give(Input::Tracked { at: at(0), what, good: false });
        let priority = first_sent(bench.becomes_active())[2];
        assert!((1..=254).contains(&priority), "{change}: {priority}");
    }
}

#[test]
fn s5_2_4_priority_0_says_that_the_active_router_stops() {
    let mut bench = active(Family::Ipv4);
    bench.give(Input::Stop { at: at(550) });
    assert_eq!(bench.sent()[0][2], 0);
}

#[test]
fn s5_2_5_a_count_of_0_is_ignored() {
    let mut bytes = good();
    bytes[3] = 0;
    bytes.truncate(8);
    is_discarded(&mend(bytes), 255, "no_address");
}

#[test]
fn s5_2_6_the_reserve_field_is_sent_as_zero_and_ignored_when_received() {
    assert_eq!(first_sent(active(Family::Ipv4))[4] >> 4, 0);
    let mut bytes = good();
    bytes[4] |= 0xf0;
    let mut bench = Bench::new(router(Family::Ipv4, 90));
    bench.hear(300, &mend(bytes));
    assert_eq!(bench.received(), 1);
}

#[test]
fn s5_2_7_the_interval_is_sent_in_centiseconds() {
    let sent = first_sent(active(Family::Ipv4));
    assert_eq!(u16::from_be_bytes([sent[4], sent[5]]), 10);
}

#[test]
fn s5_2_8_the_checksum_over_ipv4_covers_the_message_alone() {
    let sent = first_sent(active(Family::Ipv4));
    assert_eq!(mend(sent.clone()), sent);
}

#[test]
fn s5_2_8_the_checksum_over_ipv6_covers_the_pseudo_header_too() {
    let sent = first_sent(active(Family::Ipv6));
    assert_ne!(mend(sent.clone()), sent);
    let mut words: Vec<u8> = Vec::new();
    for address in ["fe80::11", "ff02::12"] {
        words.extend(address.parse::<std::net::Ipv6Addr>().expect("an address").octets());
    }
    words.extend([0, 0, 0, 40, 0, 0, 0, 112]);
    words.extend(&sent);
    let sum: u32 = words.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    assert_eq!((sum >> 16) + (sum & 0xffff), 0xffff);
}

#[test]
fn s5_2_8_and_7_1_a_wrong_checksum_is_discarded() {
    let mut bytes = good();
    bytes[6] ^= 0x10;
    is_discarded(&bytes, 255, "checksum");
    let mut bench = Bench::new(router(Family::Ipv6, 90));
    let without_pseudo_header = mend(bench.advertisement(100));
    bench.hear(300, &without_pseudo_header);
    assert_eq!((bench.received(), bench.errors("checksum")), (0, 1));
}

#[test]
fn s5_2_8_the_other_reading_over_ipv4_is_understood_and_answered_in_kind() {
    let mut bench = Bench::new(router(Family::Ipv4, 150));
    let other = |reading| {
        let (source, destination) = (ip(crate::bench::PEER), ip("224.0.0.18"));
        let endpoints = packet::Endpoints::new(source, destination).expect("one family");
        let decoded = packet::decode(&good(), &endpoints).expect("good").advertisement;
        decoded.encode(&endpoints, reading)
    };
    bench.hear(100, &other(ChecksumReading::Rfc5798));
    assert_eq!(bench.received(), 1);
    let sent = first_sent(bench.becomes_active());
    assert_ne!(mend(sent.clone()), sent, "with a pseudo-header, as the peer does it");
}

#[test]
fn s5_2_9_over_ipv6_the_link_local_address_is_sent_first() {
    let sent = first_sent(active(Family::Ipv6));
    assert_eq!(sent[3], 2);
    assert_eq!(sent[8..10], [0xfe, 0x80]);
    assert_eq!(sent[24..28], [0x20, 0x01, 0x0d, 0xb8]);
}

#[test]
fn s5_2_9_the_addresses_are_of_the_family_that_carries_them() {
    assert_eq!(first_sent(active(Family::Ipv4)).len(), 8 + 2 * 4);
    assert_eq!(first_sent(active(Family::Ipv6)).len(), 8 + 2 * 16);
}

#[test]
fn s7_1_a_packet_that_is_not_complete_is_discarded() {
    let bytes = good();
    is_discarded(&bytes[..7], 255, "too_short");
    is_discarded(&bytes[..bytes.len() - 1], 255, "address_list_length");
}

#[test]
fn s7_1_a_vrid_that_is_not_configured_on_the_interface_is_discarded() {
    let mut bytes = good();
    bytes[1] = 99;
    let mut bench = Bench::new(router(Family::Ipv4, 90));
    bench.hear(300, &mend(bytes));
    bench.time(399);
    assert_eq!((bench.received(), bench.role()), (0, Role::Master));
}

#[test]
fn s7_1_an_interval_of_0_is_discarded() {
    let mut bytes = good();
    bytes[4..6].fill(0);
    is_discarded(&mend(bytes), 255, "interval_zero");
}

#[test]
fn s7_1_a_second_owner_is_counted_and_the_election_settles_it() {
    for (source, role) in [("192.0.2.12", Role::Backup), ("192.0.2.10", Role::Master)] {
        let mut bench = Bench::new(router(Family::Ipv4, 255)).becomes_active();
        let bytes = bench.advertisement(255);
        let datagram = tandem::vrrp::station::Datagram {
            source: ip(source),
            destination: ip("224.0.0.18"),
            ttl: 255,
            bytes: &bytes,
        };
        let session = bench.session;
        bench.give(Input::Datagram { at: at(550), sessions: &[session], datagram });
        assert_eq!((bench.errors("address_owner"), bench.role()), (1, role), "{source}");
    }
}

#[test]
fn s7_1_another_interval_than_the_configured_one_is_not_dropped_in_version_3() {
    let mut bytes = good();
    bytes[4..6].copy_from_slice(&20_u16.to_be_bytes());
    let mut bench = Bench::new(router(Family::Ipv4, 90));
    bench.hear(300, &mend(bytes));
    assert_eq!(bench.received(), 1);
}

#[test]
fn s7_1_another_list_of_addresses_is_counted_and_not_dropped() {
    let mut bytes = good();
    bytes[15] = 77;
    let mut bench = Bench::new(router(Family::Ipv4, 90));
    bench.hear(300, &mend(bytes));
    assert_eq!((bench.received(), bench.errors("address_list")), (1, 1));
}

#[test]
fn s7_2_the_fields_are_those_of_the_virtual_router() {
    assert_eq!(first_sent(active(Family::Ipv4))[..4], [0x31, 51, 150, 2]);
    assert_eq!(first_sent(active(Family::Ipv4))[8..], [192, 0, 2, 1, 192, 0, 2, 2]);
}

#[test]
fn s7_2_what_it_sent_itself_is_not_taken_for_anothers() {
    let mut bench = active(Family::Ipv4);
    let sent = first_sent(active(Family::Ipv4));
    let (source, destination) = (ip(crate::bench::OWN), ip("224.0.0.18"));
    let datagram = tandem::vrrp::station::Datagram { source, destination, ttl: 255, bytes: &sent };
    let session = bench.session;
    bench.give(Input::Datagram { at: at(550), sessions: &[session], datagram });
    assert_eq!((bench.received(), bench.sent().len()), (0, 0));
}

#[test]
fn beyond_the_standard_unicast_goes_to_and_comes_from_the_directors_only() {
    let unicast = || {
        let mut unicast = router(Family::Ipv4, 150);
        unicast.transport = Transport::Unicast;
        Bench::new(unicast)
    };
    assert_eq!(destination(unicast().becomes_active()), Some(ip("192.0.2.12")));
    let mut bench = unicast();
    let bytes = good();
    for (source, received) in [("192.0.2.99", 0), ("192.0.2.12", 1)] {
        let datagram = tandem::vrrp::station::Datagram {
            source: ip(source),
            destination: ip(crate::bench::OWN),
            ttl: 64,
            bytes: &bytes,
        };
        let session = bench.session;
        bench.give(Input::Datagram { at: at(100), sessions: &[session], datagram });
        assert_eq!(bench.received(), received, "{source}");
    }
}

#[test]
fn s7_3_the_virtual_mac_has_a_block_for_each_family_and_ends_in_the_vrid() {
    let vrid = NonZeroU8::new(51).expect("not 0");
    assert_eq!(virtual_mac(vrid, Family::Ipv4), [0x00, 0x00, 0x5e, 0x00, 0x01, 51]);
    assert_eq!(virtual_mac(vrid, Family::Ipv6), [0x00, 0x00, 0x5e, 0x00, 0x02, 51]);
    assert!(virtual_link_local(vrid).is_unicast_link_local());
}

#[test]
fn s8_4_version_2_is_heard_only_where_the_policy_accepts_it() {
    let mut version2 = router(Family::Ipv4, 90);
    (version2.version, version2.interval) = (VrrpVersion::V2, std::time::Duration::from_secs(1));
    version2.accept_versions = vec![VrrpVersion::V2];
    let bytes = first_sent_of_version_2(Bench::new(version2));
    is_discarded(&bytes, 255, "version_not_accepted");
    let mut both = router(Family::Ipv4, 90);
    both.accept_versions = vec![VrrpVersion::V2, VrrpVersion::V3];
    let mut bench = Bench::new(both);
    bench.hear(300, &bytes);
    bench.time(3_000);
    assert_eq!((bench.received(), bench.role()), (1, Role::Backup), "it waits at the pace of version 2");
}

fn first_sent_of_version_2(mut bench: Bench) -> Vec<u8> {
    bench.time(4_000);
    let mut bytes = bench.sent().remove(0);
    bytes[2] = 100;
    mend(bytes)
}
