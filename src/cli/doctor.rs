//! `tandem doctor`: what a policy needs of this host and of the pair, each finding with its evidence and what to do.
//!
//! ```text
//! this host ─▶ gather ─▶ Facts ─┐
//!                       policy ─┴─▶ findings: one pure file a subject
//! ```
//!
//! It looks and changes nothing, but with `--fix`: then it sets what Tandem itself would set when it runs, and nothing else.
//! What is set so is taken for the host's own by a director that starts later, so it stays.

pub(in crate::cli) mod facts;
mod firewall;
mod gather;
mod kernel_parts;
mod network;
mod rivals;
mod settings;
mod sharing;
#[cfg(test)]
mod tests;
mod time;

use super::finding::{self, Finding};
use super::{ExitStatus, doctor_kernel};
use crate::desired::{Survival, survival};
use crate::kernel::sysctl::Sysctls;
use crate::model::{Policy, Sysctl};
use facts::Facts;
use std::io::Write;

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// Set what Tandem itself would set.
    pub(super) fix: bool,
    pub(super) json: bool,
}

/// Prints the findings; the exit status is 1 when one is to be looked at.
///
/// # Errors
/// When this host cannot be read, or the writer fails.
pub(super) fn doctor(policy: &Policy, options: Options, out: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    let mut facts = gather::facts(policy)?;
    let fixed = if options.fix { fix(policy, &mut facts) } else { Vec::new() };
    let findings: Vec<Finding> = fixed.into_iter().chain(findings(policy, &facts)).collect();
    if options.json {
        finding::print_json(&findings, out)?;
    } else {
        finding::print_text(&findings, out)?;
    }
    Ok(finding::status(&findings))
}

/// Every finding, the pair's first. Pure.
fn findings(policy: &Policy, facts: &Facts) -> Vec<Finding> {
    let mut findings = failover(policy);
    findings.extend(doctor_kernel::settings(policy, facts.release));
    findings.extend(kernel_parts::judge(policy, facts));
    findings.extend(settings::judge(policy, facts));
    findings.extend(sharing::judge(policy));
    findings.extend(network::judge(policy, facts));
    findings.extend(firewall::judge(policy, facts));
    findings.extend(rivals::judge(policy, facts));
    findings.extend(time::judge(policy, facts));
    findings
}

/// Sets what differs, and says so; what cannot be set stays different.
fn fix(policy: &Policy, facts: &mut Facts) -> Vec<Finding> {
    let sysctls = Sysctls::default();
    let differing = settings::differing(policy, facts);
    let set = |(name, value, found): (Sysctl, String, String)| match sysctls.set(&name, &value) {
        Ok(()) => {
            let finding =
                Finding::good("fixed", format!("{name}={value}"), format!("it was {found}, and is set now"));
            facts.sysctls.insert(name, value);
            finding
        }
        Err(error) => Finding::look("not-fixed", format!("{name}={found}"), error.message, "set it by hand"),
    };
    differing.into_iter().map(set).collect()
}

/// What a failover does to the connections of each pool.
fn failover(policy: &Policy) -> Vec<Finding> {
    let finding = |pool: &crate::model::Pool| {
        let what = |words: &str| format!("pool {}: {words}", pool.name);
        Some(match survival(pool, policy) {
            Survival::Yes(how) => Finding::good("failover", what("its connections survive a failover"), how),
            Survival::Mostly(which) => {
                Finding::good("failover", what("most of its connections survive a failover"), which)
            }
            Survival::No(why) => {
                let (evidence, remedy) = why.split_once(": ").unwrap_or((why, "see the README, A pair"));
                Finding::look("failover", what("its connections end in a failover"), evidence, remedy)
            }
            Survival::Alone => return None,
        })
    };
    policy.pools.values().filter_map(finding).collect()
}
