//! The addresses of virtual routers: what each may have, and what two may not share.

use super::addresses::{Role, is_host, usable};
use super::routers::Draft;
use crate::model::{Family, VirtualAddress, VirtualRouter};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::Spanned;
use crate::policy::schema::VirtualRouterText;
use crate::policy::source::Span;
use ipnet::{IpNet, Ipv6Net};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU8;

/// IPv4 addresses of one router at most: an advertisement counts them in one byte.
const MAX_IPV4: usize = 255;
/// IPv6 addresses of one router at most: an advertisement is one frame of 1500 bytes, which would hold 90, and this leaves room
/// for the link-local one and a signature.
const MAX_IPV6: usize = 80;
/// Length of the prefix of a link-local address (RFC 4291, section 2.5.6).
const LINK_LOCAL_LENGTH: u8 = 64;

/// An address as it was said.
pub(super) type Said = Spanned<IpNet>;

/// The addresses that a router says, without those that cannot be one.
pub(super) fn said(text: &VirtualRouterText, problems: &mut Problems) -> Vec<Said> {
    let Some(list) = text.virtual_addresses.given() else { return Vec::new() };
    let mut said: Vec<Said> = Vec::new();
    for address in &list.value.0 {
        let net = address.value.0;
        let good = is_link_local(net.addr())
            || usable(net.addr(), Role::Floating, address.span, problems)
                && is_host(net, address.span, problems);
        if !good {
            continue;
        }
        if let Some(first) = said.iter().find(|other| other.value.addr() == net.addr()) {
            problems.push(twice(net.addr(), address.span, first.span, "in this router"));
            continue;
        }
        said.push(Spanned { value: net, span: address.span });
    }
    if list.value.0.is_empty() && !problems.any_within(list.span) {
        problems.push(
            Diagnostic::new(Code::WrongType, list.span, "this router has no address")
                .help("write the addresses that its Master holds, such as [192.168.101.100/24]"),
        );
    }
    few_enough(&said, list.span, problems);
    said
}

fn few_enough(said: &[Said], span: Span, problems: &mut Problems) {
    for (family, most) in [(Family::Ipv4, MAX_IPV4), (Family::Ipv6, MAX_IPV6)] {
        let number = said.iter().filter(|address| Family::of(address.value.addr()) == family).count();
        if number > most {
            let message = format!("{number} {family} addresses do not fit into one advertisement");
            problems.push(Diagnostic::new(Code::RangeTooLarge, span, message).help(format!(
                "write at most {most}, and the others in a router of their own in one sync group"
            )));
        }
    }
}

const fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// The addresses with the link-local one that an IPv6 session has first (RFC 9568, section 5.2.9): one that was said, or
/// that of the virtual MAC.
pub(super) fn with_link_local(said: &[Said], vrid: NonZeroU8) -> Vec<IpNet> {
    let mut addresses: Vec<IpNet> = said.iter().map(|said| said.value).collect();
    let Some(first) = addresses.iter().position(|address| address.addr().is_ipv6()) else { return addresses };
    let link_local = match addresses.iter().position(|address| is_link_local(address.addr())) {
        Some(index) => addresses.remove(index),
        None => {
            let address = VirtualRouter::automatic_link_local(vrid);
            Ipv6Net::new(address, LINK_LOCAL_LENGTH).map_or_else(|_| IpAddr::V6(address).into(), IpNet::V6)
        }
    };
    addresses.insert(first, link_local);
    addresses
}

/// What two routers may not share: an address, or a VRID on one network.
pub(super) fn shared(drafts: &[Draft], alone: &[Spanned<VirtualAddress>], problems: &mut Problems) {
    let mut first: BTreeMap<IpAddr, Span> =
        alone.iter().map(|held| (held.value.address.addr(), held.span)).collect();
    for draft in drafts {
        for said in draft.said.iter().filter(|said| !is_link_local(said.value.addr())) {
            let address = said.value.addr();
            if let Some(span) = first.insert(address, said.span) {
                let alone = alone.iter().any(|held| held.span == span);
                let place = if alone { "in `virtual_addresses`" } else { "in another router" };
                problems.push(twice(address, said.span, span, place));
            }
        }
    }
    for (index, draft) in drafts.iter().enumerate() {
        for other in drafts.iter().take(index).filter(|other| clashes(&other.router, &draft.router)) {
            let (vrid, interface) = (draft.router.vrid, &draft.router.interface);
            let message = format!(
                "{} and {} both have VRID {vrid} on {interface}",
                quoted(&other.router.name),
                quoted(&draft.router.name)
            );
            problems.push(
                Diagnostic::new(Code::DuplicateVrid, draft.vrid, message)
                    .related(other.vrid, "the same VRID")
                    .help("write another number from 1 to 255 for one of them"),
            );
        }
    }
}

fn clashes(one: &VirtualRouter, other: &VirtualRouter) -> bool {
    let families = other.families();
    one.vrid == other.vrid
        && one.interface == other.interface
        && one.families().iter().any(|family| families.contains(family))
}

/// The diagnostic of an address that floats, and is there a second time.
pub(super) fn twice(address: IpAddr, again: Span, first: Span, place: &str) -> Diagnostic {
    let message = format!("{address} is there twice: it is {place} too");
    Diagnostic::new(Code::FloatingAddressTwice, again, message)
        .related(first, "first said here")
        .help("keep one of the two: an address has one holder at a time")
}
