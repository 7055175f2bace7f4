//! The check of a real server: what is said for it, and whom it asks.

use super::check_target;
use super::checks::{Built, Choice};
use super::pool::{Context, Facts};
use super::real_path;
use super::servers::Entry;
use crate::model::{Condition, Forwarding, TargetKey, Through, Tracking};
use crate::policy::codes::Code;
use crate::policy::diagnostic::{Diagnostic, quoted};
use crate::policy::source::Span;
use std::net::SocketAddr;

/// A real server as its check needs it.
pub(super) struct Server<'a> {
    pub(super) entry: &'a Entry<'a>,
    pub(super) name: &'a str,
    pub(super) port: Option<u16>,
    /// How packets reach it, where that is known.
    pub(super) forwarding: Option<&'a Forwarding>,
    /// Where its check is said.
    pub(super) span: Span,
}

/// What decides on a server; `None` where it is not checked, or after a problem.
pub(super) fn check_of(
    entry: &Entry<'_>,
    name: &str,
    port: Option<u16>,
    forwarding: Option<&Forwarding>,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Option<Condition> {
    let own = entry.options().map(|options| &options.check).filter(|field| !field.is_absent());
    let (choice, span) = match own {
        None => (facts.check.clone()?, facts.check_span?),
        Some(field) => {
            let said = field.given()?;
            let place = format!("{}/{name}/check", facts.name.value);
            (context.checks.choose(&said.value, said.span, &place, context.problems), said.span)
        }
    };
    condition(choice, &Server { entry, name, port, forwarding, span }, facts, context)
}

fn condition(
    choice: Choice,
    server: &Server<'_>,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Option<Condition> {
    let mut each = |choices: Vec<Choice>| -> Option<Vec<Condition>> {
        let conditions: Vec<_> =
            choices.into_iter().map(|choice| condition(choice, server, facts, context)).collect();
        conditions.into_iter().collect()
    };
    match choice {
        Choice::Unchecked | Choice::Bad => None,
        Choice::Checked(built) if built.check.through == Through::RealPath => {
            real_path::targets(*built, server, facts, context)
        }
        Choice::Checked(built) => {
            target(*built, server, facts, context).map(|target| Condition::Check(target.into()))
        }
        Choice::All(choices) => each(choices).map(Condition::All),
        Choice::Any(choices) => each(choices).map(Condition::Any),
        Choice::Track(tracked) => {
            let tracker = (facts.name.value.into(), server.name.into());
            context.places.trackers.insert(tracker, server.span);
            Some(Condition::Track(Tracking {
                pool: tracked.pool.as_str().into(),
                named: tracked.server.is_some(),
                server: tracked.server.as_deref().unwrap_or(server.name).into(),
                decided_by: None,
            }))
        }
    }
}

/// Whom a check asks for a server.
fn target(
    built: Built,
    server: &Server<'_>,
    facts: &Facts<'_>,
    context: &mut Context<'_, '_>,
) -> Option<TargetKey> {
    let address = built.check.address.unwrap_or(server.entry.endpoint().address);
    let Some(port) = built.check.port_at(server.port.or(facts.ports.single())) else {
        if !facts.services.is_empty() {
            context.problems.push(no_port(&built, server.span, facts));
        }
        return None;
    };
    if built.check.address.is_none() {
        check_target::source_fits(&built.check, address, server.span, context.problems);
    }
    Some(TargetKey { check: context.take(built), address: SocketAddr::new(address, port), real_path: None })
}

fn no_port(built: &Built, span: Span, facts: &Facts<'_>) -> Diagnostic {
    let message = format!(
        "the check of {} has no port to go to: neither its real servers nor its services say one",
        quoted(facts.name.value)
    );
    let check = &built.check.name;
    let help = if check.contains('/') {
        "add `port: 80` to the check".to_owned()
    } else {
        format!("write `check: {{from: {check}, port: 80}}`")
    };
    Diagnostic::new(Code::CheckNeedsPort, span, message).help(help)
}
