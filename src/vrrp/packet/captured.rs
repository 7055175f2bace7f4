//! Packets of other programs, byte for byte: what stood behind the IP header.
//!
//! Captured with `tcpdump -i veth1 'ip proto 112 or ip6 proto 112'` in a network namespace with a veth pair, veth0 at
//! 192.0.2.1/24 and `fe80::ff:fe00:1`, from keepalived 2.2.7 (`advert_int` 1, 3, 0.25 and 1; one `vrrp_instance` a VRID) and
//! FRR 8.4.4's vrrpd (VRID 5 on both families, 1500 ms; the virtual MAC on a macvtap device); Debian's packages. tshark finds
//! every checksum good. The one in RFC 9568's reading is worked out by hand, since neither program sends it.

use super::*;
use crate::model::ChecksumReading;
use crate::vrrp::authentication::Password;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

const KEEPALIVED_V2: &str = "2133 9602 0001 c3fe c0000264 c0000265 0000000000000000";
const KEEPALIVED_V2_PASSWORD: &str = "2134 6401 0103 7b46 c0000266 7333637265740000";
const KEEPALIVED_V3: &str = "3135 c802 0019 df49 c0000267 c0000268";
const KEEPALIVED_V3_UNICAST: &str = "3137 6601 0064 2179 c0000269";
const KEEPALIVED_V3_IPV6: &str =
    "3136 6502 0064 3f52 fe800000000000000000000000000054 20010db8000000000000000000000054";
const FRR_V3: &str = "3105 c801 0096 a1c1 c0000210";
/// Its farewell.
const FRR_V3_PRIORITY_0: &str = "3105 0001 0096 69c2 c0000210";
const FRR_V3_IPV6: &str = "3105 c801 0096 02e2 20010db8000000000000000003707334";
/// [`KEEPALIVED_V3`] without the pseudo-header: 3135 + c802 + 0019 + c000 + 0267 + c000 + 0268 = 27e1f; 7e1f + 2 = 7e21;
/// the complement is 81de.
const BY_HAND_RFC9568: &str = "3135 c802 0019 81de c0000267 c0000268";

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u32> = hexadecimal.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

struct Captured {
    packet: &'static str,
    source: &'static str,
    /// `None`: the multicast group.
    destination: Option<&'static str>,
    version: VrrpVersion,
    vrid: u8,
    priority: u8,
    milliseconds: u64,
    addresses: &'static [&'static str],
    password: Option<&'static str>,
    checksum: Option<ChecksumReading>,
}

const V2: Captured = Captured {
    packet: KEEPALIVED_V2,
    source: "192.0.2.1",
    destination: None,
    version: VrrpVersion::V2,
    vrid: 51,
    priority: 150,
    milliseconds: 1_000,
    addresses: &["192.0.2.100", "192.0.2.101"],
    password: None,
    checksum: None,
};
const V3: Captured = Captured {
    packet: KEEPALIVED_V3,
    version: VrrpVersion::V3,
    vrid: 53,
    priority: 200,
    milliseconds: 250,
    addresses: &["192.0.2.103", "192.0.2.104"],
    checksum: Some(ChecksumReading::Rfc5798),
    ..V2
};
const V3_IPV6: Captured = Captured {
    packet: KEEPALIVED_V3_IPV6,
    source: "fe80::ff:fe00:1",
    vrid: 54,
    priority: 101,
    milliseconds: 1_000,
    addresses: &["fe80::54", "2001:db8::54"],
    checksum: None,
    ..V3
};
const FRR: Captured = Captured {
    packet: FRR_V3,
    vrid: 5,
    priority: 200,
    milliseconds: 1_500,
    addresses: &["192.0.2.16"],
    ..V3
};

impl Captured {
    fn endpoints(&self) -> Endpoints {
        let source = ip(self.source);
        let multicast = Endpoints::multicast(source);
        self.destination.map_or(multicast, |to| Endpoints::new(source, ip(to)).expect("one family"))
    }

    fn advertisement(&self) -> Advertisement {
        let interval = Interval::exactly(self.version, Duration::from_millis(self.milliseconds));
        Advertisement::new(
            NonZeroU8::new(self.vrid).expect("a VRID"),
            self.priority,
            interval.expect("an interval"),
            self.addresses.iter().map(|address| ip(address)).collect(),
            self.password.map(|text| Password::from_text(text).expect("a password")),
        )
        .expect("a legal advertisement")
    }

    /// What is decoded is what the program was told to send, and encoding that gives its very bytes.
    #[track_caller]
    fn is_read_and_written_alike(&self) {
        let packet = bytes(self.packet);
        let decoded = decode(&packet, &self.endpoints()).expect("a good packet");
        assert_eq!(decoded.advertisement, self.advertisement());
        assert_eq!(decoded.checksum, self.checksum);
        assert_eq!((decoded.message, decoded.trailing), (&packet[..], &[][..]));
        let reading = self.checksum.unwrap_or(ChecksumReading::Rfc9568);
        assert_eq!(self.advertisement().encode(&self.endpoints(), reading), packet);
    }
}

#[test]
fn version_2_is_read_and_written_as_keepalived_does() {
    V2.is_read_and_written_alike();
    let password = Captured {
        packet: KEEPALIVED_V2_PASSWORD,
        vrid: 52,
        priority: 100,
        milliseconds: 3_000,
        addresses: &["192.0.2.102"],
        password: Some("s3cret"),
        ..V2
    };
    password.is_read_and_written_alike();
}

#[test]
fn version_3_over_ipv4_is_read_and_written_as_keepalived_and_frr_do() {
    V3.is_read_and_written_alike();
    let unicast = Captured {
        packet: KEEPALIVED_V3_UNICAST,
        destination: Some("192.0.2.2"),
        vrid: 55,
        priority: 102,
        milliseconds: 1_000,
        addresses: &["192.0.2.105"],
        ..V3
    };
    unicast.is_read_and_written_alike();
    FRR.is_read_and_written_alike();
    Captured { packet: FRR_V3_PRIORITY_0, priority: 0, ..FRR }.is_read_and_written_alike();
}

#[test]
fn version_3_over_ipv4_is_read_and_written_as_rfc_9568_says() {
    Captured { packet: BY_HAND_RFC9568, checksum: Some(ChecksumReading::Rfc9568), ..V3 }
        .is_read_and_written_alike();
}

#[test]
fn version_3_over_ipv6_is_read_and_written_as_keepalived_and_frr_do() {
    V3_IPV6.is_read_and_written_alike();
    let frr = Captured {
        packet: FRR_V3_IPV6,
        source: "fe80::200:5eff:fe00:205",
        vrid: 5,
        priority: 200,
        milliseconds: 1_500,
        addresses: &["2001:db8::370:7334"],
        ..V3_IPV6
    };
    frr.is_read_and_written_alike();
}

#[test]
fn a_packet_that_came_from_elsewhere_than_its_pseudo_header_says_has_a_wrong_checksum() {
    let elsewhere = Captured { source: "192.0.2.3", ..V3 };
    assert_eq!(decode(&bytes(V3.packet), &elsewhere.endpoints()), Err(Malformed::Checksum));
    let elsewhere = Captured { source: "fe80::ff:fe00:2", ..V3_IPV6 };
    assert_eq!(decode(&bytes(V3_IPV6.packet), &elsewhere.endpoints()), Err(Malformed::Checksum));
}
