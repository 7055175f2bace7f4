//! Diagnostics: what is wrong in a policy, where, and the smallest repair.
//!
//! A diagnostic is data; [`super::render`] makes text of it. [`Problems`] collects them, so that one run reports all.
//! Deliberately no error type: reading and validating go on after a problem, and leave the value out.

use super::codes::{Code, Severity};
use super::source::Span;
use std::collections::BTreeSet;

/// Diagnostics that one run keeps at most; a file that is wrong from top to bottom needs no more to be mended.
pub const MAX_DIAGNOSTICS: usize = 1000;

/// Characters of a value that a message repeats at most.
const MAX_SHOWN_CHARACTERS: usize = 80;

/// One problem of a policy. The order is that of the files: by place, then by code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where the problem is.
    pub span: Span,
    /// Stable name of the kind of problem; it decides the severity.
    pub code: Code,
    /// One sentence that names the value, without a full stop.
    pub message: String,
    /// Another place that belongs to it, and what is there.
    pub related: Option<(Span, String)>,
    /// The smallest repair.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without help and without a second place.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { span, code, message: message.into(), related: None, help: None }
    }

    /// With the smallest repair.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With a second place and what is there.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related = Some((span, label.into()));
        self
    }

    /// Error or warning.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// Collects diagnostics. The same text may be read twice (an alias, a default that many pools share): equal diagnostics
/// are kept once.
#[derive(Clone, Debug, Default)]
pub(super) struct Problems {
    errors: Bounded,
    /// Apart, so that they neither keep an error from being shown nor refuse a policy by their number.
    warnings: Bounded,
}

/// Diagnostics up to [`MAX_DIAGNOSTICS`]; further ones are only counted.
#[derive(Clone, Debug, Default)]
struct Bounded {
    kept: BTreeSet<Diagnostic>,
    left_out: usize,
}

impl Bounded {
    fn push(&mut self, diagnostic: Diagnostic) {
        if self.kept.len() < MAX_DIAGNOSTICS {
            self.kept.insert(diagnostic);
        } else if !self.kept.contains(&diagnostic) {
            self.left_out += 1;
        }
    }

    /// What says how many were left out, at the last one that is shown.
    fn overflow(&self, code: Code, what: &str, help: &str) -> Option<Diagnostic> {
        let last = self.kept.last().filter(|_| self.left_out > 0)?;
        let message = format!("{} more {what} are not shown", self.left_out);
        Some(Diagnostic::new(code, last.span, message).help(help))
    }
}

impl Problems {
    /// Adds one; beyond [`MAX_DIAGNOSTICS`] errors, or warnings, it is only counted.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        match diagnostic.severity() {
            Severity::Error => self.errors.push(diagnostic),
            Severity::Warning => self.warnings.push(diagnostic),
        }
    }

    /// Whether an error was collected that refuses the policy.
    pub(super) fn has_errors(&self) -> bool {
        !self.errors.kept.is_empty()
    }

    /// Whether there is nothing to say.
    pub(super) fn is_empty(&self) -> bool {
        self.errors.kept.is_empty() && self.warnings.kept.is_empty()
    }

    /// Whether something inside this place was already reported: a rule that looks at the whole then stays silent.
    pub(super) fn any_within(&self, span: Span) -> bool {
        let mut all = self.errors.kept.iter().chain(&self.warnings.kept);
        all.any(|diagnostic| span.contains(diagnostic.span))
    }

    /// All of them in the order of the files; the last say how many were left out.
    pub(super) fn into_sorted(self) -> Vec<Diagnostic> {
        let help = "mend the first ones and check again";
        let overflows = [
            self.warnings.overflow(Code::TooManyWarnings, "warnings", help),
            self.errors.overflow(Code::TooManyProblems, "problems", help),
        ];
        let all: BTreeSet<Diagnostic> = self.errors.kept.into_iter().chain(self.warnings.kept).collect();
        all.into_iter().chain(overflows.into_iter().flatten()).collect()
    }
}

/// A value of the file as a message shows it: in backticks, short, without control characters.
pub(super) fn quoted(value: &str) -> String {
    let mut shown = String::from("`");
    for (index, character) in value.chars().enumerate() {
        if index == MAX_SHOWN_CHARACTERS {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown.push('`');
    shown
}

/// The nearest of the known names, when it is near enough to be what was meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: String = name.chars().take(MAX_SHOWN_CHARACTERS).collect();
    let distance =
        |candidate: &&str| strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
    let allowed = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&candidate), candidate))
        .filter(|(far, _)| *far <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("shceduler", ["scheduler", "check"]), Some("scheduler"));
        assert_eq!(nearest("alvie", ["alive", "pay"]), Some("alive"));
        assert_eq!(nearest("alive", ["pay", "upstream"]), None);
    }

    #[test]
    fn a_message_carries_no_escape_sequences() {
        assert_eq!(quoted("a\u{1b}[31mb"), "`a\\u{1b}[31mb`");
    }

    #[test]
    fn beyond_the_bound_problems_are_counted() {
        let mut problems = Problems::default();
        for start in 0..=MAX_DIAGNOSTICS {
            problems.push(Diagnostic::new(Code::UnknownKey, Span { file: 0, start, end: start }, "x"));
        }
        let sorted = problems.into_sorted();
        assert_eq!(sorted.len(), MAX_DIAGNOSTICS + 1);
        assert_eq!(sorted[MAX_DIAGNOSTICS].message, "1 more problems are not shown");
    }

    #[test]
    fn any_number_of_warnings_refuses_nothing_and_hides_no_error() {
        let mut problems = Problems::default();
        let at = |start| Span { file: 0, start, end: start };
        for start in 0..MAX_DIAGNOSTICS + 5 {
            problems.push(Diagnostic::new(Code::VipNotHeld, at(start), "x"));
        }
        problems.push(Diagnostic::new(Code::VipNotHeld, at(0), "x"));
        assert!(!problems.has_errors());
        problems.push(Diagnostic::new(Code::UnknownKey, at(9_999), "y"));
        assert!(problems.has_errors());
        let sorted = problems.into_sorted();
        assert_eq!(sorted[MAX_DIAGNOSTICS].code, Code::UnknownKey);
        assert_eq!(sorted[MAX_DIAGNOSTICS + 1].message, "5 more warnings are not shown");
    }
}
