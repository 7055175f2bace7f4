//! `tandem doctor`: what a policy needs of this host and of the pair, each finding with its evidence and what to do.
//!
//! It looks and changes nothing. This version knows the pair: which pools' connections survive a failover, and whether the
//! advertisements get the priority that they need; and the settings of IPVS that make the removal of a server real.

use super::{ExitStatus, doctor_kernel};
use crate::advert::realtime;
use crate::desired::{Survival, survival};
use crate::model::Policy;
use std::io::Write;

/// One finding.
pub(super) struct Finding {
    pub(super) good: bool,
    pub(super) what: String,
    /// Evidence, or what to do.
    pub(super) because: String,
}

/// Prints the findings; the exit status is 1 when one is bad.
///
/// # Errors
/// When the writer fails.
pub(super) fn doctor(policy: &Policy, out: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    let mut findings = failover(policy);
    findings.extend(doctor_kernel::settings(policy, doctor_kernel::Release::of_this_host()));
    if !policy.pair.routers.is_empty() {
        findings.extend(host());
    }
    for Finding { good, what, because } in &findings {
        writeln!(out, "{}  {what}: {because}", if *good { "ok  " } else { "look" })?;
    }
    if findings.is_empty() {
        writeln!(out, "nothing to look at: the policy has neither pools nor virtual routers")?;
    }
    Ok(if findings.iter().all(|finding| finding.good) { ExitStatus::Done } else { ExitStatus::Failed })
}

/// What a failover does to the connections of each pool.
fn failover(policy: &Policy) -> Vec<Finding> {
    let finding = |pool: &crate::model::Pool| {
        let (good, words, because) = match survival(pool, policy) {
            Survival::Yes(how) => (true, "its connections survive a failover", how),
            Survival::Mostly(which) => (true, "most of its connections survive a failover", which),
            Survival::No(why) => (false, "its connections end in a failover", why),
            Survival::Alone => return None,
        };
        Some(Finding { good, what: format!("pool {}: {words}", pool.name), because: because.to_owned() })
    };
    policy.pools.values().filter_map(finding).collect()
}

/// Whether this process would get what the advert thread wants. Asked on a thread that ends, so nothing stays changed.
fn host() -> Vec<Finding> {
    let asked = std::thread::spawn(|| realtime::prefer_this_thread(realtime::ADVERT_PRIORITY)).join();
    let refused = asked.unwrap_or_else(|_| vec!["the question could not be asked".to_owned()]);
    if refused.is_empty() {
        let because = format!("SCHED_FIFO {} is permitted to this user", realtime::ADVERT_PRIORITY);
        return vec![Finding { good: true, what: "priority of the advertisements".to_owned(), because }];
    }
    let finding =
        |because| Finding { good: false, what: "priority of the advertisements".to_owned(), because };
    refused.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::{in_a_pair, policy, pool};
    use crate::model::{ConnectionSync, Forwarding, SourceTranslation, SyncRole};

    const VIP: &str = "192.168.101.100";

    fn told(policy: &Policy) -> String {
        let mut out = Vec::new();
        doctor(policy, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    /// The same, without what is told of the kernel.
    fn told_of_failover(policy: &Policy) -> String {
        let told = told(policy);
        told.lines().filter(|line| !line.contains("net.ipv4.vs.")).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn a_director_that_is_alone_has_no_failover() {
        let alone = policy([pool("web", VIP, &Forwarding::Nat)]);
        assert_eq!(told_of_failover(&alone), "");
        assert!(told(&policy([])).starts_with("nothing to look at"), "{}", told(&policy([])));
    }

    #[test]
    fn each_pool_of_a_pair_is_told_what_becomes_of_its_connections() {
        let full_nat = Forwarding::FullNat(SourceTranslation::Masquerade);
        let mut pair = policy([pool("web", VIP, &full_nat), pool("app", VIP, &Forwarding::Nat)]);
        in_a_pair(&mut pair, VIP);
        assert!(
            told(&pair).contains("pool app: its connections end in a failover: the other director knows no")
        );
        pair.pair.connection_sync = Some(ConnectionSync {
            interface: "eth1".into(),
            sync_id: 61.try_into().expect("not zero"),
            role: SyncRole::Both,
        });
        assert!(
            told(&pair)
                .contains("pool app: its connections survive a failover: connections are synchronised")
        );
        assert!(told(&pair).contains("pool web: its connections end in a failover: masqueraded"));
        for pool in pair.pools.values_mut() {
            pool.servers.iter_mut().for_each(|server| server.forwarding = Forwarding::DirectRouting);
            pool.services.iter_mut().for_each(|service| service.config.scheduler.0 = "mh".to_owned());
        }
        pair.pair.connection_sync = None;
        assert!(told(&pair).contains("pool app: its connections survive a failover: mh chooses the same"));
    }
}
