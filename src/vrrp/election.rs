//! All units of a director: advertisements, trackers, links, beats of the others and the operator's word go in;
//! advertisements to send, orders for the addresses and roles come out. Bytes are [`super::station`]'s.

mod build;
mod grip;
mod leaving;
mod peers;
mod questions;
mod renewal;
mod succession;
#[cfg(test)]
mod tests;
mod warmth;

use super::RouterId;
use super::SessionId;
use super::machine::Heard;
use super::role::{Cause, Role};
use super::tracking::Trackers;
use super::transfer::Transfer;
use super::unit::{Input as UnitInput, Output as UnitOutput, Unit};
use crate::floating::{Order, Report};
use crate::model::{RouterName, Tracked};
use crate::time::Instant;
use grip::Grip;
pub use grip::Part;
use peers::Peers;
pub use peers::{Beat, UnitBeat};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use warmth::Warmth;

/// A director that stops waits at most so long for another to take over.
pub const STOP_BOUND: Duration = Duration::from_secs(8);

/// What happened. Instants never go back.
#[derive(Clone, Debug)]
pub enum Input {
    Advertisement {
        at: Instant,
        session: SessionId,
        heard: Heard,
    },
    /// The address that a session's advertisements come from; `None` while its interface is down or has none.
    Link {
        at: Instant,
        session: SessionId,
        source: Option<IpAddr>,
    },
    Tracked {
        at: Instant,
        what: Tracked,
        good: bool,
    },
    /// The answer to [`Output::WarmUp`]: the director's tables are applied, and each verdict of its pools is of what there is
    /// since `since`.
    Warm {
        at: Instant,
        since: Instant,
    },
    /// Another director's beat; `apart`: on a path that the routers' own links are not; `sealed`: it is proven to be that
    /// director's.
    Beat {
        at: Instant,
        beat: Beat,
        apart: bool,
        sealed: bool,
    },
    Keeper {
        at: Instant,
        report: Report,
    },
    /// The answer to [`Output::PassState`].
    StatePassed {
        at: Instant,
    },
    HookDone {
        at: Instant,
        unit: usize,
    },
    /// Whether a part of this director gives no sign of life.
    Stands {
        at: Instant,
        part: Part,
        still: bool,
    },
    /// The machine was suspended for so long, which its clock does not show.
    Slept {
        at: Instant,
        slept: Duration,
    },
    /// `None`: every router.
    Release {
        at: Instant,
        router: Option<RouterName>,
        until: Option<Instant>,
    },
    Clear {
        at: Instant,
        router: Option<RouterName>,
    },
    Stop {
        at: Instant,
    },
    Timeout {
        at: Instant,
    },
}

impl Input {
    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Instant {
        match self {
            Self::Advertisement { at, .. }
            | Self::Link { at, .. }
            | Self::Tracked { at, .. }
            | Self::Warm { at, .. }
            | Self::Beat { at, .. }
            | Self::Keeper { at, .. }
            | Self::StatePassed { at }
            | Self::HookDone { at, .. }
            | Self::Stands { at, .. }
            | Self::Slept { at, .. }
            | Self::Release { at, .. }
            | Self::Clear { at, .. }
            | Self::Stop { at }
            | Self::Timeout { at } => *at,
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    Advertise {
        session: SessionId,
        priority: u8,
    },
    Order(Order),
    Role {
        router: RouterId,
        role: Role,
        cause: Cause,
    },
    Contested {
        session: SessionId,
        by: Heard,
    },
    /// Send a beat to the other directors.
    Beat(Beat),
    /// Have the connection table sent; not `whole`: what has come since it was sent last.
    PassState {
        whole: bool,
    },
    /// Say when the pools know their servers as they are since then.
    WarmUp {
        since: Instant,
    },
    RunHook {
        unit: usize,
    },
    /// Everything is handed over or given up. `lengthen`: addresses are left that nobody took.
    Stopped {
        lengthen: bool,
    },
    /// Nothing until an input comes, at the latest [`Input::Timeout`] at the deadline.
    Wait {
        deadline: Option<Instant>,
    },
}

/// One unit with what belongs to it.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) name: Arc<str>,
    pub(super) unit: Unit,
    pub(super) trackers: Trackers,
    grip: Grip,
    /// When an operator's release ends.
    released_until: Option<Instant>,
    /// A release that waits until the state has been passed.
    leaving: Option<Leaving>,
    /// Whether nothing but an operator speaks against it: no tracker, no link.
    sound: bool,
    /// Whether connections may have begun here after the state was passed.
    owes_state: bool,
    was_master: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Leaving {
    by: Instant,
    stop: bool,
}

/// The election.
#[derive(Debug)]
pub struct Election {
    pub(super) seats: Vec<Seat>,
    by_session: BTreeMap<SessionId, usize>,
    by_router: BTreeMap<RouterId, usize>,
    names: Vec<RouterName>,
    transfer: Transfer,
    pub(super) peers: Peers,
    warmth: Warmth,
    /// By then the others' beats have come: who is not up is not there.
    peers_known_at: Instant,
    beat_at: Option<Instant>,
    beat_every: Duration,
    stop_by: Option<Instant>,
    stopped: bool,
    outputs: VecDeque<Output>,
    now: Instant,
}

impl Election {
    /// Takes in what happened; call [`Election::poll`] afterwards until it says [`Output::Wait`].
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Advertisement { at, session, heard } => {
                self.pass_on(at, session, UnitInput::Advertisement { at, session, heard });
            }
            Input::Link { at, session, source } => {
                self.pass_on(at, session, UnitInput::Link { at, session, source });
            }
            Input::Tracked { at, what, good } => self.tracked(at, &what, good),
            Input::Warm { at, since } => {
                self.now = at;
                self.warmth.warmed(since);
            }
            Input::Beat { at, beat, apart, sealed } => self.beat(at, &beat, apart, sealed),
            Input::Keeper { at, report } => self.report(at, &report),
            Input::StatePassed { at } => {
                self.now = at;
                if self.transfer.passed(at).leaving {
                    self.leave_now(at);
                }
            }
            Input::HookDone { at, unit } => {
                self.now = at;
                let seat = self.seats.get_mut(unit);
                seat.into_iter().for_each(|seat| seat.unit.handle(UnitInput::HookDone { at }));
            }
            Input::Stands { at, part, still } => {
                self.now = at;
                self.seats.iter_mut().for_each(|seat| seat.grip.stands(part, still));
            }
            Input::Slept { at, slept } => {
                self.now = at;
                self.seats.iter_mut().for_each(|seat| seat.unit.handle(UnitInput::Slept { at, slept }));
            }
            Input::Release { at, router, until } => self.release(at, router.as_ref(), until),
            Input::Clear { at, router } => self.clear(at, router.as_ref()),
            Input::Stop { at } => self.stop(at),
            Input::Timeout { at } => self.time_passed(at),
        }
    }

    /// What to do next.
    pub fn poll(&mut self) -> Output {
        self.allow_preemption();
        self.judge();
        for index in 0..self.seats.len() {
            self.collect(index);
        }
        self.pass_state();
        self.outputs.extend(self.warmth.question().map(|since| Output::WarmUp { since }));
        self.send_beat();
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if let Some(stopped) = self.stopped() {
            return stopped;
        }
        Output::Wait { deadline: self.deadline() }
    }

    /// A higher number of this run from now on.
    pub fn set_epoch(&mut self, epoch: u64) {
        self.peers.set_epoch(epoch);
    }

    /// Role of a router.
    #[must_use]
    pub fn role(&self, router: RouterId) -> Role {
        self.seat_of(router).map_or(Role::Initialize, |seat| seat.unit.role())
    }

    pub(super) fn seat_of(&self, router: RouterId) -> Option<&Seat> {
        self.by_router.get(&router).and_then(|index| self.seats.get(*index))
    }

    fn seat_of_mut(&mut self, router: RouterId) -> Option<&mut Seat> {
        self.by_router.get(&router).and_then(|index| self.seats.get_mut(*index))
    }

    fn pass_on(&mut self, at: Instant, session: SessionId, input: UnitInput) {
        self.now = at;
        let seat = self.by_session.get(&session).and_then(|index| self.seats.get_mut(*index));
        seat.into_iter().for_each(|seat| seat.unit.handle(input.clone()));
    }

    fn tracked(&mut self, at: Instant, what: &Tracked, good: bool) {
        self.now = at;
        for seat in &mut self.seats {
            seat.trackers.report(what, good, at);
        }
    }

    /// Gives each unit the fitness that its trackers make.
    fn judge(&mut self) {
        for seat in &mut self.seats {
            let is_master = seat.unit.role() == Role::Master;
            let mut fitness = seat.trackers.fitness(is_master, self.now);
            fitness.faults.extend(seat.grip.fault(is_master, self.now));
            if fitness != *seat.unit.fitness() {
                seat.unit.handle(UnitInput::Fitness { at: self.now, fitness });
            }
            let was_sound = std::mem::replace(&mut seat.sound, seat.unit.is_sound());
            if seat.sound && !was_sound {
                self.warmth.chill(self.now);
            }
        }
    }

    fn allow_preemption(&mut self) {
        let (at, ready) = (self.now, self.warmth.is_warm(self.now));
        let follows = self.warmth.suffices_beside_unfit(self.now);
        let wanted = ready && self.seats.iter().any(|seat| seat.unit.would_preempt(at));
        let alone = self.peers_known_at <= at && !self.peers.any_up(at);
        let has_state = alone || self.transfer.has_state(wanted, at);
        for seat in &mut self.seats {
            seat.unit.handle(UnitInput::MayPreempt { at, ready, follows, has_state });
        }
    }

    fn beat(&mut self, at: Instant, beat: &Beat, apart: bool, sealed: bool) {
        self.now = at;
        if !self.peers.heard(beat, at) {
            return;
        }
        let is_master = self.seats.iter().any(|seat| seat.unit.role() == Role::Master);
        self.transfer.heard(beat.said, is_master, at);
        for unit in beat.units.iter().filter(|_| apart) {
            let until = at + self.peers.fresh_for();
            let elsewhere = unit.elsewhere(beat.director.clone(), sealed, until);
            if let Some(seat) = self.seats.iter_mut().find(|seat| unit.is_of(&seat.name)) {
                seat.unit.handle(UnitInput::Elsewhere { at, elsewhere });
            }
        }
    }

    fn report(&mut self, at: Instant, report: &Report) {
        self.now = at;
        match report {
            Report::Released { router } => {
                let seat = self.seat_of_mut(*router);
                seat.into_iter().for_each(|seat| seat.unit.released_by_keeper(*router));
            }
            Report::Held { router, held, wanted } => {
                let seat = self.seat_of_mut(*router);
                seat.into_iter().for_each(|seat| seat.grip.report(*router, *held, *wanted, at));
            }
            Report::Conflict { .. } => {}
        }
    }

    fn time_passed(&mut self, at: Instant) {
        self.now = at;
        if self.seats.iter().filter_map(|seat| seat.leaving).any(|leaving| leaving.by <= at) {
            self.leave_now(at);
        }
        for seat in &mut self.seats {
            if seat.released_until.is_some_and(|until| until <= at) {
                seat.released_until = None;
                seat.unit.handle(UnitInput::Clear { at });
            }
            seat.unit.handle(UnitInput::Timeout { at });
        }
    }

    /// Takes what a unit says.
    fn collect(&mut self, index: usize) {
        let Some(seat) = self.seats.get_mut(index) else { return };
        loop {
            let output = match seat.unit.poll(self.now) {
                UnitOutput::Wait { .. } => return,
                UnitOutput::Advertise { session, priority } => Output::Advertise { session, priority },
                UnitOutput::Order(order) => Output::Order(order),
                UnitOutput::Contested { session, by } => Output::Contested { session, by },
                UnitOutput::RunHook => Output::RunHook { unit: index },
                UnitOutput::Role { role, cause } => {
                    // Who stood still has nothing to pass on that the others do not know better.
                    seat.owes_state = role != Role::Master && cause != Cause::Stalled && seat.was_master;
                    seat.was_master = role == Role::Master;
                    if cause == Cause::Stalled {
                        self.warmth.chill(self.now);
                    }
                    let told = |router| Output::Role { router, role, cause: cause.clone() };
                    self.outputs.extend(seat.unit.routers().into_iter().map(told));
                    continue;
                }
            };
            self.outputs.push_back(output);
        }
    }

    /// When it is due; and at once when it has news: a Master elsewhere, a director that left, or is fit again.
    fn send_beat(&mut self) {
        let Some(due) = self.beat_at else { return };
        let units: Vec<UnitBeat> =
            self.seats.iter().map(|seat| UnitBeat::of(&seat.name, &seat.unit)).collect();
        if due > self.now && !self.peers.is_news(&units) {
            return;
        }
        let next = due.min(self.now) + self.beat_every;
        self.beat_at = Some(if next > self.now { next } else { self.now + self.beat_every });
        let beat = self.peers.next_beat(self.beat_every, self.transfer.said(), units);
        self.outputs.push_back(Output::Beat(beat));
    }

    fn deadline(&mut self) -> Option<Instant> {
        let now = self.now;
        let seats = self.seats.iter_mut().flat_map(|seat| {
            let is_master = seat.unit.role() == Role::Master;
            let unit = seat.unit.deadline(now);
            [
                unit,
                seat.trackers.deadline(is_master),
                seat.grip.deadline(is_master),
                seat.released_until,
                seat.leaving.map(|leaving| leaving.by),
            ]
        });
        let stop = self.stop_by.filter(|_| !self.stopped);
        seats.chain([self.beat_at, stop, self.transfer.deadline()]).flatten().min()
    }
}
