//! Why: from a snapshot and its events to a chain of reasons.

use super::tests::NOW;
use super::*;
use crate::director::snapshot::{
    HeldDestination, PoolSnapshot, Progress, ServerBasis, ServerSnapshot, ServiceSnapshot, Snapshot,
};
use crate::health::Reason;
use crate::model::{DestinationKey, EventKind, Failure, Quorum, TargetKey};
use crate::rotation::{Place, Why};
use crate::time::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn progress(counter: u32) -> Option<Progress> {
    let address = "192.0.2.11:80".parse().expect("an address");
    let asked_at = Some(Instant::from_millis(59_000));
    let target = Arc::new(TargetKey { check: "alive".into(), address, real_path: None });
    Some(Progress { target, counter, rise: 2, fall: 3, asked_at })
}

/// `web1` has failed, `web2` serves with a part of its weight.
fn snapshot() -> Snapshot {
    let server = |name: &str, up, place: Place| ServerSnapshot {
        name: name.into(),
        address: [192, 0, 2, 11].into(),
        port: Some(80),
        ordered: None,
        up,
        checked: true,
        in_rotation: place.serves(),
        configured_weight: 10,
        effective_weight: place.weight.unwrap_or(0),
        last_change: Some(Instant::from_millis(50_000)),
        last_check_duration: None,
        went_up: 0,
        went_down: 0,
        reason: Some(Reason::Passed { successes: 2 }),
        last_failure: None,
        basis: ServerBasis { place, progress: progress(4), ..ServerBasis::default() },
    };
    let mut failed = server("web1", false, Place { weight: None, why: Why::Verdict });
    failed.reason = Some(Reason::Failed { failures: 3, last: Failure::ConnectionRefused.into() });
    failed.last_failure = Some(Failure::ConnectionRefused.into());
    failed.basis.progress = progress(1);
    let slow = server("web2", true, Place { weight: Some(4), why: Why::SlowStart });
    let held = HeldDestination { server: 1, key: DestinationKey::FIRST, weight: 4 };
    let pool = PoolSnapshot {
        name: "web".into(),
        labels: Arc::default(),
        up: true,
        quorum: 1,
        panic: false,
        sorry: false,
        frozen: false,
        rule: Quorum::default(),
        acts: BTreeMap::new(),
        transitions: BTreeMap::new(),
        servers: vec![failed.into(), slow.into()],
        services: vec![ServiceSnapshot {
            name: "tcp://192.0.2.1:80".into(),
            key: crate::desired::fixtures::tcp("192.0.2.1", 80),
            counters: Some(Default::default()),
            destinations: [held].into(),
            counts: Default::default(),
        }],
    };
    Snapshot {
        policy_generation: 3,
        pools: vec![pool],
        ..Snapshot::starting(NOW, Duration::from_secs(1_700_000_000))
    }
}

fn event(id: u64, kind: EventKind, server: Option<&str>, reason: &str) -> Arc<EventRecord> {
    let subject = Subject { server: server.map(str::to_owned), ..event_record(id).subject };
    Arc::new(EventRecord { kind, reason: reason.to_owned(), subject, ..event_record(id) })
}

fn events() -> Vec<Arc<EventRecord>> {
    vec![
        event(1, EventKind::PoolUp, None, "quorum"),
        event(2, EventKind::RuleBegan, Some("web2"), "slow_start"),
        event(3, EventKind::ChangeRefused, Some("web2"), "kernel"),
        event(4, EventKind::ChangeRefused, Some("web1"), "kernel"),
        event(5, EventKind::ChangeAccepted, Some("web1"), "kernel"),
        event(6, EventKind::ServerDown, Some("web1"), "connection_refused"),
    ]
}

pub(crate) fn explained(server: Option<&str>) -> Explanation {
    explain(&snapshot(), &events(), "web", server).expect("a pool")
}

fn says(explanation: &Explanation, step: Step) -> Vec<&str> {
    explanation.because.iter().filter(|link| link.step == step).map(|link| &*link.says).collect()
}

#[test]
fn a_failed_server_is_explained_from_the_policy_to_the_kernel() {
    let found = explained(Some("web1"));
    assert_eq!(says(&found, Step::Policy), ["policy 3 gives it weight 10"]);
    let check = says(&found, Step::Check);
    assert!(check[0].starts_with("down: failed its check 3 times in a row, the last: "), "{check:?}");
    assert!(check[0].ends_with("(by alive, which asks 192.0.2.11:80)"), "{check:?}");
    assert!(check[1].ends_with("1 of the 2 successes in a row that bring it back"), "{check:?}");
    assert!(says(&found, Step::Rule)[0].starts_with("verdict: out of the table: failed"), "{found:?}");
    assert_eq!(says(&found, Step::Kernel), ["tcp://192.0.2.1:80: not in the table"]);
    assert!(says(&found, Step::Disturbance).is_empty(), "what was refused is accepted: {found:?}");
    let verdict = found.because.iter().find(|link| link.step == Step::Check).expect("a check");
    assert_eq!(verdict.since_unix_ms, Some(1_700_000_050_000));
    let ids: Vec<u64> = found.events.iter().map(|event| event.id).collect();
    assert_eq!(ids, [4, 5, 6], "its own events");
}

#[test]
fn a_rule_that_decided_has_the_time_at_which_it_began() {
    let found = explained(Some("web2"));
    let rule = found.because.iter().find(|link| link.step == Step::Rule).expect("a rule");
    assert_eq!(rule.since_unix_ms, Some(1_700_000_000_002));
    assert_eq!(rule.says, "slow_start: in rotation with weight 4 of 10: it comes back in steps");
    assert_eq!(
        says(&found, Step::Kernel),
        ["tcp://192.0.2.1:80: weight 4, 0 active and 0 inactive connections"]
    );
    assert_eq!(says(&found, Step::Disturbance).len(), 1, "the kernel refuses it still");
    assert!(
        says(&found, Step::Check)[1].ends_with("0 of the 3 failures in a row that take it out"),
        "{found:?}"
    );
}

#[test]
fn a_pool_is_explained_by_its_quorum_and_each_server_in_a_sentence() {
    let found = explained(None);
    assert_eq!(
        says(&found, Step::Quorum),
        ["1 of 2 real servers are up; it needs 1, and 1 once it is lost: it has its quorum"]
    );
    let rules: Vec<_> = found.servers.iter().map(|server| (&*server.name, &*server.rule)).collect();
    assert_eq!(rules, [("web1", "verdict"), ("web2", "slow_start")]);
    assert_eq!(found.events.len(), 6);
}

#[test]
fn a_rule_of_the_whole_pool_is_a_link_of_its_own() {
    let mut snapshot = snapshot();
    snapshot.pools[0].sorry = true;
    let found = explain(&snapshot, &events(), "web", None).expect("a pool");
    assert_eq!(says(&found, Step::Rule), ["the sorry server answers, since too few servers are up"]);
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let refused = |pool, server| explain(&snapshot(), &[], pool, server).expect_err("unknown");
    assert_eq!(refused("webb", None).code, RefusalCode::UnknownPool);
    assert!(refused("webb", None).message.ends_with("did you mean web?"));
    assert!(refused("web", Some("web3")).message.starts_with("no server of pool web is called \"web3\""));
    assert!(refused("zzz", None).message.ends_with("there are: web"));
}
