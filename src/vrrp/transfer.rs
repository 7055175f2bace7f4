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
/// What is left when the addresses have gone is passed within this.
pub const REST_BOUND: Duration = Duration::from_secs(1);
/// After a whole transfer the rest follows again and again for so long: the addresses are about to go.
pub const GOING_ON: Duration = Duration::from_secs(2);
/// From the end of one of those to the next, at least; and as long as it took, so that a large table is not read all the
/// time. What began here meanwhile is all that the other director may miss.
const REST_EVERY: Duration = Duration::from_millis(20);
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

/// What a transfer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pass {
    /// The request of another director that it serves.
    pub request: Option<u32>,
    /// Whether a Master waits for it before it resigns.
    pub leaving: bool,
    /// Whether it carries on one before, and is the last: what has come since then.
    pub rest: bool,
    /// The same, of itself: nobody waits for it.
    pub follows: bool,
}

impl Pass {
    /// Whether everything is to be sent.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.request.is_some() || self.leaving
    }
}

/// State transfer of one director; inert where the policy says no connection synchronisation.
#[derive(Debug)]
pub struct Transfer {
    enabled: bool,
    next_number: u32,
    request: Option<Request>,
    passed: u32,
    /// What the next transfer is for.
    wanted: Pass,
    /// The transfer under way, and since when.
    running: Option<(Pass, Instant)>,
    last_request_at: Option<Instant>,
    /// Until when the rest follows by itself, and when it does next.
    follows: Option<(Instant, Instant)>,
}

impl Transfer {
    /// `first_number` differs between runs, so that an answer to an earlier run is none to this one.
    #[must_use]
    pub fn new(enabled: bool, first_number: u32) -> Self {
        Self {
            enabled,
            next_number: first_number.max(1),
            request: None,
            passed: 0,
            wanted: Pass::default(),
            running: None,
            last_request_at: None,
            follows: None,
        }
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

    /// Another director's beat: it may answer our request, and ask for state.
    pub fn heard(&mut self, said: Said, is_master: bool, now: Instant) {
        if let Some(request) = self.request.as_mut().filter(|request| request.number == said.passed) {
            request.served = true;
        }
        let known = |pass: &Pass| pass.request == Some(said.wants);
        let asked = self.enabled && is_master && said.wants != 0 && said.wants != self.passed;
        let under_way = known(&self.wanted) || self.running.is_some_and(|(pass, _)| known(&pass));
        let rested = self.last_request_at.is_none_or(|began| began + LEAST_BETWEEN <= now);
        if asked && !under_way && rested {
            self.wanted.request = Some(said.wants);
            self.last_request_at = Some(now);
        }
    }

    /// A Master is to resign.
    pub fn ask_for_leaving(&mut self) {
        self.wanted.leaving = true;
    }

    /// The addresses have gone to another director: the last rest.
    pub fn ask_for_the_rest(&mut self) {
        self.wanted.rest = true;
        self.follows = None;
    }

    /// Whether nothing of it is asked for, under way or to follow.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.request.is_none()
            && self.running.is_none()
            && self.follows.is_none()
            && self.wanted == Pass::default()
    }

    /// Goes on where another has served this request last.
    pub fn go_on(&mut self, passed: u32) {
        self.passed = passed;
    }

    /// The transfer to begin now, if any: one at a time, so that each sees what came before it was asked for. One that was
    /// never answered does not stop all that comes after it.
    pub fn start(&mut self, now: Instant) -> Option<Pass> {
        let busy = self.running.is_some_and(|(_, began)| began + PREEMPT_BOUND > now);
        self.wanted.follows |= self.follows.is_some_and(|(_, next)| next <= now) && !busy;
        if busy || self.wanted == Pass::default() {
            return None;
        }
        let pass = std::mem::take(&mut self.wanted);
        self.running = Some((pass, now));
        Some(pass)
    }

    /// When the rest is due that follows by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.follows.filter(|_| self.running.is_none()).map(|(_, next)| next)
    }

    /// Whether the last rest is still to be sent: whoever stops waits for it.
    #[must_use]
    pub fn owes_the_rest(&self) -> bool {
        self.wanted.rest || self.running.is_some_and(|(pass, _)| pass.rest)
    }

    /// The state has been sent, or could not be: either way there is nothing to wait for. What it was for.
    pub fn passed(&mut self, now: Instant) -> Pass {
        let Some((pass, began)) = self.running.take() else { return Pass::default() };
        let rest = REST_EVERY.max(now.saturating_since(began));
        self.passed = pass.request.unwrap_or(self.passed);
        let until = match self.follows {
            _ if pass.is_whole() => Some(now + GOING_ON),
            follows => follows.map(|(until, _)| until),
        };
        self.follows = until.filter(|until| *until > now).map(|until| (until, now + rest));
        pass
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
        master.heard(returning.said(), true, now);
        let pass = master.start(now).expect("the Master is to pass its state");
        assert!(pass.is_whole() && pass.request == Some(7));
        master.heard(returning.said(), true, now + LEAST_BETWEEN);
        assert_eq!(master.start(now + LEAST_BETWEEN), None, "once");
        assert!(!returning.has_state(true, now));
        master.passed(now);
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
        master.heard(wants(7), true, start);
        assert!(master.start(start).is_some());
        master.heard(wants(8), true, start + LEAST_BETWEEN);
        assert_eq!(master.start(start + LEAST_BETWEEN), None, "one at a time");
        let late = start + PREEMPT_BOUND;
        assert_eq!(master.start(late).map(|pass| pass.request), Some(Some(8)));
    }

    #[test]
    fn requests_that_follow_each_other_quickly_are_not_served_one_by_one() {
        let mut master = Transfer::new(true, 90);
        let start = Instant::from_millis(100);
        let mut served = 0;
        for number in 1..=100 {
            let now = start + Duration::from_millis(10) * number;
            master.heard(Said { wants: number, passed: 0 }, true, now);
            served += usize::from(master.start(now).is_some_and(|pass| pass.is_whole()));
            master.passed(now);
        }
        assert_eq!(served, 1);
    }

    #[test]
    fn it_is_at_rest_where_nothing_is_asked_for_under_way_or_to_follow() {
        let now = Instant::from_millis(100);
        let mut master = Transfer::new(true, 90);
        assert!(master.is_at_rest());
        master.ask_for_leaving();
        assert!(!master.is_at_rest(), "asked for");
        master.start(now).expect("it is asked for");
        assert!(!master.is_at_rest(), "under way");
        master.passed(now);
        assert!(!master.is_at_rest(), "to follow");
        while let Some(next) = master.deadline() {
            master.start(next).expect("it is due");
            master.passed(next);
        }
        assert!(master.is_at_rest());
        let mut returning = Transfer::new(true, 7);
        assert!(!returning.has_state(true, now) && !returning.is_at_rest(), "it waits itself");
    }

    #[test]
    fn what_another_process_has_served_is_served() {
        let now = Instant::from_millis(100);
        let mut successor = Transfer::new(true, 90);
        successor.go_on(7);
        assert_eq!(successor.said().passed, 7);
        successor.heard(Said { wants: 7, passed: 0 }, true, now);
        assert_eq!(successor.start(now), None);
    }

    #[test]
    fn what_is_asked_for_while_one_runs_is_the_next_ones() {
        let mut master = Transfer::new(true, 90);
        let now = Instant::from_millis(100);
        master.ask_for_leaving();
        let leaving = master.start(now).expect("it is asked for");
        assert!(leaving.leaving && leaving.is_whole());
        master.ask_for_the_rest();
        assert_eq!(master.start(now), None);
        assert_eq!(master.passed(now), leaving);
        assert!(master.owes_the_rest(), "the rest waits");
        let rest = master.start(now).expect("it waited");
        assert!(rest.rest && !rest.is_whole());
        assert_eq!(master.passed(now), rest);
        assert!(!master.owes_the_rest());
        assert_eq!(master.passed(now), Pass::default(), "an answer that nobody waits for");
    }

    #[test]
    fn after_all_of_it_the_rest_follows_until_the_addresses_have_gone_or_nobody_came_for_them() {
        let start = Instant::from_millis(100);
        let count = |gone_at: Option<Instant>| {
            let mut master = Transfer::new(true, 90);
            master.ask_for_leaving();
            assert!(master.start(start).is_some());
            master.passed(start);
            let (mut now, mut count) = (start, 0);
            while let Some(next) = master.deadline() {
                assert!(next > now, "it comes to rest");
                assert_eq!(master.start(next - Duration::from_micros(1)), None);
                now = next;
                count += usize::from(master.start(now).is_some_and(|pass| !pass.is_whole()));
                if gone_at.is_some_and(|gone_at| gone_at <= now) {
                    master.ask_for_the_rest();
                }
                master.passed(now);
            }
            (count, master.owes_the_rest())
        };
        assert_eq!(count(None), (100, false));
        assert_eq!(count(Some(start + REST_EVERY * 5)), (5, true), "one is left: the last");
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
