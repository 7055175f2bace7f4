//! `tandem plan`: the kernel changes that a policy would make now. Makes none.

use super::ExitStatus;
use super::loader::Loader;
use crate::desired::{self, Situation};
use crate::director::core::{Beginning, Core};
use crate::director::difference::Difference;
use crate::director::history::History;
use crate::director::host_look::addresses;
use crate::director::loading::PolicyLoader as _;
use crate::director::override_file;
use crate::director::state_directory::StateDirectory;
use crate::kernel::{Kernel, LinuxKernel, complete, epoch, host_facts};
use crate::model::{
    HostFacts, Observed, Pair, Policy, Pool, PoolName, Roles, SyncDaemon, SyncDaemonRole, Tables,
};
use crate::reconcile::{self, Change, Ownership, Verb};
use crate::rotation::Placement;
use crate::time::Instant;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What there is to print.
struct Plan {
    changes: Vec<Change>,
    /// Servers that would wait for their first success.
    waiting: usize,
    /// What else it means, against the policy that was in force last, or that it is compared with.
    difference: Option<Difference>,
    at_risk: u64,
}

/// Prints the plan of `policy` against the kernel of this host to `out`, as text or JSON.
///
/// # Errors
/// When the kernel's tables cannot be read.
pub(super) fn plan(
    policy: Policy,
    state: &Path,
    loader: &Loader,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let mut kernel = LinuxKernel::new();
    let history = History::open(state, &mut |_| {});
    let before = history.newest().and_then(|entry| loader.read_text(&entry.text).ok());
    let before = before.map(|candidate| candidate.policy);
    print(&of_host(policy, before.as_ref(), state, &mut kernel, err)?, as_json, out)
}

/// Prints what would change from `before` to `policy` where every server is up; asks no kernel.
///
/// # Errors
/// When the writer fails.
pub(super) fn against(
    policy: &Policy,
    before: &Policy,
    as_json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let observed = made(before);
    let owned = Ownership { services: observed.services.keys().copied().collect(), ..Ownership::default() };
    let (desired, had) = (tables(policy), tables(before).ruleset);
    let mut changes = reconcile::plan(&desired, &observed, &owned);
    // Only a listing of the kernel's tells whether rules are the same, and here is none: their text does.
    changes.retain(|change| !matches!(change, Change::ReplaceRuleset { .. }) || desired.ruleset != had);
    let plan =
        Plan { changes, waiting: 0, difference: Some(Difference::between(before, policy)), at_risk: 0 };
    print(&plan, as_json, out)
}

/// The tables of a policy whose servers are all up, on the Master of everything.
fn tables(policy: &Policy) -> Tables {
    let roles =
        Roles { master_of: policy.pair.routers.keys().cloned().collect(), changing_hands: BTreeSet::new() };
    let host = HostFacts::default();
    let up = |pool: &Pool| Placement::by_verdict(pool, |_| true);
    let up: BTreeMap<PoolName, Placement> =
        policy.pools.values().map(|pool| (pool.name.clone(), up(pool))).collect();
    desired::tables(policy, Situation { host: &host, roles: &roles }, |pool| {
        up.get(&pool.name).cloned().unwrap_or_default()
    })
}

/// A kernel that was made as a policy says.
fn made(policy: &Policy) -> Observed {
    let mut observed = Observed::default();
    for change in reconcile::plan(&tables(policy), &Observed::default(), &Ownership::default()) {
        reconcile::assume(&mut observed, &change);
    }
    observed
}

fn print(plan: &Plan, as_json: bool, out: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    match as_json {
        true => print_json(plan, out)?,
        false => print_text(plan, out)?,
    }
    Ok(if plan.changes.is_empty() { ExitStatus::Done } else { ExitStatus::Changes })
}

/// Against what the kernel holds; `before` was in force last.
fn of_host(
    policy: Policy,
    before: Option<&Policy>,
    state: &Path,
    kernel: &mut dyn Kernel,
    err: &mut dyn Write,
) -> anyhow::Result<Plan> {
    let mut complain = |warning: String| {
        writeln!(err, "warning: {warning}").ok();
    };
    let owned = StateDirectory::peek(state).load(&epoch()?, &mut complain);
    let host = host_facts(&addresses(&policy))?;
    let observed = complete(kernel.observe(&Core::first_scope(&policy, &host, &owned))?)?;
    let difference = before.map(|before| Difference::between(before, &policy));
    let compared = before.zip(difference.as_ref());
    let at_risk =
        compared.map_or(0, |(before, difference)| difference.connections_at_risk(before, &policy, &observed));
    let beginning = Beginning {
        roles: roles(&policy.pair, &observed.sync_daemons),
        policy,
        generation: 1,
        host,
        observed: observed.clone(),
        owned: owned.clone(),
        overrides: override_file::read(state, &mut complain).overrides,
        epoch: wall_clock(),
        seed: 0,
        now: Instant::ZERO,
    };
    let core = Core::new(beginning);
    Ok(Plan {
        changes: reconcile::plan(&core.tables(), &observed, &owned),
        waiting: core.waiting(),
        difference,
        at_risk,
    })
}

/// Unix time: of the [`Instant::ZERO`] of a plan.
fn wall_clock() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "overrides end by the wall clock")]
    let wall = SystemTime::now().duration_since(UNIX_EPOCH);
    wall.unwrap_or_default()
}

/// The roles that this director has now, as the kernel's daemons tell them: a plan asks no running director, and must not
/// turn a Master into a Backup.
fn roles(pair: &Pair, daemons: &BTreeSet<SyncDaemon>) -> Roles {
    let is_master = daemons.iter().any(|daemon| daemon.role == SyncDaemonRole::Master);
    Roles {
        master_of: pair.routers.keys().filter(|_| is_master).cloned().collect(),
        changing_hands: BTreeSet::new(),
    }
}

fn print_text(plan: &Plan, out: &mut dyn Write) -> std::io::Result<()> {
    let Plan { changes, waiting, difference, at_risk } = plan;
    for line in difference.iter().flat_map(Difference::lines) {
        writeln!(out, "{line}")?;
    }
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
    if *at_risk > 0 {
        writeln!(out, "{at_risk} connections go to real servers that would leave the table.")?;
    }
    if *waiting > 0 {
        writeln!(
            out,
            "{waiting} real server(s) are not in the table yet and join after their first success."
        )?;
    }
    Ok(())
}

fn print_json(plan: &Plan, out: &mut dyn Write) -> anyhow::Result<()> {
    let change = |change: &Change| {
        json!({
            "kind": change.kind(),
            "table": change.table().name(),
            "object": change.object().to_string(),
            "text": change.to_string(),
        })
    };
    let changes: Vec<_> = plan.changes.iter().map(change).collect();
    let notes = plan.difference.as_ref().map(Difference::lines).unwrap_or_default();
    let text = json!({
        "plan_version": 1,
        "changes": changes,
        "notes": notes,
        "connections_at_risk": plan.at_risk,
        "waiting_servers": plan.waiting,
    });
    serde_json::to_writer_pretty(&mut *out, &text)?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::files::Disk;
    use crate::policy::{self, View};

    fn shipped(name: &str) -> Policy {
        let path = Path::new("conf").join(name);
        policy::load(&path, &Disk, View::Director("lb-a")).policy.expect("it is shipped")
    }

    fn compared(before: &Policy, next: &Policy) -> (u8, String) {
        let mut out = Vec::new();
        let status = against(next, before, false, &mut out).expect("written");
        (status.code(), String::from_utf8(out).expect("text"))
    }

    #[test]
    fn two_policies_are_compared_without_a_kernel() {
        let before = shipped("pair.yaml");
        assert_eq!(
            compared(&before, &before),
            (0, "No changes: the kernel holds what the policy asks for.\n".to_owned())
        );
        let mut next = before.clone();
        let pool = next.pools.values_mut().next().expect("a pool");
        pool.servers[0].weight += 1;
        let changed = format!("real servers changed: {}/", pool.name);
        let router = next.pair.routers.values_mut().next().expect("a router");
        router.vrid = router.vrid.saturating_add(1);
        let (code, text) = compared(&before, &next);
        assert_eq!(code, 3);
        assert!(
            text.starts_with(&changed) && text.contains("vrid differs") && text.ends_with("0 to remove.\n"),
            "{text}"
        );
        let mut fewer = before.clone();
        let first = fewer.pools.keys().next().cloned();
        fewer.pools.remove(&first.expect("a pool"));
        assert!(compared(&before, &fewer).1.contains("virtual services removed: "));
    }

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
