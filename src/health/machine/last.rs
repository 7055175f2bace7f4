//! The last probe of a check, in little room: there is one for each target, and nearly all of them just passed.

use crate::model::{Failure, Findings, Outcome};
use crate::time::Instant;
use std::time::Duration;

/// How the last probe ended, and when.
#[derive(Clone, Debug)]
pub(super) struct Last {
    pub(super) at: Instant,
    pub(super) duration: Duration,
    said: Option<Box<Said>>,
}

/// What it said beside that it passed.
#[derive(Clone, Debug)]
struct Said {
    result: Result<(), Failure>,
    findings: Findings,
}

impl Last {
    pub(super) fn new(at: Instant, outcome: Outcome) -> Self {
        let Outcome { duration, result, findings } = outcome;
        let is_plain = result.is_ok() && findings == Findings::default();
        Self { at, duration, said: (!is_plain).then(|| Box::new(Said { result, findings })) }
    }

    /// Why it failed, if it did.
    pub(super) fn failure(&self) -> Option<&Failure> {
        self.said.as_ref()?.result.as_ref().err()
    }

    /// As it was reported.
    pub(super) fn outcome(&self) -> Outcome {
        match self.said.as_deref() {
            None => Outcome::new(self.duration, Ok(())),
            Some(Said { result, findings }) => {
                Outcome { duration: self.duration, result: result.clone(), findings: *findings }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Advice;

    #[test]
    fn an_outcome_comes_out_as_it_went_in() {
        let passed = Outcome::new(Duration::from_nanos(1_234_567), Ok(()));
        let failed = Outcome::new(Duration::ZERO, Err(Failure::ConnectionRefused));
        let advice = Some(Advice { weight_percent: Some(50), state: None });
        let advised = Outcome { findings: Findings { advice, ..Findings::default() }, ..passed.clone() };
        for outcome in [passed, failed, advised] {
            let last = Last::new(Instant::ZERO, outcome.clone());
            assert_eq!(last.failure(), outcome.result.as_ref().err());
            assert_eq!(last.outcome(), outcome);
        }
    }
}
