//! Which session a message belongs to, and who sent it: what the HMAC covers without it being in the message.

use crate::model::{Family, RouterName};
use std::net::IpAddr;

/// The use, in the context of every advertisement's HMAC: no other datagram's trailer fits.
const USE: &[u8] = b"tandem vrrp 1";

/// One family of a virtual router. Its name is the policy's, which all directors share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    pub router: RouterName,
    pub family: Family,
}

/// A director as a session hears it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sender {
    pub session: Session,
    /// Source address of the IP header.
    pub source: IpAddr,
}

impl Session {
    /// Calls `with` with the context of a message from this source.
    pub(super) fn context<T>(&self, source: IpAddr, with: impl FnOnce(&[&[u8]]) -> T) -> T {
        let family = match self.family {
            Family::Ipv4 => [4],
            Family::Ipv6 => [6],
        };
        match source {
            IpAddr::V4(source) => with(&[USE, self.router.as_bytes(), &family, &source.octets()]),
            IpAddr::V6(source) => with(&[USE, self.router.as_bytes(), &family, &source.octets()]),
        }
    }
}
