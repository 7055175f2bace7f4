//! Settings of the kernel's IPVS as a whole, where nothing is said those that the pools need.

use crate::model::{KernelSettings, OnFailure, Pool, Pools, Timeouts};
use crate::policy::read::Field;
use crate::policy::schema::KernelText;

/// The settings with their defaults written out.
pub(super) fn settings(field: &Field<KernelText>, pools: &Pools) -> KernelSettings {
    let needed =
        KernelSettings { expire_quiescent_template: quiesces_the_dead(pools), ..KernelSettings::default() };
    let Some(text) = field.value() else { return needed };
    let timeouts = text.timeouts.value().map(|timeouts| Timeouts {
        tcp_s: timeouts.tcp.value().map(|seconds| seconds.0),
        tcp_fin_s: timeouts.tcp_fin.value().map(|seconds| seconds.0),
        udp_s: timeouts.udp.value().map(|seconds| seconds.0),
    });
    let reuse = text.conn_reuse_mode.value().and_then(|mode| u8::try_from(mode.0).ok());
    KernelSettings {
        timeouts: timeouts.unwrap_or_default(),
        expire_nodest_conn: text.expire_nodest_conn.value().map_or(needed.expire_nodest_conn, |flag| flag.0),
        expire_quiescent_template: text
            .expire_quiescent_template
            .value()
            .map_or(needed.expire_quiescent_template, |flag| flag.0),
        conn_reuse_mode: reuse,
    }
}

/// Whether the kernel must let go of clients of a failed server.
pub(super) fn quiesces_the_dead(pools: &Pools) -> bool {
    pools.values().any(keeps_clients_on_the_dead)
}

/// Whether persistence would bring clients back to a failed server.
fn keeps_clients_on_the_dead(pool: &Pool) -> bool {
    let persists = pool.services.iter().any(|service| service.config.persistence.is_some());
    persists && pool.on_failure == OnFailure::Quiesce
}
