//! Full-NAT's local addresses: those of a director alone, those of each director, and those that float with a router.

use super::addresses::{Role, usable};
use super::pair::Pairing;
use super::pool::Context;
use super::router_addresses::twice;
use crate::model::{RouterName, SourceTranslation, VirtualAddress};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems};
use crate::policy::read::{Entry, OneOrMore, Spanned};
use crate::policy::schema::{FullNatText, LocalAddressesText, RangeText, RoutersAddresses};
use crate::policy::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Local addresses of one full-NAT method at most: 256 of them carry 16 million connections to each real server.
const MAX_LOCAL_ADDRESSES: usize = 256;

/// Local addresses that float, by the router that each pool names for them, and where they were said.
pub(super) type Floating = BTreeMap<IpAddr, Vec<(RouterName, Span)>>;

/// Which address connections bear towards the real servers; `None` after a problem. `span` is the forwarding method's.
pub(super) fn translation(
    text: &FullNatText,
    span: Span,
    context: &mut Context<'_, '_>,
) -> Option<SourceTranslation> {
    let Some(said) = text.local_addresses.given() else {
        return text.local_addresses.is_absent().then(|| masquerade(span, context));
    };
    let addresses = match &said.value {
        LocalAddressesText::List(list) => of_one(list, said.span, context),
        LocalAddressesText::Router(routers) => of_router(routers, context),
        LocalAddressesText::Directors(named) => of_directors(&named.0, said.span, context),
    }?;
    Some(SourceTranslation::LocalAddresses(addresses.into_iter().collect()))
}

fn masquerade(span: Span, context: &mut Context<'_, '_>) -> SourceTranslation {
    if context.pairing.directors.are_several() {
        let message = "these connections bear this director's own address, and die in a failover";
        context.problems.push(
            Diagnostic::new(Code::MasqueradeInPair, span, message).help(
                "write {full-nat: {local_addresses: {router: NAME, addresses: [10.20.0.20-10.20.0.23]}}}: they float",
            ),
        );
    }
    SourceTranslation::Masquerade
}

/// A plain list: whoever holds the addresses, it is one machine.
fn of_one(
    list: &OneOrMore<RangeText>,
    span: Span,
    context: &mut Context<'_, '_>,
) -> Option<BTreeSet<IpAddr>> {
    if context.pairing.directors.are_several() {
        let message =
            "these local addresses belong to no one director, and answers to them must find the right one";
        context.problems.push(
            Diagnostic::new(Code::LocalAddressesOfPair, span, message)
                .help("write {router: NAME, addresses: […]}, so that they float, or a list for each director: {lb-a: […], lb-b: […]}"),
        );
        return None;
    }
    held(list, span, context)
}

/// Addresses that this director holds, remembered with their places.
fn held(list: &OneOrMore<RangeText>, span: Span, context: &mut Context<'_, '_>) -> Option<BTreeSet<IpAddr>> {
    let expanded = expanded(list, span, context.problems)?;
    for (address, span) in &expanded {
        context.places.local_addresses.entry(*address).or_insert(*span);
    }
    Some(expanded.into_keys().collect())
}

fn of_router(text: &RoutersAddresses, context: &mut Context<'_, '_>) -> Option<BTreeSet<IpAddr>> {
    let router = text.router.given()?;
    let addresses = text.addresses.given()?;
    let known = context.pairing.knows_router(router, context.problems);
    let expanded = expanded(&addresses.value, addresses.span, context.problems)?;
    for (address, span) in expanded.iter().filter(|_| known) {
        context.local.entry(*address).or_default().push((router.value.0.as_str().into(), *span));
    }
    known.then(|| expanded.into_keys().collect())
}

/// A list for each director: that of this one, and no address in two.
fn of_directors(
    entries: &[Entry<OneOrMore<RangeText>>],
    span: Span,
    context: &mut Context<'_, '_>,
) -> Option<BTreeSet<IpAddr>> {
    let mut first: BTreeMap<IpAddr, Span> = BTreeMap::new();
    for entry in entries {
        context.pairing.directors.knows(&entry.name.name, entry.name.span, context.problems);
        let Some(list) = entry.value.given() else { continue };
        for (address, span) in expanded(&list.value, list.span, context.problems).unwrap_or_default() {
            if let Some(other) = first.insert(address, span) {
                let message = format!("two directors would hold the local address {address}");
                context.problems.push(
                    Diagnostic::new(Code::LocalAddressesOfPair, span, message)
                        .related(other, "the same address")
                        .help("write other addresses for one of them, or let them float: {router: NAME, addresses: […]}"),
                );
            }
        }
    }
    let own = context.pairing.directors.own.clone()?;
    let Some(entry) = entries.iter().find(|entry| *entry.name.name == *own) else {
        let message = format!("the director {own} has no local addresses here");
        context.problems.push(
            Diagnostic::new(Code::LocalAddressesOfPair, span, message)
                .help(format!("add `{own}: […]`: any director may become Master")),
        );
        return None;
    };
    let list = entry.value.given()?;
    held(&list.value, list.span, context)
}

/// The addresses of a list, each with the place of its range; `None` after a problem.
fn expanded(
    list: &OneOrMore<RangeText>,
    span: Span,
    problems: &mut Problems,
) -> Option<BTreeMap<IpAddr, Span>> {
    let mut addresses = BTreeMap::new();
    for range in &list.0 {
        for address in range.value.0.addresses() {
            if !usable(address, Role::LocalAddress, range.span, problems) {
                return None;
            }
            addresses.entry(address).or_insert(range.span);
        }
        if addresses.len() > MAX_LOCAL_ADDRESSES {
            let message = format!("these are more than {MAX_LOCAL_ADDRESSES} local addresses");
            problems.push(
                Diagnostic::new(Code::RangeTooLarge, span, message)
                    .help("each carries 64,000 connections to each real server: write fewer"),
            );
            return None;
        }
    }
    if addresses.is_empty() {
        if !problems.any_within(span) {
            let diagnostic = Diagnostic::new(Code::WrongType, span, "the list of local addresses is empty");
            problems.push(
                diagnostic.help(
                    "leave `local_addresses` out: connections then bear the outgoing interface's address",
                ),
            );
        }
        return None;
    }
    Some(addresses)
}

/// Gives each router the local addresses that float with it. One that is a virtual address of the same router floats
/// already; one that another holder has is reported.
pub(super) fn float(
    local: Floating,
    alone: &[Spanned<VirtualAddress>],
    pairing: &mut Pairing,
    problems: &mut Problems,
) {
    for (address, uses) in local {
        let Some((router, span)) = uses.first() else { continue };
        if let Some((_, again)) = uses.iter().find(|(other, _)| other != router) {
            problems.push(twice(address, *again, *span, "with another router"));
        }
        if let Some(held) = alone.iter().find(|held| held.value.address.addr() == address) {
            problems.push(twice(address, *span, held.span, "in `virtual_addresses`"));
        }
        match pairing.floating.get(&address) {
            Some((holder, _)) if holder == router => continue,
            Some((_, held)) => problems.push(twice(address, *span, *held, "in another router")),
            None => {}
        }
        if let Some(router) = pairing.pair.routers.get_mut(router) {
            router.local_addresses.push(address);
        }
        pairing.floating.insert(address, (router.clone(), *span));
    }
}
