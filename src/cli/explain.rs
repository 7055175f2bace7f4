//! `tandem explain`: why a pool, or one of its real servers, is as it is.

use super::ExitStatus;
use super::arguments::ExplainOptions;
use super::ask::{failed, wait_for};
use super::colour_on;
use super::events::line;
use super::table::{Cell, Tint, cell, table, tinted};
use crate::control::{Client, Explanation, Link, ServerSummary};
use crate::policy::Colour;
use crate::time::utc;
use std::io::{IsTerminal as _, Write};

/// Prints the chain of reasons.
///
/// # Errors
/// When it cannot be written.
pub(super) fn explain(
    wanted: &ExplainOptions,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let ExplainOptions { pool, server, json, at } = wanted;
    match wait_for(Client::new(&at.socket).explain(pool, server.as_deref()))? {
        Ok(explanation) if *json => {
            serde_json::to_writer_pretty(&mut *out, &explanation)?;
            writeln!(out)?;
            Ok(ExitStatus::Done)
        }
        Ok(explanation) => {
            out.write_all(text(&explanation, colour_on(std::io::stdout().is_terminal())).as_bytes())?;
            Ok(ExitStatus::Done)
        }
        Err(error) => failed(&error, err),
    }
}

pub(super) fn text(explanation: &Explanation, colour: Colour) -> String {
    let (state, tint) = if explanation.up { ("up", Tint::Good) } else { ("DOWN", Tint::Bad) };
    let mut text = match (&explanation.server, explanation.servers.as_slice()) {
        (Some(server), [summary]) => {
            let whose = tinted(format!("{server} of {}", explanation.pool), Tint::Bold, colour);
            let tint = if summary.in_rotation { Tint::Good } else { Tint::Bad };
            format!("{whose} is {}\n\n", tinted(&summary.says, tint, colour))
        }
        _ => format!(
            "{} is {}\n\n",
            tinted(&explanation.pool, Tint::Bold, colour),
            tinted(state, tint, colour)
        ),
    };
    let links: Vec<Vec<Cell>> = explanation.because.iter().map(link).collect();
    text.push_str(&table(&["BECAUSE", "SINCE", ""], &links, colour));
    if explanation.server.is_none() && !explanation.servers.is_empty() {
        let servers: Vec<Vec<Cell>> = explanation.servers.iter().map(server).collect();
        text.push('\n');
        text.push_str(&table(&["SERVER", "VERDICT", "RULE", ""], &servers, colour));
    }
    if !explanation.events.is_empty() {
        text.push('\n');
        explanation.events.iter().for_each(|event| {
            text.push_str(&line(event, colour));
            text.push('\n');
        });
    }
    text
}

fn link(link: &Link) -> Vec<Cell> {
    let since = link.since_unix_ms.map_or_else(String::new, utc);
    vec![cell(link.step.name(), Tint::Bold), cell(since, Tint::Plain), cell(&link.says, Tint::Plain)]
}

fn server(server: &ServerSummary) -> Vec<Cell> {
    let (verdict, tint) = if server.up { ("up", Tint::Good) } else { ("down", Tint::Bad) };
    vec![
        cell(&server.name, Tint::Bold),
        cell(verdict, tint),
        cell(&server.rule, Tint::Plain),
        cell(&server.says, Tint::Plain),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::explained;

    #[test]
    fn a_pool_is_its_chain_its_servers_and_its_events() {
        let text = text(&explained(None), Colour::Plain);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.first(), Some(&"web is up"), "{text}");
        for wanted in ["BECAUSE", "quorum", "SERVER", "web1", "out of the table", "server_down"] {
            assert!(lines.iter().any(|line| line.contains(wanted)), "{wanted} in {text}");
        }
    }

    #[test]
    fn a_server_is_its_chain_alone() {
        let text = text(&explained(Some("web1")), Colour::Plain);
        assert!(text.starts_with("web1 of web is out of the table: "), "{text}");
        assert!(!text.contains("SERVER"), "{text}");
    }
}
