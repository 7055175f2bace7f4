//! The files of a keepalived.conf: lines that go on in the next one, parameters of several lines, and what is included.
//!
//! keepalived looks for `include` before anything else, so no condition and no parameter decides on it.

use super::macros::{Expander, definition};
use super::words::without_comment;
use crate::import::verdict::{Ledger, Origin, near, none, same};
use crate::policy::Files;
use std::path::{Path, PathBuf};

/// Bytes of one file at most.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Files at most.
const MAX_FILES: usize = 256;
/// How deep includes may be nested.
const MAX_INCLUDE_DEPTH: usize = 16;
/// Alternatives in the braces of a pattern at most.
const MAX_ALTERNATIVES: usize = 64;

const INCLUDES: [&str; 6] = ["include", "includer", "includem", "includew", "includeb", "includea"];

/// Reads a file and what it includes into the expander.
pub(super) struct Reader<'a, 'e> {
    pub(super) files: &'a dyn Files,
    pub(super) expander: Expander<'e>,
    read: usize,
}

/// A parameter of several lines that is being read.
struct Pending {
    name: String,
    lines: Vec<(Origin, String)>,
    /// Its condition holds.
    holds: bool,
}

impl<'a, 'e> Reader<'a, 'e> {
    pub(super) fn new(files: &'a dyn Files, ledger: &'e mut Ledger, config_id: &'e str) -> Self {
        Self { files, expander: Expander::new(ledger, config_id), read: 0 }
    }

    /// Reads the text of a file.
    pub(super) fn text(&mut self, path: &Path, text: &str, depth: usize) {
        self.read += 1;
        let file = self.expander.ledger.add(path.to_owned(), text);
        self.expander.folders.insert(file, path.parent().unwrap_or(Path::new("")).to_owned());
        let mut pending: Option<Pending> = None;
        let mut joined: Option<(Origin, String)> = None;
        for (index, line) in text.lines().enumerate() {
            let at = Origin { file, line: index + 1 };
            let line = without_comment(line).trim();
            let (line, goes_on) =
                line.strip_suffix('\\').map_or((line, false), |line| (line.trim_end(), true));
            if let Some(mut open) = pending.take() {
                open.lines.push((at, line.to_owned()));
                if goes_on { pending = Some(open) } else { self.end(open) }
            } else if let Some((first, before)) = joined.take() {
                self.expander.ledger.note(at, same());
                let whole = format!("{before} {line}");
                if goes_on { joined = Some((first, whole)) } else { self.line(first, &whole, depth) }
            } else if goes_on {
                match self.opened(line) {
                    Some(open) => {
                        self.expander.ledger.note(at, same());
                        pending = Some(open);
                    }
                    None => joined = Some((at, line.to_owned())),
                }
            } else {
                self.line(at, line, depth);
            }
        }
        pending.into_iter().for_each(|open| self.end(open));
        joined.into_iter().for_each(|(at, line)| self.line(at, &line, depth));
    }

    /// `$NAME= \`: the lines below are its value.
    fn opened(&self, line: &str) -> Option<Pending> {
        let rest = if line.starts_with('@') { line.split_once(char::is_whitespace)?.1.trim() } else { line };
        let (name, value) = definition(rest)?;
        let holds = self.expander.holds(line).is_some();
        value.is_empty().then(|| Pending { name: name.to_owned(), lines: Vec::new(), holds })
    }

    fn end(&mut self, open: Pending) {
        if open.holds {
            self.expander.define(&open.name, open.lines);
        }
    }

    fn line(&mut self, at: Origin, line: &str, depth: usize) {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some(word), Some(pattern)) if INCLUDES.contains(&word) => {
                self.include(at, pattern.trim_matches('"'), depth);
            }
            _ => self.expander.line(at, line, 0),
        }
    }

    fn include(&mut self, at: Origin, pattern: &str, depth: usize) {
        let mut found = Vec::new();
        let folder = self.expander.folders.get(&at.file).cloned().unwrap_or_default();
        for pattern in alternatives(pattern) {
            found.extend(self.files.glob(&folder.join(pattern)).unwrap_or_default());
        }
        found.dedup();
        if found.is_empty() {
            let judged =
                near("no such file here, and nothing of it is in the policy; keepalived goes on too");
            self.expander.ledger.note(at, judged);
        }
        for path in found {
            self.included(at, &path, depth);
        }
    }

    fn included(&mut self, at: Origin, path: &Path, depth: usize) {
        if depth >= MAX_INCLUDE_DEPTH || self.read >= MAX_FILES {
            let place = self.expander.ledger.place(at);
            self.expander.stopped = Some(format!("{place}: too many files are included, or in a circle"));
            return;
        }
        match read(self.files, path) {
            Ok(text) => {
                self.expander.ledger.note(at, same());
                self.text(path, &text, depth + 1);
            }
            Err(why) => {
                let judged = none(format!("{}: {why}; nothing of it is in the policy", path.display()));
                self.expander.ledger.note(at, judged);
            }
        }
    }
}

/// The text of a file, bounded; what is not UTF-8 in it, such as an old comment, is replaced.
pub(in crate::import) fn read(files: &dyn Files, path: &Path) -> Result<String, String> {
    let bytes = files.read(path, MAX_FILE_BYTES + 1)?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_FILE_BYTES / (1024 * 1024)));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A pattern with `{a,b}` as the patterns that it stands for.
fn alternatives(pattern: &str) -> Vec<PathBuf> {
    let mut open = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(pattern) = open.pop() {
        let braces =
            pattern.rfind('{').and_then(|start| Some((start, start + pattern.get(start..)?.find('}')?)));
        match braces {
            Some((start, end)) if open.len() + done.len() < MAX_ALTERNATIVES => {
                let (before, behind) = (&pattern[..start], &pattern[end + 1..]);
                let inside = pattern.get(start + 1..end).unwrap_or_default();
                open.extend(inside.split(',').map(|part| format!("{before}{part}{behind}")));
            }
            _ => done.push(PathBuf::from(pattern)),
        }
    }
    done.sort();
    done.dedup();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_of_a_pattern_are_alternatives() {
        let paths: Vec<String> =
            alternatives("a/{b,c{1,2}}.conf").iter().map(|path| path.display().to_string()).collect();
        assert_eq!(paths, ["a/b.conf", "a/c1.conf", "a/c2.conf"]);
    }
}
