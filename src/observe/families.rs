//! The families: their names, labels and help texts. The names are a contract with dashboards and alerts; a help text says
//! what an operator should know of the number.

use super::metrics::Families;
use super::{host_families, override_families, pair_families};
use crate::director::snapshot::{
    CheckSnapshot, ConnectionSyncSnapshot, DestinationSnapshot, Direction, PoolSnapshot, ServerSnapshot,
    ServiceSnapshot, Snapshot,
};
use crate::model::{Counters, SyncDaemonRole};
use crate::reconcile::Table;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Every family, in the order of the documentation.
pub(super) fn write(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    director(families, snapshot)?;
    pools(families, snapshot)?;
    if snapshot.per_server {
        servers(families, snapshot)?;
    }
    checks(families, &snapshot.checks)?;
    certificates(families, snapshot)?;
    services(families, snapshot)?;
    if snapshot.per_server {
        destinations(families, snapshot)?;
    }
    if let Some(sync) = &snapshot.connection_sync {
        connection_sync(families, sync)?;
    }
    reconcile(families, snapshot)?;
    override_families::write(families, snapshot)?;
    observing(families, snapshot)?;
    host_families::write(families, snapshot)?;
    pair_families::write(families, snapshot)
}

fn director(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    families.info("tandem_build", "Version of the running director; always 1", &version)?;
    families.gauge(
        "tandem_policy_generation",
        "Number of the policy in force; it grows by one with each policy that is taken over, over restarts, too",
        Some(snapshot.policy_generation),
    )?;
    reloads(families, snapshot)?;
    hooks(families, snapshot)
}

fn hooks(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let counts = snapshot.hooks;
    families.counters(
        "tandem_hook",
        "Events for hooks of on_event by what came of them: taken (ok), not dealt with by program, webhook or mail server (failed), or come \
         too fast for a hook and left out (lost)",
        [("ok", counts.delivered), ("failed", counts.failed), ("lost", counts.lost)]
            .map(|(result, count)| ([("result", result)], count)),
    )
}

fn reloads(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let counts = &snapshot.reloads;
    families.counters(
        "tandem_policy_reload",
        "Reloads by what became of them: taken over, refused (the policy before stays), or rolled back",
        [("success", counts.taken), ("refused", counts.refused), ("rolled_back", counts.rolled_back)]
            .map(|(result, count)| ([("result", result)], count)),
    )?;
    families.gauge(
        "tandem_policy_last_reload_successful",
        "1 when the policy that was asked for last is in force, 0 when it was refused or rolled back by itself",
        Some(u64::from(!counts.last_failed)),
    )?;
    families.gauge(
        "tandem_policy_last_reload_timestamp_seconds",
        "When the policy in force was taken over, in Unix time",
        counts.taken_at.map(|at| snapshot.unix_time(at).as_secs_f64()),
    )?;
    families.gauge(
        "tandem_policy_file_differs",
        "1 when the policy's files say something else than what is in force",
        Some(u64::from(counts.file_differs)),
    )?;
    families.gauge(
        "tandem_policy_unconfirmed",
        "1 while the policy in force waits for tandem confirm, and is rolled back without it",
        Some(u64::from(counts.unconfirmed)),
    )
}

fn pools(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let pools = &snapshot.pools;
    let each = |value: fn(&PoolSnapshot) -> u64| pools.iter().map(move |pool| (of_pool(pool), value(pool)));
    families.gauges(
        "tandem_pool_up",
        "1 when enough real servers of the pool are up, else 0, whatever stands in for them",
        each(|pool| pool.up.into()),
    )?;
    families.gauges(
        "tandem_pool_quorum",
        "How many real servers, or how much weight, the pool needs to be up",
        each(|pool| pool.quorum.into()),
    )?;
    families.gauges(
        "tandem_pool_panic",
        "1 while so few real servers are up that it is not believed, acted upon or in shadow",
        each(|pool| pool.panic.into()),
    )?;
    families.gauges(
        "tandem_pool_sorry",
        "1 while the sorry server answers for the pool",
        each(|pool| pool.sorry.into()),
    )?;
    families.gauges(
        "tandem_pool_servers",
        "Real servers that the policy gives to the pool",
        each(|pool| pool.servers.len() as u64),
    )?;
    families.gauges(
        "tandem_pool_servers_up",
        "Real servers of the pool that are up: their check passed, or they have none",
        each(|pool| pool.servers_up() as u64),
    )?;
    families.gauges("tandem_pool_weight", "Sum of the configured weights", each(PoolSnapshot::weight))?;
    families.gauges(
        "tandem_pool_weight_up",
        "Sum of the configured weights of the real servers that are up; divided by tandem_pool_weight, the share of the \
         pool that is left",
        each(PoolSnapshot::weight_up),
    )?;
    families.counters(
        "tandem_pool_transitions",
        "How often the pool became able to serve (to=up) or unable (to=down), by reason",
        pools.iter().flat_map(|pool| {
            let labels =
                |to: Direction, reason| [("pool", &*pool.name), ("to", to.name()), ("reason", reason)];
            pool.transitions.iter().map(move |((to, reason), count)| (labels(*to, reason), *count))
        }),
    )?;
    families.counters(
        "tandem_pool_acts",
        "How often a rule of the pool acted by itself: quorum_lost, sorry, panic, backup, slow_start, drain, disputed, \
         sight_lost, silence; with shadow=true it was only counted",
        pools.iter().flat_map(|pool| {
            let labels = |act, shadow| {
                let shadow = if shadow { "true" } else { "false" };
                [("pool", &*pool.name), ("act", act), ("shadow", shadow)]
            };
            pool.acts.iter().map(move |((act, shadow), count)| (labels(*act, *shadow), *count))
        }),
    )?;
    families.gauges(
        "tandem_pool_labels",
        "The labels that the policy gives to the pool, each as label_NAME; always 1, to be joined on pool",
        pools.iter().filter(|pool| !pool.labels.is_empty()).map(|pool| (policy_labels(pool), 1_u64)),
    )
}

/// The pool's own labels under names that a scraper accepts; of two that become one, the first stands.
fn policy_labels(pool: &PoolSnapshot) -> Vec<(String, String)> {
    let clean = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let mut seen = BTreeSet::new();
    let mut labels = vec![("pool".to_owned(), pool.name.to_string())];
    for (name, value) in &*pool.labels {
        let name: String = "label_".chars().chain(name.chars().map(clean)).collect();
        if seen.insert(name.clone()) {
            labels.push((name, value.clone()));
        }
    }
    labels
}

fn servers(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let all = || {
        snapshot
            .pools
            .iter()
            .flat_map(|pool| pool.servers.iter().map(move |server| (of_server(pool, server), server)))
    };
    let each = |value: fn(&ServerSnapshot) -> u64| all().map(move |(labels, server)| (labels, value(server)));
    families.gauges(
        "tandem_server_up",
        "1 when the check's verdict is up, or there is no check, else 0; see tandem_server_in_rotation for whether it \
         gets connections",
        each(|server| server.up.into()),
    )?;
    families.gauges(
        "tandem_server_checked",
        "1 when a check decides on the server, 0 when the policy says check: none",
        each(|server| server.checked.into()),
    )?;
    families.gauges(
        "tandem_server_in_rotation",
        "1 when the server shall get new connections, else 0",
        each(|server| server.in_rotation.into()),
    )?;
    families.gauges(
        "tandem_server_weight_configured",
        "Weight in the policy",
        each(|server| server.configured_weight.into()),
    )?;
    families.gauges(
        "tandem_server_weight_effective",
        "Weight that the director wants in the kernel after verdicts; compare tandem_ipvs_weight, what is there",
        each(|server| server.effective_weight.into()),
    )?;
    families.counters(
        "tandem_server_transitions",
        "How often the verdict changed to up or down; a fast growing number is a server that flaps",
        all().flat_map(|([pool, server], found)| {
            let labels = move |to: Direction| [pool, server, ("to", to.name())];
            let count = |to, count: u32| (labels(to), u64::from(count));
            [count(Direction::Up, found.went_up), count(Direction::Down, found.went_down)]
        }),
    )?;
    families.gauges(
        "tandem_server_last_change_timestamp_seconds",
        "When the verdict last changed, in Unix time; missing while it has not changed since the start",
        all().filter_map(|(labels, server)| {
            server.last_change.map(|at| (labels, snapshot.unix_time(at).as_secs_f64()))
        }),
    )?;
    families.gauges(
        "tandem_server_check_duration_seconds",
        "How long the last probe of the server took, whether it passed or failed",
        all().filter_map(|(labels, server)| {
            server.last_check_duration.map(|duration| (labels, duration.as_secs_f64()))
        }),
    )
}

fn checks(families: &mut Families<'_>, checks: &[CheckSnapshot]) -> fmt::Result {
    families.counters(
        "tandem_check_runs",
        "Probes that ended, over all targets of the check: success, or the reason of the failure; local is a probe that \
         this director could not make, which counts for or against no server",
        checks.iter().flat_map(|check| {
            let labels = |result| [("check", &*check.name), ("result", result)];
            check.statistics.runs.iter().map(move |(result, count)| (labels(*result), *count))
        }),
    )?;
    families.histograms(
        "tandem_check_duration_seconds",
        "How long the probes of the check took, over all its targets",
        checks.iter().map(|check| (of_check(check), &check.statistics.duration)),
    )?;
    families.histograms(
        "tandem_probe_lateness_seconds",
        "How much later than planned probes started; more than some milliseconds says that this host is too busy",
        checks.iter().map(|check| (of_check(check), &check.statistics.lateness)),
    )
}

/// One series a server, or one a check with the certificate that expires first.
fn certificates(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut soonest: BTreeMap<Vec<(&str, &str)>, u64> = BTreeMap::new();
    for found in &snapshot.certificates {
        let labels = [("check", &*found.check), ("server", &*found.server)];
        let shown = if snapshot.per_server { labels.len() } else { 1 };
        let seconds = found.expires.as_secs();
        let known = soonest.entry(labels.into_iter().take(shown).collect()).or_insert(seconds);
        *known = seconds.min(*known);
    }
    families.gauges(
        "tandem_tls_not_after_timestamp_seconds",
        "When the server's certificate expires, in Unix time, as the check last saw it; with per_server: false, the first \
         of the check's servers",
        soonest,
    )
}

/// The counters of IPVS: the end of the family's name, its help, and the value.
type KernelCounter = (&'static str, &'static str, fn(&Counters) -> u64);

const KERNEL_COUNTERS: [KernelCounter; 5] = [
    ("connections", "Connections scheduled, as the kernel counts them", |counters| counters.connections),
    ("incoming_packets", "Packets from clients, as the kernel counts them", |counters| {
        counters.incoming_packets
    }),
    (
        "outgoing_packets",
        "Packets to clients, as the kernel counts them; stays 0 in DR and TUN, where answers do not pass the director",
        |counters| counters.outgoing_packets,
    ),
    ("incoming_bytes", "Bytes from clients, as the kernel counts them", |counters| counters.incoming_bytes),
    (
        "outgoing_bytes",
        "Bytes to clients, as the kernel counts them; stays 0 in DR and TUN, where answers do not pass the director",
        |counters| counters.outgoing_bytes,
    ),
];

fn services(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    for (what, help, value) in KERNEL_COUNTERS {
        let samples = snapshot.pools.iter().flat_map(|pool| {
            let counted = |service: &ServiceSnapshot| service.counters.as_ref().map(value);
            let labels = |service| [("pool", &*pool.name), ("service", service)];
            let services = pool.services.iter();
            services.filter_map(move |service| Some((labels(&*service.name), counted(service)?)))
        });
        families.counters(&format!("tandem_ipvs_service_{what}"), help, samples)?;
    }
    Ok(())
}

fn destinations(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let each = |value: fn(&DestinationSnapshot) -> u64| {
        every_destination(snapshot).map(move |(labels, destination)| (labels, value(&destination)))
    };
    families.gauges(
        "tandem_ipvs_weight",
        "Weight that the kernel holds; missing when the server is not in the table",
        each(|destination| destination.weight.into()),
    )?;
    families.gauges(
        "tandem_ipvs_active_connections",
        "Connections in state ESTABLISHED, as the kernel sees them",
        each(|destination| destination.counts.connections.active.into()),
    )?;
    families.gauges(
        "tandem_ipvs_inactive_connections",
        "Connections in any other state, as the kernel sees them; in DR and TUN it sees one direction only",
        each(|destination| destination.counts.connections.inactive.into()),
    )?;
    for (what, help, value) in KERNEL_COUNTERS {
        let samples = every_destination(snapshot)
            .map(move |(labels, destination)| (labels, value(&destination.counts.counters)));
        families.counters(&format!("tandem_ipvs_{what}"), help, samples)?;
    }
    Ok(())
}

fn every_destination(
    snapshot: &Snapshot,
) -> impl Iterator<Item = ([(&'static str, &str); 3], DestinationSnapshot)> {
    snapshot.pools.iter().flat_map(|pool| {
        pool.services.iter().flat_map(move |service| {
            service.destinations().filter_map(move |destination| {
                let server = pool.servers.get(destination.server)?;
                let labels = [("pool", &*pool.name), ("service", &*service.name), ("server", &*server.name)];
                Some((labels, destination))
            })
        })
    })
}

fn connection_sync(families: &mut Families<'_>, sync: &ConnectionSyncSnapshot) -> fmt::Result {
    let role = |role, value: u64| if sync.roles.contains(&role) { value } else { 0 };
    families.gauge(
        "tandem_connection_sync_role",
        "The kernel's daemons that synchronise connections: 0 none, 1 backup (takes them in), 2 master (sends them), 3 both",
        Some(role(SyncDaemonRole::Backup, 1) + role(SyncDaemonRole::Master, 2)),
    )?;
    families.gauge(
        "tandem_connection_sync_entries",
        "Connections in the kernel's table that another director sent, counted every 15 s up to 65536: on the backup about \
         as many as the master has connections",
        sync.entries,
    )
}

fn reconcile(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let found = &snapshot.reconcile;
    families.counters(
        "tandem_reconcile",
        "Passes that changed the kernel's tables (success), and those in which the kernel refused something or could not \
         be read (failure)",
        [([("result", "success")], found.succeeded), ([("result", "failure")], found.failed)],
    )?;
    families.counters(
        "tandem_reconcile_changes",
        "Changes that the kernel accepted, by kind",
        found.changes.iter().map(|(kind, count)| ([("kind", *kind)], *count)),
    )?;
    families.histogram(
        "tandem_reconcile_duration_seconds",
        "How long the passes took that changed the kernel's tables",
        &found.duration,
    )?;
    families.gauge(
        "tandem_reconcile_last_success_timestamp_seconds",
        "When the kernel's tables were last seen to be as they shall be, in Unix time; moves every few seconds while all \
         is well",
        found.last_success.map(|at| snapshot.unix_time(at).as_secs_f64()),
    )?;
    families.gauge(
        "tandem_reconcile_pending_changes",
        "Changes that are due and not yet made; more than 0 for long says that the kernel refuses them",
        Some(found.pending_changes),
    )?;
    families.counters(
        "tandem_drift",
        "Entries of ours that somebody else changed, removed or added; each was repaired",
        Table::ALL.map(|table| ([("table", table.name())], snapshot.drift.get(&table).copied().unwrap_or(0))),
    )
}

fn observing(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let Some(seen) = &snapshot.observing else { return Ok(()) };
    families.gauges(
        "tandem_observe_differences",
        "Of a director that only observes (run --observe): how much it would have otherwise than the live tables are, by \
         table; the metric is there only while one observes",
        Table::ALL
            .map(|table| ([("table", table.name())], seen.differences.get(&table).copied().unwrap_or(0) as u64)),
    )
}

fn of_pool(pool: &PoolSnapshot) -> [(&'static str, &str); 1] {
    [("pool", &*pool.name)]
}

fn of_server<'a>(pool: &'a PoolSnapshot, server: &'a ServerSnapshot) -> [(&'static str, &'a str); 2] {
    [("pool", &*pool.name), ("server", &*server.name)]
}

fn of_check(check: &CheckSnapshot) -> [(&'static str, &str); 1] {
    [("check", &*check.name)]
}
