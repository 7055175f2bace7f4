//! `tandem overrides`: what operators ordered, by whom, why and until when; and the routers that they released.

use super::ExitStatus;
use super::ask::{failed, wait_for};
use super::colour_on;
use super::table::{Tint, cell, table};
use super::words::time;
use crate::control::{Client, OverrideList, OverrideRecord, OverrideWord, ReleaseRecord};
use crate::policy::Colour;
use crate::time::milliseconds;
use std::io::{IsTerminal as _, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Prints them.
///
/// # Errors
/// When the answer cannot be written.
pub(super) fn overrides(
    socket: &Path,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    match wait_for(Client::new(socket).overrides())? {
        Ok(list) if as_json => {
            serde_json::to_writer_pretty(&mut *out, &list)?;
            writeln!(out)?;
        }
        Ok(OverrideList { overrides, releases }) if overrides.is_empty() && releases.is_empty() => {
            writeln!(err, "no override is in force, and no router is released")?;
        }
        Ok(list) => {
            #[expect(clippy::disallowed_methods, reason = "ages are shown by the wall clock")]
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now_ms = milliseconds(now);
            let colour = colour_on(std::io::stdout().is_terminal());
            out.write_all(text(&list.overrides, &list.releases, now_ms, colour).as_bytes())?;
        }
        Err(error) => return failed(&error, err),
    }
    Ok(ExitStatus::Done)
}

/// The table of `overrides` at this Unix time.
pub(super) fn text(
    overrides: &[OverrideRecord],
    releases: &[ReleaseRecord],
    now_ms: u64,
    colour: Colour,
) -> String {
    let ends = |until: Option<u64>| match until {
        Some(until) => format!("in {}", time(until.saturating_sub(now_ms))),
        None => "when cleared".to_owned(),
    };
    let row = |given: &OverrideRecord| {
        vec![
            cell(&given.id, Tint::Bold),
            cell(kind(given), Tint::Doubtful),
            cell(format!("{} ago", time(now_ms.saturating_sub(given.set_unix_ms))), Tint::Plain),
            cell(ends(given.until_unix_ms), Tint::Plain),
            cell(&given.by, Tint::Plain),
            cell(given.reason.as_deref().unwrap_or_default(), Tint::Plain),
        ]
    };
    // Of a release it is not kept who gave it, and why.
    let release = |given: &ReleaseRecord| {
        let ends = ends(given.until_unix_ms);
        let words = [("release", Tint::Doubtful), ("", Tint::Plain), (ends.as_str(), Tint::Plain)];
        let blank = [("", Tint::Plain); 2];
        let cells = words.into_iter().chain(blank).map(|(word, tint)| cell(word, tint));
        [cell(&given.router, Tint::Bold)].into_iter().chain(cells).collect()
    };
    let rows: Vec<_> = overrides.iter().map(row).chain(releases.iter().map(release)).collect();
    table(&["OVERRIDE", "KIND", "GIVEN", "ENDS", "BY", "REASON"], &rows, colour)
}

/// What it does, in a word or two.
pub(super) fn kind(given: &OverrideRecord) -> String {
    match (given.kind, given.weight) {
        (OverrideWord::Drain, _) => "drain".to_owned(),
        (OverrideWord::Disable, _) => "disable".to_owned(),
        (OverrideWord::Weight, weight) => format!("weight {}", weight.unwrap_or_default()),
        (OverrideWord::ForceUp, _) => "force-up".to_owned(),
        (OverrideWord::Freeze, _) => "freeze".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_override_is_a_line_with_who_why_and_until_when() {
        let record = OverrideRecord {
            id: "*/web1".to_owned(),
            kind: OverrideWord::Weight,
            server: Some("web1".to_owned()),
            pool: None,
            weight: Some(7),
            by: "alice (root)".to_owned(),
            reason: Some("new disk".to_owned()),
            director: None,
            set_unix_ms: 1_000_000,
            until_unix_ms: Some(1_150_000),
        };
        let release = |until_unix_ms| ReleaseRecord { router: "outside".to_owned(), until_unix_ms };
        let overrides = [record.clone(), OverrideRecord { until_unix_ms: None, ..record }];
        let releases = [release(Some(1_690_000)), release(None)];
        let text = text(&overrides, &releases, 1_090_000, Colour::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "*/web1    weight 7  1m30s ago  in 1m0s       alice (root)  new disk", "{text}");
        assert!(lines[2].contains("when cleared"), "{text}");
        assert_eq!(
            lines[3].split_whitespace().collect::<Vec<_>>(),
            ["outside", "release", "in", "10m0s"],
            "{text}"
        );
        assert!(lines[4].ends_with("when cleared"), "{text}");
    }
}
