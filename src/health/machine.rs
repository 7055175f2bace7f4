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
//! Cadence: from start to start. A start that comes a little late doesn't shift those behind it; a probe that outlasts the
//! interval delays the next to its own end; after a long stall there is one probe, never a burst. Never are two in flight.
//!
//! Bounds that follow, with `timeout <= interval`: a server that refuses is found down at most fall × interval after its
//! death, a silent one at most fall × interval + timeout, and one that returns is found up at most rise × interval and the
//! duration of one probe later. With a longer time-out, the time-out stands in for the interval.

use super::Reason;
use crate::model::{Check, Failure, Outcome};
use crate::time::Instant;
use std::time::Duration;

/// How long after its give-up instant a probe that nobody reported counts as lost. The prober ends every probe in time and
/// says so; this only keeps one lost report from stopping a check for good.
pub const LOST_AFTER: Duration = Duration::from_secs(2);

/// No cadence is faster than this, whatever the policy says.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// The part of a [`Check`] that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// Bounds each probe.
    pub timeout: Duration,
    /// Successes in a row that bring a server back; 0 is taken as 1.
    pub rise: u32,
    /// Failures in a row that take a server out; 0 is taken as 1.
    pub fall: u32,
}

impl From<&Check> for Params {
    fn from(check: &Check) -> Self {
        Self { interval: check.interval, timeout: check.timeout, rise: check.rise, fall: check.fall }
    }
}

/// What is known of a target before its first probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Up: it was in the table that was adopted, was up under the policy before, or the pool says `initial: up`. Only a full
    /// run of `fall` takes it out.
    Up,
    /// New: down, and one success brings it up.
    Down,
    /// Seen to be down before (under the policy before, say): a full run of `rise` brings it up.
    Failed,
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

/// Where the check is in its cadence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting {
        due: Instant,
    },
    /// Decided, and not yet handed out by `poll`.
    Starting {
        probe: ProbeId,
        give_up_at: Instant,
        next_due: Instant,
    },
    Probing {
        probe: ProbeId,
        lost_at: Instant,
        next_due: Instant,
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

/// One running check of one target.
#[derive(Clone, Debug)]
pub struct Machine {
    params: Params,
    /// From the first probe to the second, where that differs from the interval.
    first_gap: Option<Duration>,
    state: State,
    /// 0..=rise + fall - 1; up from `rise` on.
    counter: u32,
    run: Run,
    /// The verdict that `poll` told last.
    told_up: bool,
    settled: bool,
    reason: Reason,
    changed_at: Option<Instant>,
    last: Option<(Instant, Outcome)>,
    /// The start of the last probe whose outcome agrees with the verdict.
    confirmed: Option<Instant>,
}

impl Machine {
    /// A check whose first probe falls at `first_probe`.
    #[must_use]
    pub fn new(params: Params, start: Start, first_probe: Instant) -> Self {
        let params = Params {
            interval: params.interval.max(SHORTEST_INTERVAL),
            rise: params.rise.clamp(1, u32::MAX / 2),
            fall: params.fall.clamp(1, u32::MAX / 2),
            ..params
        };
        let counter = match start {
            Start::Up => params.rise + params.fall - 1,
            Start::Down => params.rise - 1,
            Start::Failed => 0,
        };
        Self {
            params,
            first_gap: None,
            state: State::Waiting { due: first_probe },
            counter,
            run: Run::Successes(0),
            told_up: counter >= params.rise,
            settled: false,
            reason: Reason::Started(start),
            changed_at: None,
            last: None,
            confirmed: None,
        }
    }

    /// Lets the second probe follow the first after `gap` (at most an interval): from there on the cadence is kept, so that
    /// targets whose first probes were close together are spread over the whole interval.
    #[must_use]
    pub fn with_first_gap(mut self, gap: Duration) -> Self {
        self.first_gap = Some(gap.min(self.params.interval));
        self
    }

    /// Takes in what happened; call [`Machine::poll`] afterwards.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::ProbeFinished { at, probe, outcome } => self.finished(at, probe, outcome),
            Input::Timeout { at } => self.time_passed(at),
        }
    }

    /// What to do next; call until it says [`Output::Wait`].
    pub fn poll(&mut self) -> Output {
        if self.is_up() != self.told_up {
            self.told_up = self.is_up();
            return Output::Verdict { up: self.told_up, reason: self.reason.clone() };
        }
        match self.state {
            State::Starting { probe, give_up_at, next_due } => {
                self.state = State::Probing { probe, lost_at: give_up_at + LOST_AFTER, next_due };
                Output::StartProbe { probe, give_up_at }
            }
            State::Waiting { due } => Output::Wait { deadline: Some(due), reason: WaitReason::NextProbe },
            State::Probing { lost_at, .. } => {
                Output::Wait { deadline: Some(lost_at), reason: WaitReason::Outcome }
            }
        }
    }

    fn finished(&mut self, at: Instant, reported: ProbeId, outcome: Outcome) {
        match self.state {
            State::Probing { probe, next_due, .. } if probe == reported => {
                self.judge(at, probe, outcome);
                self.state = State::Waiting { due: next_due.max(at) };
                self.time_passed(at);
            }
            State::Probing { .. } | State::Starting { .. } | State::Waiting { .. } => {}
        }
    }

    fn time_passed(&mut self, at: Instant) {
        match self.state {
            State::Waiting { due } if at >= due => {
                let next_due = self.next_due(due, at);
                let give_up_at = at + self.params.timeout;
                self.state = State::Starting { probe: ProbeId(at), give_up_at, next_due };
            }
            State::Probing { probe, lost_at, .. } if at >= lost_at => {
                let duration = at.saturating_since(probe.0);
                let lost = Failure::Local("the end of the probe was never reported".to_owned());
                self.finished(at, probe, Outcome { duration, result: Err(lost) });
            }
            State::Waiting { .. } | State::Starting { .. } | State::Probing { .. } => {}
        }
    }

    /// A start that is late by less than half an interval keeps the grid, so that lateness never adds up; a later one begins
    /// a new grid, so that starts never crowd.
    fn next_due(&mut self, due: Instant, at: Instant) -> Instant {
        let gap = self.first_gap.take().unwrap_or(self.params.interval);
        let anchor = if at.saturating_since(due) < self.params.interval / 2 { due } else { at };
        anchor + gap
    }

    fn judge(&mut self, at: Instant, probe: ProbeId, outcome: Outcome) {
        let was_up = self.is_up();
        match &outcome.result {
            Ok(()) => self.succeeded(),
            Err(Failure::Local(_)) => {}
            Err(failure) => self.failed(failure),
        }
        if outcome.result.is_ok() == self.is_up() && !matches!(outcome.result, Err(Failure::Local(_))) {
            self.confirmed = Some(probe.0);
        }
        if self.is_up() != was_up {
            self.changed_at = Some(at);
        }
        self.last = Some((at, outcome));
    }

    fn succeeded(&mut self) {
        let was_up = self.is_up();
        self.run = self.run.success();
        self.counter += 1;
        if self.counter >= self.params.rise {
            self.counter = self.params.rise + self.params.fall - 1;
        }
        self.settled = true;
        if self.is_up() && (!was_up || matches!(self.reason, Reason::Started(_))) {
            self.reason = Reason::Passed { successes: self.run.length() };
        }
    }

    fn failed(&mut self, failure: &Failure) {
        let was_up = self.is_up();
        self.run = self.run.failure();
        self.counter = match self.counter.saturating_sub(1) {
            lower if lower >= self.params.rise => lower,
            _ => 0,
        };
        self.settled |= !self.is_up();
        if !self.is_up() && (was_up || matches!(self.reason, Reason::Started(_))) {
            self.reason = Reason::Failed { failures: self.run.length(), last: failure.clone() };
        }
    }

    /// The verdict.
    #[must_use]
    pub const fn is_up(&self) -> bool {
        self.counter >= self.params.rise
    }

    /// Whether probes stand behind the verdict: false until the first success, or until the failures that decide. Readiness
    /// waits for this.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether the verdict is of what there is since `since`: what stood between this host and the server before then says
    /// nothing of the server. One is down when it has failed since then as often as takes one out; a success is good for an
    /// interval.
    #[must_use]
    pub fn is_settled_since(&self, since: Instant) -> bool {
        let Params { interval, fall, .. } = self.params;
        let enough = |began: Instant| match self.is_up() {
            true => began + interval >= since,
            false => self.counter == 0 && began + interval / 2 >= since + interval * (fall - 1),
        };
        self.settled && self.confirmed.is_some_and(enough)
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

    /// The last probe that ended, and when.
    #[must_use]
    pub fn last_outcome(&self) -> Option<(Instant, &Outcome)> {
        self.last.as_ref().map(|(at, outcome)| (*at, outcome))
    }

    /// What it decides by, as it was made (bounded).
    #[must_use]
    pub const fn params(&self) -> Params {
        self.params
    }
}
