//! How a unit leaves Master: asked to, beaten, or because it stood still; and what becomes of its addresses.

use super::{Cause, Holding, MachineInput, Member, RELEASE_BOUND, Role, START_GRACE, Unit, Wish};
use crate::time::Instant;
use std::time::Duration;

impl Unit {
    /// Keeps what an earlier run has left until the election has had time to find a Master.
    pub(super) fn adopt(&mut self, start_at: Instant) {
        let longest = self.members.iter().map(Member::down_interval).max().unwrap_or_default();
        let by = start_at + START_GRACE + longest + RELEASE_BOUND;
        self.adopts_until = by;
        self.release_addresses(by);
    }

    /// Asks the others to take over, and keeps the addresses until one has.
    pub(super) fn offer(&mut self, at: Instant, cause: Cause) {
        self.resign_sessions(at);
        // Whoever takes over runs its hook first.
        if let Some(hook) = self.settings.hook {
            self.members.iter_mut().for_each(|member| member.machine.lengthen_down_timer(hook));
        }
        self.collect(at);
        self.holding = Holding::Offered;
        self.change_role(Role::Backup, cause);
        self.lower_since = None;
    }

    /// Every Master among the sessions says priority 0 and becomes Backup.
    pub(super) fn resign_sessions(&mut self, at: Instant) {
        for member in self.members.iter_mut().filter(|member| member.machine.is_master()) {
            member.machine.handle(MachineInput::Shutdown { at });
            member.machine.handle(MachineInput::Startup { at });
        }
    }

    pub(super) fn release(&mut self, at: Instant) {
        self.released = true;
        self.apply_priorities();
        self.reconsider_preemption(at);
        if self.role == Role::Master {
            self.offer(at, Cause::Released);
        }
    }

    pub(super) fn stop(&mut self, at: Instant) {
        self.stopping = true;
        self.start_at = None;
        self.apply_priorities();
        match self.role {
            Role::Master => self.offer(at, Cause::Stopped),
            Role::Initialize | Role::Backup if self.adopts() && self.live().next().is_some() => {
                self.pass_by(at);
            }
            Role::Initialize | Role::Backup | Role::Fault => {
                if self.holding != Holding::Offered {
                    self.leave(at, Cause::Stopped);
                }
            }
        }
    }

    /// It stops before it knows whose the addresses are that an earlier run has left: it listens for a down interval, and
    /// leaves them where nobody else is Master.
    fn pass_by(&mut self, at: Instant) {
        for member in self.members.iter_mut().filter(|member| member.is_live()) {
            member.machine.handle(MachineInput::Startup { at });
        }
        self.holding = Holding::Offered;
    }

    /// Out of the election, quietly where it was Backup.
    pub(super) fn leave(&mut self, at: Instant, cause: Cause) {
        for member in &mut self.members {
            member.machine.handle(MachineInput::Shutdown { at });
        }
        self.collect(at);
        if matches!(self.holding, Holding::Releasing { .. }) && self.role == Role::Backup {
            // Another holds them already, or is about to: the keeper goes on until it has seen that.
        } else {
            self.let_go(Wish::Drop);
        }
        self.change_role(Role::Initialize, cause);
    }

    /// Another is Master: the addresses stay until it was seen to announce them.
    pub(super) fn hand_over(&mut self, at: Instant) {
        if matches!(self.holding, Holding::Held | Holding::Offered) {
            let by = at + RELEASE_BOUND;
            self.release_addresses(by);
        }
    }

    pub(super) fn release_addresses(&mut self, by: Instant) {
        self.holding = Holding::Releasing { by };
        self.kept = self.routers();
        self.wish(self.routers(), Wish::Release { by });
    }

    pub(super) fn let_go(&mut self, wish: Wish) {
        self.holding = Holding::None;
        self.wish(self.routers(), wish);
    }

    /// Whether the addresses are still those that an earlier run has left.
    pub(super) fn adopts(&self) -> bool {
        matches!(self.holding, Holding::Releasing { by } if by == self.adopts_until)
    }

    /// Another Master is to be followed: every session becomes Backup.
    pub(super) fn demote(&mut self, at: Instant, cause: Cause) {
        self.resign_sessions(at);
        self.hand_over(at);
        self.change_role(Role::Backup, cause);
        self.lower_since = None;
        self.gate.reset();
    }

    /// Whether this director slept for so long that another has become Master. It gives the addresses up at once. `unseen`:
    /// what its clock did not see of that.
    pub(super) fn check_stall(&mut self, at: Instant, unseen: Duration) -> bool {
        let slept = |member: &Member| member.slept_past_down_interval(at + unseen);
        if self.role != Role::Master || !self.members.iter().any(slept) {
            return false;
        }
        self.give_up(at);
        true
    }

    pub(super) fn give_up(&mut self, at: Instant) {
        self.members.iter_mut().for_each(|member| member.machine.withdraw(at));
        self.collect(at);
        self.let_go(Wish::Drop);
        self.change_role(Role::Backup, Cause::Stalled);
        self.lower_since = None;
        self.gate.reset();
    }
}
