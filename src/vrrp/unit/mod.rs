//! Sessions that move together: those of a sync group, or the one or two of a router on its own.
//!
//! The standard's machines decide; this one lets them become Master only as one, and says what the addresses do. A unit
//! that leaves Master keeps the addresses until the new Master was seen to announce them (make before break): only a stall
//! gives them up at once, because then another has held them for some time.
//!
//! Invariants: either every live session is Master or none is; the wish for the addresses is `Hold` while they are.

mod election;
mod gate;
mod leaving;
mod member;
mod standing;
mod succession;
mod suspicion;
#[cfg(test)]
mod tests;

use super::RouterId;
use super::SessionId;
use super::fitness::Fitness;
use super::machine::{Heard, Input as MachineInput, Output as MachineOutput};
use super::role::{Cause, Role};
use crate::floating::{Order, Wish};
use crate::model::{BothUnfit, Preempt};
use crate::time::Instant;
pub use gate::Elsewhere;
use gate::Gate;
pub use member::Member;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use suspicion::Suspicion;

/// The old Master keeps the addresses at most so long after a new one was heard.
pub const RELEASE_BOUND: Duration = Duration::from_secs(1);
/// A Master that is heard for the first time may have taken over this instant: it has its addresses within this time.
const TIME_TO_ADD: Duration = Duration::from_millis(100);
/// How long a unit waits at its start for links and source addresses that are not there yet.
const START_GRACE: Duration = Duration::from_secs(3);
/// Of two Masters of equal priority the addresses of their first session decide; those of another session after so many
/// advertisements on it with none on the first.
const TIES_WITHOUT_FIRST: u32 = 3;

/// What the policy says of a unit.
#[derive(Clone, Debug)]
pub struct Settings {
    pub preempt: Preempt,
    pub both_unfit: BothUnfit,
    /// From the director's start to the unit's.
    pub start_delay: Duration,
    /// Whether the other directors are Tandem's: then a low priority says "unfit".
    pub tandem_peers: bool,
    /// How long a `before_master` hook may take; `None`: there is none.
    pub hook: Option<Duration>,
}

/// What happened. Instants never go back.
#[derive(Clone, Debug)]
pub enum Input {
    Advertisement {
        at: Instant,
        session: SessionId,
        heard: Heard,
    },
    /// The interface of a session came up or went down, or got or lost the address that advertisements come from.
    Link {
        at: Instant,
        session: SessionId,
        source: Option<std::net::IpAddr>,
    },
    Fitness {
        at: Instant,
        fitness: Fitness,
    },
    /// Whether this director may preempt: `ready`, its tables are applied and its pools have verdicts; `has_state`, it has the
    /// connections of the Master, too. `follows`: whether it may take over from one that is unfit, without its connections.
    MayPreempt {
        at: Instant,
        ready: bool,
        follows: bool,
        has_state: bool,
    },
    /// What a director says of this unit on another path.
    Elsewhere {
        at: Instant,
        elsewhere: Elsewhere,
    },
    HookDone {
        at: Instant,
    },
    /// The machine was suspended for so long, which its clock does not show.
    Slept {
        at: Instant,
        slept: Duration,
    },
    Release {
        at: Instant,
    },
    Clear {
        at: Instant,
    },
    Stop {
        at: Instant,
    },
    Timeout {
        at: Instant,
    },
}

impl Input {
    fn at(&self) -> Instant {
        match self {
            Self::Advertisement { at, .. }
            | Self::Link { at, .. }
            | Self::Fitness { at, .. }
            | Self::MayPreempt { at, .. }
            | Self::Elsewhere { at, .. }
            | Self::HookDone { at }
            | Self::Slept { at, .. }
            | Self::Release { at }
            | Self::Clear { at }
            | Self::Stop { at }
            | Self::Timeout { at } => *at,
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Advertise {
        session: SessionId,
        priority: u8,
    },
    Order(Order),
    Role {
        role: Role,
        cause: Cause,
    },
    /// As Master, a Master was heard that has to give way.
    Contested {
        session: SessionId,
        by: Heard,
    },
    RunHook,
    Wait {
        deadline: Option<Instant>,
    },
}

/// What the addresses are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holding {
    None,
    Held,
    /// Held, though another is asked to take over: nobody has been heard yet.
    Offered,
    Releasing {
        by: Instant,
    },
}

/// The unit.
#[derive(Debug)]
pub struct Unit {
    settings: Settings,
    members: Vec<Member>,
    role: Role,
    holding: Holding,
    /// Routers whose addresses the keeper has not let go of, while they are being released.
    kept: BTreeSet<RouterId>,
    fitness: Fitness,
    gate: Gate,
    suspicion: Suspicion,
    /// When the sessions start; `None`: they have.
    start_at: Option<Instant>,
    /// The last instant at which the start may still wait for links.
    start_by: Instant,
    ready: bool,
    follows: bool,
    has_state: bool,
    /// Until when what an earlier run has left is kept.
    adopts_until: Instant,
    /// When the first session could hear others.
    listening_since: Option<Instant>,
    /// Since when a Master of lower priority is heard.
    lower_since: Option<Instant>,
    /// Whether the last Master that was heard is to be preempted.
    preempting: bool,
    released: bool,
    stopping: bool,
    outputs: VecDeque<Output>,
}

impl Unit {
    /// A unit that starts `settings.start_delay` after `now`. The addresses that an earlier run has left are kept until it is
    /// known whose they are.
    #[must_use]
    pub fn new(settings: Settings, members: Vec<Member>, now: Instant) -> Self {
        let start_at = now + settings.start_delay;
        let mut unit = Self {
            settings,
            members,
            role: Role::Initialize,
            holding: Holding::None,
            kept: BTreeSet::new(),
            fitness: Fitness::default(),
            gate: Gate::default(),
            suspicion: Suspicion::None,
            start_at: Some(start_at),
            start_by: start_at + START_GRACE,
            ready: false,
            follows: false,
            has_state: false,
            adopts_until: start_at,
            listening_since: None,
            lower_since: None,
            preempting: false,
            released: false,
            stopping: false,
            outputs: VecDeque::new(),
        };
        unit.apply_priorities();
        unit.adopt(start_at);
        unit
    }

    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    #[must_use]
    pub fn fitness(&self) -> &Fitness {
        &self.fitness
    }

    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Whether an operator's release is in force.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.released
    }

    /// Whether trackers, links and operator leave it fit to be Master.
    #[must_use]
    pub fn is_fit(&self) -> bool {
        !self.released && !self.stopping && self.is_sound()
    }

    /// Whether neither a tracker nor a link speaks against it.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.fitness.is_fit() && self.dead_links() == 0
    }

    /// Whether the keeper was told to hold its addresses, or has not let go of them.
    #[must_use]
    pub fn holds_addresses(&self) -> bool {
        self.holding != Holding::None
    }

    /// Whether only the connection state is missing for it to preempt.
    #[must_use]
    pub fn would_preempt(&self, now: Instant) -> bool {
        self.role == Role::Backup && self.ready && self.policy_preempts(now)
    }

    /// After [`Input::Stop`]: whether nothing is held any more, or nobody is there to take it.
    #[must_use]
    pub fn has_stopped(&self, now: Instant) -> bool {
        let nobody = self.holding == Holding::Offered && self.live().all(|member| member.machine.is_due(now));
        self.stopping && (self.holding == Holding::None || nobody)
    }

    /// Whether addresses are left to nobody in particular: it has stopped and no other Master was heard.
    #[must_use]
    pub fn leaves_addresses(&self) -> bool {
        // What has no link was dropped.
        self.stopping && self.holding == Holding::Offered && self.live().next().is_some()
    }

    /// Takes in what happened; call [`Unit::poll`] afterwards until it says [`Output::Wait`].
    pub fn handle(&mut self, input: Input) {
        // Whatever comes first after a standstill shows it. The advertisement that does is of the past.
        let unseen = if let Input::Slept { slept, .. } = input { slept } else { Duration::ZERO };
        let stalled = self.check_stall(input.at(), unseen);
        match input {
            Input::Advertisement { .. } if stalled => {}
            Input::Advertisement { at, session, heard } => self.heard(at, session, heard),
            Input::Link { at, session, source } => self.link(at, session, source),
            Input::Fitness { at, fitness } => {
                self.fitness = fitness;
                self.judge(at);
            }
            Input::MayPreempt { at, ready, follows, has_state } => {
                self.may_preempt(at, ready, follows, has_state);
            }
            Input::Elsewhere { at, elsewhere } => self.elsewhere(at, elsewhere),
            Input::HookDone { .. } => self.gate.hook_done(),
            Input::Slept { at, .. } => {
                self.members.iter_mut().for_each(|member| member.machine.restart_down_timer(at));
            }
            Input::Release { at } => self.release(at),
            Input::Clear { at } => {
                self.released = false;
                self.judge(at);
            }
            Input::Stop { at } => self.stop(at),
            Input::Timeout { at } => self.time_passed(at),
        }
    }

    /// The keeper has let go of the addresses of a router.
    pub fn released_by_keeper(&mut self, router: RouterId) {
        self.kept.remove(&router);
        if self.kept.is_empty() && matches!(self.holding, Holding::Releasing { .. }) {
            self.holding = Holding::None;
        }
    }

    /// What to do next; `now` is the instant of the last input.
    pub fn poll(&mut self, now: Instant) -> Output {
        self.collect(now);
        self.try_takeover(now);
        self.collect(now);
        self.outputs.pop_front().unwrap_or(Output::Wait { deadline: self.deadline(now) })
    }

    fn wish(&mut self, routers: BTreeSet<RouterId>, wish: Wish) {
        self.outputs.extend(routers.into_iter().map(|router| Output::Order(Order::Wish { router, wish })));
    }

    fn change_role(&mut self, role: Role, cause: Cause) {
        if self.role != role {
            self.role = role;
            self.suspicion.forget();
            self.outputs.push_back(Output::Role { role, cause });
        }
    }

    fn time_passed(&mut self, at: Instant) {
        if self.start_at.is_some_and(|start| start <= at) && (self.dead_links() == 0 || self.start_by <= at) {
            self.start(at);
        }
        self.drop_suspicion(at);
        if !self.suspicion.is_raised() {
            self.members.iter_mut().for_each(|member| member.machine.handle(MachineInput::Timeout { at }));
        }
        if matches!(self.holding, Holding::Releasing { by } if by <= at) {
            self.holding = Holding::None;
        }
    }

    /// When it wants to be called next.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let waits_for_links = |start: &Instant| *start <= now && self.dead_links() > 0;
        let start = self.start_at.map(|start| if waits_for_links(&start) { self.start_by } else { start });
        let silent = self.suspicion.is_raised();
        let sessions = self.live().filter(|_| !silent).filter_map(|member| member.deadline(now));
        let releasing = match self.holding {
            Holding::Releasing { by } => Some(by),
            Holding::None | Holding::Held | Holding::Offered => None,
        };
        sessions
            .chain(start)
            .chain(releasing)
            .chain(self.gate.deadline())
            .chain(self.suspicion.deadline())
            .min()
    }
}
