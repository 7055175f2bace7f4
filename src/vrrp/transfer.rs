//! Who waits for connection state, and who passes it.
//!
//! The kernel's synchronisation sends nothing of what was there before a director came. So a director that would preempt asks
//! for it in its beats and waits, bounded; a Master that hears the request has its connections sent, and says so in its own.

use crate::time::Instant;
use std::time::Duration;

/// A director that would preempt waits at most so long for connection state.
pub const PREEMPT_BOUND: Duration = Duration::from_secs(10);
/// A Master that is to resign waits at most so long until its state has been sent.
pub const RESIGN_BOUND: Duration = Duration::from_secs(3);
/// State is passed on request at most so often.
const LEAST_BETWEEN: Duration = Duration::from_secs(2);

/// What a beat carries of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Number of our request; 0: we want nothing.
    pub wants: u32,
    /// The last request of another director that was served; 0: none.
    pub passed: u32,
}

/// Our own wish for state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Request {
    number: u32,
    since: Instant,
    served: bool,
}

/// State transfer of one director; inert where the policy says no connection synchronisation.
#[derive(Debug)]
pub struct Transfer {
    enabled: bool,
    next_number: u32,
    request: Option<Request>,
    passed: u32,
    /// The request that is being served, and since when.
    serving: Option<u32>,
    last_began: Option<Instant>,
}

impl Transfer {
    /// `first_number` differs between runs, so that an answer to an earlier run is none to this one.
    #[must_use]
    pub fn new(enabled: bool, first_number: u32) -> Self {
        let next_number = first_number.max(1);
        Self { enabled, next_number, request: None, passed: 0, serving: None, last_began: None }
    }

    /// Whether the policy has connections synchronised at all.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// What the next beat carries.
    #[must_use]
    pub fn said(&self) -> Said {
        let wants = self.request.filter(|request| !request.served).map_or(0, |request| request.number);
        Said { wants, passed: self.passed }
    }

    /// Whether this director has the state that it wants before it preempts, or has waited long enough. `wanted`: whether
    /// only the state is missing.
    pub fn has_state(&mut self, wanted: bool, now: Instant) -> bool {
        if !self.enabled {
            return true;
        }
        if !wanted {
            self.request = None;
            return false;
        }
        let request =
            self.request.get_or_insert(Request { number: self.next_number, since: now, served: false });
        if request.number == self.next_number {
            self.next_number = self.next_number.wrapping_add(1).max(1);
        }
        request.served || request.since + PREEMPT_BOUND <= now
    }

    /// Another director's beat. Whether the state is to be passed now.
    pub fn heard(&mut self, said: Said, is_master: bool, now: Instant) -> bool {
        if let Some(request) = self.request.as_mut().filter(|request| request.number == said.passed) {
            request.served = true;
        }
        let asked = self.enabled && is_master && said.wants != 0 && said.wants != self.passed;
        // What was never answered does not stop all that comes after it.
        let rest = if self.serving.is_some() { PREEMPT_BOUND } else { LEAST_BETWEEN };
        let rested = self.last_began.is_none_or(|began| began + rest <= now);
        if !asked || !rested {
            return false;
        }
        (self.serving, self.last_began) = (Some(said.wants), Some(now));
        true
    }

    /// The state has been sent, or could not be: either way there is nothing to wait for.
    pub fn passed(&mut self) {
        if let Some(number) = self.serving.take() {
            self.passed = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_director_that_would_preempt_waits_until_its_request_was_served() {
        let (mut returning, mut master) = (Transfer::new(true, 7), Transfer::new(true, 90));
        let now = Instant::from_millis(100);
        assert!(!returning.has_state(true, now));
        assert_eq!(returning.said().wants, 7);
        assert!(master.heard(returning.said(), true, now), "the Master is to pass its state");
        assert!(!master.heard(returning.said(), true, now), "once");
        assert!(!returning.has_state(true, now));
        master.passed();
        returning.heard(master.said(), false, now);
        assert!(returning.has_state(true, now));
        assert_eq!(returning.said().wants, 0);
    }

    #[test]
    fn it_waits_no_longer_than_the_bound_and_not_at_all_without_synchronisation() {
        let mut returning = Transfer::new(true, 7);
        let start = Instant::from_millis(100);
        assert!(!returning.has_state(true, start));
        assert!(!returning.has_state(true, start + PREEMPT_BOUND - Duration::from_micros(1)));
        assert!(returning.has_state(true, start + PREEMPT_BOUND));
        assert!(Transfer::new(false, 7).has_state(true, start));
    }

    #[test]
    fn a_transfer_that_never_ends_does_not_stop_a_later_one() {
        let mut master = Transfer::new(true, 90);
        let start = Instant::from_millis(100);
        let wants = |wants| Said { wants, passed: 0 };
        assert!(master.heard(wants(7), true, start));
        assert!(!master.heard(wants(8), true, start + LEAST_BETWEEN));
        assert!(master.heard(wants(8), true, start + PREEMPT_BOUND));
    }

    #[test]
    fn an_answer_to_an_earlier_request_is_no_answer() {
        let mut returning = Transfer::new(true, 7);
        let now = Instant::from_millis(100);
        returning.has_state(true, now);
        returning.has_state(false, now);
        assert!(!returning.has_state(true, now));
        returning.heard(Said { wants: 0, passed: 7 }, false, now);
        assert!(!returning.has_state(true, now), "that was request 7, this is 8");
    }
}
