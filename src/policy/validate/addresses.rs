//! Addresses that cannot be what they stand for, and the addresses that this host holds.

use crate::model::VirtualAddress;
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::read::{Field, List, Spanned};
use crate::policy::schema::{PrefixedAddressText, VirtualAddressText};
use crate::policy::source::Span;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// What an address stands for, as the message says it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Vip,
    RealServer,
    LocalAddress,
    Director,
    /// Of a virtual router: a VIP, or the real servers' gateway.
    Floating,
}

impl Role {
    const fn words(self) -> &'static str {
        match self {
            Self::Vip => "the address of a virtual service",
            Self::RealServer => "the address of a real server",
            Self::LocalAddress => "a local address",
            Self::Director => "the address of a director",
            Self::Floating => "an address of a virtual router",
        }
    }
}

/// Reports an address that no host has for others: unspecified, loopback, multicast, broadcast, link-local of IPv6.
pub(super) fn usable(address: IpAddr, role: Role, span: Span, problems: &mut Problems) -> bool {
    let Some((kind, help)) = unusable(address) else { return true };
    let message = format!("{address} is {kind}, and cannot be {}", role.words());
    problems.push(Diagnostic::new(Code::UnusableAddress, span, message).help(help));
    false
}

fn unusable(address: IpAddr) -> Option<(&'static str, &'static str)> {
    let unicast = "write an address that one host has on its network";
    match address {
        _ if address.is_unspecified() => Some(("the unspecified address", unicast)),
        _ if address.is_loopback() => Some(("a loopback address", unicast)),
        _ if address.is_multicast() => Some(("a multicast address", unicast)),
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some(("the broadcast address", unicast)),
        IpAddr::V6(address) if address.is_unicast_link_local() => Some((
            "a link-local address",
            "an address stands here without its interface: write a global or unique local one",
        )),
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            Some(("an IPv4 address in IPv6 form", "write it as IPv4"))
        }
        _ => None,
    }
}

/// The addresses that this host holds, each once, sorted.
pub(super) fn virtual_addresses(
    field: &Field<List<VirtualAddressText>>,
    problems: &mut Problems,
) -> Vec<Spanned<VirtualAddress>> {
    let mut held: BTreeMap<IpAddr, Spanned<VirtualAddress>> = BTreeMap::new();
    for item in field.value().map(|list| list.0.as_slice()).unwrap_or_default() {
        let (Some(address), Some(interface)) = (item.value.address.given(), item.value.interface.value())
        else {
            continue;
        };
        let PrefixedAddressText(net) = address.value;
        if !usable(net.addr(), Role::Vip, address.span, problems) || !is_host(net, address.span, problems) {
            continue;
        }
        if let Some(first) = held.get(&net.addr()) {
            let message = format!("{} is there twice in `virtual_addresses`", net.addr());
            let diagnostic = Diagnostic::new(Code::DuplicateVip, address.span, message);
            problems.push(diagnostic.related(first.span, "first said here").help("keep one of the two"));
            continue;
        }
        let value = VirtualAddress { address: net, interface: interface.0.clone() };
        held.insert(net.addr(), Spanned { value, span: address.span });
    }
    let mut sorted: Vec<_> = held.into_values().collect();
    sorted.sort_by(|one, other| one.value.cmp(&other.value));
    sorted
}

/// Whether the address is that of a host: not the network itself, not its broadcast address.
pub(super) fn is_host(net: IpNet, span: Span, problems: &mut Problems) -> bool {
    let whole = net.prefix_len() + 1 < net.max_prefix_len() && net.addr().is_ipv4();
    let kind = match net.addr() {
        address if whole && address == net.network() => "the address of the network itself",
        address if whole && address == net.broadcast() => "the broadcast address of its network",
        _ => return true,
    };
    let message = format!("{net} is {kind}, and no host can hold it");
    problems.push(
        Diagnostic::new(Code::UnusableAddress, span, message)
            .help("write the address of the service, with the same length"),
    );
    false
}
