//! Priorities: what each director has in the election of a router.
//!
//! 255 is the owner of the addresses (RFC 9568, section 6.1). 1 to 9 are kept for directors in Fault, which stay in the
//! election below every fit one.

use super::directors::Directors;
use super::routers::{Context, Draft};
use crate::model::{DirectorName, Family};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Entry, Spanned};
use crate::policy::scalar;
use crate::policy::schema::VirtualRouterText;
use crate::policy::source::Span;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Priority of the most preferred director, of those that `prefer` lists.
const MOST_PREFERRED: u8 = 200;
/// From one director of `prefer` to the next: room for trackers between them.
const STEP: u8 = 10;
/// Priority of the owner of the addresses.
const OWNER: u8 = 255;
/// The least priority of a director that is fit.
const LEAST_FIT: u8 = 10;

/// The priority of every director that the router gives one.
pub(super) fn priorities(
    entry: &Entry<VirtualRouterText>,
    text: &VirtualRouterText,
    context: &mut Context<'_, '_>,
) -> BTreeMap<DirectorName, u8> {
    if let (Some(prefer), Some(priority)) = (text.prefer.given(), text.priority.given()) {
        let message = "this router says both `prefer` and `priority`";
        context.problems.push(
            Diagnostic::new(Code::PriorityTwice, priority.span, message)
                .related(prefer.span, "the other")
                .help("keep one of the two"),
        );
        return BTreeMap::new();
    }
    match said(text, context) {
        Some((priorities, span)) => {
            complete(entry, &priorities, span, context);
            reserved(text, context);
            priorities
        }
        None if text.prefer.is_absent() && text.priority.is_absent() => inherited(entry, context),
        None => BTreeMap::new(),
    }
}

/// What the router itself says, and where.
fn said(
    text: &VirtualRouterText,
    context: &mut Context<'_, '_>,
) -> Option<(BTreeMap<DirectorName, u8>, Span)> {
    if let Some(prefer) = text.prefer.given() {
        return Some((in_order(&prefer.value.0, context), prefer.span));
    }
    let named = text.priority.given()?;
    let mut priorities = BTreeMap::new();
    for entry in &named.value.0 {
        let name = &entry.name;
        if !context.directors.knows(&name.name, name.span, context.problems) {
            continue;
        }
        // One that could not be read was reported: it counts as said.
        let value = entry.value.value().and_then(|number| u8::try_from(number.0).ok());
        priorities.insert(DirectorName::from(name.name.as_str()), value.unwrap_or(LEAST_FIT));
    }
    Some((priorities, named.span))
}

fn in_order(names: &[Spanned<scalar::Text>], context: &mut Context<'_, '_>) -> BTreeMap<DirectorName, u8> {
    let mut priorities: BTreeMap<DirectorName, u8> = BTreeMap::new();
    for name in names {
        if !context.directors.knows(&name.value.0, name.span, context.problems) {
            continue;
        }
        let priority = nth(priorities.len());
        if priorities.insert(name.value.0.as_str().into(), priority).is_some() {
            let message = format!("{} is there twice in `prefer`", quoted(&name.value.0));
            context.problems.push(
                Diagnostic::new(Code::PriorityTwice, name.span, message).help("keep the first of the two"),
            );
        }
    }
    priorities
}

/// Priority of the nth director of a list, from 0. Beyond twenty directors they are equally little preferred.
fn nth(index: usize) -> u8 {
    let steps = u8::try_from(index).unwrap_or(u8::MAX);
    MOST_PREFERRED.saturating_sub(steps.saturating_mul(STEP)).max(LEAST_FIT)
}

/// As the first router of the same sync group that says it, else in the order of `directors`.
fn inherited(entry: &Entry<VirtualRouterText>, context: &mut Context<'_, '_>) -> BTreeMap<DirectorName, u8> {
    let text = context.text;
    let groups = text.sync_groups.value().map(|named| named.0.as_slice()).unwrap_or_default();
    let members = groups
        .iter()
        .filter_map(|group| group.value.value()?.routers.value())
        .map(|list| list.0.iter().map(|name| name.value.0.as_str()).collect::<Vec<_>>())
        .find(|members| members.contains(&entry.name.name.as_str()))
        .unwrap_or_default();
    let routers = text.virtual_routers.value().map(|named| named.0.as_slice()).unwrap_or_default();
    let teller = routers
        .iter()
        .filter(|other| members.contains(&other.name.name.as_str()))
        .filter_map(|other| other.value.value())
        .find(|other| !other.prefer.is_absent() || !other.priority.is_absent());
    if let Some(teller) = teller {
        // What is wrong with it is reported where it is said, once: equal diagnostics are kept once.
        return said(teller, context).map(|(priorities, _)| priorities).unwrap_or_default();
    }
    let order = context.directors.order.iter().enumerate();
    order.map(|(index, name)| (name.clone(), nth(index))).collect()
}

/// Every director needs a priority.
fn complete(
    entry: &Entry<VirtualRouterText>,
    priorities: &BTreeMap<DirectorName, u8>,
    span: Span,
    context: &mut Context<'_, '_>,
) {
    let missing: Vec<&str> = context
        .directors
        .order
        .iter()
        .filter(|name| !priorities.contains_key(*name))
        .map(|name| &**name)
        .collect();
    if missing.is_empty() || context.problems.any_within(span) {
        return;
    }
    let message =
        format!("the router {} gives no priority to {}", quoted(&entry.name.name), missing.join(", "));
    context.problems.push(
        Diagnostic::new(Code::PriorityMissing, span, message)
            .help("name every director: each of them takes part in the election"),
    );
}

/// Priorities below those of fit directors.
fn reserved(text: &VirtualRouterText, context: &mut Context<'_, '_>) {
    if !context.directors.are_several() {
        return;
    }
    for entry in text.priority.value().map(|named| named.0.as_slice()).unwrap_or_default() {
        let Some(number) = entry.value.given().filter(|number| number.value.0 < LEAST_FIT.into()) else {
            continue;
        };
        let message = format!("the priority {} is kept for a director in Fault", number.value.0);
        context.problems.push(
            Diagnostic::new(Code::PriorityReserved, number.span, message)
                .help("write 10 to 254: a director that is unfit must come after every fit one"),
        );
    }
}

/// Where the priority of a director is said, else where the router is.
fn place_of(text: &VirtualRouterText, director: &str, router: Span) -> Span {
    let named = text.priority.value().map(|named| named.0.as_slice()).unwrap_or_default();
    let entry = named.iter().find(|entry| entry.name.name == director);
    entry.and_then(|entry| entry.value.span()).or(text.prefer.span()).unwrap_or(router)
}

/// Owners: the director whose own address a router has is the only one with priority 255, and has it.
pub(super) fn owners(
    text: &VirtualRouterText,
    draft: &Draft,
    directors: &Directors,
    problems: &mut Problems,
) {
    let mut owner: Option<&DirectorName> = None;
    for (name, priority) in &draft.router.priorities {
        let span = place_of(text, name, draft.name);
        if let Some(diagnostic) = owner_fits(name, *priority, span, draft, directors) {
            problems.push(diagnostic);
        }
        if *priority == OWNER
            && let Some(first) = owner.replace(name)
        {
            let message = format!("{first} and {name} both have priority 255, which only one owner can have");
            problems.push(
                Diagnostic::new(Code::TwoOwners, span, message).help("write at most 254 for one of them"),
            );
        }
    }
}

/// What is wrong between a director's priority and what the router has of its addresses.
fn owner_fits(
    name: &DirectorName,
    priority: u8,
    span: Span,
    draft: &Draft,
    directors: &Directors,
) -> Option<Diagnostic> {
    let owns = |address: IpAddr| {
        let director = directors.all.get(name);
        director.is_some_and(|director| director.address(Family::of(address)) == Some(address))
    };
    let own = draft.said.iter().find(|said| owns(said.value.addr()));
    match own {
        Some(address) if priority != OWNER => {
            let (own, at) = (address.value.addr(), address.span);
            let message = format!("{own} is the own address of {name}, which has priority {priority}");
            Some(
                Diagnostic::new(Code::OwnerPriority, at, message)
                    .help("write another address, which can move, or priority 255 for its owner"),
            )
        }
        None if priority == OWNER => {
            let router = quoted(&draft.router.name);
            let message = format!("{name} has priority 255, and no address of {router} is its own");
            Some(Diagnostic::new(Code::NotTheOwner, span, message).help(
                "write at most 254: 255 is for the machine that the address belongs to, and never waits",
            ))
        }
        Some(_) | None => None,
    }
}
