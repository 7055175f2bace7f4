//! Loading: the files of a policy into one tree, and that into a [`Policy`].
//!
//! Everything about includes is here: names and patterns relative to the file that says them, loops, and the bounds. How
//! the files' sections become one is [`super::join`]'s.

use super::across;
use super::codes::{Code, Severity};
use super::diagnostic::{Diagnostic, Problems, quoted};
use super::join::{join, with_defaults};
use super::node::Node;
use super::read::{List, Read, Spanned};
use super::scalar;
use super::schema::PolicyText;
use super::source::{Files, Sources, Span};
use super::validate::{self, Places};
use super::view::{self, View};
use super::yaml::{self, Document};
use crate::model::{DirectorName, Policy};
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Bytes of one file at most.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;
/// Files of one policy at most.
pub const MAX_FILES: usize = 1000;
/// How deep includes may be nested.
pub const MAX_INCLUDE_DEPTH: usize = 8;

/// What came of loading a policy.
#[derive(Debug)]
pub struct Loaded {
    /// The policy; `None` where an error refuses it.
    pub policy: Option<Policy>,
    /// Every problem, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read, for showing the diagnostics.
    pub sources: Sources,
    /// Where the parts of the policy were said.
    pub places: Places,
    /// The director that it was read for.
    pub director: Option<DirectorName>,
}

/// Loads a policy from a file and what it includes, as one director has it.
pub fn load(path: &Path, files: &dyn Files, view: View<'_>) -> Loaded {
    let text = Text::read(path, files);
    let loaded = text.interpret(view);
    Loaded { sources: text.sources, ..loaded }
}

/// The same, validated for every director: the policy is that of `view`, and the problems are those of all, a problem that
/// only some of them have with their names.
pub fn load_for_all(path: &Path, files: &dyn Files, view: View<'_>) -> Loaded {
    let text = Text::read(path, files);
    let names: Vec<&str> = view::directors(&text.root).into_iter().map(|key| key.name.as_str()).collect();
    if names.len() < 2 {
        return Loaded { sources: text.sources.clone(), ..text.interpret(view) };
    }
    let interpreted = names.iter().map(|name| (*name, text.interpret(View::Director(name))));
    let mut views: Vec<(&str, Loaded)> = interpreted.collect();
    let mut diagnostics = across::merged(&views, &text.root);
    let own = view::own(&text.root, view, &mut Problems::default());
    let loaded = match views.iter().position(|(name, _)| Some(*name) == own) {
        Some(index) => views.swap_remove(index).1,
        None => {
            // None of the directors: what the views cannot have said is that.
            let loaded = text.interpret(view);
            diagnostics.extend(
                loaded.diagnostics.iter().filter(|found| found.code == Code::DirectorNotFound).cloned(),
            );
            diagnostics.sort();
            loaded
        }
    };
    let good = diagnostics.iter().all(|found| found.severity() != Severity::Error);
    let policy = loaded.policy.filter(|_| good);
    Loaded { policy, diagnostics, sources: text.sources, ..loaded }
}

/// The policy as each of its directors has it, in the order of their names; once where it lists none. And its files.
pub(super) fn load_each(path: &Path, files: &dyn Files) -> (Vec<Loaded>, Sources) {
    let text = Text::read(path, files);
    let names: BTreeSet<&str> =
        view::directors(&text.root).into_iter().map(|key| key.name.as_str()).collect();
    let views: Vec<View<'_>> = match names.is_empty() {
        true => vec![View::First],
        false => names.into_iter().map(View::Director).collect(),
    };
    let views = views.into_iter().map(|view| text.interpret(view)).collect();
    (views, text.sources)
}

/// The files of a policy, joined, before they are read for one director.
pub(super) struct Text {
    root: Node,
    /// Each for itself.
    pub(super) documents: Vec<Document>,
    pub(super) sources: Sources,
    problems: Problems,
    readable: bool,
    complete: bool,
}

impl Text {
    pub(super) fn read(path: &Path, files: &dyn Files) -> Self {
        let mut loader = Loader {
            files,
            sources: Sources::default(),
            problems: Problems::default(),
            documents: Vec::new(),
            seen: BTreeSet::new(),
            complete: true,
        };
        loader.file(path, None, &mut Vec::new());
        let Loader { sources, mut problems, documents, complete, .. } = loader;
        let readable = !documents.is_empty();
        let root = join(documents.iter().map(|document| document.root.clone()).collect(), &mut problems);
        Self { root, documents, sources, problems, readable, complete }
    }

    /// What it means for one director; without its sources.
    pub(super) fn interpret(&self, view: View<'_>) -> Loaded {
        let mut problems = self.problems.clone();
        let own = if self.complete { view::own(&self.root, view, &mut problems) } else { None };
        let root = with_defaults(&view::merged(&self.root, own));
        let text = if self.readable { PolicyText::read(&root, &mut problems) } else { None };
        // With a file missing, names would seem unknown that are only unread: rules across sections wait until it is there.
        let (policy, places) = match text {
            Some(text) if self.complete => validate::policy(&text, own, &root, &self.sources, &mut problems),
            _ => (None, Places::default()),
        };
        let policy = policy.filter(|_| !problems.has_errors());
        Loaded {
            policy,
            diagnostics: problems.into_sorted(),
            sources: Sources::default(),
            places,
            director: own.map(DirectorName::from),
        }
    }
}

struct Loader<'a> {
    files: &'a dyn Files,
    sources: Sources,
    problems: Problems,
    documents: Vec<Document>,
    /// Paths that were read, without `.` and `..`.
    seen: BTreeSet<PathBuf>,
    /// Whether every file was read and parsed.
    complete: bool,
}

impl Loader<'_> {
    /// Reads a file and what it includes. `trail` is the chain of files that led here.
    fn file(&mut self, path: &Path, said_at: Option<Span>, trail: &mut Vec<PathBuf>) {
        let Some(file) = self.read(path, said_at) else {
            self.complete = false;
            return;
        };
        let Some(document) = yaml::parse(file, &self.sources, &mut self.problems) else {
            self.complete = false;
            return;
        };
        let includes = document
            .root
            .get("include")
            .and_then(|node| List::<scalar::Text>::read(node, &mut self.problems));
        self.documents.push(document);
        trail.push(plain_path(path));
        for include in includes.map(|list| list.0).unwrap_or_default() {
            self.include(&include, trail);
        }
        trail.pop();
    }

    fn read(&mut self, path: &Path, said_at: Option<Span>) -> Option<usize> {
        self.seen.insert(plain_path(path));
        let bytes = match self.files.read(path, MAX_FILE_BYTES + 1) {
            Ok(bytes) => bytes,
            Err(reason) => {
                let code = if said_at.is_some() { Code::IncludeMissing } else { Code::FileUnreadable };
                let at = said_at
                    .unwrap_or_else(|| Span::file_start(self.sources.add(path.to_owned(), String::new())));
                let message = format!("{} cannot be read: {reason}", path.display());
                self.problems
                    .push(Diagnostic::new(code, at, message).help("check the path and its permissions"));
                return None;
            }
        };
        if bytes.len() > MAX_FILE_BYTES {
            let at = Span::file_start(self.sources.add(path.to_owned(), String::new()));
            let message = format!("{} is larger than {} MiB", path.display(), MAX_FILE_BYTES / 1024 / 1024);
            self.problems.push(
                Diagnostic::new(Code::FileTooLarge, at, message)
                    .help("split it, and name the parts under `include`"),
            );
            return None;
        }
        match String::from_utf8(bytes) {
            Ok(text) => Some(self.sources.add(path.to_owned(), text)),
            Err(error) => {
                self.not_utf8(path, &error);
                None
            }
        }
    }

    fn not_utf8(&mut self, path: &Path, error: &std::string::FromUtf8Error) {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let file = self.sources.add(path.to_owned(), text);
        let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
        let message = format!("{} is not UTF-8 text: it holds the byte 0x{byte:02x} here", path.display());
        let diagnostic =
            Diagnostic::new(Code::FileNotUtf8, Span { file, start: valid, end: valid + 3 }, message);
        self.problems.push(diagnostic.help("save it as UTF-8"));
    }

    fn include(&mut self, include: &Spanned<scalar::Text>, trail: &mut Vec<PathBuf>) {
        let pattern = self.sources.folder(include.span).join(&include.value.0);
        if trail.len() > MAX_INCLUDE_DEPTH {
            let message = format!("includes are nested more than {MAX_INCLUDE_DEPTH} deep");
            self.complete = false;
            self.problems.push(
                Diagnostic::new(Code::IncludeTooMuch, include.span, message)
                    .help("name this file further up"),
            );
        } else if include.value.0.contains(['*', '?', '[']) {
            self.include_pattern(&pattern, include, trail);
        } else if trail.contains(&plain_path(&pattern)) {
            let message = format!("{} includes itself", quoted(&include.value.0));
            self.problems
                .push(Diagnostic::new(Code::IncludeLoop, include.span, message).help("leave it out here"));
        } else {
            self.include_one(&pattern, include, trail);
        }
    }

    /// Files that match; those already read are passed over, so that a pattern may match the file that says it.
    fn include_pattern(&mut self, pattern: &Path, include: &Spanned<scalar::Text>, trail: &mut Vec<PathBuf>) {
        let paths = match self.files.glob(pattern) {
            Ok(paths) => paths,
            Err(reason) => {
                let message = format!("{} is not a pattern of files: {reason}", quoted(&include.value.0));
                self.problems.push(
                    Diagnostic::new(Code::IncludeMissing, include.span, message)
                        .help("write a pattern such as pools.d/*.yaml"),
                );
                Vec::new()
            }
        };
        if paths.is_empty() && !self.problems.any_within(include.span) {
            let message = format!("{} matches no file", quoted(&include.value.0));
            self.problems.push(
                Diagnostic::new(Code::IncludeMatchesNothing, include.span, message)
                    .help("patterns are relative to the file that says them"),
            );
        }
        for path in paths {
            self.include_one(&path, include, trail);
        }
    }

    fn include_one(&mut self, path: &Path, include: &Spanned<scalar::Text>, trail: &mut Vec<PathBuf>) {
        if self.seen.contains(&plain_path(path)) {
            return;
        }
        if self.seen.len() >= MAX_FILES {
            let message = format!("this policy includes more than {MAX_FILES} files");
            self.complete = false;
            self.problems.push(
                Diagnostic::new(Code::IncludeTooMuch, include.span, message)
                    .help("put several pools into one file"),
            );
            return;
        }
        self.file(path, Some(include.span), trail);
    }
}

/// The path without `.`, and without `..` where a folder stands before it: two ways of writing one path are one file.
fn plain_path(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_plain_path() {
        assert_eq!(plain_path(Path::new("./a/../b/./c.yaml")), Path::new("b/c.yaml"));
        assert_eq!(plain_path(Path::new("../a.yaml")), Path::new("../a.yaml"));
    }
}
