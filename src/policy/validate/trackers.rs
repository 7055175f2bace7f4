//! Trackers: what a router's fitness follows.

use super::directors::Reference;
use super::routers::Context;
use crate::model::{CheckName, PoolName, Tracked, Tracker};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, Problems, quoted};
use crate::policy::read::{Field, List, Spanned};
use crate::policy::scalar::Text;
use crate::policy::schema::TrackerText;
use crate::policy::source::Span;
use std::collections::BTreeMap;

/// Bytes of a process's name that the kernel keeps (`TASK_COMM_LEN` without its terminator).
const MAX_PROCESS_BYTES: usize = 15;

/// The trackers of a router, in the order of the file.
pub(super) fn trackers(field: &Field<List<TrackerText>>, context: &mut Context<'_, '_>) -> Vec<Tracker> {
    let mut trackers: Vec<Tracker> = Vec::new();
    let mut first: BTreeMap<Tracked, Span> = BTreeMap::new();
    for text in field.value().map(|list| list.0.as_slice()).unwrap_or_default() {
        let Some(what) = tracked(text, context) else { continue };
        if let Some(span) = first.insert(what.clone(), text.span) {
            context.problems.push(
                Diagnostic::new(Code::TrackerTwice, text.span, format!("this router tracks {what} twice"))
                    .related(span, "first said here")
                    .help("keep one of the two"),
            );
            continue;
        }
        let priority_change = text.value.priority_change.value().map(|change| change.0);
        trackers.push(Tracker { name: what.to_string().into(), what, priority_change });
    }
    trackers
}

/// The one thing that a tracker says; `None` after a problem.
fn tracked(text: &Spanned<TrackerText>, context: &mut Context<'_, '_>) -> Option<Tracked> {
    let TrackerText { interface, check, pool, process, file, priority_change: _ } = &text.value;
    let said = [
        !interface.is_absent(),
        !check.is_absent(),
        !pool.is_absent(),
        !process.is_absent(),
        !file.is_absent(),
    ];
    if said.iter().filter(|said| **said).count() != 1 {
        if !context.problems.any_within(text.span) {
            let message = "a tracker looks at one thing: `interface`, `check`, `pool`, `process` or `file`";
            context.problems.push(
                Diagnostic::new(Code::TrackerKind, text.span, message).help("write one list item for each"),
            );
        }
        return None;
    }
    if let Some(interface) = interface.value() {
        return Some(Tracked::Interface(interface.0.clone()));
    }
    if let Some(file) = file.given() {
        return Some(Tracked::File(context.sources.folder(file.span).join(&file.value.0)));
    }
    if let Some(process) = process.given() {
        return process_name(process, context.problems).map(Tracked::Process);
    }
    if let Some(name) = pool.given() {
        return known_pool(name, context).map(Tracked::Pool);
    }
    check.given().and_then(|name| known_check(name, context)).map(Tracked::Check)
}

fn process_name(name: &Spanned<Text>, problems: &mut Problems) -> Option<String> {
    let text = &name.value.0;
    if text.len() <= MAX_PROCESS_BYTES && !text.contains('/') {
        return Some(text.clone());
    }
    let message = format!("{} cannot be the name of a process", quoted(text));
    problems.push(
        Diagnostic::new(Code::BadName, name.span, message)
            .help("write the name of `ps -o comm`, at most 15 bytes and without a path"),
    );
    None
}

fn known_pool(name: &Spanned<Text>, context: &mut Context<'_, '_>) -> Option<PoolName> {
    let entries = context.text.pools.value().map(|named| named.0.as_slice()).unwrap_or_default();
    let known = || entries.iter().map(|entry| entry.name.name.as_str());
    if known().any(|known| known == name.value.0) {
        return Some(name.value.0.as_str().into());
    }
    let reference = Reference { code: Code::UnknownPool, what: "pool", section: "pools" };
    context.problems.push(reference.unknown(&name.value.0, name.span, known()));
    None
}

/// A check that a router tracks runs for itself: it must say whom it asks.
fn known_check(name: &Spanned<Text>, context: &mut Context<'_, '_>) -> Option<CheckName> {
    let built = context.checks.named(&name.value.0, name.span, context.problems)?;
    if built.check.own_target().is_none() {
        if built.bad_target {
            return None;
        }
        let message = format!(
            "the check {} does not say whom it asks, so that a router could track it",
            quoted(&name.value.0)
        );
        context.problems.push(
            Diagnostic::new(Code::TrackedCheckTarget, name.span, message).help(
                "add `address:` and `port:` to the check: a router has no real server that it could ask",
            ),
        );
        return None;
    }
    let check = built.check.name.clone();
    context.tracked.insert(check.clone(), built);
    Some(check)
}
