//! Outcomes that leave no doubt: one of them takes a server out, without the full run of failures.

use super::Failure;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The failures that decide at the first time; empty: none does.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FailAtOnce {
    /// HTTP statuses, 100..=599.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// Words of [`Failure::REASONS`].
    pub reasons: BTreeSet<&'static str>,
}

impl FailAtOnce {
    /// Whether this failure decides at the first time.
    #[must_use]
    pub fn takes(&self, failure: &Failure) -> bool {
        let status = |status: &u16| self.statuses.iter().any(|range| range.contains(status));
        self.reasons.contains(failure.reason()) || matches!(failure, Failure::Status(found) if status(found))
    }

    /// Whether no failure does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.reasons.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Phase;

    #[test]
    fn a_status_and_a_word_take_what_they_name_and_nothing_else() {
        let at_once = FailAtOnce { statuses: vec![503..=504], reasons: ["connection_refused"].into() };
        assert!(at_once.takes(&Failure::Status(504)) && at_once.takes(&Failure::ConnectionRefused));
        assert!(!at_once.takes(&Failure::Status(500)) && !at_once.takes(&Failure::Timeout(Phase::Connect)));
        let any_status = FailAtOnce { statuses: Vec::new(), reasons: ["status"].into() };
        assert!(any_status.takes(&Failure::Status(500)), "the word means every status that is not accepted");
        assert!(!FailAtOnce::default().takes(&Failure::ConnectionRefused));
    }
}
