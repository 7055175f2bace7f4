//! What an answer must hold: bytes, or a match of a regular expression.

use super::DialogueSpec;
use regex::bytes::{Regex, RegexBuilder};

/// What an answer must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// These bytes; never empty.
    Bytes(Vec<u8>),
    /// A match of this regular expression, in the syntax of the crate regex; compiled, it takes at most
    /// [`Pattern::REGEX_MEMORY`] bytes.
    Regex(String),
}

impl Pattern {
    /// Bytes of memory that a compiled regular expression may take, and as many for the automaton that grows as it matches.
    pub const REGEX_MEMORY: usize = 256 * 1024;

    /// Whether a policy can hold an expression: not empty, not longer than [`DialogueSpec::LONGEST_EXPECTATION`], and without
    /// control characters beside those of lines and tabs.
    #[must_use]
    pub fn is_legible(source: &str) -> bool {
        let is_plain = |letter: char| !letter.is_control() || matches!(letter, '\r' | '\n' | '\t');
        (1..=DialogueSpec::LONGEST_EXPECTATION).contains(&source.len()) && source.chars().all(is_plain)
    }

    /// The regular expression made ready.
    ///
    /// # Errors
    /// In words, when it cannot be read, takes more than [`Pattern::REGEX_MEMORY`], or matches an empty text: then nothing at
    /// all would be an answer.
    pub fn regex(source: &str) -> Result<Regex, String> {
        let mut builder = RegexBuilder::new(source);
        builder.size_limit(Self::REGEX_MEMORY).dfa_size_limit(Self::REGEX_MEMORY);
        let regex = builder.build().map_err(|error| words(&error))?;
        if regex.is_match(b"") {
            return Err("it matches an empty text too, so an answer that says nothing would do".to_owned());
        }
        Ok(regex)
    }
}

/// The last line of what the crate says: it draws the expression and a caret above.
fn words(error: &regex::Error) -> String {
    let text = match error {
        regex::Error::CompiledTooBig(limit) => return format!("compiled, it takes more than {limit} bytes"),
        other => other.to_string(),
    };
    let last = text.lines().last().unwrap_or_default().trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_bounded_and_must_ask_for_something() {
        assert!(Pattern::regex("^[+]PONG\\r\\n$").is_ok());
        assert!(Pattern::regex("a*").expect_err("nothing matches it").contains("empty text"));
        assert!(Pattern::regex("(a{1000}){1000}").expect_err("too large").contains("more than 262144 bytes"));
        assert_eq!(Pattern::regex("(a").expect_err("no expression"), "unclosed group");
    }
}
