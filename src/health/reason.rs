//! Why a target is up or down: one value that log, metrics and snapshot share.

use super::Start;
use crate::model::Failure;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why the verdict is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// No verdict yet: it is as it was when the check began.
    Started(Start),
    /// So many probes in a row succeeded (1..).
    Passed { successes: u32 },
    /// So many probes in a row failed (1..), the last of them like this.
    Failed { failures: u32, last: Box<Failure> },
}

impl Reason {
    /// The closed list of the `reason` label: `started`, `passed`, or [`Failure::reason`].
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Passed { .. } => "passed",
            Self::Failed { last, .. } => last.reason(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started(Start::Up) => formatter.write_str("up from the start, not yet decided by a probe"),
            Self::Started(Start::Down | Start::Failed) => formatter.write_str("not yet passed a probe"),
            Self::Passed { successes: 1 } => formatter.write_str("passed its check"),
            Self::Passed { successes } => write!(formatter, "passed its check {successes} times in a row"),
            Self::Failed { failures: 1, last } => write!(formatter, "{last}"),
            Self::Failed { failures, last } => {
                write!(formatter, "failed its check {failures} times in a row, the last: {last}")
            }
        }
    }
}
