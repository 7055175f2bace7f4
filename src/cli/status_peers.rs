//! The directors side by side, as people read them: this one and the others, with what each says of itself. Pure.

use super::table::{Cell, Tint, cell};
use super::words::time;
use crate::control::{ChannelStatus, PeerStatus, Status};

/// The table's head and rows; no rows without another director. Where no channel is, there is only what the beats say.
pub(super) fn directors(status: &Status) -> (&'static [&'static str], Vec<Vec<Cell>>) {
    if status.peers.iter().all(|peer| peer.channel.is_none()) {
        return (&["DIRECTOR", "STATE", "LAST HEARD"], status.peers.iter().map(beats).collect());
    }
    let head =
        &["DIRECTOR", "STATE", "LAST HEARD", "CHANNEL", "ROLES", "POOLS UP", "POLICY", "TABLES", "REMARKS"];
    let mut rows = vec![own(status)];
    rows.extend(status.peers.iter().flat_map(|peer| other(peer, status.uptime_ms)));
    (head, rows)
}

fn beats(peer: &PeerStatus) -> Vec<Cell> {
    let (word, tint) = if peer.up { ("heard", Tint::Good) } else { ("silent", Tint::Bad) };
    let heard = peer.last_heard_ms_ago.map_or_else(|| "never".to_owned(), |ago| format!("{} ago", time(ago)));
    vec![cell(&peer.name, Tint::Bold), cell(word, tint), cell(heard, Tint::Plain)]
}

fn own(status: &Status) -> Vec<Cell> {
    let ready =
        if status.ready { ("this one", Tint::Plain) } else { ("this one, not ready", Tint::Doubtful) };
    let up = status.pools.iter().filter(|pool| pool.up).count();
    let roles = status.routers.iter().map(|router| (router.name.as_str(), router.role.as_str()));
    vec![
        cell(status.director.as_deref().unwrap_or_default(), Tint::Bold),
        cell(ready.0, ready.1),
        cell("", Tint::Plain),
        cell("", Tint::Plain),
        cell(said(roles), Tint::Plain),
        pools(up, status.pools.len()),
        cell(status.policy_generation, Tint::Plain),
        cell("", Tint::Plain),
    ]
}

/// Its line, and one for what is amiss.
fn other(peer: &PeerStatus, uptime_ms: u64) -> Vec<Vec<Cell>> {
    let mut row = beats(peer);
    let Some(channel) = &peer.channel else { return vec![row] };
    let lasts = time(uptime_ms.saturating_sub(channel.since_ms));
    let report = channel.report.as_ref().filter(|_| channel.up);
    match channel.up {
        true => row.push(cell(format!("up for {lasts}"), Tint::Good)),
        false => row.push(cell(format!("down for {lasts}"), Tint::Bad)),
    }
    let roles = report
        .map(|report| said(report.routers.iter().map(|router| (router.name.as_str(), router.role.as_str()))));
    row.push(cell(roles.unwrap_or_default(), Tint::Plain));
    row.push(report.map_or_else(|| cell("", Tint::Plain), |report| pools(report.pools_up, report.pools)));
    row.extend([channel.policy_match, channel.table_match].map(matches));
    let columns = row.len();
    let mut remarks = amiss(channel).map(|words| cell(words, Tint::Bad));
    row.extend(remarks.next());
    let mut rows = vec![row];
    rows.extend(remarks.map(|remark| {
        let mut row = vec![cell("", Tint::Plain); columns];
        row.push(remark);
        row
    }));
    rows
}

fn amiss(channel: &ChannelStatus) -> impl Iterator<Item = String> {
    let named =
        |what: &str, pools: &[String]| (!pools.is_empty()).then(|| format!("{what}: {}", pools.join(", ")));
    let report = channel.report.as_ref().filter(|report| channel.up && !report.ready);
    let awaits = report.map(|report| report.awaits.clone().unwrap_or_else(|| "its reason".to_owned()));
    [
        channel.fault.clone(),
        awaits.map(|awaited| format!("not ready: {awaited}")),
        named("tables differ", &channel.differing_pools),
        named("down there, up here", &channel.pools_down_there),
        named("up there, down here", &channel.pools_down_here),
    ]
    .into_iter()
    .flatten()
}

fn matches(same: Option<bool>) -> Cell {
    match same {
        Some(true) => cell("same", Tint::Good),
        Some(false) => cell("differs", Tint::Bad),
        None => cell("unknown", Tint::Doubtful),
    }
}

fn said<'a>(roles: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    roles.map(|(name, role)| format!("{name} {role}")).collect::<Vec<_>>().join(", ")
}

fn pools(up: usize, all: usize) -> Cell {
    cell(format!("{up} of {all}"), if up < all { Tint::Bad } else { Tint::Plain })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::table::table;
    use crate::control::PeerReport;
    use crate::control::tests::status;
    use crate::peer::report::RouterReport;
    use crate::policy::Colour;

    fn shown(change: impl FnOnce(&mut ChannelStatus)) -> String {
        let mut status = status();
        let router =
            RouterReport { name: "outside".to_owned(), role: "backup".to_owned(), ..RouterReport::default() };
        let mut channel = ChannelStatus {
            up: true,
            since_ms: 55_000,
            fault: None,
            last_heard_ms_ago: Some(500),
            version: Some("0.1.0".to_owned()),
            policy_match: Some(true),
            table_match: Some(true),
            differing_pools: Vec::new(),
            pools_down_there: Vec::new(),
            pools_down_here: Vec::new(),
            events_heard: 0,
            report: Some(PeerReport {
                ready: true,
                awaits: None,
                policy_generation: 7,
                routers: vec![router],
                pools: 1,
                pools_up: 1,
            }),
        };
        change(&mut channel);
        status.peers[0].channel = Some(channel);
        let (head, rows) = directors(&status);
        table(head, &rows, Colour::Plain)
    }

    #[test]
    fn both_directors_stand_side_by_side() {
        assert_eq!(
            shown(|_| ()),
            "\
DIRECTOR  STATE     LAST HEARD  CHANNEL    ROLES                          POOLS UP  POLICY  TABLES  REMARKS
lb-a      this one                         outside master, inside backup  1 of 1    1
lb-b      heard     40 ms ago   up for 5s  outside backup                 1 of 1    same    same
"
        );
    }

    #[test]
    fn what_differs_and_why_a_channel_is_down_are_said() {
        let text = shown(|channel| {
            (channel.policy_match, channel.table_match) = (Some(false), Some(false));
            channel.differing_pools = vec!["web".to_owned()];
            channel.pools_down_there = vec!["web".to_owned()];
        });
        assert!(text.contains("differs  differs  tables differ: web\n"), "{text}");
        assert!(text.contains("  down there, up here: web\n"), "{text}");
        let text = shown(|channel| {
            (channel.up, channel.policy_match, channel.table_match) = (false, None, None);
            channel.fault = Some("it has another key".to_owned());
        });
        assert!(text.contains("down for 5s"), "{text}");
        assert!(text.contains("unknown  unknown  it has another key\n"), "{text}");
    }
}
