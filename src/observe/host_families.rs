//! The families of the director itself and of its host: how it runs, and what the kernel counts beside IPVS. Pure.

use super::metrics::Families;
use crate::director::snapshot::Snapshot;
use std::fmt;

/// All of them.
pub(super) fn write(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    life(families, snapshot)?;
    let tracking = &snapshot.tracking;
    families.gauge(
        "tandem_conntrack_entries",
        "Connections that the kernel tracks, looked at every 15 s; at tandem_conntrack_limit it drops the packets of new ones",
        tracking.entries,
    )?;
    families.gauge(
        "tandem_conntrack_limit",
        "Connections that the kernel can track: the setting net.netfilter.nf_conntrack_max",
        tracking.limit,
    )?;
    families.counter(
        "tandem_conntrack_insert_failed",
        "Connections that the kernel could not track, since boot: their packets were dropped; mostly two connections that \
         wanted one source port",
        tracking.insert_failed,
    )?;
    let used = tracking.ports_used.iter();
    families.gauges(
        "tandem_full_nat_ports_used",
        "Source ports of the local address that are taken towards the real server that has most of them, looked at every 15 s; \
         there are about 64000 towards each",
        used.map(|(address, count)| ([("local_address", address.to_string())], *count)),
    )
}

fn life(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    families.gauge(
        "tandem_ready",
        "1 when the tables are applied and each pool has a first verdict, else 0; /readyz says what is awaited",
        Some(u64::from(snapshot.readiness.is_ok())),
    )?;
    families.gauge(
        "tandem_start_timestamp_seconds",
        "When the director started, in Unix time",
        Some(snapshot.epoch.as_secs_f64()),
    )?;
    families.gauge(
        "tandem_snapshot_timestamp_seconds",
        "When what is told here was taken, in Unix time; some seconds ago says that the loop of the pools stands still",
        Some(snapshot.unix_time(snapshot.taken_at).as_secs_f64()),
    )?;
    families.counters(
        "tandem_watchdog",
        "How often a loop of the director gave no sign of life for too long: adverts (advertisements), addresses and pools for 5 \
         s, kernel (which the tables are changed by) for 20 s",
        snapshot.silences.iter().map(|(thread, count)| ([("loop", *thread)], *count)),
    )?;
    families.counters(
        "tandem_panics",
        "Panics, which are bugs, by the thread that they happened in; each stands in the log with its reason and place",
        snapshot.panics.iter().map(|(thread, count)| ([("thread", thread.clone())], *count)),
    )
}
