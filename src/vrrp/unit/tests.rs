//! What a unit does, as stories; several began as a seed of the simulation.

mod gate;
mod group;
mod leave;
mod standing;
mod stopping;
mod succession;
mod takeover;
mod timers;

use super::*;
use crate::model::{Family, VrrpVersion};
use crate::vrrp::fitness::Reach;
use crate::vrrp::machine::OWNER;
use crate::vrrp::timing::Pace;
use std::net::IpAddr;

const PACE: Pace = Pace { version: VrrpVersion::V3, interval: Duration::from_millis(100) };
const OUTSIDE: SessionId = SessionId { router: RouterId(0), family: Family::Ipv4 };
const OUTSIDE6: SessionId = SessionId { router: RouterId(0), family: Family::Ipv6 };
const INSIDE: SessionId = SessionId { router: RouterId(1), family: Family::Ipv4 };

/// Outputs and timers of one step of a story, at most: a unit that never waits fails it, and hangs none.
const MOST: usize = 1_000;

/// A unit, its instant in milliseconds, and what it said as short words.
struct Story {
    unit: Unit,
    now: Instant,
    said: Vec<String>,
}

fn settings() -> Settings {
    Settings {
        preempt: Preempt::After(Duration::ZERO),
        both_unfit: BothUnfit::KeepBest,
        start_delay: Duration::ZERO,
        tandem_peers: true,
        hook: None,
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The other director; `.10` is lower and `.12` higher than our own `.11`.
fn heard(last: u8, priority: u8) -> Heard {
    Heard { source: IpAddr::from([192, 0, 2, last]), priority, pace: PACE }
}

impl Story {
    fn with(settings: Settings, priority: u8, sessions: &[SessionId]) -> Self {
        let members = sessions.iter().map(|session| Member::new(*session, priority, 100, PACE)).collect();
        let mut story = Self { unit: Unit::new(settings, members, at(0)), now: at(0), said: Vec::new() };
        story.give(Input::MayPreempt { at: at(0), ready: true, follows: true, has_state: true });
        story
    }

    /// Links are up at 0.
    fn new(settings: Settings, priority: u8, sessions: &[SessionId]) -> Self {
        let mut story = Self::with(settings, priority, sessions);
        for session in sessions {
            story.link(0, *session, true);
        }
        story.time(0);
        // An earlier run has left nothing.
        sessions.iter().for_each(|session| story.unit.released_by_keeper(session.router));
        story.said.clear();
        story
    }

    /// Of priority 150, Master since 400 ms.
    fn master(sessions: &[SessionId]) -> Self {
        let mut story = Self::new(settings(), 150, sessions);
        story.until(400);
        assert_eq!(story.unit.role(), Role::Master, "{:?}", story.said);
        story.said.clear();
        story
    }

    fn give(&mut self, input: Input) {
        self.now = input.at();
        self.unit.handle(input);
        self.poll();
    }

    fn poll(&mut self) {
        for _ in 0..MOST {
            let said = match self.unit.poll(self.now) {
                Output::Wait { .. } => return,
                Output::Advertise { session, priority } => {
                    let six = if session.family == Family::Ipv6 { "v6" } else { "" };
                    format!("advertise {}{six} {priority}", session.router.0)
                }
                Output::Order(Order::Wish { router, wish: Wish::Release { .. } }) => {
                    format!("release {}", router.0)
                }
                Output::Order(Order::Wish { router, wish: Wish::Hold }) => format!("hold {}", router.0),
                Output::Order(Order::Wish { router, wish: Wish::Drop }) => format!("drop {}", router.0),
                Output::Order(Order::Announce { router, .. }) => format!("announce {}", router.0),
                Output::Role { role, cause } => format!("{} {}", role.name(), cause.name()),
                Output::Contested { .. } => "contested".to_owned(),
                Output::RunHook => "hook".to_owned(),
            };
            self.said.push(said);
        }
        panic!("it never waits: {:?}", self.said);
    }

    fn time(&mut self, millis: u64) {
        self.give(Input::Timeout { at: at(millis) });
    }

    /// Timers as they fall due, until this instant.
    fn until(&mut self, millis: u64) {
        for _ in 0..MOST {
            let Some(deadline) = self.unit.deadline(self.now).filter(|deadline| *deadline <= at(millis))
            else {
                return self.time(millis);
            };
            self.give(Input::Timeout { at: deadline.max(self.now) });
        }
        panic!("a deadline that never passes: {:?}", self.unit.deadline(self.now));
    }

    fn hear(&mut self, millis: u64, session: SessionId, last: u8, priority: u8) {
        self.give(Input::Advertisement { at: at(millis), session, heard: heard(last, priority) });
    }

    /// As one look at the sockets brings them.
    fn hear_together(&mut self, millis: u64, those: &[(SessionId, Heard)]) {
        for (session, heard) in those {
            self.unit.handle(Input::Advertisement { at: at(millis), session: *session, heard: *heard });
        }
        self.now = at(millis);
        self.poll();
    }

    fn link(&mut self, millis: u64, session: SessionId, up: bool) {
        let source = up.then(|| IpAddr::from([192, 0, 2, 11]));
        self.give(Input::Link { at: at(millis), session, source });
    }

    fn elsewhere(&mut self, millis: u64, director: &str, is_master: bool, reach: Reach) {
        self.told_elsewhere(millis, director, is_master, reach, true);
    }

    fn told_elsewhere(&mut self, millis: u64, director: &str, is_master: bool, reach: Reach, sealed: bool) {
        let until = at(millis + 400);
        let elsewhere =
            Elsewhere { director: director.into(), is_master, is_fit: true, reach, sealed, until };
        self.give(Input::Elsewhere { at: at(millis), elsewhere });
    }

    fn unfit(&mut self, millis: u64, reach: Reach) {
        let fitness = Fitness { change: 0, faults: vec!["upstream".into()], reach };
        self.give(Input::Fitness { at: at(millis), fitness });
    }

    fn says(&mut self) -> Vec<String> {
        std::mem::take(&mut self.said)
    }
}
