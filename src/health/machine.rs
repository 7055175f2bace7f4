//! One running check of one target: when to probe, and what the outcomes amount to. Pure.
//!
//! It has the three verbs of every machine here: [`Machine::new`], [`Machine::handle`] an input that carries its instant,
//! [`Machine::poll`] until the output is [`Output::Wait`].
//!
//! The verdict is HAProxy's counter with a snap (`check.c`): an integer from 0 to rise + fall - 1, up from `rise` on. A
//! failure takes one away, and below `rise` it snaps to 0, so that a server that is down always needs the full run of
//! `rise`. A success adds one, and from `rise` on it snaps to the top, so that a server that is up always gets the full run
//! of `fall`. A probe that this host could not make ([`Failure::Local`]: no socket, no such device) says nothing of the
//! server and leaves the counter alone, as in HAProxy: a director that runs out of file descriptors keeps its pools.
//!
//! A failure of the policy's `fail_at_once` weighs as much as a full run of `fall`.
//!
//! Cadence: a grid of places, one interval from each to the next; a probe starts at its place, or a little later by its
//! jitter. The interval is chosen when a probe ends, by the counter that its outcome leaves ([`Params::interval_at`]); a new
//! interval begins a new grid at the start of that probe. Within a grid neither jitter nor a start that comes a little late
//! shifts the places behind it; a probe that outlasts the interval delays the next to its own end; after a long stall there
//! is one probe, never a burst. Never are two in flight.
//!
//! Who calls it may do so a little late ([`schedule::beat`] says how late at most), and the bounds are so much wider.
//!
//! Bounds that follow, with no time-out above an interval, and `jitter` as a share: a server that refuses is found down at
//! most `interval` + (fall - 1) × `interval_changing` + jitter × (`interval` + `interval_changing`) after its death, a silent
//! one at most a time-out later, and one that returns is found up at most `interval_down` + (rise - 1) ×
//! `interval_changing` + jitter × (`interval_down` + `interval_changing`) and the duration of one probe later. With a longer
//! time-out, the time-out stands in for the interval.

mod last;
mod succession;

use super::{Params, Reason, schedule};
use crate::model::{Advice, Failure, Outcome};
use crate::time::Instant;
use last::Last;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long after its give-up instant a probe that nobody reported counts as lost. The prober ends every probe in time and
/// says so; this only keeps one lost report from stopping a check for good.
pub const LOST_AFTER: Duration = Duration::from_secs(2);

/// From the start of one probe to the start of one that [`Input::ProbeNow`] asks for, at least: the shortest interval that a
/// policy can say, so that a file which changes all the time costs no more than that.
pub const SOONEST_AGAIN: Duration = Duration::from_millis(100);

/// What is known of a target before its first probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// Up: it was in the table that was adopted, was up under the policy before, or the pool says `initial: up`. Only a full
    /// run of `fall` takes it out.
    Up,
    /// New: down, and one success brings it up.
    Down,
    /// Seen to be down before (under the policy before, say): a full run of `rise` brings it up.
    Failed,
}

impl Start {
    /// What is known of a target from two that it decides on: up counts most, then what was seen to be down.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Up, _) | (_, Self::Up) => Self::Up,
            (Self::Failed, _) | (_, Self::Failed) => Self::Failed,
            (Self::Down, Self::Down) => Self::Down,
        }
    }
}

/// Tells the probes of one target apart: the instant of its start, so that a machine which replaces another after a reload
/// never mistakes a report for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub Instant);

/// What happened. Instants never go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A probe ended. A report of any other probe than the one in flight (late, or a duplicate) changes nothing.
    ProbeFinished { at: Instant, probe: ProbeId, outcome: Outcome },
    /// Time has passed, usually to the deadline of [`Output::Wait`]. Harmless at any other time.
    Timeout { at: Instant },
    /// What the probe looks at has just changed: the next one is to start at once, or when the one in flight has ended, and
    /// never sooner than [`SOONEST_AGAIN`] after the start before.
    ProbeNow { at: Instant },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Start a probe now, and report its end with this identity; its time is up at `give_up_at`.
    StartProbe { probe: ProbeId, give_up_at: Instant },
    /// The verdict changed. Verdicts alternate.
    Verdict { up: bool, reason: Reason },
    /// Nothing until an input comes, at the latest [`Input::Timeout`] at the deadline.
    Wait { deadline: Option<Instant>, reason: WaitReason },
}

/// What a waiting machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// The next probe is not due.
    NextProbe,
    /// A probe is in flight.
    Outcome,
}

/// Where the check is in its cadence. `place` is where the probe belongs in the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting {
        place: Instant,
        /// The place and its jitter.
        due: Instant,
    },
    /// Decided, and not yet handed out by `poll`.
    Starting {
        probe: ProbeId,
        give_up_at: Instant,
        place: Instant,
    },
    Probing {
        probe: ProbeId,
        lost_at: Instant,
        place: Instant,
    },
}

/// Equal outcomes in a row, those aside that say nothing of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Successes(u32),
    Failures(u32),
}

impl Run {
    const fn success(self) -> Self {
        match self {
            Self::Successes(length) => Self::Successes(length.saturating_add(1)),
            Self::Failures(_) => Self::Successes(1),
        }
    }

    const fn failure(self) -> Self {
        match self {
            Self::Failures(length) => Self::Failures(length.saturating_add(1)),
            Self::Successes(_) => Self::Failures(1),
        }
    }

    const fn length(self) -> u32 {
        match self {
            Self::Successes(length) | Self::Failures(length) => length,
        }
    }
}

/// Starts of probes that failed in a row.
#[derive(Clone, Debug, Default)]
struct Failing(VecDeque<Instant>);

/// One running check of one target.
#[derive(Clone, Debug)]
pub struct Machine {
    params: Arc<Params>,
    /// Spreads the second probe and the jitter; `None`: every probe keeps its place.
    seed: Option<u64>,
    state: State,
    /// 0..=rise + fall - 1; up from `rise` on.
    counter: u32,
    run: Run,
    /// The verdict that `poll` told last.
    told_up: bool,
    settled: bool,
    reason: Reason,
    changed_at: Option<Instant>,
    last: Option<Last>,
    /// The start of the last probe that passed.
    passed: Option<Instant>,
    /// The starts of the last probes that failed in a row, `fall` of them at most; one that decides at once counts `fall`
    /// times. Nothing while they pass, as most do.
    failing: Option<Box<Failing>>,
    /// What was said last, and when.
    advice: Option<(Instant, Advice)>,
    /// The start of the last probe.
    started: Option<Instant>,
    /// When a probe is to start that was asked for while another one was in flight.
    wanted: Option<Instant>,
}

impl Machine {
    /// A check whose first probe falls at `first_probe`. Machines of one check share its parameters.
    #[must_use]
    pub fn new(params: impl Into<Arc<Params>>, start: Start, first_probe: Instant) -> Self {
        let params = bounded(params.into());
        let counter = match start {
            Start::Up => params.top(),
            Start::Down => params.rise - 1,
            Start::Failed => 0,
        };
        Self {
            seed: None,
            state: State::Waiting { place: first_probe, due: first_probe },
            counter,
            run: Run::Successes(0),
            told_up: counter >= params.rise,
            settled: false,
            reason: Reason::Started(start),
            changed_at: None,
            last: None,
            passed: None,
            failing: None,
            params,
            advice: None,
            started: None,
            wanted: None,
        }
    }

    /// Lets the second probe follow the first after a part of the interval, and each later one after its place by a part of
    /// the jitter, as `seed` says (one of its own for each target, [`schedule::seed_of`]): so targets whose first probes were
    /// close together are spread over the whole interval.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Takes in what happened; call [`Machine::poll`] afterwards.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::ProbeFinished { at, probe, outcome } => self.finished(at, probe, outcome),
            Input::Timeout { at } => self.time_passed(at),
            Input::ProbeNow { at } => self.probe_soon(at),
        }
    }

    /// What to do next; call until it says [`Output::Wait`].
    pub fn poll(&mut self) -> Output {
        if self.is_up() != self.told_up {
            self.told_up = self.is_up();
            return Output::Verdict { up: self.told_up, reason: self.reason.clone() };
        }
        match self.state {
            State::Starting { probe, give_up_at, place } => {
                self.state = State::Probing { probe, lost_at: give_up_at + LOST_AFTER, place };
                Output::StartProbe { probe, give_up_at }
            }
            State::Waiting { due, .. } => Output::Wait { deadline: Some(due), reason: WaitReason::NextProbe },
            State::Probing { lost_at, .. } => {
                Output::Wait { deadline: Some(lost_at), reason: WaitReason::Outcome }
            }
        }
    }

    fn finished(&mut self, at: Instant, reported: ProbeId, outcome: Outcome) {
        match self.state {
            State::Probing { probe, place, .. } if probe == reported => {
                let (first, before) = (self.last.is_none(), self.interval());
                self.judge(at, probe, outcome);
                let grid = if self.interval() == before { place } else { probe.0 };
                self.state = self.wait(grid + self.gap(first));
                if let Some(wanted) = self.wanted.take() {
                    self.wait_until(wanted.max(at));
                }
                self.time_passed(at);
            }
            State::Probing { .. } | State::Starting { .. } | State::Waiting { .. } => {}
        }
    }

    fn time_passed(&mut self, at: Instant) {
        match self.state {
            State::Waiting { place, due } if at >= due => {
                let give_up_at = at + self.params.timeout;
                let place = self.kept_place(place, due, at);
                self.state = State::Starting { probe: ProbeId(at), give_up_at, place };
                self.started = Some(at);
            }
            State::Probing { probe, lost_at, .. } if at >= lost_at => {
                let duration = at.saturating_since(probe.0);
                let lost = Failure::Local("the end of the probe was never reported".to_owned());
                self.finished(at, probe, Outcome::new(duration, Err(lost)));
            }
            State::Waiting { .. } | State::Starting { .. } | State::Probing { .. } => {}
        }
    }

    fn probe_soon(&mut self, at: Instant) {
        let soonest = self.started.map_or(at, |started| at.max(started + SOONEST_AGAIN));
        match self.state {
            State::Waiting { .. } => {
                self.wait_until(soonest);
                self.time_passed(at);
            }
            State::Starting { .. } | State::Probing { .. } => self.wanted = Some(soonest),
        }
    }

    /// Waits no longer than until `soonest`, where a new grid begins.
    fn wait_until(&mut self, soonest: Instant) {
        if let State::Waiting { place, due } = &mut self.state
            && soonest < *due
        {
            (*place, *due) = (soonest, soonest);
        }
    }

    /// The interval that the counter asks for now.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.params.interval_at(self.counter)
    }

    /// From the place of the probe that ended to the next.
    fn gap(&self, first: bool) -> Duration {
        match self.seed {
            Some(seed) if first => schedule::second_probe_after(seed, self.interval()),
            Some(_) | None => self.interval(),
        }
    }

    /// Waits for the next place, by its jitter longer.
    fn wait(&self, place: Instant) -> State {
        let most = self.params.most_jitter(self.interval());
        let jitter = self.seed.map_or(Duration::ZERO, |seed| schedule::jitter(seed, place, most));
        State::Waiting { place, due: place + jitter }
    }

    /// A start that is late by less than half of what lies between two starts at least keeps the grid, so that lateness never
    /// adds up; a later one begins a new grid, so that starts never crowd.
    fn kept_place(&self, place: Instant, due: Instant, at: Instant) -> Instant {
        let interval = self.interval();
        let least_gap = interval.saturating_sub(self.params.most_jitter(interval));
        if at.saturating_since(due) < least_gap / 2 { place } else { at }
    }

    fn judge(&mut self, at: Instant, probe: ProbeId, outcome: Outcome) {
        let was_up = self.is_up();
        match &outcome.result {
            Ok(()) => self.succeeded(probe),
            Err(Failure::Local(_)) => {}
            Err(failure) => self.failed(probe, failure),
        }
        if self.is_up() != was_up {
            self.changed_at = Some(at);
        }
        if let Some(advice) = outcome.findings.advice {
            self.advice = Some((at, advice));
        }
        self.last = Some(Last::new(at, outcome));
    }

    fn succeeded(&mut self, probe: ProbeId) {
        let was_up = self.is_up();
        self.run = self.run.success();
        self.passed = Some(probe.0);
        self.failing = None;
        self.counter += 1;
        if self.counter >= self.params.rise {
            self.counter = self.params.top();
        }
        self.settled = true;
        if self.is_up() && (!was_up || matches!(self.reason, Reason::Started(_))) {
            self.reason = Reason::Passed { successes: self.run.length() };
        }
    }

    fn failed(&mut self, probe: ProbeId, failure: &Failure) {
        let was_up = self.is_up();
        self.run = self.run.failure();
        let weight = if self.params.fail_at_once.takes(failure) { self.params.fall } else { 1 };
        self.note_failing(probe, weight);
        self.counter = match self.counter.saturating_sub(weight) {
            lower if lower >= self.params.rise => lower,
            _ => 0,
        };
        self.settled |= !self.is_up();
        if !self.is_up() && (was_up || matches!(self.reason, Reason::Started(_))) {
            self.reason = Reason::Failed { failures: self.run.length(), last: Box::new(failure.clone()) };
        }
    }

    fn note_failing(&mut self, probe: ProbeId, weight: u32) {
        let full = usize::try_from(self.params.fall).unwrap_or(usize::MAX);
        let Failing(starts) = &mut **self.failing.get_or_insert_default();
        for _ in 0..weight {
            if starts.len() >= full {
                starts.pop_front();
            }
            starts.push_back(probe.0);
        }
    }

    /// The verdict.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.counter >= self.params.rise
    }

    /// Whether probes stand behind the verdict: false until the first success, or until the failures that decide. Readiness
    /// waits for this.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether the verdict is of what there is since `since`: what stood between this host and the server before then says
    /// nothing of the server. One is down when the probes that began since then would have taken it out alone; a success is
    /// good for an interval.
    #[must_use]
    pub fn is_settled_since(&self, since: Instant) -> bool {
        if self.is_up() {
            return self.passed.is_some_and(|began| began + self.params.interval >= since);
        }
        let Some(Failing(starts)) = self.failing.as_deref() else { return false };
        let full = u32::try_from(starts.len()).is_ok_and(|failing| failing >= self.params.fall);
        let began_since = starts.front().is_some_and(|began| *began >= since);
        self.counter == 0 && full && began_since
    }

    /// HAProxy's counter: 0..=rise + fall - 1, up from `rise` on.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// Why the verdict is what it is.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    /// When the verdict last changed; `None` while it is as at the start.
    #[must_use]
    pub const fn changed_at(&self) -> Option<Instant> {
        self.changed_at
    }

    /// When the last probe ended, and how long it took.
    #[must_use]
    pub fn last_probe(&self) -> Option<(Instant, Duration)> {
        self.last.as_ref().map(|last| (last.at, last.duration))
    }

    /// What the last probe said, if it failed.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.last.as_ref()?.failure()
    }

    /// What the server, or who speaks for it, said last, and when; `None` while it said nothing.
    #[must_use]
    pub const fn advice(&self) -> Option<(Instant, Advice)> {
        self.advice
    }

    /// What it decides by, within its bounds.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }
}

/// Parameters within their bounds; those of a policy are, and stay shared.
fn bounded(params: Arc<Params>) -> Arc<Params> {
    let bounded = Params::clone(&params).bounded();
    if bounded == *params { params } else { Arc::new(bounded) }
}
