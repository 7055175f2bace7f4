//! The lines of `tandem top`: routers, directors, overrides, pools, servers. Pure.

use super::model::Top;
use super::seen::Rates;
use crate::cli::overrides;
use crate::cli::table::{Cell as Text, Tint, cell};
use crate::cli::words::time;
use crate::control::{OverrideRecord, PeerStatus, PoolStatus, RouterStatus, ServerStatus, Status};

pub(super) const POOL_HEAD: [&str; 7] =
    ["POOL", "STATE", "SERVERS UP", "WEIGHT UP", "CONN/S", "IN/S", "OUT/S"];
pub(super) const SERVER_HEAD: [&str; 7] =
    ["SERVER", "STATE", "WEIGHT", "ACT+INACT", "CONN/S", "CHANGED", "REASON"];

/// Routers with who holds their addresses, the other directors, and what operators have overridden.
pub(super) fn above(top: &Top, status: &Status) -> Vec<Vec<Text>> {
    let routers = status.routers.iter().map(|found| router(found, status.uptime_ms));
    let peers = status.peers.iter().map(peer);
    let now_ms = status.started_unix_ms.saturating_add(status.uptime_ms);
    let overrides =
        top.seen.iter().flat_map(|seen| &seen.status.overrides).map(|found| overridden(found, now_ms));
    routers.chain(peers).chain(overrides).collect()
}

/// Its name, its role here and for how long, its addresses here, and why; a bad tracker before anything else.
fn router(router: &RouterStatus, uptime_ms: u64) -> Vec<Text> {
    let (held, wanted) = (router.addresses_held, router.addresses_wanted);
    let tint = match router.role.as_str() {
        "master" => Tint::Good,
        "backup" => Tint::Plain,
        _ => Tint::Bad,
    };
    let bad: Vec<&str> =
        router.trackers.iter().filter(|tracker| !tracker.good).map(|tracker| tracker.name.as_str()).collect();
    let (why, why_tint) = match (bad.is_empty(), router.released) {
        (false, _) => (format!("bad: {}", bad.join(", ")), Tint::Bad),
        (true, true) => ("released by an operator".to_owned(), Tint::Doubtful),
        (true, false) => (router.because.clone().unwrap_or_default(), Tint::Plain),
    };
    vec![
        cell(&router.name, Tint::Bold),
        cell(&router.role, tint),
        cell(time(uptime_ms.saturating_sub(router.since_ms)), Tint::Plain),
        cell(format!("{held} of {wanted} VIPs"), if held == wanted { Tint::Plain } else { Tint::Bad }),
        cell(why, why_tint),
    ]
}

fn peer(peer: &PeerStatus) -> Vec<Text> {
    let (word, tint) = if peer.up { ("heard", Tint::Good) } else { ("silent", Tint::Bad) };
    let heard = peer.last_heard_ms_ago.map_or_else(|| "never".to_owned(), |ago| format!("{} ago", time(ago)));
    vec![
        cell(&peer.name, Tint::Bold),
        cell(word, tint),
        cell(heard, Tint::Plain),
        cell("", Tint::Plain),
        cell("the other director", Tint::Plain),
    ]
}

fn overridden(found: &OverrideRecord, now_ms: u64) -> Vec<Text> {
    let left = found.until_unix_ms.map(|until| format!("{} left", time(until.saturating_sub(now_ms))));
    let words: Vec<String> =
        [Some(format!("by {}", found.by)), found.reason.clone()].into_iter().flatten().collect();
    vec![
        cell(&found.id, Tint::Bold),
        cell(overrides::kind(found), Tint::Doubtful),
        cell(time(now_ms.saturating_sub(found.set_unix_ms)), Tint::Plain),
        cell(left.unwrap_or_else(|| "until clear".to_owned()), Tint::Plain),
        cell(words.join(": "), Tint::Plain),
    ]
}

/// A line of the pools.
pub(super) fn pool(top: &Top, pool: &PoolStatus) -> Vec<Text> {
    let (word, tint) = match pool.up {
        false => ("down", Tint::Bad),
        true if pool.servers_up < pool.servers => ("up", Tint::Doubtful),
        true => ("up", Tint::Good),
    };
    let rates = top.history.rates(&pool.name, None);
    vec![
        cell(&pool.name, Tint::Bold),
        cell(word, tint),
        cell(format!("{} of {}", pool.servers_up, pool.servers), Tint::Plain),
        cell(format!("{} of {}", pool.weight_up, pool.weight), Tint::Plain),
        rate(rates, |rates| number(rates.connections)),
        rate(rates, |rates| bytes(rates.incoming_bytes)),
        rate(rates, |rates| bytes(rates.outgoing_bytes)),
    ]
}

/// What stands above the servers: where one is selected, its reason as a whole, which a narrow column cuts.
pub(super) fn servers_title(top: &Top) -> Vec<Text> {
    let Some(pool) = top.pool() else { return vec![cell("no pool", Tint::Plain)] };
    let servers = top.servers();
    if let Some(server) = top.selected_server().and_then(|place| servers.get(place)) {
        let reason = server.reason.as_deref().or(server.last_failure.as_deref()).unwrap_or("no check");
        return vec![cell(&server.name, Tint::Bold), cell(format!(": {reason}"), Tint::Plain)];
    }
    let services: Vec<&str> = pool.virtual_services.iter().map(|service| service.name.as_str()).collect();
    vec![
        cell("Servers of ", Tint::Plain),
        cell(&pool.name, Tint::Bold),
        cell(format!("  {}", services.join(" ")), Tint::Plain),
    ]
}

/// A line of the servers.
pub(super) fn server(top: &Top, server: &ServerStatus) -> Vec<Text> {
    let (word, tint) = match (server.up, server.in_rotation) {
        (false, _) => ("down", Tint::Bad),
        (true, false) => ("up, out", Tint::Doubtful),
        (true, true) => ("up", Tint::Good),
    };
    let kernel = server.weight_in_kernel.map_or_else(|| "-".to_owned(), |weight| weight.to_string());
    let weights = format!("{}/{}/{kernel}", server.weight_configured, server.weight_effective);
    let uptime = top.status().map_or(0, |status| status.uptime_ms);
    let changed = server.last_change_ms.map(|at| format!("{} ago", time(uptime.saturating_sub(at))));
    let pool = top.pool().map(|pool| pool.name.as_str()).unwrap_or_default();
    let rates = top.history.rates(pool, Some(&server.name));
    let reason = server.reason.as_deref().or(server.last_failure.as_deref());
    vec![
        cell(&server.name, Tint::Bold),
        cell(word, tint),
        cell(weights, Tint::Plain),
        cell(format!("{}+{}", server.active_connections, server.inactive_connections), Tint::Plain),
        rate(rates, |rates| number(rates.connections)),
        cell(changed.unwrap_or_default(), Tint::Plain),
        cell(reason.unwrap_or(if server.checked { "" } else { "no check" }), Tint::Plain),
    ]
}

/// Unknown before the second poll.
fn rate(rates: Option<Rates>, words: impl Fn(Rates) -> String) -> Text {
    cell(rates.map_or_else(|| "-".to_owned(), words), Tint::Plain)
}

/// `0`, `3.4`, `120`, `45k`, `2.1M`.
fn number(value: f64) -> String {
    scaled(value, 1_000.0, &["", "k", "M", "G", "T"])
}

/// The same in units of 1024: `12 KiB`.
fn bytes(value: f64) -> String {
    scaled(value, 1_024.0, &[" B", " KiB", " MiB", " GiB", " TiB"])
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut units = units.iter().peekable();
    let mut unit = units.next().copied().unwrap_or_default();
    while value >= step && units.peek().is_some() {
        value /= step;
        unit = units.next().copied().unwrap_or_default();
    }
    let digits = usize::from(value < 9.95 && value > 0.0);
    format!("{value:.digits$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_short() {
        let words = [0.0, 0.4, 3.44, 9.96, 120.0, 45_400.0, 2_140_000.0].map(number);
        assert_eq!(words, ["0", "0.4", "3.4", "10", "120", "45k", "2.1M"]);
        let words = [0.0, 512.0, 2_048.0, 12_000_000.0].map(bytes);
        assert_eq!(words, ["0 B", "512 B", "2.0 KiB", "11 MiB"]);
    }
}
