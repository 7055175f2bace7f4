//! Any bytes to an advertisement, or to the name of what is wrong with them. The order of the tests is RFC 9568's
//! (section 7.1): version, type, completeness, checksum; then the fields, which can be believed from there on.

use super::{ADVERTISEMENT, AUTHENTICATION_DATA, Advertisement, Endpoints, HEADER, Interval, Malformed};
use super::{NO_AUTHENTICATION, SIMPLE_PASSWORD, address_length, checksum, message_length};
use crate::model::{ChecksumReading, Family, VrrpVersion};
use crate::time::Centiseconds;
use crate::vrrp::authentication::Password;
use std::net::IpAddr;
use std::num::NonZeroU8;

/// A received message and what stands around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'a> {
    pub advertisement: Advertisement,
    /// Which reading the checksum fits, to answer in; RFC 9568's where both do. `None` with version 2 and over IPv6, which
    /// have only one.
    pub checksum: Option<ChecksumReading>,
    /// The bytes of the message itself: what the checksum covers and a trailer authenticates.
    pub message: &'a [u8],
    /// The bytes behind it: the authentication trailer, or nothing.
    pub trailing: &'a [u8],
}

/// Reads what came behind the IP header. IPv6 is not asked to name a link-local address first: FRR's vrrpd does not send it.
///
/// # Errors
/// The first thing that is wrong.
pub fn decode<'a>(bytes: &'a [u8], endpoints: &Endpoints) -> Result<Decoded<'a>, Malformed> {
    let header: &[u8; HEADER] = bytes.first_chunk().ok_or(Malformed::TooShort)?;
    let [version_and_type, vrid, priority, count, interval @ .., _, _] = *header;
    let version = version_of(version_and_type, endpoints.family())?;
    if version_and_type & 0x0f != ADVERTISEMENT {
        return Err(Malformed::WrongType);
    }
    if count == 0 {
        return Err(Malformed::NoAddress);
    }
    let length = message_length(version, endpoints.family(), usize::from(count));
    let (message, trailing) = bytes.split_at_checked(length).ok_or(Malformed::AddressListLength)?;
    let fits = checksum::fits(message, version, endpoints).ok_or(Malformed::Checksum)?;
    let vrid = NonZeroU8::new(vrid).ok_or(Malformed::VridZero)?;
    let (interval, password) = interval_and_password(version, interval, message)?;
    let list = &message[HEADER..HEADER + usize::from(count) * address_length(endpoints.family())];
    // Every reason of the constructor was told apart above; the kind is the nearest one.
    let advertisement =
        Advertisement::new(vrid, priority, interval, addresses(list, endpoints.family()), password)
            .map_err(|_| Malformed::AddressListLength)?;
    let two_readings = version == VrrpVersion::V3 && endpoints.family() == Family::Ipv4;
    Ok(Decoded { advertisement, checksum: two_readings.then_some(fits), message, trailing })
}

const fn version_of(version_and_type: u8, family: Family) -> Result<VrrpVersion, Malformed> {
    match (version_and_type >> 4, family) {
        (2, Family::Ipv4) => Ok(VrrpVersion::V2),
        (2, Family::Ipv6) => Err(Malformed::Version2OverIpv6),
        (3, Family::Ipv4 | Family::Ipv6) => Ok(VrrpVersion::V3),
        (0 | 1 | 4.., Family::Ipv4 | Family::Ipv6) => Err(Malformed::WrongVersion),
    }
}

/// Bytes 4 and 5 of the header; and of version 2 the authentication data, which counts only if the type says so.
fn interval_and_password(
    version: VrrpVersion,
    field: [u8; 2],
    message: &[u8],
) -> Result<(Interval, Option<Password>), Malformed> {
    match version {
        VrrpVersion::V2 => {
            let data: Option<&[u8; AUTHENTICATION_DATA]> = message.last_chunk();
            let password = match field[0] {
                NO_AUTHENTICATION => None,
                SIMPLE_PASSWORD => data.copied().map(Password::from_bytes),
                2.. => return Err(Malformed::UnknownAuthenticationType),
            };
            let seconds = NonZeroU8::new(field[1]).ok_or(Malformed::IntervalZero)?;
            Ok((Interval::Seconds(seconds), password))
        }
        VrrpVersion::V3 => {
            // The upper four bits are reserved: ignored on receipt (RFC 9568, section 5.2.6).
            let count = u16::from_be_bytes(field) & Centiseconds::MOST;
            let centiseconds = Centiseconds::new(count).ok_or(Malformed::IntervalZero)?;
            Ok((Interval::Centiseconds(centiseconds), None))
        }
    }
}

fn addresses(list: &[u8], family: Family) -> Vec<IpAddr> {
    match family {
        Family::Ipv4 => list.as_chunks::<4>().0.iter().map(|octets| IpAddr::from(*octets)).collect(),
        Family::Ipv6 => list.as_chunks::<16>().0.iter().map(|octets| IpAddr::from(*octets)).collect(),
    }
}
