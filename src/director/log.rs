//! Events as log lines (shell): one line a decision, with fields. Nothing parses these lines.

use super::event::{Cause, Event, OverrideChange};
use super::observing::Difference;
use crate::model::Override;
use crate::reconcile::Change;
use crate::rotation::{Act, ActKind};
use tracing::{debug, error, info, warn};

/// Changes that are logged one by one; a larger batch is logged as its counts, and one by one at level debug.
const ONE_BY_ONE: usize = 20;

/// Writes one event.
pub(super) fn tell(event: &Event) {
    match event {
        Event::Adopted { ours, foreign } => info!(
            ours = ours.len(),
            foreign = foreign.len(),
            "found a table: what is right in it is left alone, foreign services are never touched"
        ),
        Event::Override { given, change } => overridden(given, *change),
        Event::PolicyTaken { generation } => info!(generation, "another policy is in force"),
        Event::Verdict { target, up, reason, servers } => {
            let servers: Vec<_> = servers.iter().map(|(pool, server)| format!("{pool}/{server}")).collect();
            let (check, address, servers) = (&target.check, target.address, servers.join(" "));
            match up {
                true => info!(%check, %address, servers, "up: {reason}"),
                false => warn!(%check, %address, servers, "down: {reason}"),
            }
        }
        Event::NotProbed { target, reason } => warn!(
            check = %target.check, address = %target.address,
            "cannot be probed, its verdict stays as it is: {reason}"
        ),
        Event::CertificateExpires { target, left } => warn!(
            check = %target.check, address = %target.address,
            "the certificate expires in {} days and {} hours",
            left.as_secs() / 86_400, left.as_secs() / 3_600 % 24
        ),
        Event::Acted { pool, server, act } => acted(pool, server.as_deref(), act),
        Event::Applied { cause, changes } => applied(*cause, changes),
        Event::Drift { changes } => {
            warn!(changes = changes.len(), "somebody else changed what is ours; repairing");
            for change in changes.iter().take(ONE_BY_ONE) {
                warn!("drift, repaired by: {change}");
            }
        }
        Event::Refused { object, message } => error!(%object, "{message}; tried again with increasing waits"),
        Event::Accepted { object } => info!(%object, "accepted after it had been refused"),
        Event::Unreadable { message } => error!("cannot read the kernel's tables: {message}"),
        Event::Readable => info!("all of the kernel's tables can be read again"),
        Event::Pool { pool, up: true } => info!(%pool, "the pool serves"),
        Event::Pool { pool, up: false } => {
            error!(%pool, "the pool is DOWN: it has lost its quorum")
        }
        Event::Obstructed { pool, server, obstructed: true } => warn!(
            %pool, %server,
            "not used: DR needs the real server on the director's own link, and the route leads through a gateway"
        ),
        Event::Obstructed { pool, server, obstructed: false } => {
            info!(%pool, %server, "on the director's link again: used");
        }
        Event::Differs { appeared, ended, left } => differs(appeared, ended, *left),
        Event::ObservedUntilNow { differences } => {
            info!(differences = differences.len(), "observed until now, and nothing was changed");
            for difference in differences.iter().take(ONE_BY_ONE) {
                info!("differs to the end, this director would: {difference}");
            }
        }
    }
}

/// Line by line; a table that is another one altogether is told by its number.
fn differs(appeared: &[Difference], ended: &[Difference], left: usize) {
    for difference in appeared.iter().take(ONE_BY_ONE) {
        warn!("differs from the live table, this director would: {difference}");
    }
    for difference in ended.iter().take(ONE_BY_ONE) {
        info!("differs no longer: {difference}");
    }
    match left {
        0 => info!("the live table is as this director would have it"),
        _ => info!(
            differences = left,
            "the live table is not as this director would have it; `tandem status` lists them"
        ),
    }
}

fn overridden(given: &Override, change: OverrideChange) {
    let Override { kind, target, by, reason, director, .. } = given;
    match change {
        OverrideChange::Set => warn!(%target, by, reason, director, "an operator ordered: {kind}"),
        OverrideChange::Cleared => info!(%target, by, "no longer in force, cleared: {kind}"),
        OverrideChange::Expired => warn!(%target, by, "no longer in force, its time is over: {kind}"),
    }
}

/// What takes servers out of rotation is a warning, what stands in for a pool is an error, and its end is news.
fn acted(pool: &str, server: Option<&str>, act: &Act) {
    let (act_name, shadow) = (act.kind.name(), act.shadow);
    match (act.begins, act.shadow, act.kind) {
        (true, false, ActKind::QuorumLost { .. } | ActKind::Panic { .. } | ActKind::SightLost { .. }) => {
            error!(pool, server, act = act_name, "{act}");
        }
        (true, false, ActKind::Sorry | ActKind::Backup | ActKind::Silence { .. }) => {
            warn!(pool, server, act = act_name, "{act}");
        }
        (true, true, _) => warn!(pool, server, act = act_name, shadow, "{act} (in shadow: nothing is done)"),
        (true, false, ActKind::SlowStart { .. } | ActKind::Drain { .. } | ActKind::Disputed { .. })
        | (false, _, _) => {
            info!(pool, server, act = act_name, shadow, "{act}");
        }
    }
}

fn applied(cause: Cause, changes: &[Change]) {
    if changes.len() <= ONE_BY_ONE {
        for change in changes {
            info!(cause = cause.name(), "{change}");
        }
        return;
    }
    info!(cause = cause.name(), changes = changes.len(), "applied");
    for change in changes {
        debug!(cause = cause.name(), "{change}");
    }
}
