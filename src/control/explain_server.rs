//! The chain of reasons of one real server: what the policy gives it, what its check found, which rule decided, and what the
//! kernel has. Pure.

use super::event::EventRecord;
use super::explain::{Link, Step, View};
use crate::director::snapshot::{PoolSnapshot, Progress, ServerSnapshot};
use crate::model::{EventKind, Override};
use crate::rotation::{Place, Why};

/// From the policy to the kernel; `index` is the server's place in the pool.
pub(super) fn chain(view: View<'_>, pool: &PoolSnapshot, index: usize, server: &ServerSnapshot) -> Vec<Link> {
    let mut links = vec![of_policy(view, server)];
    links.extend(of_check(view, server));
    let meant = |given: &&Override| given.target.names(&pool.name, &server.name, server.address, server.port);
    links.extend(view.snapshot.overrides.iter().filter(meant).map(of_override));
    links.push(of_rule(view, server));
    links.extend(of_kernel(pool, index, server));
    links.extend(disturbances(view, |event| event.subject.server.as_deref() == Some(&*server.name)));
    links
}

fn of_policy(view: View<'_>, server: &ServerSnapshot) -> Link {
    let role = if server.basis.backup { ", as a backup server" } else { "" };
    let (generation, weight) = (view.snapshot.policy_generation, server.configured_weight);
    Link {
        step: Step::Policy,
        since_unix_ms: None,
        says: format!("policy {generation} gives it weight {weight}{role}"),
    }
}

/// The verdict, and how far the check is from another.
fn of_check(view: View<'_>, server: &ServerSnapshot) -> Vec<Link> {
    let verdict = if server.up { "up" } else { "down" };
    let since_unix_ms = server.last_change.map(|at| view.unix_ms(at));
    let link = |since_unix_ms, says| Link { step: Step::Check, since_unix_ms, says };
    if !server.checked {
        return vec![link(None, "no check decides on it: it is taken to be up".to_owned())];
    }
    let who = server.basis.progress.as_ref().map_or_else(String::new, |progress| {
        format!(" (by {}, which asks {})", progress.target.check, progress.target.address)
    });
    let reason = server.reason.as_ref().map_or_else(|| "not yet asked".to_owned(), ToString::to_string);
    let mut links = vec![link(since_unix_ms, format!("{verdict}: {reason}{who}"))];
    let Some(progress) = &server.basis.progress else { return links };
    let asked = progress.asked_at.map(|at| view.unix_ms(at));
    links.push(match &server.last_failure {
        Some(failure) => link(asked, format!("the last probe failed: {failure}; {}", far(progress))),
        None if asked.is_some() => link(asked, format!("the last probe passed; {}", far(progress))),
        None => link(None, format!("no probe has ended yet; {}", far(progress))),
    });
    links
}

/// How far it is from the other verdict.
fn far(progress: &Progress) -> String {
    let Progress { counter, rise, fall, .. } = progress;
    if counter >= rise {
        let failures = (rise + fall - 1).saturating_sub(*counter);
        format!("{failures} of the {fall} failures in a row that take it out")
    } else {
        format!("{counter} of the {rise} successes in a row that bring it back")
    }
}

/// What an operator ordered, who, and why.
pub(super) fn of_override(given: &Override) -> Link {
    let Override { kind, target, by, reason, until_unix_ms, .. } = given;
    let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let end = if until_unix_ms.is_some() { "for a time" } else { "until it is cleared" };
    Link {
        step: Step::Override,
        since_unix_ms: Some(given.set_unix_ms),
        says: format!("{by} ordered {kind} of {target}, {end}{why}"),
    }
}

fn of_rule(view: View<'_>, server: &ServerSnapshot) -> Link {
    let rule = server.basis.place.why.name();
    let began = |event: &EventRecord| {
        event.kind == EventKind::RuleBegan
            && event.reason == rule
            && event.subject.server.as_deref().is_none_or(|name| *name == *server.name)
    };
    let since_unix_ms = view.newest(began).map(|event| event.unix_ms);
    Link { step: Step::Rule, since_unix_ms, says: format!("{rule}: {}", sentence_of(server)) }
}

/// Where a server stands and why, in a sentence.
pub(super) fn sentence_of(server: &ServerSnapshot) -> String {
    let Place { weight, why } = server.basis.place;
    let (configured, reason) = (server.configured_weight, reason_of(server));
    let stands = match weight {
        Some(0) => "in the table with weight 0, without new connections".to_owned(),
        Some(weight) if weight == configured => format!("in rotation with its weight of {weight}"),
        Some(weight) => format!("in rotation with weight {weight} of {configured}"),
        None => "out of the table".to_owned(),
    };
    let because = match why {
        Why::Verdict if server.up && weight.is_none() => {
            "it is up, and waits for the pool or is kept out by this host".to_owned()
        }
        Why::Verdict => reason,
        Why::Disputed => format!("it fails here ({reason}), and the other director sees it up"),
        Why::Advised => "it, or the source of its weight, says so".to_owned(),
        Why::SlowStart => "it comes back in steps".to_owned(),
        Why::Drain => "it drains: it gets no new connection, and leaves".to_owned(),
        Why::Backup if server.in_rotation => "it is a backup server, and too few others are up".to_owned(),
        Why::Backup => "it is a backup server, and enough others are up".to_owned(),
        Why::Sorry => "the sorry server answers in its place".to_owned(),
        Why::Panic => "the pool is in a panic: failures are not believed".to_owned(),
        Why::Override => "an operator ordered it".to_owned(),
    };
    format!("{stands}: {because}")
}

fn reason_of(server: &ServerSnapshot) -> String {
    match &server.reason {
        _ if !server.checked => "no check decides on it".to_owned(),
        Some(reason) => reason.to_string(),
        None => "not yet asked".to_owned(),
    }
}

/// One link for each virtual service; what differs from what shall be says so.
fn of_kernel(pool: &PoolSnapshot, index: usize, server: &ServerSnapshot) -> Vec<Link> {
    let link = |says| Link { step: Step::Kernel, since_unix_ms: None, says };
    let wanted = server.basis.place.weight;
    let each = pool.services.iter().map(|service| {
        let held = service.destinations().find(|destination| destination.server == index);
        let name = &service.name;
        link(match (held, wanted) {
            (None, None) => format!("{name}: not in the table"),
            (None, Some(weight)) => format!("{name}: not in the table, and shall be with weight {weight}"),
            (Some(held), wanted) => {
                let differs = match wanted {
                    Some(weight) if weight == held.weight => String::new(),
                    Some(weight) => format!("; it shall have weight {weight}"),
                    None => "; it shall not be there".to_owned(),
                };
                format!(
                    "{name}: weight {}, {} active and {} inactive connections{differs}",
                    held.weight, held.counts.connections.active, held.counts.connections.inactive
                )
            }
        })
    });
    each.collect()
}

/// What the kernel refused and has not accepted since, and what somebody else changed last.
pub(super) fn disturbances(view: View<'_>, of_it: impl Fn(&EventRecord) -> bool) -> Vec<Link> {
    let link = |event: &EventRecord| Link {
        step: Step::Disturbance,
        since_unix_ms: Some(event.unix_ms),
        says: event.message.clone(),
    };
    let about_refusal = |event: &EventRecord| {
        matches!(event.kind, EventKind::ChangeRefused | EventKind::ChangeAccepted) && of_it(event)
    };
    let refused = view.newest(about_refusal).filter(|event| event.kind == EventKind::ChangeRefused);
    let drifted = view.newest(|event| event.kind == EventKind::TableDrifted && of_it(event));
    refused.into_iter().chain(drifted).map(link).collect()
}
