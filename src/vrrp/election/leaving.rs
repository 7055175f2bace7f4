//! Release, clear and stop: what an operator asks of the election.

use super::{Election, Leaving, Output, STOP_BOUND, Seat};
use crate::model::RouterName;
use crate::time::Instant;
use crate::vrrp::role::Role;
use crate::vrrp::transfer::RESIGN_BOUND;
use crate::vrrp::unit::Input as UnitInput;

impl Election {
    pub(super) fn chosen<'a>(
        seats: &'a mut [Seat],
        names: &'a [RouterName],
        router: Option<&'a RouterName>,
    ) -> impl Iterator<Item = &'a mut Seat> {
        seats.iter_mut().filter(move |seat| {
            router.is_none_or(|wanted| seat.unit.routers().iter().any(|id| names.get(id.0) == Some(wanted)))
        })
    }

    pub(super) fn release(&mut self, at: Instant, router: Option<&RouterName>, until: Option<Instant>) {
        self.now = at;
        if self.stop_by.is_some() {
            return;
        }
        let by = at + RESIGN_BOUND;
        for seat in Self::chosen(&mut self.seats, &self.names, router) {
            (seat.released_until, seat.leaving) = (until, Some(Leaving { by, stop: false }));
        }
        self.begin_leaving(at);
    }

    pub(super) fn stop(&mut self, at: Instant) {
        self.now = at;
        self.stop_by = Some(at + STOP_BOUND);
        let by = at + RESIGN_BOUND;
        for seat in &mut self.seats {
            seat.leaving = Some(Leaving { by, stop: true });
        }
        self.begin_leaving(at);
    }

    /// Has the state sent before the Master resigns, where there is somebody to send it to.
    pub(super) fn begin_leaving(&mut self, at: Instant) {
        let leaves = |seat: &Seat| seat.leaving.is_some() && seat.unit.role() == Role::Master;
        let receiver = self.transfer.is_enabled() && self.peers.any_up(at);
        if receiver && self.seats.iter().any(leaves) {
            self.transfer.ask_for_leaving();
        } else {
            self.leave_now(at);
        }
    }

    /// Has the state sent that is asked for; and once more when the addresses have gone to another, since clients began
    /// connections here until then. Whoever took them is there, whether its beats came in time or not.
    pub(super) fn pass_state(&mut self) {
        for seat in self.seats.iter_mut().filter(|seat| seat.owes_state && !seat.unit.holds_addresses()) {
            seat.owes_state = false;
            if self.transfer.is_enabled() {
                self.transfer.ask_for_the_rest();
            }
        }
        let pass = self.transfer.start(self.now);
        self.outputs.extend(pass.map(|pass| Output::PassState { whole: pass.is_whole() }));
    }

    pub(super) fn leave_now(&mut self, at: Instant) {
        for seat in &mut self.seats {
            match seat.leaving.take() {
                None => {}
                Some(Leaving { stop: true, .. }) => seat.unit.handle(UnitInput::Stop { at }),
                Some(Leaving { stop: false, .. }) => seat.unit.handle(UnitInput::Release { at }),
            }
        }
    }

    pub(super) fn clear(&mut self, at: Instant, router: Option<&RouterName>) {
        self.now = at;
        if self.stop_by.is_some() {
            return;
        }
        for seat in Self::chosen(&mut self.seats, &self.names, router) {
            (seat.released_until, seat.leaving) = (None, None);
            seat.unit.handle(UnitInput::Clear { at });
        }
    }

    pub(super) fn stopped(&mut self) -> Option<Output> {
        let stop_by = self.stop_by?;
        let gone = |seat: &Seat| seat.leaving.is_none() && seat.unit.has_stopped(self.now);
        let through = self.seats.iter().all(gone) && !self.transfer.owes_the_rest();
        if self.stopped || !(through || stop_by <= self.now) {
            return None;
        }
        self.stopped = true;
        Some(Output::Stopped { lengthen: self.seats.iter().any(|seat| seat.unit.leaves_addresses()) })
    }
}
