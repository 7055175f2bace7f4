//! Only what a policy touches is renewed, and what comes of it is what a director that begins with that policy has.

use super::world::beginning;
use crate::desired::fixtures::{check, host, policy, pool, server};
use crate::director::core::{Core, Input, Output};
use crate::director::server_id::{ServerId, Users};
use crate::director::targets::Targets;
use crate::model::{Check, CheckName, Condition, Forwarding, Outcome, Policy, Pool, TargetKey};
use crate::time::Instant;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Host, number of its check, weight.
type Member = (u8, usize, u32);
/// For each check whether it is slow: those that are alike are one. And the pools.
type Site = (Vec<bool>, Vec<Vec<Member>>);

fn sites() -> impl Strategy<Value = Vec<Site>> {
    let pool = vec((1_u8..5, 0_usize..3, 1_u32..3), 0..4);
    vec((vec(any::<bool>(), 3), vec(pool, 0..4)), 2..5)
}

fn policy_of((slow, pools): &Site) -> Policy {
    let mut policy = policy(pools.iter().enumerate().map(|(number, members)| pool_of(number, members)));
    let named = |(number, slow): (usize, &bool)| {
        let interval = Duration::from_secs(if *slow { 2 } else { 1 });
        (name(number), Check { name: name(number), interval, ..check() })
    };
    policy.checks = slow.iter().enumerate().map(named).collect();
    policy
}

fn pool_of(number: usize, members: &[Member]) -> Pool {
    let members: BTreeMap<u8, (usize, u32)> =
        members.iter().map(|(host, check, weight)| (*host, (*check, *weight))).collect();
    let member = |(host, (check, weight)): (u8, (usize, u32))| {
        let mut server = server(&format!("10.0.0.{host}"), &Forwarding::Nat);
        server.weight = weight;
        if let Some(Condition::Check(target)) = &mut server.check {
            Arc::make_mut(target).check = name(check);
        }
        server
    };
    let servers = members.into_iter().map(member).collect();
    Pool { servers, ..pool(&format!("pool-{number}"), &format!("192.0.2.{}", number + 1), &Forwarding::Nat) }
}

fn name(check: usize) -> CheckName {
    format!("check-{check}").as_str().into()
}

fn director(policy: Policy) -> Core {
    Core::new(beginning(policy))
}

/// Until every check has its first verdict, and the tables follow them.
fn settle(core: &mut Core, mut now: Instant) -> Instant {
    loop {
        match core.poll() {
            Output::StartProbe { target, probe, .. } => {
                let (at, lateness) = (now, Duration::ZERO);
                let outcome = Outcome::new(Duration::ZERO, Ok(()));
                core.handle(Input::ProbeFinished { at, target, probe, outcome, lateness });
            }
            Output::Kernel(crate::director::reconciler::Work::Apply { changes, .. }) => {
                let results = changes.iter().map(|_| Ok(())).collect();
                core.handle(Input::Applied { at: now, took: Duration::ZERO, results });
            }
            Output::Kernel(crate::director::reconciler::Work::Observe(_)) => {
                let result = Ok(core.observed().clone());
                core.handle(Input::Observed { at: now, result });
            }
            Output::Wait { .. } if unsettled(core).is_empty() && core.gathered.is_nobody() => return now,
            Output::Wait { deadline } => {
                now = deadline.expect("a probe is due");
                core.handle(Input::Timeout { at: now });
            }
            Output::Record(_)
            | Output::Overrides(_)
            | Output::Sights(_)
            | Output::Tell(_)
            | Output::Stopped => {}
        }
    }
}

fn unsettled(core: &Core) -> BTreeSet<Arc<TargetKey>> {
    let groups = core.targets.groups();
    let begins =
        |key: &Arc<TargetKey>| core.targets.by_key(key).is_some_and(|target| !target.machine.is_settled());
    groups.into_iter().flatten().filter(begins).collect()
}

/// Which servers the checks decide on, whatever numbers the checks have.
fn deciding(users: &Users, targets: &Targets) -> BTreeSet<(Vec<Arc<TargetKey>>, BTreeSet<ServerId>)> {
    let of = |group: Vec<Arc<TargetKey>>| {
        let id = targets.id_of(&group[0]).expect("a running check");
        let servers = users.of_target(id);
        assert_eq!(servers.iter().collect::<BTreeSet<_>>().len(), servers.len(), "each once");
        (group, servers.iter().cloned().collect())
    };
    targets.groups().into_iter().map(of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn after_any_policies_checks_servers_and_tables_are_those_of_the_last(sites in sites()) {
        let mut policies = sites.iter().map(policy_of);
        let mut core = director(policies.next().expect("a policy"));
        let mut now = settle(&mut core, Instant::ZERO);
        for policy in policies {
            let before = core.policy.clone();
            let known = core.targets.groups().into_iter().flatten().collect::<BTreeSet<_>>();
            let facts = host(&policy);
            core.handle(Input::Policy { at: now, policy: policy.clone().into(), facts });
            let fresh = director(policy.clone());
            prop_assert_eq!(core.reconciler.desired(), &core.tables());
            prop_assert_eq!(core.targets.groups(), fresh.targets.groups());
            prop_assert_eq!(
                deciding(&core.users, &core.targets),
                deciding(&Users::of(&policy, &fresh.targets), &fresh.targets)
            );
            let goes_on = |key: &Arc<TargetKey>| {
                known.contains(key) && before.checks.get(&key.check) == policy.checks.get(&key.check)
            };
            prop_assert!(!unsettled(&core).iter().any(goes_on), "what asks as before keeps its verdict");
            now = settle(&mut core, now);
            let mut fresh = director(policy);
            settle(&mut fresh, Instant::ZERO);
            prop_assert_eq!(core.tables(), fresh.tables());
        }
    }
}
