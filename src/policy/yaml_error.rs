//! What the YAML parser refuses, said in the words of somebody who writes policies.

use super::codes::Code;
use super::diagnostic::{Diagnostic, quoted};
use super::source::Span;
use super::yaml::MAX_DEPTH;
use serde_yaml::granit_parser::{ErrorKind, ScanError};
use std::net::Ipv6Addr;

/// Bytes of a value that a help repeats at most; an address with scheme and port is shorter.
const MAX_WRITTEN_BYTES: usize = 100;

/// The diagnostic of a syntax error. An IPv6 address without quotes is the usual cause of the strangest ones: the parser
/// would speak of flow mappings.
pub(super) fn diagnostic(file: usize, text: &str, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    if let Some(address) = unquoted_ipv6(text, at) {
        return unquoted(file, text, address);
    }
    let end =
        text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |character| at + character.len_utf8());
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        return too_deep(Span { file, start: at, end });
    }
    let (what, help) = words(error.kind());
    let what = what.map_or_else(|| error.info(), str::to_owned);
    Diagnostic::new(Code::YamlSyntax, Span { file, start: at, end }, format!("this is not YAML: {what}"))
        .help(help)
}

/// The parser's reasons in the words of somebody who writes policies, and what to do. `None`: its own words will do.
fn words(kind: &ErrorKind) -> (Option<&'static str>, &'static str) {
    match kind {
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => (
            Some("no `key: value` can begin here"),
            "write one `key: value` a line, and put quotes around a value that holds `: `",
        ),
        ErrorKind::UnknownAnchor => (
            Some("no anchor of this name was said before"),
            "say `&name` further up, or write the value out here",
        ),
        ErrorKind::TabNotAllowed | ErrorKind::TabInBlockIndentation | ErrorKind::TabInIndentation => {
            (Some("a tab stands where YAML wants spaces"), "indent with spaces")
        }
        ErrorKind::UnclosedQuotedScalar => (Some("this quote is never closed"), "add the closing quote"),
        ErrorKind::UnclosedFlowCollection { .. } => {
            (Some("this bracket is never closed"), "add the closing bracket")
        }
        ErrorKind::MismatchedFlowCollectionEnd { .. } | ErrorKind::MisplacedFlowCollectionEnd => {
            (Some("this bracket closes nothing"), "compare it with the opening ones before it")
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockMappingKey
        | ErrorKind::ExpectedBlockSequenceEntry => (
            Some("this does not stand under what comes before it"),
            "align it with its neighbours: the indentation says what belongs together",
        ),
        ErrorKind::ExpectedFlowSequenceSeparator | ErrorKind::ExpectedFlowMappingSeparator => (
            Some("a comma or the closing bracket is missing before this"),
            "add it, or put quotes around the value",
        ),
        ErrorKind::UnknownQuotedScalarEscape => {
            (Some("this escape is none that YAML knows"), "use single quotes: they take a backslash as it is")
        }
        _ => {
            (None, "look at the indentation, the quotes and the brackets of this line and the one before it")
        }
    }
}

/// The diagnostic of lists and mappings that are nested too deep.
pub(super) fn too_deep(span: Span) -> Diagnostic {
    let message = format!("lists and mappings are nested more than {MAX_DEPTH} levels deep");
    Diagnostic::new(Code::YamlTooLarge, span, message).help("no section of a policy needs more than 10")
}

/// The diagnostic of a list or mapping in the place of a key: `[2001:db8::1]:80` without quotes, most often.
pub(super) fn structure_as_key(text: &str, key: Span) -> Diagnostic {
    if let Some(address) = unquoted_ipv6(text, key.start.min(text.len())) {
        return unquoted(key.file, text, address);
    }
    let message = "a key is text, not a list or a mapping";
    Diagnostic::new(Code::YamlSyntax, key, message).help("put quotes around it if it is meant as text")
}

fn unquoted(file: usize, text: &str, (start, end): (usize, usize)) -> Diagnostic {
    let written = text.get(start..end).unwrap_or("");
    let message =
        format!("{} must be in quotes: YAML reads its brackets or colons as structure", quoted(written));
    let diagnostic = Diagnostic::new(Code::UnquotedIpv6, Span { file, start, end }, message);
    if written.len() <= MAX_WRITTEN_BYTES {
        diagnostic.help(format!("write \"{written}\""))
    } else {
        diagnostic.help("put quotes around the address")
    }
}

/// Where the line around a byte begins and ends.
fn line_around(text: &str, at: usize) -> (usize, usize) {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let end = text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |newline| at + newline);
    (start, end)
}

/// The first thing with an IPv6 address outside quotes, in the line of a syntax error or in the one before it, that YAML
/// would take for structure: one in brackets, or one that ends in a colon.
fn unquoted_ipv6(text: &str, at: usize) -> Option<(usize, usize)> {
    let (start, end) = line_around(text, at);
    let before = line_around(text, start.saturating_sub(1));
    find_unquoted(text, start, end).or_else(|| find_unquoted(text, before.0, before.1))
}

/// Looks at the words of one line: runs without blanks, quotes, commas and braces.
fn find_unquoted(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let line = text.get(start..end)?;
    let code = line.split(" #").next().unwrap_or(line);
    let mut quote = None;
    let mut word = start;
    for (offset, character) in code.char_indices().chain([(code.len(), ' ')]) {
        match (quote, character) {
            (Some(open), close) if open == close => (quote, word) = (None, start + offset + 1),
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, ' ' | ',' | '{' | '}') => {
                if let Some(found) = ipv6_word(text, word, start + offset) {
                    return Some(found);
                }
                word = start + offset + 1;
            }
            (None, _) => {}
        }
    }
    None
}

/// The word without the brackets of a list around it, if YAML would misread it as said.
fn ipv6_word(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let word = text.get(start..end)?;
    let bracketed = word.find(']').and_then(|close| {
        let open = word.get(..close)?.rfind('[')?;
        word.get(open + 1..close)?.parse::<Ipv6Addr>().ok()?;
        let lead = word.get(..open)?.rfind('[').map_or(0, |list| list + 1);
        Some((start + lead, end))
    });
    let trailing = || {
        let inner = word.trim_start_matches('[').trim_end_matches(']');
        let lead = word.len() - word.trim_start_matches('[').len();
        inner.ends_with("::").then(|| inner.parse::<Ipv6Addr>().ok())??;
        Some((start + lead, start + lead + inner.len()))
    };
    let (start, end) = bracketed.or_else(trailing)?;
    let closing = text.get(start..end)?;
    let surplus = closing.matches(']').count().saturating_sub(closing.matches('[').count());
    Some((start, end - if closing.ends_with(']') { surplus } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn found(line: &str) -> Option<&str> {
        find_unquoted(line, 0, line.len()).and_then(|(start, end)| line.get(start..end))
    }

    #[test]
    fn an_address_that_yaml_misreads_is_found() {
        assert_eq!(found("  virtual_services: [tcp://[2001:db8::1]:80]"), Some("tcp://[2001:db8::1]:80"));
        assert_eq!(found("- [2001:db8::1]:80"), Some("[2001:db8::1]:80"));
        assert_eq!(found("real_servers: [[2001:db8::11]:80, 192.0.2.1]"), Some("[2001:db8::11]:80"));
        assert_eq!(found("address: 2001:db8::"), Some("2001:db8::"));
        assert_eq!(found("address: \"[2001:db8::1]:80\""), None);
        assert_eq!(found("address: 2001:db8::1"), None);
        assert_eq!(found("check: [alive]"), None);
    }
}
