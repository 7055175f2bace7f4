//! Where a unit stands: links, trackers and the operator's word to effective priorities, and into and out of Fault.

use super::{Cause, Holding, MachineInput, Member, Order, Output, Role, RouterId, SessionId, Unit, Wish};
use crate::model::BothUnfit;
use crate::time::Instant;
use crate::vrrp::fitness::UNFIT_BELOW;
use std::collections::BTreeSet;
use std::net::IpAddr;

impl Unit {
    /// Goes on by another policy: its settings, and the configured priorities of the sessions, which are the same.
    pub fn renew(&mut self, at: Instant, fresh: Self) {
        self.settings = fresh.settings;
        for (member, fresh) in self.members.iter_mut().zip(fresh.members) {
            member.take_priorities(&fresh);
        }
        self.judge(at);
    }

    /// Applies what fitness, links and operator say: the priorities, and whether it is in the election at all.
    pub(super) fn judge(&mut self, at: Instant) {
        let falls = self.apply_priorities();
        self.reconsider_preemption(at);
        if self.start_at.is_some() || self.stopping {
            return;
        }
        let out = self.live().next().is_none();
        let unfit = !self.fitness.is_fit() && self.settings.both_unfit == BothUnfit::Release;
        match (self.role, out || unfit) {
            (Role::Fault, false) => self.return_from_fault(at),
            (Role::Backup | Role::Master, true) => self.fault(at, out),
            (Role::Master, false) if falls => self.say_unfit(at),
            (Role::Initialize | Role::Fault | Role::Backup | Role::Master, _) => {}
        }
    }

    /// Gives each session its effective priority; whether one fell from fit to unfit.
    pub(super) fn apply_priorities(&mut self) -> bool {
        let (dead_links, released) = (self.dead_links(), self.released || self.stopping);
        let unfit_below = if self.settings.tandem_peers { UNFIT_BELOW } else { 0 };
        let mut falls = false;
        for member in &mut self.members {
            let priority = self.fitness.priority(member.configured, dead_links, released);
            falls |= member.machine.priority() >= UNFIT_BELOW && priority < UNFIT_BELOW;
            member.machine.set_priority(priority);
            member.machine.set_unfit_below(unfit_below);
        }
        falls
    }

    /// A Master that has become unfit: directors that know what its priority means take over at once; others are asked to.
    pub(super) fn say_unfit(&mut self, at: Instant) {
        if self.settings.tandem_peers {
            self.members.iter_mut().for_each(|member| member.machine.advertise_now());
        } else {
            self.offer(at, Cause::Unfit { trackers: self.fitness.faults.clone() });
        }
    }

    pub(super) fn fault(&mut self, at: Instant, link_down: bool) {
        for member in &mut self.members {
            member.machine.handle(MachineInput::Shutdown { at });
        }
        self.collect(at);
        let cause = match link_down {
            true => Cause::LinkDown,
            false => Cause::Unfit { trackers: self.fitness.faults.clone() },
        };
        match (self.holding, link_down) {
            (Holding::Held | Holding::Offered, false) => self.hand_over(at),
            // Another takes them, or has them: the keeper goes on until it has seen that.
            (Holding::Releasing { .. }, false) if !self.adopts() => {}
            (Holding::None | Holding::Held | Holding::Offered | Holding::Releasing { .. }, _) => {
                self.let_go(Wish::Drop);
            }
        }
        self.change_role(Role::Fault, cause);
        self.gate.reset();
    }

    pub(super) fn return_from_fault(&mut self, at: Instant) {
        for member in self.members.iter_mut().filter(|member| member.is_live()) {
            member.machine.handle(MachineInput::Startup { at });
        }
        self.change_role(Role::Backup, Cause::Started);
    }

    pub(super) fn link(&mut self, at: Instant, session: SessionId, source: Option<IpAddr>) {
        let Some(member) = self.members.iter_mut().find(|member| member.id == session) else { return };
        let was_live = member.is_live();
        member.set_source(source);
        if source.is_some() {
            self.listening_since.get_or_insert(at);
        }
        match (was_live, source.is_some()) {
            (false, true) if self.start_at.is_none() && !self.stopping && self.role != Role::Fault => {
                member.machine.handle(MachineInput::Startup { at });
            }
            (true, false) => self.lose_link(at, session),
            (false | true, _) => {}
        }
        self.judge(at);
    }

    /// What has no link cannot answer for its addresses.
    pub(super) fn lose_link(&mut self, at: Instant, session: SessionId) {
        let down = MachineInput::Shutdown { at };
        self.members
            .iter_mut()
            .filter(|member| member.id == session)
            .for_each(|member| member.machine.handle(down));
        if !self.live_routers().contains(&session.router) {
            self.outputs.push_back(Output::Order(Order::Wish { router: session.router, wish: Wish::Drop }));
        }
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.is_live())
    }

    pub(super) fn dead_links(&self) -> usize {
        self.members.iter().filter(|member| !member.is_live()).count()
    }

    /// Its routers.
    #[must_use]
    pub fn routers(&self) -> BTreeSet<RouterId> {
        self.members.iter().map(|member| member.id.router).collect()
    }

    pub(super) fn live_routers(&self) -> BTreeSet<RouterId> {
        self.live().map(|member| member.id.router).collect()
    }
}
