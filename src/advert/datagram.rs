//! A received datagram, and the IPv4 header that a raw socket puts in front of it. Pure; no byte from outside makes it panic.
//!
//! The kernel has checked the header and put fragments together before a raw socket sees a packet; here everything that is
//! read is checked again. It does not look into the message.
//!
//! Source: RFC 791, section 3.1; raw(7).

use super::path::PathId;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

/// Room for the longest datagram that is taken: an advertisement of 255 IPv6 addresses with authentication has 4.2 kB.
/// What is longer is dropped.
pub const DATAGRAM_BYTES_MAX: usize = 8 * 1024;

/// VRRP's number among the protocols of IP.
pub const VRRP_PROTOCOL: u8 = 112;

/// An IPv4 header without options.
const IPV4_HEADER_BYTES_MIN: usize = 20;

/// What came in on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub path: PathId,
    pub source: IpAddr,
    pub destination: IpAddr,
    /// Time to live or hop limit, as it arrived. Advertisements are handed up whatever it is; a multicast beat is not, below
    /// 255.
    pub ttl: u8,
    /// Where in the caller's buffer the message is, IP header excluded.
    pub message: Range<usize>,
}

/// What an IPv4 header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ipv4Packet {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) ttl: u8,
    pub(super) message: Range<usize>,
}

/// Reads a whole VRRP packet over IPv4; `None` where header, lengths and bytes don't agree.
pub(super) fn ipv4_packet(bytes: &[u8]) -> Option<Ipv4Packet> {
    let header = bytes.first_chunk::<IPV4_HEADER_BYTES_MIN>()?;
    let header_bytes = usize::from(header[0] & 0x0f) * 4;
    let total_bytes = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let fits = (IPV4_HEADER_BYTES_MIN..=total_bytes).contains(&header_bytes) && total_bytes <= bytes.len();
    let is_ours = header[0] >> 4 == 4 && header[9] == VRRP_PROTOCOL;
    (fits && is_ours).then(|| Ipv4Packet {
        source: Ipv4Addr::new(header[12], header[13], header[14], header[15]),
        destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
        ttl: header[8],
        message: header_bytes..total_bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Header with one word of options, four bytes of message, and two bytes that the link appended.
    fn packet() -> Vec<u8> {
        let mut bytes = vec![0x46, 0xc0, 0, 28, 0, 1, 0, 0, 254, 112, 0, 0, 192, 0, 2, 1, 224, 0, 0, 18];
        bytes.extend_from_slice(&[1, 1, 1, 0, 0x31, 51, 100, 1, 0, 0]);
        bytes
    }

    #[test]
    fn options_are_skipped_and_padding_of_the_link_is_cut_off() {
        let read = ipv4_packet(&packet()).expect("a packet");
        assert_eq!((read.ttl, read.message), (254, 24..28));
        assert_eq!((read.source, read.destination), ([192, 0, 2, 1].into(), [224, 0, 0, 18].into()));
    }

    #[test]
    fn a_header_that_contradicts_itself_or_the_bytes_is_refused() {
        for (place, value) in [(0, 0x44), (0, 0x4f), (0, 0x66), (3, 23), (3, 200), (9, 17)] {
            let mut bytes = packet();
            bytes[place] = value;
            assert_eq!(ipv4_packet(&bytes), None, "byte {place} = {value:#x}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic_or_point_outside(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(read) = ipv4_packet(&bytes) {
                prop_assert!(bytes.get(read.message).is_some());
            }
        }
    }
}
