//! Addresses and links ⇄ rtnetlink messages. Pure.
//!
//! Source: `linux/rtnetlink.h`, `linux/if_addr.h`, `linux/if_link.h`.

use crate::floating::keeper::{HeldAddress, Link, Operation, OperationKind};
use crate::kernel::netlink::{Attribute, Attributes, Message};
use std::net::IpAddr;
use std::time::Duration;

pub(super) const RTM_NEWLINK: u16 = 16;
pub(super) const RTM_DELLINK: u16 = 17;
pub(super) const RTM_GETLINK: u16 = 18;
pub(super) const RTM_NEWADDR: u16 = 20;
pub(super) const RTM_DELADDR: u16 = 21;
pub(super) const RTM_GETADDR: u16 = 22;
pub(super) const NLM_F_REPLACE: u16 = 0x100;
pub(super) const NLM_F_CREATE: u16 = 0x400;

/// `struct ifaddrmsg`: family, prefix length, flags, scope, index.
const ADDRESS_HEADER_BYTES: usize = 8;
/// `struct ifinfomsg`: family, padding, type, index, flags, change.
pub(super) const LINK_HEADER_BYTES: usize = 16;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;
const IFA_FLAGS: u16 = 8;
const IFA_PROTO: u16 = 11;
const IFA_F_NODAD: u32 = 0x02;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;
/// Who made the address (`ip address` shows it as `proto`): VRRP's own protocol number. Kernels before 5.18 ignore it.
const ADDRESS_PROTOCOL: u8 = 112;
/// `INFINITY_LIFE_TIME`.
const FOR_EVER: u32 = u32::MAX;

pub(super) const IFLA_ADDRESS: u16 = 1;
pub(super) const IFLA_IFNAME: u16 = 3;
pub(super) const IFF_UP: u32 = 0x1;
const IFF_LOWER_UP: u32 = 0x1_0000;

/// The message of an operation. An address is /32 or /128, without a prefix route (one that left with its lifetime took the
/// network's other addresses with it) and without duplicate address detection. IPv6 comes deprecated, so that nobody chooses
/// it as a source; IPv4 knows no such thing.
pub(in crate::kernel) fn operation(operation: &Operation) -> Message {
    let (message_type, flags) = match operation.kind {
        OperationKind::Add | OperationKind::Renew => (RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE),
        OperationKind::Remove => (RTM_DELADDR, 0),
    };
    let mut message = address_message(message_type, flags, operation.address, operation.index);
    if operation.kind != OperationKind::Remove {
        let valid = operation
            .lifetime
            .map_or(FOR_EVER, |lifetime| u32::try_from(lifetime.as_secs()).unwrap_or(FOR_EVER).max(1));
        let preferred = if operation.address.is_ipv6() { 0 } else { valid };
        message.put_u32(IFA_FLAGS, IFA_F_NOPREFIXROUTE | IFA_F_NODAD);
        message.put(IFA_CACHEINFO, &[preferred, valid, 0, 0].map(u32::to_ne_bytes).concat());
        message.put_u8(IFA_PROTO, ADDRESS_PROTOCOL);
    }
    message
}

fn address_message(message_type: u16, flags: u16, address: IpAddr, index: u32) -> Message {
    let (family, prefix_length) = if address.is_ipv4() { (libc::AF_INET, 32) } else { (libc::AF_INET6, 128) };
    let mut header = [0; ADDRESS_HEADER_BYTES];
    header[0] = u8::try_from(family).unwrap_or_default();
    header[1] = prefix_length;
    header[4..].copy_from_slice(&index.to_ne_bytes());
    let mut message = Message::new(message_type, flags).header(&header);
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    message.put(IFA_LOCAL, &octets);
    message.put(IFA_ADDRESS, &octets);
    message
}

/// Asks for every address.
pub(super) fn all_addresses() -> Message {
    Message::new(RTM_GETADDR, 0).header(&[0; ADDRESS_HEADER_BYTES])
}

/// Asks for every interface.
pub(super) fn all_links() -> Message {
    Message::new(RTM_GETLINK, 0).header(&[0; LINK_HEADER_BYTES])
}

/// An address in a message of the kernel: index of its interface, and what it is.
pub(in crate::kernel) fn held_address(payload: &[u8]) -> Option<(u32, HeldAddress)> {
    let prefix_length = *payload.get(1)?;
    let index = u32::from_ne_bytes(*payload.get(4..)?.first_chunk()?);
    let attributes = Attributes(payload.get(ADDRESS_HEADER_BYTES..)?).by_kind::<12>();
    // IPv6 leaves IFA_LOCAL out where it equals IFA_ADDRESS (that is the peer's, on a point-to-point link).
    let address = address_of(attributes.find(IFA_LOCAL).or_else(|| attributes.find(IFA_ADDRESS))?)?;
    let valid = attributes.find(IFA_CACHEINFO).and_then(|info| info.value.get(4..8));
    let valid =
        valid.and_then(|bytes| bytes.first_chunk()).map_or(FOR_EVER, |bytes| u32::from_ne_bytes(*bytes));
    let valid = (valid != FOR_EVER).then(|| Duration::from_secs(valid.into()));
    Some((index, HeldAddress { address, prefix_length, valid }))
}

fn address_of(attribute: Attribute<'_>) -> Option<IpAddr> {
    match attribute.value.len() {
        4 => attribute.value.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        16 => attribute.value.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => None,
    }
}

/// An interface in a message of the kernel. A bridge speaks of its ports in messages of its own family: what leaves a
/// bridge is not gone.
pub(super) fn link(payload: &[u8]) -> Option<(String, Link)> {
    let number = |offset: usize| Some(u32::from_ne_bytes(*payload.get(offset..)?.first_chunk()?));
    let (index, flags) = (number(4)?, number(8)?);
    if i32::from(*payload.first()?) != libc::AF_UNSPEC {
        return None;
    }
    let attributes = Attributes(payload.get(LINK_HEADER_BYTES..)?).by_kind::<4>();
    let name = attributes.find(IFLA_IFNAME)?.string();
    let hardware = attributes.find(IFLA_ADDRESS).and_then(|attribute| attribute.value.first_chunk().copied());
    let link = Link {
        index,
        up: flags & IFF_UP != 0,
        carrier: flags & IFF_LOWER_UP != 0,
        hardware_address: hardware.unwrap_or_default(),
    };
    Some((name, link))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netlink::attributes_of;
    use proptest::prelude::*;

    fn sent(kind: OperationKind, address: &str) -> Vec<u8> {
        let address = address.parse().expect("an address");
        let lifetime = Some(Duration::from_secs(3));
        attributes_of(&operation(&Operation { kind, address, index: 7, lifetime }), 0)
    }

    #[test]
    fn an_addition_reads_back_as_it_was_asked() {
        for (address, prefix_length) in [("192.0.2.1", 32), ("2001:db8::1", 128)] {
            let (index, held) = held_address(&sent(OperationKind::Add, address)).expect("an address");
            let valid = Some(Duration::from_secs(3));
            let expected =
                HeldAddress { address: address.parse().expect("an address"), prefix_length, valid };
            assert_eq!((index, held), (7, expected));
        }
    }

    #[test]
    fn ipv4_is_preferred_as_long_as_it_is_valid_and_ipv6_never() {
        for (address, preferred) in [("192.0.2.1", 3_u32), ("2001:db8::1", 0)] {
            let bytes = sent(OperationKind::Renew, address);
            let attributes = Attributes(&bytes[ADDRESS_HEADER_BYTES..]).by_kind::<12>();
            let lifetimes = attributes.find(IFA_CACHEINFO).expect("lifetimes").value;
            assert_eq!(lifetimes, [preferred, 3, 0, 0].map(u32::to_ne_bytes).concat());
            assert_eq!(attributes.find(IFA_FLAGS).and_then(Attribute::u32), Some(0x202));
        }
    }

    #[test]
    fn a_removal_names_the_address_alone() {
        let bytes = sent(OperationKind::Remove, "192.0.2.1");
        let attributes = Attributes(&bytes[ADDRESS_HEADER_BYTES..]);
        assert_eq!(attributes.into_iter().map(|attribute| attribute.kind).collect::<Vec<_>>(), [2, 1]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = (held_address(&bytes), link(&bytes));
        }
    }
}
