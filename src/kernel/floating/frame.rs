//! Gratuitous ARP and unsolicited neighbour advertisements ⇄ Ethernet frames. Pure; no byte from outside makes it panic.
//!
//! Sources: RFC 826 and RFC 5227, section 3 (ARP announcement: a request with sender and target the address that is
//! announced, as keepalived sends it); RFC 4861, sections 4.4 and 7.2.6 (neighbour advertisement to all nodes, override
//! flag set), RFC 9568, section 8.2.2 (router flag set); RFC 4443, section 2.3 (checksum).

use crate::internet_checksum::{checksum, pseudo_header};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const BROADCAST: [u8; 6] = [0xff; 6];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_HARDWARE: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
pub(crate) const ETHERNET_HEADER_BYTES: usize = 14;
const IPV6_HEADER_BYTES: usize = 40;
/// Shortest frame without its check sequence (IEEE 802.3); not every driver pads.
const SHORTEST_FRAME: usize = 60;

/// Hardware type Ethernet, protocol IPv4, their lengths.
const ARP_ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ARP_REQUEST: [u8; 2] = [0, 1];

pub(crate) const ICMPV6: u8 = 58;
pub(crate) const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Proof that the sender was on the link: no router forwards it undiminished.
const HOP_LIMIT: u8 = 255;
const ROUTER_AND_OVERRIDE: u8 = 0x80 | 0x20;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
/// Type, code, checksum, flags, target; then one option of 8 bytes.
const ADVERTISEMENT_BYTES: usize = 24;
const OPTION_BYTES: usize = 8;

/// The frame that announces an address at a hardware address.
pub(crate) fn announcement(address: IpAddr, hardware: [u8; 6]) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => gratuitous_arp(address, hardware),
        IpAddr::V6(address) => neighbour_advertisement(address, hardware),
    }
}

/// Which address a frame says is at which hardware address; `None` where it says nothing of the kind.
pub(crate) fn claim(frame: &[u8]) -> Option<(IpAddr, [u8; 6])> {
    let source = *frame.get(6..)?.first_chunk()?;
    let payload = frame.get(ETHERNET_HEADER_BYTES..)?;
    match u16::from_be_bytes(*frame.get(12..)?.first_chunk()?) {
        ETHERTYPE_ARP => arp_claim(payload),
        ETHERTYPE_IPV6 => advertisement_claim(payload, source),
        _ => None,
    }
}

fn ethernet(destination: [u8; 6], source: [u8; 6], ethertype: u16) -> Vec<u8> {
    let mut frame =
        Vec::with_capacity(ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES + ADVERTISEMENT_BYTES + OPTION_BYTES);
    frame.extend_from_slice(&destination);
    frame.extend_from_slice(&source);
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame
}

fn gratuitous_arp(address: Ipv4Addr, hardware: [u8; 6]) -> Vec<u8> {
    let mut frame = ethernet(BROADCAST, hardware, ETHERTYPE_ARP);
    frame.extend_from_slice(&ARP_ETHERNET_IPV4);
    frame.extend_from_slice(&ARP_REQUEST);
    frame.extend_from_slice(&hardware);
    frame.extend_from_slice(&address.octets());
    // The target's hardware address is what is asked for; keepalived fills it with broadcast, RFC 5227 with zero.
    frame.extend_from_slice(&[0; 6]);
    frame.extend_from_slice(&address.octets());
    frame.resize(SHORTEST_FRAME, 0);
    frame
}

fn neighbour_advertisement(address: Ipv6Addr, hardware: [u8; 6]) -> Vec<u8> {
    let mut message = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, ROUTER_AND_OVERRIDE, 0, 0, 0];
    message.extend_from_slice(&address.octets());
    message.extend_from_slice(&[TARGET_LINK_LAYER_ADDRESS, 1]);
    message.extend_from_slice(&hardware);
    let checksum = icmpv6_checksum(address, ALL_NODES, &message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());

    let mut frame = ethernet(ALL_NODES_HARDWARE, hardware, ETHERTYPE_IPV6);
    frame.extend_from_slice(&[0x60, 0, 0, 0]);
    frame.extend_from_slice(&u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes());
    frame.extend_from_slice(&[ICMPV6, HOP_LIMIT]);
    frame.extend_from_slice(&address.octets());
    frame.extend_from_slice(&ALL_NODES.octets());
    frame.extend_from_slice(&message);
    frame
}

/// Over the pseudo-header (RFC 8200, section 8.1) and a message whose checksum is zero; over one with its checksum it is 0.
fn icmpv6_checksum(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let header = pseudo_header(&source.octets(), &destination.octets(), ICMPV6, message.len());
    checksum([&header, message])
}

/// The sender of a request or an answer says that the address is its own; a probe (RFC 5227, section 2.1.1) has none yet.
fn arp_claim(packet: &[u8]) -> Option<(IpAddr, [u8; 6])> {
    if packet.get(..6)? != ARP_ETHERNET_IPV4.as_slice() {
        return None;
    }
    let hardware = *packet.get(8..)?.first_chunk()?;
    let address = Ipv4Addr::from(*packet.get(14..)?.first_chunk::<4>()?);
    (!address.is_unspecified()).then_some((address.into(), hardware))
}

/// A valid neighbour advertisement (RFC 4861, section 7.1.2) for its target.
fn advertisement_claim(packet: &[u8], source_hardware: [u8; 6]) -> Option<(IpAddr, [u8; 6])> {
    let octets = |offset: usize| {
        packet.get(offset..).and_then(<[u8]>::first_chunk::<16>).map(|octets| Ipv6Addr::from(*octets))
    };
    let length = usize::from(u16::from_be_bytes(*packet.get(4..)?.first_chunk()?));
    let message = packet.get(IPV6_HEADER_BYTES..IPV6_HEADER_BYTES + length)?;
    let is_valid = *packet.get(6)? == ICMPV6
        && *packet.get(7)? == HOP_LIMIT
        && message.len() >= ADVERTISEMENT_BYTES
        && message[..2] == [NEIGHBOUR_ADVERTISEMENT, 0]
        && icmpv6_checksum(octets(8)?, octets(24)?, message) == 0;
    if !is_valid {
        return None;
    }
    let target = octets(IPV6_HEADER_BYTES + 8)?;
    let hardware = target_link_layer_address(&message[ADVERTISEMENT_BYTES..]).unwrap_or(source_hardware);
    Some((target.into(), hardware))
}

fn target_link_layer_address(mut options: &[u8]) -> Option<[u8; 6]> {
    while let [kind, units, value @ ..] = options {
        if *kind == TARGET_LINK_LAYER_ADDRESS && *units == 1 {
            return value.first_chunk().copied();
        }
        let bytes = usize::from(*units) * OPTION_BYTES;
        options = options.get(bytes..).filter(|_| bytes > 0)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HARDWARE: [u8; 6] = [2, 0, 0, 0, 0, 7];

    #[test]
    fn a_gratuitous_arp_is_a_broadcast_request_for_its_own_address() {
        let frame = announcement(IpAddr::from([192, 0, 2, 1]), HARDWARE);
        let mut expected = vec![0xff; 6];
        expected.extend_from_slice(&HARDWARE);
        expected.extend_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        expected.extend_from_slice(&HARDWARE);
        expected.extend_from_slice(&[192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1]);
        assert_eq!(frame[..42], expected);
        assert_eq!(frame.len(), 60);
        assert_eq!(claim(&frame), Some((IpAddr::from([192, 0, 2, 1]), HARDWARE)));
    }

    #[test]
    fn an_unsolicited_advertisement_is_addressed_to_all_nodes_with_router_and_override() {
        let vip: Ipv6Addr = "2001:db8::1".parse().expect("an address");
        let frame = announcement(vip.into(), HARDWARE);
        assert_eq!(frame[..6], ALL_NODES_HARDWARE);
        assert_eq!(frame[12..22], [0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
        assert_eq!(frame[22..38], vip.octets());
        assert_eq!(frame[38..54], ALL_NODES.octets());
        assert_eq!(frame[54..56], [136, 0]);
        assert_eq!(frame[58], 0xa0);
        assert_eq!(frame[62..78], vip.octets());
        assert_eq!(frame[78..], [2, 1, 2, 0, 0, 0, 0, 7]);
        assert_eq!(icmpv6_checksum(vip, ALL_NODES, &frame[54..]), 0);
        assert_eq!(claim(&frame), Some((vip.into(), HARDWARE)));
    }

    #[test]
    fn a_probe_a_wrong_checksum_and_a_forwarded_advertisement_claim_nothing() {
        let mut probe = announcement(IpAddr::from([192, 0, 2, 1]), HARDWARE);
        probe[28..32].fill(0);
        assert_eq!(claim(&probe), None);
        let frame = announcement("2001:db8::1".parse().expect("an address"), HARDWARE);
        for index in [21, 57, 58, 70] {
            let mut broken = frame.clone();
            broken[index] ^= 1;
            assert_eq!(claim(&broken), None, "byte {index}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 0..3) {
            let mut frame = bytes;
            if kind > 0 && frame.len() > 13 {
                let ethertype = if kind == 1 { ETHERTYPE_ARP } else { ETHERTYPE_IPV6 };
                frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
            }
            let _ = claim(&frame);
        }

        #[test]
        fn a_cut_frame_claims_nothing(cut in 1_usize..86, octets in any::<[u8; 16]>()) {
            let frame = announcement(Ipv6Addr::from(octets).into(), HARDWARE);
            prop_assert_eq!(claim(&frame[..frame.len() - cut]), None);
        }

        #[test]
        fn options_never_loop(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = target_link_layer_address(&bytes);
        }
    }
}
