//! The state machine of one VRRP session (RFC 9568, section 6.4; RFC 3768, section 6.4): one family of one virtual router.
//!
//! It knows nothing of groups, addresses, trackers or packets. Two things go beyond the standard, both asked for by whoever
//! owns it: with [`Machine::set_waits`] the end of the down timer is only reported (a group becomes Master as one), and with
//! [`Machine::set_unfit_below`] a Master that says by its priority that it is unfit is followed as fast as one that resigns.
//!
//! Master, Backup and Initialize are RFC 3768's names of RFC 9568's Active, Backup and Initialize.

use super::timing::Pace;
use crate::time::Instant;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::net::IpAddr;

/// Priority of an address owner: fixed, and always Master (RFC 9568, section 6.1).
pub const OWNER: u8 = 255;
/// Priority in the advertisement of a Master that resigns.
pub const RESIGNS: u8 = 0;

/// Where a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Takes no part.
    Initialize,
    Backup {
        /// The Master's interval, learned from its advertisements (version 3) or our own.
        pace: Pace,
        /// When the Master is taken for dead.
        down_at: Instant,
    },
    Master {
        /// When the next advertisement is due.
        advertise_at: Instant,
    },
}

/// What happened. Instants never go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    Startup {
        at: Instant,
    },
    Shutdown {
        at: Instant,
    },
    /// An advertisement that passed every check of section 7.1.
    Advertisement {
        at: Instant,
        heard: Heard,
    },
    Timeout {
        at: Instant,
    },
    /// Whoever owns a session that waits lets it become Master.
    Permit {
        at: Instant,
    },
}

/// What matters of an advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub source: IpAddr,
    pub priority: u8,
    pub pace: Pace,
}

impl Heard {
    /// Whether it is the last one of a Master that resigns.
    #[must_use]
    pub fn is_resignation(self) -> bool {
        self.priority == RESIGNS
    }
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send an advertisement of this priority.
    Advertise {
        priority: u8,
    },
    BecameMaster,
    /// No longer Master, or no longer Initialize; `to` is the Master that was heard, where one was.
    BecameBackup {
        to: Option<Heard>,
    },
    BecameInitialize,
    /// As Master, another Master was heard that has to give way: the neighbours may believe it.
    Contested {
        by: Heard,
    },
    /// Nothing until an input comes, at the latest [`Input::Timeout`] at the deadline.
    Wait {
        deadline: Option<Instant>,
    },
}

/// One session.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Effective priority, 1..=255.
    priority: u8,
    /// The own interval and version.
    own: Pace,
    /// The address that our advertisements come from; decides between equal priorities.
    own_address: IpAddr,
    preempts: bool,
    waits: bool,
    unfit_below: u8,
    state: State,
    outputs: VecDeque<Output>,
}

impl Machine {
    /// A session in Initialize that preempts.
    #[must_use]
    pub fn new(priority: u8, own: Pace, own_address: IpAddr) -> Self {
        Self {
            priority,
            own,
            own_address,
            preempts: true,
            waits: false,
            unfit_below: 0,
            state: State::Initialize,
            outputs: VecDeque::new(),
        }
    }

    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    #[must_use]
    pub fn priority(&self) -> u8 {
        self.priority
    }

    #[must_use]
    pub fn is_master(&self) -> bool {
        matches!(self.state, State::Master { .. })
    }

    /// Whether the down timer has ended while the session waits for [`Input::Permit`].
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        matches!(self.state, State::Backup { down_at, .. } if down_at <= now)
    }

    /// The effective priority changes; a running timer keeps its end, as the standard has it.
    pub fn set_priority(&mut self, priority: u8) {
        self.priority = priority;
    }

    /// `Preempt_Mode`.
    pub fn set_preempts(&mut self, preempts: bool) {
        self.preempts = preempts;
    }

    /// Whether the end of the down timer only makes the session due.
    pub fn set_waits(&mut self, waits: bool) {
        self.waits = waits;
    }

    /// A Master whose priority is below this says that it is unfit; 0: none does.
    pub fn set_unfit_below(&mut self, unfit_below: u8) {
        self.unfit_below = unfit_below;
    }

    /// The address of the interface changed.
    pub fn set_own_address(&mut self, own_address: IpAddr) {
        self.own_address = own_address;
    }

    /// Goes on where another machine of the same session was, without a word.
    pub fn go_on(&mut self, state: State) {
        self.state = state;
        self.outputs.clear();
    }

    /// A Backup gives the Master a whole down interval from now on.
    pub fn restart_down_timer(&mut self, at: Instant) {
        if let State::Backup { pace, down_at } = &mut self.state {
            *down_at = at + pace.down_interval(self.priority);
        }
    }

    /// A Backup gives the others so much more time.
    pub fn lengthen_down_timer(&mut self, by: std::time::Duration) {
        if let State::Backup { down_at, .. } = &mut self.state {
            *down_at = *down_at + by;
        }
    }

    /// A Backup whose owner is Master already waits no longer.
    pub fn end_down_timer(&mut self, at: Instant) {
        if let State::Backup { down_at, .. } = &mut self.state {
            *down_at = at.min(*down_at);
        }
    }

    /// Takes in what happened; call [`Machine::poll`] afterwards until it says [`Output::Wait`].
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Startup { at } => self.start(at),
            Input::Shutdown { .. } => self.shut_down(),
            Input::Advertisement { at, heard } => match self.state {
                State::Initialize => {}
                State::Backup { pace, down_at } => self.heard_as_backup(heard, at, pace, down_at),
                State::Master { .. } => self.heard_as_master(heard, at),
            },
            Input::Timeout { at } => self.time_passed(at),
            Input::Permit { at } => {
                if self.is_due(at) {
                    self.become_master(at);
                }
            }
        }
    }

    /// What to do next.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or(Output::Wait { deadline: self.deadline() })
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Initialize => None,
            State::Backup { down_at, .. } => Some(down_at),
            State::Master { advertise_at } => Some(advertise_at),
        }
    }

    /// Section 6.4.1.
    fn start(&mut self, at: Instant) {
        if self.state != State::Initialize {
            return;
        }
        match (self.priority, self.waits) {
            (OWNER, false) => self.become_master(at),
            (OWNER, true) => {
                self.become_backup(at, self.own, None);
                self.state = State::Backup { pace: self.own, down_at: at };
            }
            _ => self.become_backup(at, self.own, None),
        }
    }

    /// A Master says at once what is new, its priority say; the timer goes on.
    pub fn advertise_now(&mut self) {
        if self.is_master() {
            self.outputs.push_back(Output::Advertise { priority: self.priority });
        }
    }

    /// The lower-priority Master, if any, of which so many advertisements were heard since the last poll.
    #[must_use]
    pub fn contested_often(&self, times: usize) -> Option<Heard> {
        let contest = |output: &Output| match output {
            Output::Contested { by } if !by.is_resignation() => Some(*by),
            _ => None,
        };
        let heard: Vec<Heard> = self.outputs.iter().filter_map(contest).collect();
        let of = |source: IpAddr| heard.iter().filter(move |other| other.source == source).count();
        heard.iter().rev().find(|by| of(by.source) >= times).copied()
    }

    /// A Master does not say what it was about to say.
    pub fn hold_tongue(&mut self) {
        if self.is_master() {
            let is_said =
                |output: &Output| matches!(output, Output::Advertise { .. } | Output::Contested { .. });
            self.outputs.retain(|output| !is_said(output));
        }
    }

    /// Leaves Master without a word and drops what was about to be said: another Master has been at it for some time.
    pub fn withdraw(&mut self, at: Instant) {
        self.outputs.clear();
        if self.is_master() {
            self.become_backup(at, self.own, None);
        }
    }

    fn shut_down(&mut self) {
        match self.state {
            State::Initialize => return,
            State::Backup { .. } => {}
            State::Master { .. } => self.outputs.push_back(Output::Advertise { priority: RESIGNS }),
        }
        self.state = State::Initialize;
        self.outputs.push_back(Output::BecameInitialize);
    }

    fn time_passed(&mut self, at: Instant) {
        match self.state {
            State::Initialize => {}
            State::Backup { down_at, .. } => {
                if down_at <= at && !self.waits {
                    self.become_master(at);
                }
            }
            State::Master { advertise_at } => {
                if advertise_at <= at {
                    self.advertise(at, advertise_at);
                }
            }
        }
    }

    /// Section 6.4.2. What is discarded leaves the timer running.
    fn heard_as_backup(&mut self, heard: Heard, at: Instant, pace: Pace, down_at: Instant) {
        let down_at = if heard.is_resignation() {
            at + pace.skew_time(self.priority)
        } else if self.follows_unfit(heard.priority) {
            down_at.min(at + heard.pace.skew_time(self.priority))
        } else if !self.preempts || heard.priority >= self.priority {
            self.state = State::Backup { pace: heard.pace, down_at };
            at + heard.pace.down_interval(self.priority)
        } else {
            return;
        };
        if let State::Backup { down_at: held, .. } = &mut self.state {
            *held = down_at;
        }
    }

    /// Whether a Master says that it is unfit while we are fit and may preempt.
    fn follows_unfit(&self, priority: u8) -> bool {
        self.preempts && priority < self.unfit_below && self.priority >= self.unfit_below
    }

    /// Section 6.4.3.
    fn heard_as_master(&mut self, heard: Heard, at: Instant) {
        if heard.is_resignation() {
            self.advertise(at, at);
            // It was Master too: what the neighbours learnt from it is to be repaired.
            self.outputs.push_back(Output::Contested { by: heard });
            return;
        }
        let by_address = || ordered(heard.source).cmp(&ordered(self.own_address));
        match heard.priority.cmp(&self.priority).then_with(by_address) {
            Ordering::Greater => self.become_backup(at, heard.pace, Some(heard)),
            Ordering::Equal | Ordering::Less => {
                self.outputs.push_back(Output::Advertise { priority: self.priority });
                self.outputs.push_back(Output::Contested { by: heard });
            }
        }
    }

    fn become_master(&mut self, at: Instant) {
        self.state = State::Master { advertise_at: at };
        self.outputs.push_back(Output::BecameMaster);
        self.advertise(at, at);
    }

    fn become_backup(&mut self, at: Instant, pace: Pace, to: Option<Heard>) {
        self.state = State::Backup { pace, down_at: at + pace.down_interval(self.priority) };
        self.outputs.push_back(Output::BecameBackup { to });
    }

    /// Sends, and sets the timer from the instant at which this was due: a late wake-up does not shift the beat. One that is
    /// later than a whole interval begins a new beat.
    fn advertise(&mut self, at: Instant, due: Instant) {
        self.outputs.push_back(Output::Advertise { priority: self.priority });
        let next = due + self.own.interval;
        self.state = State::Master { advertise_at: if next > at { next } else { at + self.own.interval } };
    }
}

/// Addresses compare as unsigned numbers in network byte order (section 6.4.3); a session has one family only.
fn ordered(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}
