//! Diagnostics as text: code, place, the offending line with a caret, help.
//!
//! ```text
//! error[dr-cannot-map-ports]: …
//!   --> dr.yaml:9:9
//!    |
//!  9 |       - 192.168.101.110:8080
//!    |         ^^^^^^^^^^^^^^^^^^^^
//!    = help: …
//! ```
//!
//! Written here rather than taken from annotate-snippets, since a policy's line may be very long or hold terminal escapes:
//! both are made harmless.

use super::codes::{Code, Severity};
use super::diagnostic::Diagnostic;
use super::source::{Sources, Span};
use std::fmt::Write as _;

/// Characters of a line that are shown at most, around the caret.
const MAX_LINE_CHARACTERS: usize = 120;
/// Characters before the caret that are shown at most, where a line is cut.
const MAX_LEAD_CHARACTERS: usize = 60;

/// Whether the text may carry colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    Ansi,
    /// For files, pipes and tests.
    Plain,
}

impl Colour {
    const fn paint(self, code: &'static str) -> &'static str {
        match self {
            Self::Ansi => code,
            Self::Plain => "",
        }
    }
}

const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const BLUE: &str = "\u{1b}[1;34m";
const BOLD: &str = "\u{1b}[1m";
const RESET: &str = "\u{1b}[0m";

/// The diagnostic as it is shown to a person, several lines, with an empty one at its end.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &Sources, colour: Colour) -> String {
    let (word, tint) = match diagnostic.severity() {
        Severity::Error => ("error", RED),
        Severity::Warning => ("warning", YELLOW),
    };
    let (tint, bold, reset) = (colour.paint(tint), colour.paint(BOLD), colour.paint(RESET));
    let message = clean(&diagnostic.message);
    let mut text = format!("{tint}{word}[{}]{reset}{bold}: {message}{reset}\n", diagnostic.code);
    let places = [Some(diagnostic.span), diagnostic.related.as_ref().map(|(span, _)| *span)];
    let gutter = places
        .into_iter()
        .flatten()
        .map(|span| sources.line_number(span).to_string().len())
        .max()
        .unwrap_or(1);
    // A secret in a policy must not get into a log by being complained of.
    let concealed = diagnostic.code == Code::SecretLiteral;
    let mark = Mark { gutter, arrow: "-->", label: "", tint, concealed };
    snippet(&mut text, sources, diagnostic.span, mark, colour);
    if let Some((span, label)) = &diagnostic.related {
        snippet(
            &mut text,
            sources,
            *span,
            Mark { gutter, arrow: ":::", label, tint: colour.paint(BLUE), concealed: false },
            colour,
        );
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(
            text,
            "{:gutter$} {}={reset} {bold}help{reset}: {}",
            "",
            colour.paint(BLUE),
            clean(help)
        );
    }
    text.push('\n');
    text
}

/// How a place is pointed at.
struct Mark<'a> {
    /// Digits of the widest line number.
    gutter: usize,
    arrow: &'static str,
    label: &'a str,
    tint: &'static str,
    /// The place is named, the line not shown.
    concealed: bool,
}

fn snippet(text: &mut String, sources: &Sources, span: Span, mark: Mark<'_>, colour: Colour) {
    let Mark { gutter, arrow, label, tint, concealed } = mark;
    let (blue, reset) = (colour.paint(BLUE), colour.paint(RESET));
    let place = clean(&sources.place(span).to_string());
    let _ = writeln!(text, "{:gutter$}{blue}{arrow}{reset} {place}", "");
    let Some(line) = sources.line(span).filter(|_| !concealed) else { return };
    let window = window(line.text, line.start_character, line.characters);
    let pad = " ".repeat(window.lead);
    let carets = if arrow == "-->" { "^" } else { "-" }.repeat(window.width);
    let label = if label.is_empty() { String::new() } else { format!(" {}", clean(label)) };
    let _ = writeln!(text, "{:gutter$} {blue}|{reset}", "");
    let _ = writeln!(text, "{blue}{:>gutter$} |{reset} {}", line.number, window.text);
    let _ = writeln!(text, "{:gutter$} {blue}|{reset} {pad}{tint}{carets}{label}{reset}", "");
}

/// The part of a line that is shown, and where the carets go under it.
struct Window {
    text: String,
    lead: usize,
    width: usize,
}

fn window(line: &str, start: usize, characters: usize) -> Window {
    let length = line.chars().count();
    let skipped = if length > MAX_LINE_CHARACTERS { start.saturating_sub(MAX_LEAD_CHARACTERS) } else { 0 };
    let mut shown: Vec<char> = line.chars().skip(skipped).take(MAX_LINE_CHARACTERS).map(harmless).collect();
    let lead = start - skipped;
    let width = characters.min(shown.len().saturating_sub(lead)).max(1);
    if let Some(first) = shown.first_mut().filter(|_| skipped > 0) {
        *first = '…';
    }
    if let Some(last) = shown.last_mut().filter(|_| length > skipped + MAX_LINE_CHARACTERS) {
        *last = '…';
    }
    Window { text: shown.into_iter().collect(), lead, width }
}

/// Text without anything that a terminal would act on.
fn clean(text: &str) -> String {
    text.chars().map(harmless).collect()
}

/// A character as one column of the terminal: no tab, no escape, nothing that turns the direction of writing.
fn harmless(character: char) -> char {
    match character {
        '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        control if control.is_control() => '\u{fffd}',
        other => other,
    }
}
