//! The common form to a commented policy.
//!
//! What only the other director's file says, and what is a guess, stands behind `TODO`. Nothing is decided here that the
//! policy's own reader could refuse: `super::settle` and `super::pair` have seen to that.

mod checks;
mod notices;
mod pools;
mod routers;

use super::checks::time;
use super::notices::Notice;
use super::pair::Pair;
use super::site::Site;
use super::verdict::{Ledger, Line, Verdict};
use super::yaml::{Entry, Item, Yaml, comments_text, document, entry, mapping, number, word};
use checks::Book;

/// Lines without an equal that the policy repeats at its end, at most.
const MOST_REPEATED: usize = 200;

/// The policy's text.
pub(super) fn policy(
    site: &Site,
    other: Option<&Site>,
    pair: &Pair,
    hooks: &[Notice],
    ledger: &Ledger,
    name: &str,
) -> String {
    let mut book = Book::default();
    let mut entries = vec![entry("policy_version", number(1)).comments(head(name))];
    // The routers name their checks before the pools do.
    entries.extend(routers::sections(site, other, pair, &mut book, ledger));
    let pools = pools::section(site, pair, &mut book, ledger);
    entries.extend(book.section());
    entries.extend(pools);
    entries.extend(kernel(site));
    entries.extend(notices::section(hooks, ledger));
    let stays = if site.removes_at_stop { "remove" } else { "keep" };
    let comment = "Tandem's default is keep: a stopped director leaves its table serving.".to_owned();
    entries.push(entry("on_stop", word(stays)).comments([comment]));
    document(&entries)
}

fn head(name: &str) -> [String; 2] {
    [
        format!(
            "Imported from {name} by `tandem import`. Read it, do what TODO says, then `tandem check` and `tandem plan` it."
        ),
        "Comments name the lines that a part comes from; what has no equal here stands at the end."
            .to_owned(),
    ]
}

/// What was left out, as comments behind the policy: each reason with its lines.
pub(super) fn left_out(lines: &[Line], ledger: &Ledger) -> String {
    let mut reasons: Vec<(&str, Vec<&Line>)> = Vec::new();
    for line in lines.iter().filter(|line| line.verdict == Verdict::None).take(MOST_REPEATED) {
        match reasons.iter_mut().find(|(reason, _)| *reason == line.how) {
            Some((_, lines)) => lines.push(line),
            None => reasons.push((&line.how, vec![line])),
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    let all = lines.iter().filter(|line| line.verdict == Verdict::None).count();
    let mut comments = vec!["Left out:".to_owned()];
    for (reason, lines) in reasons {
        comments.push(format!("- {reason}:"));
        let place = |line: &&Line| format!("  {}: {}", ledger.short_place(line.origin), line.text);
        comments.extend(lines.iter().map(place));
    }
    if all > MOST_REPEATED {
        comments.push(format!("and {} lines more", all - MOST_REPEATED));
    }
    format!("\n{}", comments_text(&comments))
}

fn kernel(site: &Site) -> Option<Entry> {
    let named = ["tcp", "tcp_fin", "udp"].into_iter().zip(site.timeouts);
    let timeouts: Vec<Entry> =
        named.filter_map(|(name, seconds)| Some(entry(name, time(u64::from(seconds?) * 1000)))).collect();
    (!timeouts.is_empty()).then(|| entry("kernel", mapping([entry("timeouts", mapping(timeouts))])))
}

/// A list whose items have comments.
fn commented(items: impl IntoIterator<Item = (Vec<String>, Yaml)>) -> Yaml {
    Yaml::List(items.into_iter().map(|(comments, value)| Item { comments, value }).collect())
}
