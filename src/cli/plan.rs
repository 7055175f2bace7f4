//! `tandem plan`: the kernel changes that a policy would make now. Makes none.

use super::ExitStatus;
use crate::director::core::{Beginning, Core};
use crate::director::host_look::addresses;
use crate::director::state_directory::StateDirectory;
use crate::kernel::{Kernel, LinuxKernel, complete, epoch, host_facts};
use crate::model::{Pair, Policy, Roles, SyncDaemon, SyncDaemonRole};
use crate::reconcile::{self, Change, Verb};
use crate::time::Instant;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

/// Prints the plan of `policy` against the kernel of this host to `out`, as text or JSON.
///
/// # Errors
/// When the kernel's tables cannot be read.
pub(super) fn plan(
    policy: Policy,
    state: &Path,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let mut kernel = LinuxKernel::new();
    let (changes, waiting) = changes(policy, state, &mut kernel, err)?;
    match as_json {
        true => print_json(&changes, out)?,
        false => print_text(&changes, waiting, out)?,
    }
    Ok(if changes.is_empty() { ExitStatus::Done } else { ExitStatus::Changes })
}

/// The changes, and how many servers would wait for their first success.
fn changes(
    policy: Policy,
    state: &Path,
    kernel: &mut dyn Kernel,
    err: &mut dyn Write,
) -> anyhow::Result<(Vec<Change>, usize)> {
    let mut complain = |warning: String| {
        writeln!(err, "warning: {warning}").ok();
    };
    let owned = StateDirectory::peek(state).load(&epoch()?, &mut complain);
    let host = host_facts(&addresses(&policy))?;
    let observed = complete(kernel.observe(&Core::first_scope(&policy, &host, &owned))?)?;
    let beginning = Beginning {
        roles: roles(&policy.pair, &observed.sync_daemons),
        policy,
        generation: 1,
        host,
        observed: observed.clone(),
        owned: owned.clone(),
        seed: 0,
        now: Instant::ZERO,
    };
    let core = Core::new(beginning);
    Ok((reconcile::plan(&core.tables(), &observed, &owned), core.waiting()))
}

/// The roles that this director has now, as the kernel's daemons tell them: a plan asks no running director, and must not
/// turn a Master into a Backup.
fn roles(pair: &Pair, daemons: &BTreeSet<SyncDaemon>) -> Roles {
    let is_master = daemons.iter().any(|daemon| daemon.role == SyncDaemonRole::Master);
    Roles {
        master_of: pair.routers.keys().filter(|_| is_master).cloned().collect(),
        taking_over: BTreeSet::new(),
    }
}

fn print_text(changes: &[Change], waiting: usize, out: &mut dyn Write) -> std::io::Result<()> {
    for change in changes {
        writeln!(out, "{change}")?;
    }
    let count = |verb| changes.iter().filter(|change| change.verb() == verb).count();
    match changes.len() {
        0 => writeln!(out, "No changes: the kernel holds what the policy asks for.")?,
        _ => writeln!(
            out,
            "{} to add, {} to change, {} to remove.",
            count(Verb::Add),
            count(Verb::Edit),
            count(Verb::Remove)
        )?,
    }
    if waiting > 0 {
        writeln!(
            out,
            "{waiting} real server(s) are not in the table yet and join after their first success."
        )?;
    }
    Ok(())
}

fn print_json(changes: &[Change], out: &mut dyn Write) -> anyhow::Result<()> {
    let change = |change: &Change| {
        json!({
            "kind": change.kind(),
            "table": change.table().name(),
            "object": change.object().to_string(),
            "text": change.to_string(),
        })
    };
    let changes: Vec<_> = changes.iter().map(change).collect();
    serde_json::to_writer_pretty(&mut *out, &json!({ "plan_version": 1, "changes": changes }))?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::files::Disk;
    use crate::policy::{self, View};

    #[test]
    fn a_plan_takes_the_role_from_the_daemon_that_runs() {
        let loaded = policy::load(Path::new("conf/pair.yaml"), &Disk, View::Director("lb-a"));
        let pair = loaded.policy.expect("it is shipped").pair;
        let daemon = |role| SyncDaemon { role, interface: "eth1".to_owned(), sync_id: 61 };
        let count = |daemons: BTreeSet<SyncDaemon>| roles(&pair, &daemons).master_of.len();
        assert_eq!(count(BTreeSet::new()), 0);
        assert_eq!(count([daemon(SyncDaemonRole::Backup)].into()), 0);
        assert_eq!(count([daemon(SyncDaemonRole::Master)].into()), 2, "of both routers");
    }
}
