//! Finds a text, or any bytes, in a body that comes in pieces, without keeping the body.
//!
//! Knuth, Morris and Pratt: time linear in the body whatever the server sends, memory only the text's own, and a match
//! across the border of two pieces needs no special case. A regular expression wants a body whole: it is only made ready here.

use super::PrepareError;
use crate::model::Pattern;
use regex::bytes::Regex;

/// A text and, for each of its prefixes, how much of it remains matched after a mismatch behind that prefix.
#[derive(Debug)]
pub(super) struct Needle {
    text: Box<[u8]>,
    fallback: Box<[usize]>,
}

/// How much of the text the last bytes of the body match.
#[derive(Debug, Default)]
pub(super) struct Position(usize);

impl Needle {
    /// Prepares the search for `text`.
    pub(super) fn new(text: impl AsRef<[u8]>) -> Self {
        let text: Box<[u8]> = text.as_ref().into();
        let mut needle = Self { fallback: vec![0; text.len()].into(), text };
        let mut matched = 0;
        for index in 1..needle.text.len() {
            matched = needle.step(matched, needle.text[index]);
            needle.fallback[index] = matched;
        }
        needle
    }

    /// Whether the text is complete with `piece`. An empty text is found at once.
    pub(super) fn found_in(&self, piece: &[u8], position: &mut Position) -> bool {
        self.end_in(piece, position).is_some()
    }

    /// How many bytes of `piece` complete the text, where they do.
    pub(super) fn end_in(&self, piece: &[u8], position: &mut Position) -> Option<usize> {
        for (index, byte) in piece.iter().enumerate() {
            if position.0 == self.text.len() {
                return Some(index);
            }
            position.0 = self.step(position.0, *byte);
        }
        (position.0 == self.text.len()).then_some(piece.len())
    }

    /// How much is matched after `byte`, when `matched` bytes (fewer than all) were before it.
    fn step(&self, mut matched: usize, byte: u8) -> usize {
        while matched > 0 && self.text[matched] != byte {
            matched = self.fallback[matched - 1];
        }
        if self.text[matched] == byte { matched + 1 } else { 0 }
    }
}

/// A regular expression made ready.
pub(super) fn regex(check: &str, source: &str) -> Result<Regex, PrepareError> {
    Pattern::regex(source).map_err(|detail| PrepareError::Regex {
        check: check.to_owned(),
        expression: source.to_owned(),
        detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_is_found_across_pieces_and_an_empty_one_at_once() {
        let needle = Needle::new("aabaac");
        let mut position = Position::default();
        assert!(!needle.found_in(b"xaabaab", &mut position));
        assert!(!needle.found_in(b"", &mut position));
        assert!(needle.found_in(b"aac and more", &mut position));
        assert!(needle.found_in(b"", &mut position), "it stays found");
        assert!(Needle::new("").found_in(b"", &mut Position::default()));
        assert_eq!(Needle::new([0, 255]).end_in(&[7, 0, 255, 0], &mut Position::default()), Some(3));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_finds_what_a_plain_search_finds(text in "[ab]{0,6}", body in "[ab]{0,40}", cut in 0..41_usize) {
            let (first, second) = body.split_at(cut.min(body.len()));
            let (needle, mut position) = (Needle::new(&text), Position::default());
            let early = needle.found_in(first.as_bytes(), &mut position);
            let found = early || needle.found_in(second.as_bytes(), &mut position);
            prop_assert_eq!(found, body.contains(&text));
        }
    }
}
