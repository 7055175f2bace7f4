//! The kernel settings that the policy needs: what differs, and what follows from it. Pure.
//!
//! Sources: Documentation/networking/ip-sysctl.rst, ipvs-sysctl.rst.

use super::facts::Facts;
use crate::cli::finding::Finding;
use crate::desired::lasting_settings;
use crate::model::{Policy, Sysctl};

/// `0`: the kernel no longer counts what services and real servers do (Linux 5.17).
const ESTIMATION: &str = "net/ipv4/vs/run_estimation";

/// The settings that [`judge`] wants to know beside those that Tandem would set.
pub(super) fn asked() -> Sysctl {
    Sysctl::from_path(ESTIMATION)
}

/// Those that Tandem would set and that have another value: name, wanted value, found value.
pub(super) fn differing(policy: &Policy, facts: &Facts) -> Vec<(Sysctl, String, String)> {
    let wanted = lasting_settings(policy, &facts.reach);
    let differs = |(name, value): (Sysctl, String)| {
        let found = facts.sysctls.get(&name)?;
        (*found != value).then(|| (name, value, found.clone()))
    };
    wanted.into_iter().filter_map(differs).collect()
}

pub(super) fn judge(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let wanted = lasting_settings(policy, &facts.reach);
    let differing = differing(policy, facts);
    let mut findings: Vec<Finding> =
        differing.iter().map(|(name, value, found)| differs(name, value, found)).collect();
    let missing = wanted.keys().filter(|name| !facts.sysctls.contains_key(*name));
    findings.extend(missing.filter_map(absent));
    if findings.is_empty() && !wanted.is_empty() {
        let evidence = format!("{} are as the policy needs them", wanted.len());
        findings.push(Finding::good("settings", "kernel settings", evidence));
    }
    findings.extend(estimation(policy, facts));
    findings
}

fn differs(name: &Sysctl, value: &str, found: &str) -> Finding {
    let (code, evidence) = consequence(name);
    let remedy = format!("`tandem run` sets it to {value}; `tandem doctor --fix` does so now");
    Finding::look(code, format!("{name}={found}"), evidence, remedy)
}

/// Settings of IPVS come with its module, and those of an interface with the interface, which others speak of.
fn absent(name: &Sysctl) -> Option<Finding> {
    let late = name.path().starts_with("net/ipv4/vs/")
        || name.path().contains("/conf/")
        || name.path().contains("nf_conntrack");
    let (code, evidence) = consequence(name);
    (!late).then(|| Finding::look(code, format!("{name} is missing"), evidence, "run a kernel that has it"))
}

/// What follows from a setting that is not as it should be, under a stable code.
fn consequence(name: &Sysctl) -> (&'static str, &'static str) {
    match name.path().rsplit('/').next().unwrap_or_default() {
        "ip_forward" | "forwarding" => {
            ("ip-forward", "answers of NAT's and full-NAT's real servers are not forwarded")
        }
        "send_redirects" => {
            ("send-redirects", "clients and real servers on one link are told of a way past the director")
        }
        "conntrack" => {
            ("vs-conntrack", "full-NAT's connections are not tracked, so their source is not translated")
        }
        "accept_local" => ("accept-local", "answers to probes through the real path are dropped"),
        "expire_nodest_conn" => {
            ("vs-expire", "clients of a server that has left stay on it until they time out")
        }
        "nf_conntrack_tcp_be_liberal" => {
            ("conntrack-liberal", "connections are dropped when they come back in a failover")
        }
        name if name.starts_with("sync_") => {
            ("vs-sync", "connections are told to the other director late, or not at all")
        }
        _ => ("vs-setting", "IPVS does not do what the policy says"),
    }
}

fn estimation(policy: &Policy, facts: &Facts) -> Option<Finding> {
    let value = facts.sysctls.get(&asked())?;
    let what = format!("net.ipv4.vs.run_estimation={value}");
    if policy.pools.is_empty() {
        return None;
    }
    Some(match value.as_str() {
        "0" => Finding::look(
            "run-estimation",
            what,
            "counters and rates of services and servers stand still, in `ipvsadm --stats` and in the metrics",
            "sysctl -w net.ipv4.vs.run_estimation=1",
        ),
        _ => Finding::good("run-estimation", what, "the kernel counts"),
    })
}
