//! What `tandem doctor` says of the settings that make the removal of a server real, by the version of this kernel.
//!
//! Sources: Documentation/networking/ipvs-sysctl.rst; Linux 5.9 (a reused port no longer waits where connections are tracked)
//! and 5.16 (`conn_reuse_mode=0` no longer switches `expire_nodest_conn` off).

use super::finding::Finding;
use crate::model::{KernelRelease, KernelSettings, OnFailure, Policy, Pool, Protocol, ServiceKey};

/// From here on a SYN from a reused port is held up only where the old connection is tracked still; before, always where any is.
const REUSE_WITHOUT_WAIT: KernelRelease = KernelRelease(5, 9);

/// The findings; none where no pool makes the director set anything. An unknown version is taken for a new one.
pub(super) fn settings(policy: &Policy, release: Option<KernelRelease>) -> Vec<Finding> {
    if policy.pools.is_empty() {
        return Vec::new();
    }
    let mut findings = vec![expiry(policy), reuse(policy, release)];
    findings.extend(templates(policy));
    findings
}

fn finding(name: &'static str, value: impl ToString, good: bool, because: String) -> Finding {
    let what = format!("net.ipv4.vs.{name}={} by the policy", value.to_string());
    let code = match name {
        "expire_nodest_conn" => "expire-nodest-conn",
        "conn_reuse_mode" => "conn-reuse-mode",
        _ => "expire-quiescent-template",
    };
    match (good, because.split_once(": ")) {
        (true, _) => Finding::good(code, what, because),
        (false, Some((evidence, remedy))) => Finding::look(code, what, evidence, remedy),
        (false, None) => Finding::look(code, what, because, "leave it out of `kernel`"),
    }
}

fn expiry(policy: &Policy) -> Finding {
    let expires = policy.kernel.expire_nodest_conn;
    let udp = policy.pools.values().find(|pool| removes_udp(pool));
    let because = match (expires, udp) {
        (true, _) => {
            "clients of a server that has left the table are given another with their next packet".to_owned()
        }
        (false, Some(pool)) => format!(
            "UDP clients of a removed server of pool {} stay on it until they pause: leave `expire_nodest_conn` out",
            pool.name
        ),
        (false, None) => "connections of a server that comes back soon go on, and those of a dead one hang \
             until they time out"
            .to_owned(),
    };
    finding("expire_nodest_conn", u8::from(expires), expires || udp.is_none(), because)
}

fn reuse(policy: &Policy, release: Option<KernelRelease>) -> Finding {
    let (mode, expires) = (policy.conn_reuse_mode(release), policy.kernel.expire_nodest_conn);
    let older = |than: KernelRelease| release.is_some_and(|release| release < than);
    let (good, because) = match mode {
        0 if expires && older(KernelSettings::EXPIRY_WITHOUT_REUSE) => (
            false,
            "before Linux 5.16 this switches expire_nodest_conn off: leave `conn_reuse_mode` out, or run a newer kernel",
        ),
        0 => {
            (true, "a client that uses a port again comes back to the same real server, whatever its weight")
        }
        _ if policy.has_full_nat() && older(REUSE_WITHOUT_WAIT) => (
            false,
            "before Linux 5.9 a client of full-NAT that uses a port again waits a second: run a newer kernel",
        ),
        _ if policy.has_full_nat() => (
            true,
            "a client that uses a port again is scheduled anew, and waits a second where the old connection is tracked still",
        ),
        _ => (true, "a client that uses a port again is scheduled anew once its old connection is over"),
    };
    finding("conn_reuse_mode", mode, good, because.to_owned())
}

fn templates(policy: &Policy) -> Option<Finding> {
    let mut persisting = policy.pools.values().filter(|pool| persists(pool)).peekable();
    persisting.peek()?;
    let quiesces = persisting.find(|pool| pool.on_failure == OnFailure::Quiesce);
    let leave = policy.kernel.expire_quiescent_template;
    let because = match (leave, quiesces) {
        (true, _) => "persistent clients leave a server of weight 0, a drained one too".to_owned(),
        (false, None) => {
            "persistent clients of a drained server stay until their persistence has timed out; those of a \
             removed one are given another"
                .to_owned()
        }
        (false, Some(pool)) => format!(
            "persistent clients of a failed server of pool {} stay on it, since failure quiesces there: leave \
             `expire_quiescent_template` out, or write `on_failure: remove`",
            pool.name
        ),
    };
    Some(finding("expire_quiescent_template", u8::from(leave), leave || quiesces.is_none(), because))
}

fn persists(pool: &Pool) -> bool {
    pool.services.iter().any(|service| service.config.persistence.is_some())
}

fn removes_udp(pool: &Pool) -> bool {
    let udp = |key: &ServiceKey| matches!(key, ServiceKey::Address { protocol: Protocol::Udp, .. });
    pool.on_failure == OnFailure::Remove
        && pool.services.iter().any(|service| service.keys().any(udp) && !service.config.flags.one_packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::finding::Mark;
    use crate::desired::fixtures::{ip, policy, pool};
    use crate::model::{Forwarding, Persistence, SourceTranslation};

    const VIP: &str = "192.168.101.100";

    /// Whether each setting is good, by name, and why.
    fn told(policy: &Policy, release: &str) -> Vec<(String, bool, String)> {
        let findings = settings(policy, KernelRelease::parse(release));
        findings
            .into_iter()
            .map(|found| (found.what.clone(), found.mark == Mark::Good, found.evidence))
            .collect()
    }

    #[test]
    fn a_kernel_that_is_too_old_for_a_setting_is_told() {
        let full_nat = Forwarding::FullNat(SourceTranslation::Masquerade);
        let mut policy = policy([pool("web", VIP, &full_nat)]);
        let good = |policy: &Policy, release| {
            told(policy, release)
                .into_iter()
                .find(|(what, ..)| what.contains("conn_reuse_mode"))
                .expect("it")
                .1
        };
        assert!(good(&policy, "5.9.0") && good(&policy, "6.12.1") && good(&policy, "?"));
        assert!(!good(&policy, "5.4.0-200-generic"), "a tracked client waits");
        policy.kernel.conn_reuse_mode = Some(0);
        assert!(good(&policy, "5.16.0") && !good(&policy, "5.15.0"));
        policy.kernel.expire_nodest_conn = false;
        assert!(good(&policy, "5.15.0"), "there is nothing to switch off");
    }

    #[test]
    fn clients_that_would_stay_on_a_dead_server_are_told_by_pool() {
        let mut policy = policy([pool("dns", VIP, &Forwarding::Nat)]);
        let dns = policy.pools.get_mut("dns").expect("the pool");
        dns.services[0].key = ServiceKey::Address { protocol: Protocol::Udp, address: ip(VIP), port: 53 };
        dns.services[0].config.persistence = Some(Persistence { timeout_s: 60, prefix: 32 });
        assert!(told(&policy, "6.1").iter().all(|(_, good, _)| *good), "{:?}", told(&policy, "6.1"));
        policy.kernel.expire_nodest_conn = false;
        let bad = |policy: &Policy| -> Vec<String> {
            told(policy, "6.1").into_iter().filter(|(_, good, _)| !good).map(|(what, ..)| what).collect()
        };
        assert_eq!(bad(&policy), ["net.ipv4.vs.expire_nodest_conn=0 by the policy"]);
        policy.pools.get_mut("dns").expect("the pool").on_failure = OnFailure::Quiesce;
        assert_eq!(bad(&policy), ["net.ipv4.vs.expire_quiescent_template=0 by the policy"]);
        policy.kernel.expire_quiescent_template = true;
        assert!(bad(&policy).is_empty());
    }
}
