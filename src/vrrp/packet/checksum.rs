//! The checksum: the Internet's (RFC 1071) over the VRRP message, with or without a pseudo-header.
//!
//! | message | pseudo-header | source |
//! |---|---|---|
//! | version 2 | no; the message holds its 8 bytes of authentication data | RFC 3768, section 5.3.8 |
//! | version 3, IPv4 | no, or yes: [`ChecksumReading`] | RFC 9568, section 5.2.8; RFC 5798, section 5.2.8 |
//! | version 3, IPv6 | yes | RFC 9568, section 5.2.8; RFC 8200, section 8.1 |
//!
//! It never covers what stands behind the message.

use super::{Endpoints, PROTOCOL};
use crate::model::{ChecksumReading, Family, VrrpVersion};

/// Bytes 6 and 7 of the message.
const FIELD: std::ops::Range<usize> = 6..8;

/// Sum of the 16-bit words, not yet folded: a message has at most 2,044 of them, so 32 bits do not overflow.
fn sum(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    bytes.chunks(2).map(word).sum()
}

const fn fold(mut sum: u32) -> u32 {
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum
}

/// Sum of the pseudo-header: addresses, length of the message, protocol. Of IPv4 (RFC 793, section 3.1) and of IPv6 alike:
/// they differ in the width of their fields only, which the sum does not see.
fn pseudo_header(endpoints: &Endpoints, length: usize) -> u32 {
    let addresses = match endpoints {
        Endpoints::V4 { source, destination } => sum(&source.octets()) + sum(&destination.octets()),
        Endpoints::V6 { source, destination } => sum(&source.octets()) + sum(&destination.octets()),
    };
    addresses + u32::try_from(length).unwrap_or_default() + u32::from(PROTOCOL)
}

fn has_pseudo_header(version: VrrpVersion, family: Family, reading: ChecksumReading) -> bool {
    match (version, family) {
        (VrrpVersion::V2, _) => false,
        (VrrpVersion::V3, Family::Ipv4) => reading == ChecksumReading::Rfc5798,
        (VrrpVersion::V3, Family::Ipv6) => true,
    }
}

/// Writes the checksum into a message whose field is still zero.
pub(super) fn write(
    message: &mut [u8],
    version: VrrpVersion,
    endpoints: &Endpoints,
    reading: ChecksumReading,
) {
    let mut total = sum(message);
    if has_pseudo_header(version, endpoints.family(), reading) {
        total += pseudo_header(endpoints, message.len());
    }
    let folded = u16::try_from(fold(total)).unwrap_or(u16::MAX);
    message[FIELD].copy_from_slice(&(!folded).to_be_bytes());
}

/// Which reading the checksum of a message fits; the one of RFC 9568 where both do. Where there is only one reading, that it
/// fits is `Some` too.
pub(super) fn fits(message: &[u8], version: VrrpVersion, endpoints: &Endpoints) -> Option<ChecksumReading> {
    let plain = sum(message);
    [ChecksumReading::Rfc9568, ChecksumReading::Rfc5798].into_iter().find(|reading| {
        let covered = has_pseudo_header(version, endpoints.family(), *reading);
        let extra = if covered { pseudo_header(endpoints, message.len()) } else { 0 };
        fold(plain + extra) == 0xffff
    })
}
