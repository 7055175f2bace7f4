//! What an answer says: its status and where it leads, and its body to the end.

use crate::model::Failure;
use std::ops::RangeInclusive;

/// An answer of which the body is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// One of the statuses that count as success.
    Good,
    Redirect {
        status: u16,
        location: String,
    },
}

/// Looks at status and place. A status that the policy accepts is never a redirect.
pub(super) fn judge(
    status: u16,
    location: Option<String>,
    accepted: &[RangeInclusive<u16>],
    follows: bool,
) -> Result<Answer, Failure> {
    if accepted.iter().any(|range| range.contains(&status)) {
        return Ok(Answer::Good);
    }
    if !follows || !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Err(Failure::Status(status));
    }
    match location {
        Some(location) => Ok(Answer::Redirect { status, location }),
        None => Err(Failure::Redirect(format!("without saying where to (status {status})"))),
    }
}

/// How the reading of a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// All of it was read.
    Whole,
    /// Who reads it has enough.
    Enough,
    /// It goes on beyond the limit.
    Beyond,
}

/// A body that is handed on piece by piece, up to a limit, until who takes it wants no more.
#[derive(Debug)]
pub(super) struct Taking<F> {
    left: usize,
    take: F,
}

impl<F: FnMut(&[u8]) -> bool> Taking<F> {
    pub(super) const fn new(limit: u32, take: F) -> Self {
        Self { left: limit as usize, take }
    }

    /// Hands on the next piece; how the reading ends, if it ends here.
    pub(super) fn piece(&mut self, piece: &[u8]) -> Option<Drained> {
        let within = piece.get(..self.left).unwrap_or(piece);
        self.left -= within.len();
        if !(self.take)(within) {
            return Some(Drained::Enough);
        }
        (within.len() < piece.len()).then_some(Drained::Beyond)
    }
}
