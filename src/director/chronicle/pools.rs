//! What the core of the pools tells, as events: one for each pool and server that it is about. Pure.

use super::Draft;
use crate::control::Subject;
use crate::director::event::{Cause, Event, OverrideChange};
use crate::director::observing::Difference;
use crate::model::{EventKind, Override, Policy, Pool, PoolName, ServiceKey, Severity, TargetKey};
use crate::reconcile::{Change, Object};
use crate::rotation::{Act, ActKind};
use std::sync::Arc;

/// Changes that are told one by one; a larger batch is told as its number.
const ONE_BY_ONE: usize = 20;

/// The events of what the core told; `policy` says which pool a service belongs to.
pub(crate) fn of_pools(event: &Event, policy: &Policy) -> Vec<Draft> {
    match event {
        Event::Adopted { ours, foreign } => vec![Draft::new(
            EventKind::TableAdopted,
            "start",
            format!(
                "found a table with {} services of this policy and {} of others, which are left alone",
                ours.len(),
                foreign.len()
            ),
        )],
        Event::Override { given, change } => overridden(given, *change, policy),
        Event::Differs { appeared, ended, .. } => differs(appeared, ended),
        // It is what differed all the time.
        Event::ObservedUntilNow { .. } => Vec::new(),
        // The reload tells it, with who asked for it.
        Event::PolicyTaken { .. } => Vec::new(),
        Event::Verdict { target, up, reason, servers } => {
            let (kind, word) =
                if *up { (EventKind::ServerUp, "up") } else { (EventKind::ServerDown, "down") };
            of_target(target, servers, kind, reason.label(), &format!("{word}: {reason}"))
        }
        Event::NotProbed { target, reason } => {
            let words = format!("not probed, and stays as it is: {reason}");
            of_target(target, &[], EventKind::ServerNotProbed, "local", &words)
        }
        Event::CertificateExpires { target, left } => {
            let (days, hours) = (left.as_secs() / 86_400, left.as_secs() / 3_600 % 24);
            let words = format!("up, and its certificate expires in {days} days and {hours} hours");
            of_target(target, &[], EventKind::CertificateExpires, "expires", &words)
        }
        Event::Applied { cause, changes } => applied(*cause, changes, policy),
        Event::Drift { changes } => drifted(changes, policy),
        Event::Refused { object, message } => {
            vec![Draft::new(EventKind::ChangeRefused, "kernel", message).about(of_object(object, policy))]
        }
        Event::Accepted { object } => {
            let words = format!("{object} was accepted after it had been refused");
            vec![Draft::new(EventKind::ChangeAccepted, "kernel", words).about(of_object(object, policy))]
        }
        Event::Unreadable { message } => {
            let words = format!("cannot read the kernel's tables: {message}");
            vec![Draft::new(EventKind::TableUnreadable, "kernel", words)]
        }
        Event::Readable => {
            vec![Draft::new(
                EventKind::TableReadable,
                "kernel",
                "all of the kernel's tables can be read again",
            )]
        }
        Event::Pool { pool, up } => vec![of_quorum(pool, *up)],
        Event::Acted { pool, server, act } => vec![acted(pool, server.as_ref(), act)],
        Event::Obstructed { pool, server, obstructed } => vec![obstructed_server(pool, server, *obstructed)],
    }
}

/// One event for each server that it is for; one alone where it is for a pool, for many, or for none.
fn overridden(given: &Override, change: OverrideChange, policy: &Policy) -> Vec<Draft> {
    let Override { kind, target, by, reason, .. } = given;
    let (event, word, what) = match change {
        OverrideChange::Set => (EventKind::OverrideSet, "set", "ordered"),
        OverrideChange::Cleared => (EventKind::OverrideCleared, "cleared", "no longer in force, cleared"),
        OverrideChange::Expired => {
            (EventKind::OverrideExpired, "expired", "no longer in force, its time is over")
        }
    };
    let why = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let draft = |whose: String| Draft::new(event, word, format!("{whose}: {what}: {kind}, by {by}{why}"));
    let servers = |pool: &'_ Pool| {
        let meant = pool.servers.iter().filter(|server| target.is_for(pool, server));
        meant.map(|server| (pool.name.clone(), server.name.clone())).collect::<Vec<_>>()
    };
    let meant: Vec<_> = policy.pools.values().flat_map(servers).take(ONE_BY_ONE + 1).collect();
    if meant.is_empty() || meant.len() > ONE_BY_ONE {
        let subject = Subject { pool: target.pool().map(ToString::to_string), ..Subject::default() };
        return vec![draft(target.to_string()).about(subject)];
    }
    let each = meant
        .iter()
        .map(|(pool, server)| draft(format!("{server} of {pool}")).about(of_server(pool, Some(server))));
    each.collect()
}

fn differs(appeared: &[Difference], ended: &[Difference]) -> Vec<Draft> {
    let told = |kind, what: &str, all: &[Difference]| {
        let told = all.iter().take(ONE_BY_ONE);
        told.map(|found| Draft::new(kind, found.table().name(), format!("{what}: {found}")))
            .collect::<Vec<_>>()
    };
    let mut drafts = told(EventKind::DifferenceAppeared, "this director would", appeared);
    drafts.extend(told(EventKind::DifferenceEnded, "this director would no longer", ended));
    drafts
}

fn of_quorum(pool: &PoolName, up: bool) -> Draft {
    let draft = match up {
        true => Draft::new(EventKind::PoolUp, "quorum", format!("{pool} serves: it has its quorum")),
        false => Draft::new(EventKind::PoolDown, "quorum", format!("{pool} is down: it has lost its quorum")),
    };
    draft.about(of_server(pool, None))
}

fn obstructed_server(pool: &PoolName, server: &Arc<str>, obstructed: bool) -> Draft {
    let draft = match obstructed {
        true => Draft::new(
            EventKind::ServerUnusable,
            "gateway",
            format!(
                "{server} of {pool} is not used: DR needs it on the director's own link, and the route leads through a gateway"
            ),
        ),
        false => Draft::new(
            EventKind::ServerUsable,
            "on_link",
            format!("{server} of {pool} is on the director's link again, and is used"),
        ),
    };
    draft.about(of_server(pool, Some(server)))
}

fn of_server(pool: &PoolName, server: Option<&Arc<str>>) -> Subject {
    Subject { pool: Some(pool.to_string()), server: server.map(ToString::to_string), ..Subject::default() }
}

/// One event for each server that a target decides on; one of the target alone where it decides on none.
fn of_target(
    target: &TargetKey,
    servers: &[(PoolName, Arc<str>)],
    kind: EventKind,
    reason: &str,
    words: &str,
) -> Vec<Draft> {
    let asked = |subject| Subject {
        check: Some(target.check.to_string()),
        address: Some(target.address.to_string()),
        ..subject
    };
    if servers.is_empty() {
        let message = format!("{}, asked by {}, is {words}", target.address, target.check);
        return vec![Draft::new(kind, reason, message).about(asked(Subject::default()))];
    }
    let each = servers.iter().map(|(pool, server)| {
        let message = format!("{server} of {pool} is {words}");
        Draft::new(kind, reason, message).about(asked(of_server(pool, Some(server))))
    });
    each.collect()
}

fn acted(pool: &PoolName, server: Option<&Arc<str>>, act: &Act) -> Draft {
    let kind = if act.begins { EventKind::RuleBegan } else { EventKind::RuleEnded };
    let severity = match (act.begins, act.shadow, act.kind) {
        (true, false, ActKind::QuorumLost { .. } | ActKind::Panic { .. } | ActKind::SightLost { .. }) => {
            Severity::Error
        }
        (true, false, ActKind::SlowStart { .. } | ActKind::Drain { .. } | ActKind::Disputed { .. })
        | (false, ..) => Severity::Info,
        (true, false, ActKind::Sorry | ActKind::Backup | ActKind::Silence { .. }) | (true, true, _) => {
            Severity::Warning
        }
    };
    let whose = server.map_or_else(|| pool.to_string(), |server| format!("{server} of {pool}"));
    let shadow = if act.shadow { " (in shadow: nothing is done)" } else { "" };
    Draft::new(kind, act.kind.name(), format!("{whose}: {act}{shadow}"))
        .with_severity(severity)
        .about(of_server(pool, server))
}

fn applied(cause: Cause, changes: &[Change], policy: &Policy) -> Vec<Draft> {
    if changes.len() > ONE_BY_ONE {
        let message = format!("{} changes of the kernel's tables", changes.len());
        return vec![Draft::new(EventKind::TableChanged, cause.name(), message)];
    }
    let told = |change: &Change| {
        let subject = of_object(&change.object(), policy);
        Draft::new(EventKind::TableChanged, cause.name(), change.to_string()).about(subject)
    };
    changes.iter().map(told).collect()
}

fn drifted(changes: &[Change], policy: &Policy) -> Vec<Draft> {
    let told = |change: &Change| {
        let message = format!("somebody else changed what is ours; repaired by: {change}");
        let draft = Draft::new(EventKind::TableDrifted, change.table().name(), message);
        draft.about(of_object(&change.object(), policy))
    };
    if changes.len() <= ONE_BY_ONE {
        return changes.iter().map(told).collect();
    }
    let tables = changes.first().map_or("", |change| change.table().name());
    let message = format!("somebody else changed what is ours: {} changes repair it", changes.len());
    vec![Draft::new(EventKind::TableDrifted, tables, message)]
}

/// The pool and server of a kernel object, where the policy has them.
fn of_object(object: &Object, policy: &Policy) -> Subject {
    let (service, key) = match object {
        Object::Service(service) => (service, None),
        Object::Destination(service, key) => (service, Some(key)),
        Object::SyncDaemon(_)
        | Object::Timeouts
        | Object::Ruleset
        | Object::Sysctl(_)
        | Object::Address(_) => return Subject::default(),
    };
    let owner = |service: &ServiceKey| {
        policy.pools.values().find(|pool| pool.services.iter().any(|held| held.key == *service))
    };
    let pool = owner(service);
    let server = pool.zip(key).and_then(|(pool, key)| {
        pool.every_server().find(|server| crate::desired::destination_key(*service, server) == *key)
    });
    Subject {
        pool: pool.map(|pool| pool.name.to_string()),
        server: server.map(|server| server.name.to_string()),
        service: Some(service.to_string()),
        ..Subject::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{policy, pool};
    use crate::health::{Reason, Start};
    use crate::model::Forwarding;

    fn target() -> Arc<TargetKey> {
        let address = "192.0.2.11:80".parse().expect("an address");
        TargetKey { check: "alive".into(), address, real_path: None }.into()
    }

    #[test]
    fn a_verdict_is_one_event_for_each_server_that_it_decides_on() {
        let servers = vec![("web".into(), "web1".into()), ("api".into(), "web1".into())];
        let event =
            Event::Verdict { target: target(), up: false, reason: Reason::Started(Start::Down), servers };
        let drafts = of_pools(&event, &policy([]));
        let pools: Vec<_> = drafts.iter().filter_map(|draft| draft.subject.pool.as_deref()).collect();
        assert_eq!(pools, ["web", "api"]);
        let first = drafts.first().expect("two");
        assert_eq!((first.kind, first.reason.as_str()), (EventKind::ServerDown, "started"));
        assert_eq!(first.message, "web1 of web is down: not yet passed a probe");
        assert_eq!(first.subject.address.as_deref(), Some("192.0.2.11:80"));
    }

    #[test]
    fn a_change_names_the_pool_and_the_server_of_its_destination() {
        let pool = pool("web", "192.0.2.1", &Forwarding::Nat);
        let service = pool.services.first().expect("a service").key;
        let server = pool.servers.first().expect("a server").clone();
        let key = crate::desired::destination_key(service, &server);
        let policy = policy([pool]);
        let object = Object::Destination(service, key);
        let drafts = of_pools(&Event::Accepted { object }, &policy);
        let subject = &drafts.first().expect("one").subject;
        assert_eq!(subject.pool.as_deref(), Some("web"));
        assert_eq!(subject.server.as_deref(), Some(&*server.name));
        assert_eq!(subject.service.as_deref(), Some(service.to_string().as_str()));
        let change = Change::RemoveDestination { service, key };
        let many = Event::Applied { cause: Cause::Decision, changes: vec![change; ONE_BY_ONE + 1] };
        assert_eq!(of_pools(&many, &policy).len(), 1);
    }

    #[test]
    fn a_rule_in_shadow_is_a_warning_and_the_loss_of_the_quorum_an_error() {
        let act = |kind, shadow| Event::Acted {
            pool: "web".into(),
            server: None,
            act: Act { kind, begins: true, shadow },
        };
        let severity = |event| of_pools(&event, &policy([])).first().map(|draft| draft.severity);
        let panic = ActKind::Panic { up: 1, of: 9 };
        assert_eq!(severity(act(panic, false)), Some(Severity::Error));
        assert_eq!(severity(act(panic, true)), Some(Severity::Warning));
        assert_eq!(severity(act(ActKind::Drain { server: 0 }, false)), Some(Severity::Info));
    }
}
