//! `tandem history`: the policies that a running director has taken over.

use super::ExitStatus;
use super::ask::{failed, wait_for};
use super::colour_on;
use super::table::{Tint, cell, table};
use super::words::time;
use crate::control::{Client, PolicyHistory, PolicyRecord};
use crate::policy::Colour;
use crate::time::milliseconds;
use std::io::{IsTerminal as _, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Prints them, the newest first.
///
/// # Errors
/// When the answer cannot be written.
pub(super) fn history(
    socket: &Path,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    match wait_for(Client::new(socket).history())? {
        Ok(history) if as_json => {
            serde_json::to_writer_pretty(&mut *out, &history)?;
            writeln!(out)?;
            Ok(ExitStatus::Done)
        }
        Ok(history) => {
            #[expect(clippy::disallowed_methods, reason = "ages are shown by the wall clock")]
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            out.write_all(text(&history, now, colour_on(std::io::stdout().is_terminal())).as_bytes())?;
            Ok(ExitStatus::Done)
        }
        Err(error) => failed(&error, err),
    }
}

fn text(history: &PolicyHistory, now: Duration, colour: Colour) -> String {
    let row = |record: &PolicyRecord| {
        let (state, tint) = match (record.in_force, record.confirmed) {
            (true, true) => ("in force", Tint::Good),
            (true, false) => ("in force, to be confirmed", Tint::Doubtful),
            (false, true) => ("", Tint::Plain),
            (false, false) => ("was not confirmed", Tint::Bad),
        };
        let now_ms = milliseconds(now);
        let taken = now_ms.saturating_sub(record.taken_unix_ms);
        vec![
            cell(record.generation, Tint::Bold),
            cell(format!("{} ago", time(taken)), Tint::Plain),
            cell(&record.by, Tint::Plain),
            cell(state, tint),
        ]
    };
    let rows: Vec<_> = history.policies.iter().map(row).collect();
    table(&["policy", "taken over", "by", ""], &rows, colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_is_a_line_that_says_what_it_is() {
        let record = |generation, confirmed, in_force| PolicyRecord {
            generation,
            taken_unix_ms: 1_000_000,
            by: "reload".to_owned(),
            confirmed,
            in_force,
            files: Vec::new(),
        };
        let policies = vec![record(3, false, true), record(2, false, false), record(1, true, false)];
        let text = text(&PolicyHistory { policies }, Duration::from_secs(1_090), Colour::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].starts_with("3") && lines[1].ends_with("in force, to be confirmed"), "{text}");
        assert!(lines[1].contains("1m30s ago"), "{text}");
        assert!(lines[2].ends_with("was not confirmed") && lines[3].ends_with("reload"), "{text}");
    }
}
