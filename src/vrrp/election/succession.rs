//! An election goes on in another process ([`crate::vrrp::handed`]).

use super::{Election, Seat, UnitBeat};
use crate::time::Instant;
use crate::vrrp::RouterId;
use crate::vrrp::handed::{HandedSession, HandedStation, HandedUnit};
use crate::vrrp::machine::State;
use crate::vrrp::role::Role;
use crate::vrrp::unit::{Member, Unit};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Election {
    /// What is under way, in words, so that nothing can be handed on now; `None`: all is at rest. A director that still owes its
    /// connections has not let go of the addresses, which its unit says.
    #[must_use]
    pub fn under_way(&self) -> Option<&'static str> {
        let leaves = |seat: &Seat| seat.leaving.is_some();
        if self.stop_by.is_some() {
            Some("the director stops")
        } else if self.seats.iter().any(leaves) || !self.transfer.is_at_rest() {
            Some("connections are being passed to or from the other director")
        } else if self.seats.iter().any(|seat| seat.grip.is_short()) {
            Some("addresses are being added")
        } else {
            self.seats.iter().find_map(|seat| seat.unit.under_way())
        }
    }

    /// When the first of this director's advertisements is due; `None`: it is nobody's Master.
    #[must_use]
    pub fn advertises_at(&self) -> Option<Instant> {
        let due = |member: &Member| match member.machine.state() {
            State::Master { advertise_at } => Some(advertise_at),
            State::Backup { .. } | State::Initialize => None,
        };
        self.seats.iter().flat_map(|seat| seat.unit.members()).filter_map(due).min()
    }

    /// The routers whose addresses are held here.
    #[must_use]
    pub fn held_routers(&self) -> BTreeSet<RouterId> {
        self.seats.iter().flat_map(|seat| seat.unit.held_routers()).collect()
    }

    /// Units, sessions (but for what the station knows of them), the other directors and all that is due.
    pub(in crate::vrrp) fn hand_on(&self) -> HandedStation {
        let (cold_since, warm_since) = self.warmth.marks();
        HandedStation {
            units: self.seats.iter().map(Seat::hand_on).collect(),
            sessions: self.seats.iter().flat_map(|seat| self.sessions_of(&seat.unit)).collect(),
            peers: self.peers.hand_on(),
            beat_at: self.beat_at,
            peers_known_at: self.peers_known_at,
            cold_since,
            warm_since,
            passed: self.transfer.said().passed,
            ..HandedStation::default()
        }
    }

    fn sessions_of<'a>(&'a self, unit: &'a Unit) -> impl Iterator<Item = HandedSession> + 'a {
        let name = |id: RouterId| self.names.get(id.0).map(ToString::to_string).unwrap_or_default();
        unit.members().iter().map(move |member| HandedSession {
            router: name(member.id.router),
            family: member.id.family,
            source: member.source(),
            state: member.machine.state().into(),
            last_heard: member.last_heard.map(Into::into),
            ties: member.ties(),
            pseudo_header: false,
            marks: Vec::new(),
        })
    }

    /// Goes on where another was. A unit or session that it did not have begins as at a start.
    pub(in crate::vrrp) fn go_on(&mut self, at: Instant, handed: &HandedStation) {
        self.now = at;
        for seat in &mut self.seats {
            if let Some(said) = handed.units.iter().find(|said| *said.name == *seat.name) {
                seat.go_on(at, said, &self.names, &handed.sessions);
            }
        }
        let units = self.seats.iter().map(|seat| UnitBeat::of(&seat.name, &seat.unit)).collect();
        self.peers.go_on(&handed.peers, units);
        self.beat_at = self.beat_at.map(|start| handed.beat_at.unwrap_or(start));
        self.peers_known_at = handed.peers_known_at;
        self.warmth.go_on(handed.cold_since, handed.warm_since);
        self.transfer.go_on(handed.passed);
    }
}

impl Seat {
    fn hand_on(&self) -> HandedUnit {
        HandedUnit {
            name: self.name.to_string(),
            released_until: self.released_until,
            unfit_until: self.grip.unfit_until(),
            trackers: self.trackers.hand_on(),
            ..self.unit.hand_on()
        }
    }

    fn go_on(&mut self, at: Instant, said: &HandedUnit, names: &[Arc<str>], sessions: &[HandedSession]) {
        for member in self.unit.members_mut() {
            let id = member.id;
            let known = sessions.iter().find(|session| {
                names.get(id.router.0).is_some_and(|name| **name == *session.router)
                    && session.family == id.family
            });
            let Some(session) = known else { continue };
            member.go_on_from(session.source);
            member.machine.go_on(session.state.into());
            member.last_heard = session.last_heard.map(Into::into);
            member.set_ties(session.ties);
        }
        self.trackers.go_on(&said.trackers);
        self.grip.go_on(said.unfit_until);
        self.released_until = said.released_until;
        let is_master = said.role() == Role::Master;
        let mut fitness = self.trackers.fitness(is_master, at);
        fitness.faults.extend(self.grip.fault(is_master, at));
        self.unit.go_on(said, fitness);
        (self.sound, self.was_master) = (self.unit.is_sound(), is_master);
    }
}
