//! A check goes on in another process: what it hands on, and how a fresh one goes on with that. Verdict and counter stay, so that
//! no server comes or goes for it; the next probe falls where it would have fallen.

use super::last::Last;
use super::{Failing, Machine, Run, State};
use crate::health::handed::HandedCheck;
use crate::time::Instant;
use std::collections::VecDeque;

impl Machine {
    /// What another process goes on with.
    #[must_use]
    pub fn hand_on(&self) -> HandedCheck {
        let (successes, failures) = match self.run {
            Run::Successes(length) => (length, 0),
            Run::Failures(length) => (0, length),
        };
        let due = match self.state {
            State::Waiting { due, .. } => Some(due),
            // It ends with its process, and says nothing.
            State::Starting { .. } | State::Probing { .. } => None,
        };
        HandedCheck {
            up: self.is_up(),
            counter: self.counter,
            successes,
            failures,
            settled: self.settled,
            reason: Some(self.reason.clone()),
            changed_at: self.changed_at,
            last: self.last.as_ref().map(|last| (last.at, last.outcome())),
            passed: self.passed,
            failing: self.failing.iter().flat_map(|failing| &failing.0).copied().collect(),
            advice: self.advice,
            started: self.started,
            due,
        }
    }

    /// Goes on where another was. Its counter is fitted into what the parameters say, on the side of its verdict.
    pub fn go_on(&mut self, at: Instant, handed: &HandedCheck) {
        let (rise, top) = (self.params.rise, self.params.top());
        self.counter = match handed.up {
            true => handed.counter.clamp(rise, top),
            false => handed.counter.min(rise - 1),
        };
        self.run = match handed.failures {
            0 => Run::Successes(handed.successes),
            failures => Run::Failures(failures),
        };
        (self.told_up, self.settled) = (handed.up, handed.settled);
        if let Some(reason) = &handed.reason {
            self.reason = reason.clone();
        }
        (self.changed_at, self.passed) = (handed.changed_at, handed.passed);
        self.last = handed.last.clone().map(|(at, outcome)| Last::new(at, outcome));
        self.advice = handed.advice;
        let full = usize::try_from(self.params.fall).unwrap_or(usize::MAX);
        let starts: VecDeque<_> = handed.failing.iter().rev().take(full).rev().copied().collect();
        self.failing = (!starts.is_empty()).then(|| Box::new(Failing(starts)));
        self.started = handed.started;
        let due = handed.due.unwrap_or(at).max(at);
        self.state = State::Waiting { place: due, due };
    }
}
