//! Which address of an interface our packets come from: one that is always there, never one that floats. Pure; the list comes
//! from [`super::socket`].
//!
//! The source takes part in the election (of equal priorities the higher address wins) and in the authentication, so the
//! kernel must not choose it: it would take whichever address was added first, which can be a VIP. The order of preference:
//!
//! - IPv4: the director's own address where the interface holds it; then primary before secondary, a network before a
//!   single /32, for ever before for a time; then the kernel's order.
//! - IPv6: link-local only (RFC 9568, section 5.1.2.1); an address whose detection of duplicates is not over or has failed
//!   can't send.
//!
//! Source: `linux/if_addr.h`.

use crate::kernel::netlink::{Attribute, Attributes};
use crate::model::Family;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// `struct ifaddrmsg`: family, prefix length, flags, scope, index.
const HEADER_BYTES: usize = 8;
const IFA_ADDRESS: u16 = 1;
/// This host's end of a point-to-point link, where `IFA_ADDRESS` is the other's; IPv6 mostly leaves it out.
const IFA_LOCAL: u16 = 2;
/// All 32 bits of the flags.
const IFA_FLAGS: u16 = 8;
const KINDS: usize = 9;

const IFA_F_SECONDARY: u32 = 0x01;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;
const IFA_F_PERMANENT: u32 = 0x80;

/// An address as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) index: u32,
    pub(super) address: IpAddr,
    pub(super) prefix_length: u8,
    pub(super) flags: u32,
}

impl Listed {
    /// From the payload of `RTM_NEWADDR`; `None` where something is missing or the family is another.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let header = payload.first_chunk::<HEADER_BYTES>()?;
        let attributes = Attributes(&payload[HEADER_BYTES..]).by_kind::<KINDS>();
        let address = attributes.find(IFA_LOCAL).or_else(|| attributes.find(IFA_ADDRESS))?;
        let address = match i32::from(header[0]) {
            libc::AF_INET => IpAddr::from(*address.value.first_chunk::<4>()?),
            libc::AF_INET6 => IpAddr::from(*address.value.first_chunk::<16>()?),
            _ => return None,
        };
        Some(Self {
            index: u32::from_ne_bytes([header[4], header[5], header[6], header[7]]),
            address,
            prefix_length: header[1],
            flags: attributes.find(IFA_FLAGS).and_then(Attribute::u32).unwrap_or_else(|| header[2].into()),
        })
    }

    const fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn can_send(&self, family: Family) -> bool {
        let usable = !self.is(IFA_F_DADFAILED) && !self.is(IFA_F_TENTATIVE);
        match (family, self.address) {
            (Family::Ipv4, IpAddr::V4(address)) => usable && !address.is_loopback(),
            (Family::Ipv6, IpAddr::V6(address)) => usable && address.is_unicast_link_local(),
            (Family::Ipv4, IpAddr::V6(_)) | (Family::Ipv6, IpAddr::V4(_)) => false,
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'paths> {
    /// Of the interface.
    pub(super) index: u32,
    pub(super) family: Family,
    pub(super) floating: &'paths BTreeSet<IpAddr>,
    pub(super) own: &'paths [IpAddr],
}

/// The source for an interface and a family, with its network; `None` where it has no address that may be one.
pub(super) fn choose(listed: &[Listed], wanted: Wanted<'_>) -> Option<IpNet> {
    let fits = |entry: &&Listed| {
        entry.index == wanted.index
            && entry.can_send(wanted.family)
            && !wanted.floating.contains(&entry.address)
    };
    let order = |entry: &&Listed| {
        (
            !wanted.own.contains(&entry.address),
            entry.is(IFA_F_SECONDARY | IFA_F_DEPRECATED),
            entry.prefix_length == wanted.family.bits(),
            !entry.is(IFA_F_PERMANENT),
        )
    };
    let chosen = listed.iter().filter(fits).min_by_key(order)?;
    IpNet::new(chosen.address, chosen.prefix_length).ok()
}

#[cfg(test)]
#[path = "tests/source.rs"]
mod tests;
