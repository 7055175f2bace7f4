//! Verdicts: what became of each line of what is imported. The ledger knows every line, so that none is forgotten.
//!
//! A line counts that says something: blank lines, comments and lone braces do not. A line that is read several times, since a
//! macro repeats it, has the worst of its verdicts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The policy says the same.
    Same,
    /// The policy says nearly the same, or Tandem does it in another way.
    Near,
    /// Tandem has nothing like it.
    None,
}

impl Verdict {
    /// The word of the report.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Near => "near",
            Self::None => "none",
        }
    }
}

/// Where a statement was written: number of the file in the ledger, and its line from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    pub file: usize,
    pub line: usize,
}

/// A verdict with its reason: how it differs, or why there is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) how: String,
}

pub(super) fn same() -> Judged {
    Judged { verdict: Verdict::Same, how: String::new() }
}

pub(super) fn near(how: impl Into<String>) -> Judged {
    Judged { verdict: Verdict::Near, how: how.into() }
}

pub(super) fn none(how: impl Into<String>) -> Judged {
    Judged { verdict: Verdict::None, how: how.into() }
}

/// A line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub origin: Origin,
    pub verdict: Verdict,
    /// As it was written, trimmed, without secrets.
    pub text: String,
    /// How it differs, or why there is nothing; empty where it is the same.
    pub how: String,
}

/// How many lines have which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub same: usize,
    pub near: usize,
    pub none: usize,
}

impl Counts {
    #[must_use]
    pub const fn all(self) -> usize {
        self.same + self.near + self.none
    }

    /// Tenths of a per cent that are the same or near.
    #[must_use]
    pub const fn kept_per_mille(self) -> usize {
        if self.all() == 0 { 1000 } else { (self.same + self.near) * 1000 / self.all() }
    }
}

struct File {
    path: PathBuf,
    lines: Vec<String>,
}

/// Every line that was read, and what became of it.
#[derive(Default)]
pub(super) struct Ledger {
    files: Vec<File>,
    judged: BTreeMap<Origin, (Verdict, Vec<String>)>,
    /// The lines inside of blocks that may be left out as a whole.
    inside: BTreeMap<Origin, Vec<Origin>>,
}

/// Reasons that one line gives at most; a macro could collect any number.
const MOST_REASONS: usize = 4;

impl Ledger {
    /// Adds a file; its number.
    pub(super) fn add(&mut self, path: PathBuf, text: &str) -> usize {
        self.files.push(File { path, lines: text.lines().map(str::to_owned).collect() });
        self.files.len() - 1
    }

    pub(super) fn path(&self, file: usize) -> &Path {
        self.files.get(file).map_or(Path::new(""), |file| &file.path)
    }

    /// `FILE:LINE`, as terminals and editors know it.
    pub(super) fn place(&self, origin: Origin) -> String {
        format!("{}:{}", self.path(origin.file).display(), origin.line)
    }

    /// The same with the file's name alone, for the policy's comments.
    pub(super) fn short_place(&self, origin: Origin) -> String {
        let name = self.path(origin.file).file_name().unwrap_or_default();
        format!("{}:{}", name.to_string_lossy(), origin.line)
    }

    pub(super) fn note(&mut self, origin: Origin, judged: Judged) {
        let (verdict, reasons) = self.judged.entry(origin).or_insert((Verdict::Same, Vec::new()));
        if judged.verdict > *verdict {
            reasons.clear();
        }
        let tells = judged.verdict >= *verdict && !judged.how.is_empty();
        if tells && reasons.len() < MOST_REASONS && !reasons.contains(&judged.how) {
            reasons.push(judged.how);
        }
        *verdict = (*verdict).max(judged.verdict);
    }

    /// Gives a line this verdict instead of all before: what it says turned out to mean something else.
    pub(super) fn replace(&mut self, origin: Origin, judged: Judged) {
        let reasons = Some(judged.how).filter(|how| !how.is_empty());
        self.judged.insert(origin, (judged.verdict, reasons.into_iter().collect()));
    }

    /// Remembers the lines of a block.
    pub(super) fn block(&mut self, at: Origin, inside: Vec<Origin>) {
        // A macro repeats the same lines any number of times.
        self.inside.entry(at).or_insert(inside);
    }

    /// A block is left out, and all that it says with it.
    pub(super) fn left_out(&mut self, at: Origin, how: impl Into<String>) {
        let judged = none(how);
        self.note(at, judged.clone());
        for line in self.inside.get(&at).cloned().unwrap_or_default() {
            self.note(line, Judged { how: "what it belongs to is left out".to_owned(), ..judged.clone() });
        }
    }

    /// Gives every line that counts and has no verdict this one.
    pub(super) fn fill(&mut self, counts: impl Fn(&str) -> bool, judged: &Judged) {
        for (file, number, line) in self.each() {
            let origin = Origin { file, line: number };
            if counts(&line) && !self.judged.contains_key(&origin) {
                self.judged.insert(origin, (judged.verdict, vec![judged.how.clone()]));
            }
        }
    }

    fn each(&self) -> Vec<(usize, usize, String)> {
        let numbered = |(file, entry): (usize, &File)| {
            let lines = entry.lines.iter().enumerate();
            lines.map(|(index, line)| (file, index + 1, line.clone())).collect::<Vec<_>>()
        };
        self.files.iter().enumerate().flat_map(numbered).collect()
    }

    /// The report: every line that counts, in the order of the files.
    pub(super) fn report(&self, counts: impl Fn(&str) -> bool) -> Vec<Line> {
        let judged = self.judged.iter().filter_map(|(origin, (verdict, reasons))| {
            let text = self.files.get(origin.file)?.lines.get(origin.line - 1)?;
            counts(text).then(|| Line {
                origin: *origin,
                verdict: *verdict,
                text: without_secret(text.trim()),
                how: reasons.join("; "),
            })
        });
        judged.collect()
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }
}

/// Words before a secret, which a report must not spread.
const SECRET_WORDS: [&str; 5] = ["auth_pass", "password", "passwd", "secret", "key"];

fn without_secret(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let name = words.iter().position(|word| SECRET_WORDS.contains(&word.trim_end_matches('=')));
    match name {
        // `key FILE` of TLS names a file, `key 1 hex:…` is one.
        Some(at) if words.get(at) == Some(&"key") && words.len() < at + 3 => text.to_owned(),
        Some(at) if words.len() > at + 1 => format!("{} ***", words[..=at].join(" ")),
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_of_a_line_stands() {
        let mut ledger = Ledger::default();
        let file = ledger.add("a.conf".into(), "x 1\n");
        let origin = Origin { file, line: 1 };
        ledger.note(origin, near("a bit"));
        ledger.note(origin, none("nothing"));
        ledger.note(origin, same());
        let report = ledger.report(|_| true);
        assert_eq!((report[0].verdict, report[0].how.as_str()), (Verdict::None, "nothing"));
    }

    #[test]
    fn no_secret_reaches_the_report() {
        assert_eq!(without_secret("auth_pass 1234"), "auth_pass ***");
        assert_eq!(without_secret("key 1 hex:0011"), "key ***");
        assert_eq!(without_secret("passwd = \"x\""), "passwd ***");
        assert_eq!(without_secret("key /etc/k.pem"), "key /etc/k.pem");
    }
}
