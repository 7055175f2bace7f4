//! What the body of an answer must be, judged while it comes.
//!
//! A text is looked for, and a digest made, without keeping the body. A regular expression and JSON need it whole: it is
//! kept up to `response_limit`.

use super::answer::Drained;
use crate::hex;
use crate::model::{BodyRule, Failure};
use crate::probe::PrepareError;
use crate::probe::failure::bounded;
use crate::probe::search::{Needle, Position, regex};
use regex::bytes::Regex;
use sha2::{Digest, Sha256};

/// A rule made ready.
#[derive(Debug)]
pub(super) enum Rule {
    Text(Needle),
    Regex(Regex),
    Json { pointer: String, equals: String },
    Sha256([u8; 32]),
}

impl Rule {
    pub(super) fn new(check: &str, rule: &BodyRule) -> Result<Self, PrepareError> {
        Ok(match rule {
            BodyRule::Text(text) => Self::Text(Needle::new(text)),
            BodyRule::Regex(pattern) => Self::Regex(regex(check, pattern)?),
            BodyRule::Json { pointer, equals } => {
                Self::Json { pointer: pointer.clone(), equals: equals.clone() }
            }
            BodyRule::Sha256(digest) => Self::Sha256(*digest),
        })
    }
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    state: State<'a>,
    /// Whether the body is read to its end even when nothing more depends on it.
    to_the_end: bool,
}

#[derive(Debug)]
enum State<'a> {
    /// Nothing is asked of it.
    Any,
    Text {
        needle: &'a Needle,
        position: Position,
        found: bool,
    },
    Kept {
        rule: &'a Rule,
        body: Vec<u8>,
    },
    Digest {
        expected: &'a [u8; 32],
        hasher: Box<Sha256>,
    },
}

impl<'a> Reading<'a> {
    pub(super) fn begin(rule: Option<&'a Rule>, to_the_end: bool) -> Self {
        let state = match rule {
            None => State::Any,
            Some(Rule::Text(needle)) => State::Text { needle, position: Position::default(), found: false },
            Some(rule @ (Rule::Regex(_) | Rule::Json { .. })) => State::Kept { rule, body: Vec::new() },
            Some(Rule::Sha256(expected)) => State::Digest { expected, hasher: Box::default() },
        };
        Self { state, to_the_end }
    }

    /// Takes the next piece; whether more is wanted.
    pub(super) fn take(&mut self, piece: &[u8]) -> bool {
        match &mut self.state {
            State::Any => {}
            State::Text { needle, position, found } => *found |= needle.found_in(piece, position),
            State::Kept { body, .. } => body.extend_from_slice(piece),
            State::Digest { hasher, .. } => hasher.update(piece),
        }
        self.to_the_end || !self.is_decided()
    }

    /// Whether the rest of the body cannot change the judgement.
    pub(super) const fn is_decided(&self) -> bool {
        match self.state {
            State::Any => true,
            State::Text { found, .. } => found,
            State::Kept { .. } | State::Digest { .. } => false,
        }
    }

    /// The judgement, when the reading has ended.
    pub(super) fn judge(self, end: Drained, limit: u32) -> Result<(), Failure> {
        match self.state {
            State::Any | State::Text { found: true, .. } => Ok(()),
            State::Text { .. } => Err(Failure::Body),
            State::Kept { rule: Rule::Regex(regex), body } => {
                if regex.is_match(&body) {
                    Ok(())
                } else {
                    Err(Failure::Body)
                }
            }
            State::Kept { .. } | State::Digest { .. } if end != Drained::Whole => Err(Failure::Malformed(
                format!("the body goes on beyond {limit} bytes: raise `response_limit` to judge all of it"),
            )),
            State::Kept { rule: Rule::Json { pointer, equals }, body } => json(&body, pointer, equals),
            State::Kept { rule: Rule::Text(_) | Rule::Sha256(_), .. } => Ok(()),
            State::Digest { expected, hasher } => digest(&hasher.finalize().into(), expected),
        }
    }
}

fn digest(found: &[u8; 32], expected: &[u8; 32]) -> Result<(), Failure> {
    if found == expected {
        return Ok(());
    }
    Err(Failure::Content(format!("the body has the SHA-256 digest {}", hex::encode(found))))
}

/// Judges a value of a JSON text (RFC 8259, RFC 6901).
fn json(body: &[u8], pointer: &str, equals: &str) -> Result<(), Failure> {
    let root: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| Failure::Content(bounded(format!("the body is not JSON: {error}"))))?;
    let Some(found) = root.pointer(pointer) else {
        return Err(Failure::Content(format!("the body has nothing at {pointer}")));
    };
    let text = match found {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text == equals {
        return Ok(());
    }
    let place = if pointer.is_empty() { "the body" } else { pointer };
    Err(Failure::Content(bounded(format!("{place} is {found}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judged(rule: &BodyRule, pieces: &[&[u8]]) -> Result<(), Failure> {
        let rule = Rule::new("alive", rule).expect("a good rule");
        let mut reading = Reading::begin(Some(&rule), false);
        let enough = pieces.iter().any(|piece| !reading.take(piece));
        reading.judge(if enough { Drained::Enough } else { Drained::Whole }, 64)
    }

    fn at(pointer: &str, equals: &str) -> BodyRule {
        BodyRule::Json { pointer: pointer.to_owned(), equals: equals.to_owned() }
    }

    #[test]
    fn a_value_is_found_by_its_pointer_and_shown_where_it_differs() {
        let body: &[&[u8]] = &[br#"{"status": "ok", "checks": [{"#, br#""disk~/a": 7, "on": true}]}"#];
        for (pointer, equals) in [
            ("/status", "ok"),
            ("/checks/0/disk~0~1a", "7"),
            ("/checks/0/on", "true"),
            ("/checks/0", "{\"disk~/a\":7,\"on\":true}"),
        ] {
            assert_eq!(judged(&at(pointer, equals), body), Ok(()), "{pointer}");
        }
        for (rule, words) in [
            (at("/status", "up"), "/status is \"ok\""),
            (at("/state", "up"), "the body has nothing at /state"),
            (at("", "up"), "the body is {\"checks\""),
        ] {
            let failure = judged(&rule, body).expect_err("it differs");
            assert!(failure.to_string().starts_with(words), "{failure}");
        }
        let failure = judged(&at("/status", "ok"), &[b"<html>"]).expect_err("no JSON");
        assert!(failure.to_string().starts_with("the body is not JSON: "), "{failure}");
    }

    #[test]
    fn an_expression_matches_across_pieces() {
        let rule = BodyRule::Regex("(?i)status:\\s+(ok|warn)$".to_owned());
        assert_eq!(judged(&rule, &[b"Sta", b"tus: \xff"]), Err(Failure::Body), "any bytes may come");
        assert_eq!(judged(&rule, &[b"Sta", b"tus:  o", b"k"]), Ok(()));
        let broken = Rule::new("alive", &BodyRule::Regex("(".to_owned())).expect_err("no expression");
        assert!(broken.to_string().contains("check alive: the regular expression \"(\""), "{broken}");
        let large = Rule::new("alive", &BodyRule::Regex("\\w{5000}".to_owned())).expect_err("too large");
        assert!(large.to_string().contains("takes more than"), "{large}");
    }

    #[test]
    fn a_digest_is_of_the_whole_body() {
        let rule = BodyRule::Sha256(Sha256::digest(b"hello").into());
        assert_eq!(judged(&rule, &[b"hel", b"lo"]), Ok(()));
        let failure = judged(&rule, &[b"hello!"]).expect_err("another body");
        assert!(
            failure.to_string().ends_with("ce06092fb948d9ffac7d1a376e404b26b7575bcc11ee05a4615fef4fec3a308b"),
            "{failure}"
        );
        let rule = Rule::new("alive", &rule).expect("a rule");
        let cut = Reading::begin(Some(&rule), false).judge(Drained::Beyond, 64).expect_err("not all of it");
        assert_eq!(cut.reason(), "malformed");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_body_is_judged_and_none_panics(body in proptest::collection::vec(any::<u8>(), 0..200), pointer in "(/[a-z0-9~]{0,3}){0,3}") {
            let _ = judged(&at(&pointer, "1"), &[&body]);
            let _ = judged(&BodyRule::Regex("a.*b".to_owned()), &[&body]);
        }
    }
}
