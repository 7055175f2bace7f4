//! Addresses and families as IPVS carries them: `AF_*` numbers, and 16 bytes of which IPv4 uses the first four.

use crate::kernel::netlink::{Attribute, Message};
use crate::model::Family;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `union nf_inet_addr`.
const ADDRESS_BYTES: usize = 16;

/// `AF_INET`, `AF_INET6`.
pub(super) fn family_number(family: Family) -> u16 {
    match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    }
}

/// The family of an `AF_*` number, where IPVS has it.
pub(super) fn family_of_number(number: u16) -> Option<Family> {
    [Family::Ipv4, Family::Ipv6].into_iter().find(|family| family_number(*family) == number)
}

/// Appends an address, padded to the union's size as `ipvsadm` does.
pub(super) fn put_address(message: &mut Message, kind: u16, address: IpAddr) {
    let mut bytes = [0; ADDRESS_BYTES];
    match address {
        IpAddr::V4(address) => bytes[..4].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => bytes = address.octets(),
    }
    message.put(kind, &bytes);
}

/// The address of this family in an attribute; `None` when it is too short.
pub(super) fn read_address(attribute: Attribute<'_>, family: Family) -> Option<IpAddr> {
    match family {
        Family::Ipv4 => attribute.value.first_chunk::<4>().map(|octets| IpAddr::V4(Ipv4Addr::from(*octets))),
        Family::Ipv6 => {
            attribute.value.first_chunk::<ADDRESS_BYTES>().map(|octets| IpAddr::V6(Ipv6Addr::from(*octets)))
        }
    }
}
