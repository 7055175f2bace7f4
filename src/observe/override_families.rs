//! What operators ordered, as metrics: few series, by what was said, not by what it comes to.

use super::metrics::Families;
use crate::director::snapshot::Snapshot;
use crate::model::{Override, OverrideTarget};
use std::fmt;

/// Every pool, or every server of one.
const EVERY: &str = "*";

pub(super) fn write(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let all = || snapshot.overrides.iter();
    families.gauges(
        "tandem_override_active",
        "1 for each override in force, by what it is for as the operator named it: pool=* is every pool that has the server, \
         server=* every server of the pool; of a frozen pool without a server. Missing when none is in force",
        all().map(|given| {
            let [pool, server] = of(given);
            ([pool, server, ("kind", given.kind.name())], 1_u64)
        }),
    )?;
    families.gauges(
        "tandem_override_set_timestamp_seconds",
        "When the override was given, in Unix time; an old one may be forgotten: compare time()",
        all().map(|given| {
            let [pool, server] = of(given);
            let set = std::time::Duration::from_millis(given.set_unix_ms).as_secs_f64();
            ([pool, server, ("kind", given.kind.name())], set)
        }),
    )?;
    families.gauges(
        "tandem_pool_frozen",
        "1 while an operator keeps the pool as it is, whatever its checks say",
        snapshot.pools.iter().map(|pool| ([("pool", &*pool.name)], u64::from(pool.frozen))),
    )
}

fn of(given: &Override) -> [(&'static str, &str); 2] {
    let server = match &given.target {
        OverrideTarget::Server { server, .. } => server,
        OverrideTarget::EveryServer(_) => EVERY,
        OverrideTarget::Pool(_) => "",
    };
    [("pool", given.target.pool().map_or(EVERY, |pool| pool)), ("server", server)]
}
