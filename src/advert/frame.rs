//! Advertisements under a virtual MAC: when they are sent so, and the whole Ethernet frame. Pure.
//!
//! RFC 9568, section 7.2, wants the virtual router's MAC as their source, so that switches keep knowing where it is and a
//! stray frame of another director is mended within an interval. Two deviations, both so that no frame of ours leads the
//! switches to a director that does not answer: until all addresses are held, and with priority 0 (somebody else is about to
//! take over), an advertisement leaves with the interface's own MAC. So it does where the frame can't be sent (longer than
//! the MTU, no packet socket). A receiver judges no hardware address.
//!
//! Sources: RFC 9568, sections 5.1 and 7.2; RFC 791, RFC 6864 (an identification of 0 where fragments are forbidden), RFC
//! 8200; RFC 1112 and RFC 2464 (hardware addresses of groups).

use super::datagram::VRRP_PROTOCOL;
use super::socket::{IPV4_GROUP, IPV6_GROUP, TRAFFIC_CLASS_BYTE, TTL};
use crate::floating::Report;
use crate::internet_checksum::checksum;
use crate::vrrp::{RouterId, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ETHERNET_BYTES: usize = 14;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
/// Room for the headers in front of a message.
pub const HEADER_BYTES_MAX: usize = ETHERNET_BYTES + IPV6_BYTES;
/// Where both versions of VRRP have the priority.
const PRIORITY_OFFSET: usize = 2;

/// Which advertisements go out under a virtual MAC.
#[derive(Clone, Debug, Default)]
pub struct Framing {
    macs: BTreeMap<SessionId, [u8; 6]>,
    /// Routers whose addresses are all held here.
    held: BTreeSet<RouterId>,
}

impl Framing {
    /// With the MAC of each session that has one.
    #[must_use]
    pub fn new(macs: BTreeMap<SessionId, [u8; 6]>) -> Self {
        Self { macs, held: BTreeSet::new() }
    }

    /// Takes in what the keeper of the addresses says.
    pub fn note(&mut self, report: &Report) {
        match report {
            Report::Held { router, held, wanted } if held == wanted && *wanted > 0 => {
                self.held.insert(*router);
            }
            Report::Held { router, .. } | Report::Released { router } => {
                self.held.remove(router);
            }
            Report::Conflict { .. } => {}
        }
    }

    /// The source of this advertisement; `None`: the interface's own.
    #[must_use]
    pub fn source_of(&self, session: SessionId, message: &[u8]) -> Option<[u8; 6]> {
        let resigns = message.get(PRIORITY_OFFSET).is_none_or(|priority| *priority == 0);
        self.macs.get(&session).copied().filter(|_| !resigns && self.held.contains(&session.router))
    }
}

/// Writes the multicast frame of a message; its length, or `None` where `buffer` has no room.
#[must_use]
pub fn write(hardware: [u8; 6], source: IpAddr, message: &[u8], buffer: &mut [u8]) -> Option<usize> {
    let (headers, headers_bytes) = match source {
        IpAddr::V4(source) => ipv4_headers(hardware, source, message.len())?,
        IpAddr::V6(source) => ipv6_headers(hardware, source, message.len())?,
    };
    let length = headers_bytes + message.len();
    let frame = buffer.get_mut(..length)?;
    frame[..headers_bytes].copy_from_slice(&headers[..headers_bytes]);
    frame[headers_bytes..].copy_from_slice(message);
    Some(length)
}

type Headers = ([u8; HEADER_BYTES_MAX], usize);

fn ipv4_headers(hardware: [u8; 6], source: Ipv4Addr, message_bytes: usize) -> Option<Headers> {
    let total = u16::try_from(IPV4_BYTES + message_bytes).ok()?;
    let [_, group @ ..] = IPV4_GROUP.octets();
    let mut headers = ethernet([1, 0, 0x5e, group[0] & 0x7f, group[1], group[2]], hardware, 0x0800);
    let ip = &mut headers[ETHERNET_BYTES..ETHERNET_BYTES + IPV4_BYTES];
    ip[..2].copy_from_slice(&[0x45, TRAFFIC_CLASS_BYTE]);
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    // Don't fragment.
    ip[6] = 0x40;
    ip[8..10].copy_from_slice(&[TTL, VRRP_PROTOCOL]);
    ip[12..16].copy_from_slice(&source.octets());
    ip[16..].copy_from_slice(&IPV4_GROUP.octets());
    let checksum = checksum([&*ip]);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    Some((headers, ETHERNET_BYTES + IPV4_BYTES))
}

fn ipv6_headers(hardware: [u8; 6], source: Ipv6Addr, message_bytes: usize) -> Option<Headers> {
    let length = u16::try_from(message_bytes).ok()?;
    let [.., a, b, c, d] = IPV6_GROUP.octets();
    let mut headers = ethernet([0x33, 0x33, a, b, c, d], hardware, 0x86dd);
    let ip = &mut headers[ETHERNET_BYTES..];
    // Version 6, then the traffic class over two half bytes.
    ip[..2].copy_from_slice(&[0x60 | TRAFFIC_CLASS_BYTE >> 4, TRAFFIC_CLASS_BYTE << 4]);
    ip[4..6].copy_from_slice(&length.to_be_bytes());
    ip[6..8].copy_from_slice(&[VRRP_PROTOCOL, TTL]);
    ip[8..24].copy_from_slice(&source.octets());
    ip[24..].copy_from_slice(&IPV6_GROUP.octets());
    Some((headers, HEADER_BYTES_MAX))
}

fn ethernet(destination: [u8; 6], source: [u8; 6], ethertype: u16) -> [u8; HEADER_BYTES_MAX] {
    let mut headers = [0; HEADER_BYTES_MAX];
    headers[..6].copy_from_slice(&destination);
    headers[6..12].copy_from_slice(&source);
    headers[12..ETHERNET_BYTES].copy_from_slice(&ethertype.to_be_bytes());
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Family;

    const MAC: [u8; 6] = [0, 0, 0x5e, 0, 1, 51];
    const SESSION: SessionId = SessionId { router: RouterId(0), family: Family::Ipv4 };
    const MESSAGE: [u8; 12] = [0x31, 51, 100, 1, 0, 10, 0, 0, 192, 0, 2, 1];

    #[test]
    fn an_advertisement_bears_the_virtual_mac_while_all_addresses_are_held_and_not_when_it_resigns() {
        let mut framing = Framing::new([(SESSION, MAC)].into());
        assert_eq!(framing.source_of(SESSION, &MESSAGE), None, "nothing is held yet");
        let held = |held, wanted| Report::Held { router: RouterId(0), held, wanted };
        for (report, expected) in
            [(held(1, 2), None), (held(2, 2), Some(MAC)), (held(2, 0), None), (held(0, 0), None)]
        {
            framing.note(&report);
            assert_eq!(framing.source_of(SESSION, &MESSAGE), expected, "{report:?}");
        }
        framing.note(&held(2, 2));
        let mut resigning = MESSAGE;
        resigning[2] = 0;
        assert_eq!(framing.source_of(SESSION, &resigning), None);
        let other = SessionId { family: Family::Ipv6, ..SESSION };
        assert_eq!(framing.source_of(other, &MESSAGE), None, "it has no virtual MAC");
    }

    #[test]
    fn an_ipv4_frame_has_the_fields_of_rfc_9568_section_5_1_1() {
        let mut buffer = [0; 100];
        let length = write(MAC, "192.0.2.200".parse().expect("an address"), &MESSAGE, &mut buffer);
        assert_eq!(length, Some(46));
        assert_eq!(buffer[..14], [1, 0, 0x5e, 0, 0, 18, 0, 0, 0x5e, 0, 1, 51, 8, 0]);
        assert_eq!(buffer[14..24], [0x45, 0xc0, 0, 32, 0, 0, 0x40, 0, 255, 112]);
        assert_eq!(buffer[26..34], [192, 0, 2, 200, 224, 0, 0, 18]);
        assert_eq!(buffer[34..46], MESSAGE);
        let sum: u32 =
            buffer[14..34].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }

    #[test]
    fn an_ipv6_frame_has_the_fields_of_rfc_9568_section_5_1_2() {
        let mut buffer = [0; 100];
        let source: Ipv6Addr = "fe80::1".parse().expect("an address");
        let length = write([0, 0, 0x5e, 0, 2, 51], source.into(), &MESSAGE, &mut buffer);
        assert_eq!(length, Some(66));
        assert_eq!(buffer[..14], [0x33, 0x33, 0, 0, 0, 0x12, 0, 0, 0x5e, 0, 2, 51, 0x86, 0xdd]);
        assert_eq!(buffer[14..22], [0x6c, 0, 0, 0, 0, 12, 112, 255]);
        assert_eq!(buffer[22..38], source.octets());
        assert_eq!(buffer[38..54], IPV6_GROUP.octets());
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        let source = "192.0.2.200".parse().expect("an address");
        assert_eq!(write(MAC, source, &MESSAGE, &mut [0; 45]), None);
        assert_eq!(write(MAC, source, &vec![0; 70_000], &mut [0; 100]), None);
    }
}
