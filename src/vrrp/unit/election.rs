//! How a unit takes part in the election: what it hears, and when it becomes Master.

use super::{
    Cause, Elsewhere, Heard, Holding, MachineInput, MachineOutput, Member, Output, RELEASE_BOUND, Role,
    SessionId, TIES_WITHOUT_FIRST, TIME_TO_ADD, Unit, Wish,
};
use crate::model::Preempt;
use crate::time::Instant;
use crate::vrrp::fitness::{Reach, UNFIT_BELOW};
use crate::vrrp::machine::{OWNER, RESIGNS};
use std::time::Duration;

impl Unit {
    pub(super) fn start(&mut self, at: Instant) {
        self.start_at = None;
        for member in self.members.iter_mut().filter(|member| member.is_live()) {
            member.machine.handle(MachineInput::Startup { at });
        }
        self.change_role(Role::Backup, Cause::Started);
        self.judge(at);
    }

    pub(super) fn heard(&mut self, at: Instant, session: SessionId, heard: Heard) {
        let Some(index) = self.members.iter().position(|member| member.id == session) else { return };
        let own = self.members[index].machine.priority();
        if self.weigh(at, heard, own) {
            return;
        }
        if heard.priority >= own {
            self.lower_since = None;
        } else if !heard.is_resignation() && self.role == Role::Backup {
            self.lower_since.get_or_insert(at);
        }
        let unfit = heard.priority < UNFIT_BELOW && self.settings.tandem_peers;
        let wishes = (unfit && self.follows) || (self.ready && self.has_state && self.policy_preempts(at));
        let preempts = wishes && !self.released && !self.stopping;
        if self.is_undecided_tie(index, heard) {
            return;
        }
        let member = &mut self.members[index];
        let was_backup = !member.machine.is_master();
        let owner = self.fitness.priority(member.configured, 0, false) == OWNER;
        member.machine.set_preempts(preempts || owner);
        self.preempting = (preempts || owner) && heard.priority < own && !heard.is_resignation();
        member.last_heard = Some(heard);
        member.machine.handle(MachineInput::Advertisement { at, heard });
        if was_backup && !heard.is_resignation() {
            if !self.preempting {
                self.gate.reset();
            }
            self.heard_as_backup(at, index, heard, own);
        }
    }

    /// What was permitted and is no longer is not carried out: the Master that was about to be preempted gets a whole down
    /// interval from now on.
    pub(super) fn may_preempt(&mut self, at: Instant, ready: bool, follows: bool, has_state: bool) {
        let is_unfit = |member: &Member| member.last_heard.is_some_and(|heard| heard.priority < UNFIT_BELOW);
        let unfit = self.settings.tandem_peers && self.live().any(is_unfit);
        let before = if unfit { self.follows } else { self.ready && self.has_state };
        let now = if unfit { follows } else { ready && has_state };
        let withdrawn = before && !now;
        (self.ready, self.follows, self.has_state) = (ready, follows, has_state);
        if withdrawn {
            self.withdraw_preemption(at);
        }
    }

    /// Nobody preempts a Master that has become the better one: because this director was released, say.
    pub(super) fn reconsider_preemption(&mut self, at: Instant) {
        let beaten = |member: &Member| {
            member.last_heard.is_some_and(|heard| heard.priority >= member.machine.priority())
        };
        if self.live().any(beaten) {
            self.withdraw_preemption(at);
        }
    }

    fn withdraw_preemption(&mut self, at: Instant) {
        if self.preempting && self.role == Role::Backup {
            self.preempting = false;
            self.gate.reset();
            self.members.iter_mut().for_each(|member| member.machine.restart_down_timer(at));
        }
    }

    /// Whether this is for another session to settle. Sessions whose addresses are ordered differently would otherwise each
    /// make the other director step down, and nobody were Master.
    fn is_undecided_tie(&mut self, index: usize, heard: Heard) -> bool {
        let first = self.members.iter().position(Member::is_live).unwrap_or(index);
        if index == first {
            self.members.iter_mut().for_each(|member| member.ties = 0);
            return false;
        }
        let member = &mut self.members[index];
        if !member.machine.is_master() || heard.priority != member.machine.priority() {
            return false;
        }
        member.ties += 1;
        member.ties < TIES_WITHOUT_FIRST
    }

    /// A session that is Backup heard a Master.
    pub(super) fn heard_as_backup(&mut self, at: Instant, index: usize, heard: Heard, own: u8) {
        match self.role {
            // A session that has just come back hears the Master that took over meanwhile, and which of the two gives way is
            // settled as between any two Masters.
            Role::Master if heard.priority >= own => self.demote(at, Cause::followed(heard)),
            Role::Master => self.assert_session(at, index),
            Role::Backup | Role::Initialize if self.holding == Holding::Offered => self.hand_over(at),
            // What an earlier run has left is another's.
            Role::Backup | Role::Initialize if self.adopts() => self.give_back(at, heard),
            Role::Initialize | Role::Backup | Role::Fault => {}
        }
    }

    /// Lets go of what an earlier run has left. A Master that was there all along has the addresses; one that was not heard
    /// for longer than its interval has only just taken over, and announces them soon. Of one that is heard at once nothing is
    /// known: it gets the moment that adding them takes.
    fn give_back(&mut self, at: Instant, heard: Heard) {
        let quiet_for = self.listening_since.map_or(Duration::ZERO, |since| at.saturating_since(since));
        let newcomer = quiet_for > heard.pace.interval + heard.pace.interval / 2;
        self.release_addresses(at + if newcomer { RELEASE_BOUND } else { TIME_TO_ADD });
    }

    /// A session joins its unit as Master at once, where it would wait for a Master that has to give way.
    fn assert_session(&mut self, at: Instant, index: usize) {
        self.members[index].machine.end_down_timer(at);
    }

    pub(super) fn elsewhere(&mut self, at: Instant, elsewhere: Elsewhere) {
        let beaten = elsewhere.is_master
            && elsewhere.sealed
            && elsewhere.reach == Reach::Reached
            && self.fitness.reach == Reach::Lost
            && self.role == Role::Master;
        // What was offered was taken by one whose advertisements do not come through.
        let taken = elsewhere.is_master
            && elsewhere.sealed
            && self.holding == Holding::Offered
            && self.role != Role::Master;
        self.gate.elsewhere(elsewhere);
        if beaten {
            self.demote(at, Cause::OtherReachesGateway);
        } else if taken {
            self.hand_over(at);
        }
    }

    pub(super) fn policy_preempts(&self, at: Instant) -> bool {
        match (self.settings.preempt, self.lower_since) {
            (Preempt::Never, _) | (Preempt::After(_), None) => false,
            (Preempt::After(delay), Some(since)) => since + delay <= at,
        }
    }

    /// Takes what the sessions say.
    pub(super) fn collect(&mut self, now: Instant) {
        self.look_for_queue(now);
        for index in 0..self.members.len() {
            loop {
                let member = &mut self.members[index];
                let session = member.id;
                match member.machine.poll() {
                    MachineOutput::Advertise { priority } => {
                        self.outputs.push_back(Output::Advertise { session, priority });
                    }
                    MachineOutput::BecameBackup { to: Some(heard) } => {
                        if self.role == Role::Master {
                            self.say_goodbye(session);
                            self.demote(now, Cause::followed(heard));
                        }
                    }
                    MachineOutput::Contested { by } => {
                        self.outputs.push_back(Output::Contested { session, by });
                    }
                    MachineOutput::BecameMaster
                    | MachineOutput::BecameBackup { to: None }
                    | MachineOutput::BecameInitialize => {}
                    MachineOutput::Wait { .. } => break,
                }
            }
        }
    }

    /// One that gives way because it heard the other first would leave the other ignorant that there were two, and the
    /// neighbours with what they learnt here. Tandem's directors announce their addresses anew when they hear this.
    fn say_goodbye(&mut self, session: SessionId) {
        if self.settings.tandem_peers {
            self.outputs.push_back(Output::Advertise { session, priority: RESIGNS });
        }
    }

    /// Becomes Master when every live session is due and nothing speaks against it.
    pub(super) fn try_takeover(&mut self, now: Instant) {
        let takes_part = matches!(self.role, Role::Backup | Role::Master) && !self.stopping;
        let takes_part = takes_part && !self.suspicion.is_raised();
        let all_due = self.live().all(|member| member.machine.is_due(now) || member.machine.is_master());
        let one_due = self.live().any(|member| member.machine.is_due(now));
        if !takes_part || !all_due || !one_due {
            self.gate.not_due();
            return;
        }
        if self.role == Role::Backup && !self.gate_opens(now) {
            return;
        }
        self.take_over(now);
    }

    pub(super) fn gate_opens(&mut self, now: Instant) -> bool {
        let interval = self.live().map(Member::interval).max().unwrap_or_default();
        // Only silence is doubted: a Master that is heard and preempted, or that has resigned, says enough.
        let silent = !self.preempting && !self.has_resigned();
        if silent && !self.gate.postponement_over(now, interval, self.fitness.reach) {
            return false;
        }
        let Some(limit) = self.settings.hook.filter(|_| self.holding != Holding::Offered) else {
            return true;
        };
        let (opens, run) = self.gate.hook_over(now, limit);
        if run {
            self.outputs.push_back(Output::RunHook);
        }
        opens
    }

    fn has_resigned(&self) -> bool {
        self.live().any(|member| member.last_heard.is_some_and(Heard::is_resignation))
    }

    pub(super) fn take_over(&mut self, now: Instant) {
        let cause = self.takeover_cause();
        for member in self.members.iter_mut().filter(|member| member.is_live()) {
            member.last_heard = None;
            member.machine.handle(MachineInput::Permit { at: now });
        }
        // The old Master goes on until it sees the announcement, so the addresses come before anything else.
        self.holding = Holding::Held;
        self.wish(self.live_routers(), Wish::Hold);
        self.change_role(Role::Master, cause);
        self.lower_since = None;
        self.gate.reset();
    }

    pub(super) fn takeover_cause(&self) -> Cause {
        if self.holding == Holding::Offered {
            return Cause::NobodyTookOver;
        }
        if self.live().all(|member| member.machine.priority() == OWNER) {
            return Cause::Owner;
        }
        // Of several Masters the one that gave the occasion: a resigned or unfit one, not one that was heard last.
        let heard = self.live().filter_map(|member| member.last_heard).min_by_key(|heard| heard.priority);
        match heard {
            Some(Heard { source, priority: RESIGNS, .. }) => Cause::MasterResigned { source },
            Some(Heard { source, priority, .. }) if self.preempting => {
                match priority < UNFIT_BELOW && self.settings.tandem_peers {
                    true => Cause::MasterUnfit { source, priority },
                    false => Cause::Preempts { source, priority },
                }
            }
            Some(_) | None => Cause::Silence,
        }
    }
}
