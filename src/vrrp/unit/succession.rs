//! A unit goes on in another process: what it hands on while it is at rest, and how another begins where it was.

use super::{Elsewhere, Holding, Member, Order, Output, RouterId, Suspicion, Unit, Wish};
use crate::vrrp::fitness::Fitness;
use crate::vrrp::handed::{HandedElsewhere, HandedUnit};
use crate::vrrp::role::Role;
use std::collections::BTreeSet;
use std::net::IpAddr;

impl Unit {
    /// What is under way, in words; `None`: it is at rest.
    #[must_use]
    pub fn under_way(&self) -> Option<&'static str> {
        let is_starting = self.start_at.is_some() || self.adopts();
        if is_starting {
            Some("the election has only just begun")
        } else if self.stopping {
            Some("the director stops")
        } else if !matches!(self.holding, Holding::None | Holding::Held) {
            Some("addresses are being handed over")
        } else if self.suspicion.is_raised() || self.gate.is_waited_at() {
            Some("it is being decided who is Master")
        } else {
            None
        }
    }

    /// What another goes on with; the trackers are the seat's to say.
    #[must_use]
    pub fn hand_on(&self) -> HandedUnit {
        let word = |other: &Elsewhere| HandedElsewhere {
            director: other.director.to_string(),
            is_master: other.is_master,
            is_fit: other.is_fit,
            reach: other.reach as u8,
            sealed: other.sealed,
            until: other.until,
        };
        HandedUnit {
            role: self.role.name().to_owned(),
            holds: self.holding == Holding::Held,
            released: self.released,
            lower_since: self.lower_since,
            preempting: self.preempting,
            listening_since: self.listening_since,
            rests_until: self.suspicion.rests_until(),
            elsewhere: self.gate.words().map(word).collect(),
            ..HandedUnit::default()
        }
    }

    /// Goes on where another was, whose sessions these are already. What it does not hold is nobody's here: that is all it says.
    pub fn go_on(&mut self, handed: &HandedUnit, fitness: Fitness) {
        self.outputs.clear();
        (self.role, self.released, self.start_at) = (handed.role(), handed.released, None);
        self.holding = if handed.holds { Holding::Held } else { Holding::None };
        self.kept.clear();
        (self.lower_since, self.preempting) = (handed.lower_since, handed.preempting);
        self.listening_since = handed.listening_since;
        self.suspicion = handed.rests_until.map_or(Suspicion::None, |until| Suspicion::Rests { until });
        for word in &handed.elsewhere {
            self.gate.elsewhere(Elsewhere {
                director: word.director.as_str().into(),
                is_master: word.is_master,
                is_fit: word.is_fit,
                reach: word.reach(),
                sealed: word.sealed,
                until: word.until,
            });
        }
        self.fitness = fitness;
        // Whether one fell from fit to unfit was said before.
        self.apply_priorities();
        let held = self.held_routers();
        let rest = self.routers().into_iter().filter(|router| !held.contains(router));
        let drop = |router| Output::Order(Order::Wish { router, wish: Wish::Drop });
        self.outputs.extend(rest.map(drop));
    }

    /// The session of this place goes on: the address that its advertisements come from, and how it stands.
    pub fn members_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut()
    }

    /// The routers whose addresses are held here.
    #[must_use]
    pub fn held_routers(&self) -> BTreeSet<RouterId> {
        match (self.holding, self.role) {
            (Holding::Held, Role::Master) => self.live_routers(),
            _ => BTreeSet::new(),
        }
    }
}

impl Member {
    /// Its link is up with this source, or down, as another process has seen it.
    pub fn go_on_from(&mut self, source: Option<IpAddr>) {
        self.set_source(source);
    }

    /// Advertisements of equal priority since the unit's first session heard any.
    #[must_use]
    pub fn ties(&self) -> u32 {
        self.ties
    }

    /// The same, counted by another process.
    pub fn set_ties(&mut self, ties: u32) {
        self.ties = ties;
    }
}
