//! Whether this kernel and this host have the parts that the policy needs: modules, versions, the program nft. Pure.

use super::facts::{Facts, Presence};
use crate::cli::finding::Finding;
use crate::model::{Encapsulation, Forwarding, KernelRelease, Policy, Pool};
use std::collections::{BTreeMap, BTreeSet};

/// From here on IPVS wraps in gue and gre.
const GUE_SINCE: KernelRelease = KernelRelease(5, 2);
const GRE_SINCE: KernelRelease = KernelRelease(5, 3);

pub(super) fn judge(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let mut findings = modules(policy, facts);
    findings.extend(program(policy, facts));
    findings.extend(encapsulations(policy, facts));
    findings
}

/// The modules that the policy needs, each with what for.
fn needed(policy: &Policy) -> BTreeMap<String, String> {
    let mut needed = BTreeMap::new();
    if !policy.pools.is_empty() {
        needed.insert("ip_vs".to_owned(), "every pool".to_owned());
    }
    for pool in policy.pools.values() {
        for service in &pool.services {
            let scheduler = &service.config.scheduler;
            needed
                .entry(format!("ip_vs_{scheduler}"))
                .or_insert_with(|| format!("the scheduler of pool {}", pool.name));
            if let Some(engine) = &service.config.persistence_engine {
                needed
                    .entry(format!("ip_vs_pe_{engine}"))
                    .or_insert_with(|| format!("the persistence of pool {}", pool.name));
            }
        }
    }
    if policy.has_full_nat() {
        needed.insert("nf_conntrack".to_owned(), "full-NAT".to_owned());
    }
    if let Some(why) = needs_nft(policy) {
        needed.insert("nf_tables".to_owned(), why.to_owned());
    }
    needed
}

fn modules(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let needed = needed(policy);
    let with = |presence: Presence| -> Vec<&str> {
        let found = needed.keys().filter(|name| facts.modules.presence(name) == presence);
        found.map(String::as_str).collect()
    };
    let (there, available, unknown) =
        (with(Presence::There), with(Presence::Available), with(Presence::Unknown));
    let mut findings: Vec<Finding> = with(Presence::Missing)
        .into_iter()
        .map(|name| {
            Finding::look(
                "module-missing",
                format!("module {name}"),
                format!("this kernel does not have it, and {} needs it", needed[name]),
                "install the kernel's full set of modules, or another kernel",
            )
        })
        .collect();
    if !unknown.is_empty() {
        findings.push(Finding::note(
            "module-unknown",
            format!("modules {}", unknown.join(", ")),
            "not loaded, and the list of this kernel's modules cannot be read (a container?)",
            format!("load them on the host: modprobe -a {}", unknown.join(" ")),
        ));
    }
    // The kernel loads a scheduler when a service asks for it, and everything else at boot by our file of packaging/.
    if available.contains(&"ip_vs") {
        let remedy = "modprobe ip_vs, and at boot by packaging/modules-load.d/tandem.conf";
        findings.push(Finding::look("module-not-loaded", "module ip_vs", "it is not loaded", remedy));
    }
    if findings.is_empty() && !needed.is_empty() {
        let evidence = format!("loaded: {}; loaded when needed: {}", words(&there), words(&available));
        findings.push(Finding::good("modules", "modules", evidence));
    }
    findings
}

fn words(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What needs the program nft.
fn needs_nft(policy: &Policy) -> Option<&'static str> {
    let mut services = policy.pools.values().flat_map(|pool| &pool.services);
    if policy.has_full_nat() {
        Some("full-NAT")
    } else if services.any(|service| !service.joined.is_empty()) {
        Some("join_ports")
    } else if policy.pools.values().any(|pool| pool.untracked) {
        Some("untracked")
    } else {
        policy.pair.connection_sync.as_ref().map(|_| "connection_sync")
    }
}

fn program(policy: &Policy, facts: &Facts) -> Option<Finding> {
    let why = needs_nft(policy)?;
    Some(if facts.has_nft {
        Finding::good("nft", "program nft", format!("it is there, for {why}"))
    } else {
        Finding::look(
            "nft",
            "program nft",
            format!("it is missing, and {why} needs it"),
            "install the package nftables",
        )
    })
}

fn encapsulations(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let Some(release) = facts.release else { return Vec::new() };
    let servers = policy.pools.values().flat_map(Pool::every_server);
    let too_new: BTreeSet<(&str, KernelRelease)> = servers
        .filter_map(|server| match server.forwarding {
            Forwarding::Tunnelling(Encapsulation::Gue { .. }) => Some(("gue", GUE_SINCE)),
            Forwarding::Tunnelling(Encapsulation::Gre { .. }) => Some(("gre", GRE_SINCE)),
            _ => None,
        })
        .filter(|(_, since)| release < *since)
        .collect();
    let finding = |(name, since): (&str, KernelRelease)| {
        let evidence = format!("this kernel is {release}, and IPVS wraps so since {since}");
        Finding::look(
            "encapsulation",
            format!("encapsulation {name}"),
            evidence,
            "use ipip, or a newer kernel",
        )
    };
    too_new.into_iter().map(finding).collect()
}
