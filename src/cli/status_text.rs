//! A status as people read it: whether it is safe to fail over, routers, peers, pools worst first. Pure.

use super::overrides;
use super::status_peers;
use super::table::{Cell, Tint, cell, table, tinted};
use super::words::time;
use crate::control::{AddressStatus, DifferenceStatus, PoolStatus, RouterStatus, Status};
use crate::policy::Colour;

/// A view older than this says that the event loop stands still.
pub(super) const STALE_MS: u64 = 10_000;

/// The whole text.
pub(super) fn text(status: &Status, colour: Colour) -> String {
    let mut text = head(status, colour);
    let mut section = |head: &[&str], rows: Vec<Vec<Cell>>| {
        if !rows.is_empty() {
            text.push('\n');
            text.push_str(&table(head, &rows, colour));
        }
    };
    let routers = status.routers.iter().flat_map(|found| router(found, status.uptime_ms)).collect();
    section(&["ROUTER", "ROLE", "FOR", "PRIORITY", "ADDRESSES", "BECAUSE"], routers);
    let alone = status.addresses.iter().map(|held| address(held, status.uptime_ms)).collect();
    section(&["ADDRESS", "INTERFACE", "STATE", "FOR", "BECAUSE"], alone);
    let (head, directors) = status_peers::directors(status);
    section(head, directors);
    let differences = status.differences.iter().map(|found| difference(found, status.uptime_ms)).collect();
    section(&["TABLE", "FOR", "THIS DIRECTOR WOULD"], differences);
    let pools = worst_first(&status.pools).into_iter().map(pool).collect();
    section(&["POOL", "STATE", "SERVERS UP", "WEIGHT UP", ""], pools);
    if !status.overrides.is_empty() {
        let now_ms = status.started_unix_ms.saturating_add(status.uptime_ms);
        text.push('\n');
        text.push_str(&overrides::text(&status.overrides, &[], now_ms, colour));
    }
    text
}

fn head(status: &Status, colour: Colour) -> String {
    let name = status.director.as_deref().unwrap_or("this director");
    let ready = match &status.awaits {
        _ if status.ready => tinted("ready", Tint::Good, colour),
        Some(awaited) => tinted(format!("not ready: {awaited}"), Tint::Doubtful, colour),
        None => tinted("not ready", Tint::Doubtful, colour),
    };
    let version = tinted(&status.version, Tint::Plain, colour);
    let mut text = format!("{}  ", tinted(name, Tint::Bold, colour));
    text.push_str(&format!("tandem {version}, up {}, {ready}\n", time(status.uptime_ms)));
    if status.age_ms > STALE_MS {
        let old = format!(
            "What follows is {} old: the event loop of the director stands still",
            time(status.age_ms)
        );
        text.push_str(&tinted(old, Tint::Bad, colour));
        text.push('\n');
    }
    if status.observing {
        let (words, tint) = match status.differences_total {
            0 => ("the live tables are as it would have them".to_owned(), Tint::Good),
            1 => ("1 difference to the live tables".to_owned(), Tint::Doubtful),
            total => (format!("{total} differences to the live tables"), Tint::Doubtful),
        };
        text.push_str(&format!("Observing, and changing nothing: {}\n", tinted(words, tint, colour)));
    }
    let safe = &status.safe_to_fail_over;
    let (word, tint) = if safe.yes { ("yes", Tint::Good) } else { ("no", Tint::Bad) };
    let because = tinted(&safe.because, Tint::Plain, colour);
    text.push_str(&format!("Safe to fail over: {}, because {because}\n", tinted(word, tint, colour)));
    text
}

/// Its line, and one for each bad tracker.
fn router(router: &RouterStatus, uptime_ms: u64) -> Vec<Vec<Cell>> {
    let (role, held, wanted) = (router.role.as_str(), router.addresses_held, router.addresses_wanted);
    let tint = match role {
        "master" => Tint::Good,
        "backup" => Tint::Plain,
        _ => Tint::Bad,
    };
    let role = if router.released { format!("{role}, released") } else { role.to_owned() };
    let addresses = if held == wanted { Tint::Plain } else { Tint::Bad };
    let mut rows = vec![vec![
        cell(&router.name, Tint::Bold),
        cell(role, if router.released { Tint::Doubtful } else { tint }),
        cell(time(uptime_ms.saturating_sub(router.since_ms)), Tint::Plain),
        cell(router.priority, Tint::Plain),
        cell(format!("{held} of {wanted}"), addresses),
        cell(router.because.as_deref().unwrap_or_default(), Tint::Plain),
    ]];
    let bad = router.trackers.iter().filter(|tracker| !tracker.good);
    rows.extend(bad.map(|tracker| {
        let mut row = vec![cell("", Tint::Plain); 5];
        row.push(cell(format!("bad: {}", tracker.name), Tint::Bad));
        row
    }));
    rows.extend(router.complaints.iter().map(|heard| {
        let advice = heard.advice.as_deref().unwrap_or(&heard.kind);
        let mut row = vec![cell("", Tint::Plain); 5];
        row.push(cell(format!("heard from {}: {advice}", heard.source), Tint::Doubtful));
        row
    }));
    rows
}

fn address(address: &AddressStatus, uptime_ms: u64) -> Vec<Cell> {
    let (state, tint) = if address.held { ("held", Tint::Good) } else { ("missing", Tint::Bad) };
    vec![
        cell(&address.address, Tint::Bold),
        cell(&address.interface, Tint::Plain),
        cell(state, tint),
        cell(time(uptime_ms.saturating_sub(address.since_ms)), Tint::Plain),
        cell(address.because.as_deref().unwrap_or_default(), Tint::Plain),
    ]
}

fn difference(difference: &DifferenceStatus, uptime_ms: u64) -> Vec<Cell> {
    vec![
        cell(&difference.table, Tint::Plain),
        cell(time(uptime_ms.saturating_sub(difference.since_ms)), Tint::Plain),
        cell(&difference.what, Tint::Doubtful),
    ]
}

fn pool(pool: &PoolStatus) -> Vec<Cell> {
    let (word, tint) = match pool.up {
        false => ("down", Tint::Bad),
        true if pool.servers_up < pool.servers => ("up", Tint::Doubtful),
        true => ("up", Tint::Good),
    };
    vec![
        cell(&pool.name, Tint::Bold),
        cell(word, tint),
        cell(format!("{} of {}", pool.servers_up, pool.servers), Tint::Plain),
        cell(format!("{} of {}", pool.weight_up, pool.weight), Tint::Plain),
        cell(stands_in(pool).join(", "), Tint::Doubtful),
    ]
}

/// What acts in place of verdicts.
fn stands_in(pool: &PoolStatus) -> Vec<&'static str> {
    let words = [(pool.frozen, "frozen"), (pool.panic, "panic"), (pool.sorry, "sorry server")];
    words.into_iter().filter(|(is_so, _)| *is_so).map(|(_, word)| word).collect()
}

/// Pools that are down, then those with the least share of servers up, then by name.
pub(super) fn worst_first(pools: &[PoolStatus]) -> Vec<&PoolStatus> {
    let share = |pool: &PoolStatus| match pool.servers {
        0 => 1_000_000,
        servers => pool.servers_up.saturating_mul(1_000_000) / servers,
    };
    let mut pools: Vec<_> = pools.iter().collect();
    pools.sort_by_key(|pool| (pool.up, share(pool), &pool.name));
    pools
}
