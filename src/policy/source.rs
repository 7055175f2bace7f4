//! Source text: the files of a policy, and places in them.
//!
//! Deliberately no IO: [`Files`] is handed in. Lines and columns count from 1, columns in characters, as editors do.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Where the text of files comes from. The real one is in [`crate::cli`]; tests use a map.
pub trait Files {
    /// The first `limit` bytes of a file, or one sentence that says why it cannot be read.
    ///
    /// # Errors
    /// No such file, no permission, not a regular file.
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, String>;

    /// Paths that match a shell pattern, sorted.
    ///
    /// # Errors
    /// The pattern is malformed.
    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String>;
}

/// A place: bytes `start..end` of a file, by its number in [`Sources`]. Files are numbered in the order in which they are
/// read, so that sorting by place is the order of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Number of the file in [`Sources`].
    pub file: usize,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The first byte of a file, for problems of the file as a whole.
    #[must_use]
    pub const fn file_start(file: usize) -> Self {
        Self { file, start: 0, end: 0 }
    }

    /// Whether the other place is inside this one.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.file == other.file && self.start <= other.start && other.end <= self.end
    }
}

/// A file of the policy.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// As it was asked for: for an included file, relative to where the first one was found.
    pub path: PathBuf,
    /// Its text; whoever keeps it holds no copy.
    pub text: Arc<str>,
    /// Found when the first line is asked for: most texts are never shown.
    line_starts: OnceLock<Vec<usize>>,
}

impl SourceFile {
    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let breaks =
                self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(breaks).collect()
        })
    }
}

/// All files of a policy, in the order in which they were read. The first is the one that was asked for.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

/// The line that a place begins in.
pub(super) struct Line<'a> {
    pub(super) number: usize,
    /// Without its line break.
    pub(super) text: &'a str,
    /// Characters before the place.
    pub(super) start_character: usize,
    /// Characters of the place in this line.
    pub(super) characters: usize,
}

impl Sources {
    /// Adds a file and returns its number.
    pub(super) fn add(&mut self, path: PathBuf, text: impl Into<Arc<str>>) -> usize {
        self.files.push(SourceFile { path, text: text.into(), line_starts: OnceLock::new() });
        self.files.len() - 1
    }

    /// The files, in the order of their numbers.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The folder that relative paths of this place are relative to.
    pub(super) fn folder(&self, span: Span) -> &Path {
        self.files.get(span.file).and_then(|file| file.path.parent()).unwrap_or(Path::new(""))
    }

    /// Number of the line that a place begins in, from 1.
    #[must_use]
    pub fn line_number(&self, span: Span) -> usize {
        self.files
            .get(span.file)
            .map_or(1, |file| file.line_starts().partition_point(|start| *start <= span.start).max(1))
    }

    /// `file:line:column`, which terminals and editors can jump to.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        let path = self.files.get(span.file).map(|file| file.path.clone()).unwrap_or_default();
        let column = self.line(span).map_or(1, |line| line.start_character + 1);
        Place { path, line: self.line_number(span), column }
    }

    /// The line that a place begins in; `None` for an empty file.
    pub(super) fn line(&self, span: Span) -> Option<Line<'_>> {
        let file = self.files.get(span.file)?;
        let number = self.line_number(span);
        let line_start = *file.line_starts().get(number - 1)?;
        let line_end = file.line_starts().get(number).map_or(file.text.len(), |next| *next);
        let text = file.text.get(line_start..line_end)?.trim_end_matches(['\n', '\r']);
        if text.is_empty() && file.text.trim().is_empty() {
            return None;
        }
        let offset = (span.start - line_start).min(text.len());
        let end = (span.end.max(span.start) - line_start).min(text.len()).max(offset);
        let shown = text.get(offset..end).unwrap_or("").trim_end();
        Some(Line {
            number,
            text,
            start_character: text.get(..offset)?.chars().count(),
            characters: shown.chars().count(),
        })
    }
}

/// A place for people: `tandem.yaml:12:9`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it was asked for.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_characters() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml".into(), "é: 1\nü: zwei\n".to_owned());
        let place = sources.place(Span { file, start: 10, end: 14 });
        assert_eq!(place.to_string(), "a.yaml:2:4");
    }

    #[test]
    fn a_place_past_the_end_is_the_last_line() {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml".into(), "a: 1".to_owned());
        assert_eq!(sources.place(Span { file, start: 4, end: 4 }).to_string(), "a.yaml:1:5");
    }
}
