//! What is done to a pair, always from and back to the same state: the preferred director is Master, both run.

use crate::pair::{Outcome, Pair};
use crate::stage::program::Program;
use crate::stage::{OTHER, PREFERRED};
use std::collections::BTreeMap;
use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A killed director's address must be gone by then: lifetime 3 s, 1 s for the kernel, and some to see it.
const HELD_LIMIT: Duration = Duration::from_millis(5500);
/// Once it was seen to stay for ever, so long is enough.
const HELD_FOR_EVER: Duration = Duration::from_millis(200);
const POLL: Duration = Duration::from_millis(5);

/// A fault and the way back from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cycle {
    Link,
    Terminate,
    Kill,
    KillTaken,
    Release,
}

pub(crate) const CYCLES: [Cycle; 5] =
    [Cycle::Link, Cycle::Terminate, Cycle::Kill, Cycle::KillTaken, Cycle::Release];

/// One thing that clients live through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    LinkCut,
    LinkReturn,
    Terminate,
    Return,
    Kill,
    KillTaken,
    Release,
    ReturnAfterRelease,
}

/// Each repetition of each event, by program.
pub(crate) type Results = BTreeMap<(Event, &'static str), Vec<Outcome>>;

/// The key of a program in the results.
pub(crate) fn key(program: Program) -> &'static str {
    match program {
        Program::Tandem => "Tandem",
        Program::Keepalived => "keepalived",
        Program::Frr => "FRR",
    }
}

impl Cycle {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Terminate => "terminate",
            Self::Kill => "kill",
            Self::KillTaken => "kill-taken",
            Self::Release => "release",
        }
    }

    /// keepalived has no command that hands mastership over.
    pub(crate) fn exists_for(self, program: Program) -> bool {
        self != Self::Release || program == Program::Tandem
    }

    /// One repetition.
    pub(crate) fn run(self, pair: &mut Pair, phase: f64, results: &mut Results) {
        let program = key(pair.program);
        let forever = results
            .get(&(Event::Kill, program))
            .is_some_and(|past| past.iter().any(|outcome| outcome.both.is_some_and(|(_, still)| still)));
        let outcomes = match self {
            Self::Link => link(pair, phase),
            Self::Terminate => terminate(pair, phase),
            Self::Kill => kill(pair, phase, if forever { HELD_FOR_EVER } else { HELD_LIMIT }),
            Self::KillTaken => kill_taken(pair, phase),
            Self::Release => release(pair, phase),
        };
        for (event, outcome) in outcomes {
            results.entry((event, program)).or_default().push(outcome);
        }
        pair.settle();
    }
}

impl fmt::Display for Cycle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::LinkCut => "link cut",
            Self::LinkReturn => "return of the link",
            Self::Terminate => "SIGTERM",
            Self::Return => "preempting return",
            Self::Kill => "SIGKILL",
            Self::KillTaken => "SIGKILL, address taken",
            Self::Release => "release",
            Self::ReturnAfterRelease => "return after release",
        })
    }
}

type Outcomes = Vec<(Event, Outcome)>;

fn link(pair: &mut Pair, phase: f64) -> Outcomes {
    let cut = pair.measure(phase, |pair| pair.stage.set_cable(PREFERRED, false), taken_by(OTHER));
    sleep(pair.setting.interval);
    let back = pair.measure(phase, |pair| pair.stage.set_cable(PREFERRED, true), taken_by(PREFERRED));
    vec![(Event::LinkCut, cut), (Event::LinkReturn, back)]
}

fn terminate(pair: &mut Pair, phase: f64) -> Outcomes {
    let end = pair.measure(phase, |pair| pair.members[PREFERRED].terminate(), taken_by(OTHER));
    vec![(Event::Terminate, end), (Event::Return, start_again(pair, phase))]
}

/// The dead one keeps its address, and answers for it until the client hears of the other.
fn kill(pair: &mut Pair, phase: f64, limit: Duration) -> Outcomes {
    let mut both = None;
    let mut outcome = pair.measure(
        phase,
        |pair| pair.members[PREFERRED].kill(),
        |pair, start| both = Some(watch_both(pair, start, limit)),
    );
    outcome.both = both;
    pair.stage.take_vip_away(PREFERRED);
    pair.wait_for_holder(OTHER);
    vec![(Event::Kill, outcome), (Event::Return, start_again(pair, phase))]
}

fn kill_taken(pair: &mut Pair, phase: f64) -> Outcomes {
    let event = |pair: &mut Pair| {
        pair.members[PREFERRED].kill();
        pair.stage.take_vip_away(PREFERRED);
    };
    let outcome = pair.measure(phase, event, taken_by(OTHER));
    vec![(Event::KillTaken, outcome), (Event::Return, start_again(pair, phase))]
}

fn release(pair: &mut Pair, phase: f64) -> Outcomes {
    let release = |pair: &mut Pair| pair.members[PREFERRED].release(&pair.stage);
    let released = pair.measure(phase, release, taken_by(OTHER));
    let clear = |pair: &mut Pair| pair.members[PREFERRED].clear_release(&pair.stage);
    let back = pair.measure(phase, clear, taken_by(PREFERRED));
    vec![(Event::Release, released), (Event::ReturnAfterRelease, back)]
}

/// The preferred one starts, hears the other, and takes over from it.
fn start_again(pair: &mut Pair, phase: f64) -> Outcome {
    pair.members[PREFERRED].wait_until_ended();
    pair.measure(phase, |pair| pair.members[PREFERRED].start_again(&pair.stage), taken_by(PREFERRED))
}

fn taken_by(director: usize) -> impl FnOnce(&Pair, Instant) {
    move |pair, _| pair.wait_for_holder(director)
}

/// Waits until the other holds the VIP, and then until the dead one does no longer.
fn watch_both(pair: &Pair, start: Instant, limit: Duration) -> (Duration, bool) {
    let takeover_limit = pair.setting.master_down_interval() * 2 + limit;
    while !pair.holders.holds(OTHER) && start.elapsed() < takeover_limit {
        sleep(POLL);
    }
    let taken = Instant::now();
    while pair.holders.holds(PREFERRED) && taken.elapsed() < limit {
        sleep(POLL);
    }
    pair.holders.both_since(start)
}
