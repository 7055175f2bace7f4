//! An exchange in texts, as the policy writes it: each expectation looks on behind what the one before has found.

use super::{Reach, Speaker, Turn};
use crate::model::{CheckName, DialogueSpec, Failure, Pattern, Phase, Step};
use crate::probe::search::{Needle, Position, regex};
use crate::probe::{PrepareError, failure};
use regex::bytes::Regex;
use std::borrow::Cow;

/// Bytes that regular expressions may look at within one probe. A server that sends its answer in very many small pieces
/// would otherwise have each piece searched from the start; with this used up, a search waits until twice as much has come.
const REGEX_BUDGET: usize = 16 * DialogueSpec::READ_LIMIT;

/// A dialogue made ready.
#[derive(Debug)]
pub(crate) struct Dialogue {
    steps: Box<[Move]>,
}

#[derive(Debug)]
enum Move {
    Send(Box<[u8]>),
    Expect(Matcher),
}

/// A pattern made ready.
#[derive(Debug)]
pub(crate) enum Matcher {
    Bytes(Needle),
    Regex(Box<Regex>),
}

impl Matcher {
    /// Makes a pattern ready.
    pub(crate) fn new(check: &CheckName, pattern: &Pattern) -> Result<Self, PrepareError> {
        match pattern {
            Pattern::Bytes(bytes) => Ok(Self::Bytes(Needle::new(bytes))),
            Pattern::Regex(source) => regex(check, source).map(|regex| Self::Regex(Box::new(regex))),
        }
    }

    /// Whether a whole answer holds it.
    pub(crate) fn is_in(&self, answer: &[u8]) -> bool {
        match self {
            Self::Bytes(needle) => needle.end_in(answer, &mut Position::default()).is_some(),
            Self::Regex(regex) => regex.is_match(answer),
        }
    }
}

impl Dialogue {
    /// Makes `spec` ready.
    pub(crate) fn new(check: &CheckName, spec: &DialogueSpec) -> Result<Self, PrepareError> {
        let step = |step: &Step| match step {
            Step::Send(bytes) => Ok(Move::Send(bytes.clone().into())),
            Step::Expect(pattern) => Matcher::new(check, pattern).map(Move::Expect),
        };
        Ok(Self { steps: spec.steps.iter().map(step).collect::<Result<_, _>>()? })
    }

    /// The exchange from its beginning.
    pub(crate) fn begin(&self) -> impl Speaker<'_> {
        InDialogue { steps: self.steps.iter(), awaited: None, budget: REGEX_BUDGET }
    }
}

/// A dialogue under way.
struct InDialogue<'a> {
    steps: std::slice::Iter<'a, Move>,
    awaited: Option<Awaited<'a>>,
    budget: usize,
}

/// An expectation that was not met yet.
struct Awaited<'a> {
    matcher: &'a Matcher,
    /// How far it has looked.
    looked: usize,
    position: Position,
}

impl<'a> Speaker<'a> for InDialogue<'a> {
    fn next(&mut self, heard: &[u8], reach: Reach) -> Turn<'a> {
        let mut used = 0;
        loop {
            let rest = heard.get(used..).unwrap_or_default();
            if let Some(awaited) = &mut self.awaited {
                match awaited.look(rest, reach, &mut self.budget) {
                    Some(end) => {
                        used += end;
                        self.awaited = None;
                        continue;
                    }
                    None if reach == Reach::More => return Turn::Listen { used, phase: Phase::Expectation },
                    None => return Turn::failed(unmet(rest, reach)),
                }
            }
            match self.steps.next() {
                None => return Turn::End { result: Ok(()), farewell: super::Farewell::Reset },
                Some(Move::Send(bytes)) => return Turn::Say { used, bytes: Cow::Borrowed(bytes) },
                Some(Move::Expect(matcher)) => {
                    self.awaited = Some(Awaited { matcher, looked: 0, position: Position::default() });
                }
            }
        }
    }
}

impl Awaited<'_> {
    /// Where the expectation is met in `heard`: how many bytes it takes.
    fn look(&mut self, heard: &[u8], reach: Reach, budget: &mut usize) -> Option<usize> {
        let before = self.looked;
        match self.matcher {
            Matcher::Bytes(needle) => {
                self.looked = heard.len();
                let end = needle.end_in(heard.get(before..).unwrap_or_default(), &mut self.position)?;
                Some(before + end)
            }
            Matcher::Regex(regex) => {
                let is_worth_it = heard.len() <= *budget || heard.len() >= 2 * before || reach != Reach::More;
                if heard.len() == before && reach == Reach::More || !is_worth_it {
                    return None;
                }
                *budget = budget.saturating_sub(heard.len());
                self.looked = heard.len();
                regex.find(heard).map(|found| found.end())
            }
        }
    }
}

/// The server has said all that is listened to, and not what was expected.
fn unmet(rest: &[u8], reach: Reach) -> Failure {
    match (rest, reach) {
        ([], Reach::More | Reach::Closed) => Failure::ConnectionLost(Phase::Expectation),
        (rest, _) => Failure::UnexpectedReply(failure::shown(rest)),
    }
}
