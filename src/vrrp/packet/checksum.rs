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
use crate::internet_checksum::{checksum, pseudo_header};
use crate::model::{ChecksumReading, Family, VrrpVersion};

/// Bytes 6 and 7 of the message.
const FIELD: std::ops::Range<usize> = 6..8;

/// Over a message, with the pseudo-header where this reading has one.
fn over(message: &[u8], version: VrrpVersion, endpoints: &Endpoints, reading: ChecksumReading) -> u16 {
    if !has_pseudo_header(version, endpoints.family(), reading) {
        return checksum([message]);
    }
    let header = match endpoints {
        Endpoints::V4 { source, destination } => {
            pseudo_header(&source.octets(), &destination.octets(), PROTOCOL, message.len())
        }
        Endpoints::V6 { source, destination } => {
            pseudo_header(&source.octets(), &destination.octets(), PROTOCOL, message.len())
        }
    };
    checksum([&header, message])
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
    let checksum = over(message, version, endpoints, reading);
    message[FIELD].copy_from_slice(&checksum.to_be_bytes());
}

/// Which reading the checksum of a message fits; the one of RFC 9568 where both do. Where there is only one reading, that it
/// fits is `Some` too.
pub(super) fn fits(message: &[u8], version: VrrpVersion, endpoints: &Endpoints) -> Option<ChecksumReading> {
    let readings = [ChecksumReading::Rfc9568, ChecksumReading::Rfc5798];
    readings.into_iter().find(|reading| over(message, version, endpoints, *reading) == 0)
}
