//! Rules that only the whole policy can tell: what two pools may not share, and who holds the addresses.

use super::MAX_DESTINATIONS;
use super::pair::Pairing;
use super::pool::Draft;
use crate::model::{ServiceKey, VirtualAddress};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Field, Spanned};
use crate::policy::schema::{PolicyText, VerdictWord};
use crate::policy::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) fn rules(
    drafts: &[Draft],
    text: &PolicyText,
    held: &[Spanned<VirtualAddress>],
    pairing: &Pairing,
    problems: &mut Problems,
) {
    each_service_once(drafts, problems);
    both_can_judge(text, pairing, problems);
    few_destinations(drafts, problems);
    // With a router that could not be read, its addresses would seem to be held by nobody.
    let readable = pairing.routers.len() == pairing.pair.routers.len();
    if readable
        && !matches!(text.virtual_addresses, Field::Bad)
        && !matches!(text.virtual_routers, Field::Bad)
    {
        vips_are_held(drafts, held, pairing, problems);
    }
}

/// Whoever asks for the other director's eyes needs another director, and a channel to it.
fn both_can_judge(text: &PolicyText, pairing: &Pairing, problems: &mut Problems) {
    let pools = text.pools.value().map(|named| named.0.as_slice()).unwrap_or_default();
    let said = pools.iter().filter_map(|entry| entry.value.value()?.verdict.given());
    // What the defaults say is said of each pool, and wrong once.
    let places: BTreeSet<Span> =
        said.filter(|said| said.value == VerdictWord::Both).map(|said| said.span).collect();
    let has_key = text.peer.value().is_some_and(|peer| !peer.key.is_absent());
    let (message, help) = match (pairing.directors.are_several(), has_key) {
        (true, true) => return,
        (false, _) => (
            "there is no other director that could judge the servers, too",
            "write `verdict: own`, or leave it out; or name both under `directors`",
        ),
        (true, false) => (
            "without a channel between the directors neither knows what the other sees",
            "add `peer: {key: {credential: peer}}`; both directors need the same key",
        ),
    };
    for span in places {
        problems.push(Diagnostic::new(Code::VerdictUnheard, span, message).help(help));
    }
}

fn each_service_once(drafts: &[Draft], problems: &mut Problems) {
    let mut first: BTreeMap<ServiceKey, (Span, &str)> = BTreeMap::new();
    for draft in drafts {
        for service in &draft.services {
            let Some((span, pool)) = first.insert(service.value, (service.span, &draft.name.value)) else {
                continue;
            };
            let message = if *pool == *draft.name.value {
                format!("{} is there twice in {}", service.value, quoted(pool))
            } else {
                format!(
                    "{} is in two pools: {} and {}",
                    service.value,
                    quoted(pool),
                    quoted(&draft.name.value)
                )
            };
            let diagnostic = Diagnostic::new(Code::DuplicateService, service.span, message);
            problems.push(
                diagnostic
                    .related(span, "first said here")
                    .help("keep one of the two: the kernel holds each service once"),
            );
        }
    }
}

fn few_destinations(drafts: &[Draft], problems: &mut Problems) {
    let mut sum = 0_usize;
    for draft in drafts {
        sum = sum.saturating_add(draft.services.len().saturating_mul(draft.servers.len()));
        if sum > MAX_DESTINATIONS {
            let message = format!(
                "with {} the policy has more than {MAX_DESTINATIONS} destinations",
                quoted(&draft.name.value)
            );
            let diagnostic = Diagnostic::new(Code::RangeTooLarge, draft.name.span, message);
            problems.push(diagnostic.help(
                "each real server counts in each virtual service: use one fwmark:// service, or `join_ports`",
            ));
            return;
        }
    }
}

/// Warns of each VIP once, where it is first said.
fn vips_are_held(
    drafts: &[Draft],
    held: &[Spanned<VirtualAddress>],
    pairing: &Pairing,
    problems: &mut Problems,
) {
    let mut known: BTreeSet<IpAddr> = held.iter().map(|address| address.value.address.addr()).collect();
    known.extend(pairing.floating.keys());
    let mut said: BTreeSet<Span> = BTreeSet::new();
    for service in drafts.iter().flat_map(|draft| &draft.services) {
        let Some(address) = service.value.address().filter(|address| known.insert(*address)) else {
            continue;
        };
        if said.insert(service.span) {
            let holder = if pairing.routers.is_empty() { "`virtual_addresses`" } else { "virtual router" };
            let message = format!(
                "no {holder} holds {address}: clients reach it only if something else on this host does"
            );
            let length = if address.is_ipv4() { 24 } else { 64 };
            let help = match pairing.routers.first() {
                None => {
                    format!("add `virtual_addresses: [{{address: \"{address}/{length}\", interface: eth0}}]`")
                }
                Some(router) => {
                    format!(
                        "add \"{address}/{length}\" to the `virtual_addresses` of a router, such as `{router}`"
                    )
                }
            };
            problems.push(Diagnostic::new(Code::VipNotHeld, service.span, message).help(help));
        }
    }
}
