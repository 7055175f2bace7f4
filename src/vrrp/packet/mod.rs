//! The bytes of VRRP: advertisements of version 2 (RFC 3768, section 5) and version 3 (RFC 9568, section 5), IPv4 and IPv6.
//!
//! [`Advertisement`] can hold only what may be sent; [`decode`] makes one from any bytes or names what is wrong with them, and
//! hands back what stands behind the message, which is where [`super::authentication`] puts its trailer.
//!
//! Not here: the IP header (TTL 255, source, own address) and the socket, which [`crate::advert`] checks; whether the VRID,
//! the addresses and the interval are those of the policy, which the election judges; HMAC.

mod advertisement;
#[cfg(test)]
mod captured;
mod checksum;
mod decode;
mod encode;
mod endpoints;
mod malformed;
#[cfg(test)]
mod tests;
mod virtual_mac;

pub use advertisement::{Advertisement, Illegal, Interval, MOST_ADDRESSES};
pub use decode::{Decoded, decode};
pub use endpoints::Endpoints;
pub use malformed::Malformed;
pub use virtual_mac::{virtual_link_local, virtual_mac};

use crate::model::{Family, VrrpVersion};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The IP protocol number of VRRP (RFC 9568, section 5.1.1.4).
pub const PROTOCOL: u8 = 112;
/// Where advertisements over IPv4 go (RFC 9568, section 5.1.1.2).
pub const MULTICAST_IPV4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Where advertisements over IPv6 go (RFC 9568, section 5.1.2.2): `ff02::12`.
pub const MULTICAST_IPV6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// The only type there is.
const ADVERTISEMENT: u8 = 1;
/// Bytes before the addresses, in both versions.
const HEADER: usize = 8;
/// Bytes of authentication data behind the addresses of version 2, there even with authentication type 0.
const AUTHENTICATION_DATA: usize = 8;
/// Version 2's authentication types (RFC 2338, section 5.3.6; RFC 3768 reserves 1).
const NO_AUTHENTICATION: u8 = 0;
const SIMPLE_PASSWORD: u8 = 1;

/// Bytes of one address.
const fn address_length(family: Family) -> usize {
    (family.bits() / 8) as usize
}

/// Bytes of a whole message with so many addresses.
const fn message_length(version: VrrpVersion, family: Family, addresses: usize) -> usize {
    let tail = match version {
        VrrpVersion::V2 => AUTHENTICATION_DATA,
        VrrpVersion::V3 => 0,
    };
    HEADER + addresses * address_length(family) + tail
}
