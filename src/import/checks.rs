//! Checks of the common form, as readers of every format make them.

use super::keepalived::command;
use super::site::Check;
use super::verdict::{Judged, near, same};
use super::yaml::{Entry, Yaml, entry, mapping, number, word, words};
use crate::model::Pattern;

/// Bounds of a check's interval and of its time-out, in milliseconds, as the policy has them.
const INTERVALS: std::ops::RangeInclusive<u64> = 100..=3_600_000;
const TIMEOUTS: std::ops::RangeInclusive<u64> = 10..=300_000;
/// Outcomes in a row at most.
const MOST_IN_A_ROW: u32 = 1000;

/// How often a check is made, and how many outcomes make a verdict. In milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) interval: u64,
    /// While an outcome was seen that changes the verdict.
    pub(super) changing: Option<u64>,
    pub(super) timeout: u64,
    pub(super) rise: u32,
    pub(super) fall: u32,
}

/// A duration as the policy writes it.
pub(super) fn time(milliseconds: u64) -> Yaml {
    if milliseconds.is_multiple_of(1000) {
        word(format!("{}s", milliseconds / 1000))
    } else {
        word(format!("{milliseconds}ms"))
    }
}

/// A check of a kind.
pub(super) fn check(hint: impl Into<String>, kind: &str, value: Yaml, pace: Pace) -> Check {
    let bounded =
        |value: u64, bounds: std::ops::RangeInclusive<u64>| value.clamp(*bounds.start(), *bounds.end());
    let mut keys = vec![entry(kind, value), entry("interval", time(bounded(pace.interval, INTERVALS)))];
    if let Some(changing) = pace.changing.map(|changing| bounded(changing, INTERVALS))
        && changing != bounded(pace.interval, INTERVALS)
    {
        keys.push(entry("interval_changing", time(changing)));
    }
    keys.push(entry("timeout", time(bounded(pace.timeout, TIMEOUTS))));
    keys.push(entry("rise", number(pace.rise.clamp(1, MOST_IN_A_ROW))));
    keys.push(entry("fall", number(pace.fall.clamp(1, MOST_IN_A_ROW))));
    let needs_port = !matches!(kind, "ping" | "exec" | "file");
    Check { hint: hint.into(), needs_port, port: None, keys, todo: Vec::new() }
}

/// A check without anything to say of its kind: `tcp: {}`.
pub(super) fn bare(hint: &str, kind: &str, pace: Pace) -> Check {
    check(hint, kind, mapping([]), pace)
}

/// What only a shell understands.
const OF_A_SHELL: [&str; 10] = ["|", "&", ";", ">", "<", "`", "$(", "*", "~", "$"];
/// Where a program is looked for that is named without its path.
const USUAL_FOLDER: &str = "/usr/bin";

/// A check that runs a command line, and how it differs.
pub(super) fn exec(
    hint: &str,
    line: &str,
    user: Option<String>,
    pace: Pace,
    weighs: bool,
) -> (Check, Judged) {
    let mut argv = command(line);
    let mut judged = same();
    let mut todo = Vec::new();
    if OF_A_SHELL.iter().any(|sign| line.contains(sign)) {
        // Only bash has files that are connections.
        let shell = if line.contains("/dev/tcp/") { "/bin/bash" } else { "/bin/sh" };
        argv = vec![shell.to_owned(), "-c".to_owned(), line.to_owned()];
        judged = near(format!("run by {shell} -c, since there is no shell otherwise"));
    } else if argv.first().is_none_or(|program| !program.starts_with('/')) {
        let program = argv.first().map_or("true", |program| program.rsplit('/').next().unwrap_or(program));
        let path = format!("{USUAL_FOLDER}/{program}");
        todo.push(format!("TODO: the whole path of {program}; {path} is a guess"));
        judged = near(format!("a program is named by its whole path: {path} is a guess"));
        argv.splice(..1.min(argv.len()), [path]);
    }
    let visible = |word: &str| {
        word.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect::<String>()
    };
    let argv = argv.iter().map(|word| visible(word)).filter(|word| !word.trim().is_empty());
    let mut keys = vec![entry("command", words(argv))];
    keys.extend(user.map(|user| entry("user", word(user))));
    if weighs {
        keys.push(entry("weight", word("exit_code")));
    }
    (Check { todo, ..check(hint, "exec", mapping(keys), pace) }, judged)
}

impl Check {
    /// Adds keys that come behind the kind and the pace.
    pub(super) fn with(mut self, keys: impl IntoIterator<Item = Entry>) -> Self {
        self.keys.extend(keys);
        self
    }
}

/// Whether Rust's regex takes an expression, something does not match it, and a policy can hold it.
pub(super) fn is_regex(source: &str) -> bool {
    Pattern::is_legible(source) && Pattern::regex(source).is_ok()
}
