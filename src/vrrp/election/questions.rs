//! What others ask an election: roles, priorities, who is there. It changes nothing.

use super::{Election, RouterId, SessionId};
use crate::model::DirectorName;
use crate::time::Instant;
use crate::vrrp::fitness::Reach;
use crate::vrrp::role::Role;
use std::collections::BTreeSet;
use std::sync::Arc;

impl Election {
    /// What everything tracked says, for metrics: name, and whether it is good.
    pub fn trackers(&self, router: RouterId) -> impl Iterator<Item = (&Arc<str>, bool)> {
        self.seat_of(router).into_iter().flat_map(|seat| seat.trackers.each())
    }

    /// The effective priority of a router's first session, the current one.
    #[must_use]
    pub fn priority(&self, router: RouterId) -> u8 {
        let seat = self.seat_of(router);
        let member =
            seat.and_then(|seat| seat.unit.members().iter().find(|member| member.id.router == router));
        member.map_or(0, |member| member.machine.priority())
    }

    /// The effective priority of a session, the current one.
    #[must_use]
    pub fn priority_of(&self, session: SessionId) -> u8 {
        let seat = self.by_session.get(&session).and_then(|index| self.seats.get(*index));
        let member = seat.and_then(|seat| seat.unit.members().iter().find(|member| member.id == session));
        member.map_or(0, |member| member.machine.priority())
    }

    /// The other directors and when each was last heard.
    pub fn peers_heard(&self) -> impl Iterator<Item = (&DirectorName, Option<Instant>)> {
        self.peers.heard_at()
    }

    /// Of each other director, in the order of [`Election::peers_up`]: whether it says that it could be Master of everything
    /// that this one is Master of.
    #[must_use]
    pub fn peers_fit(&self) -> Vec<bool> {
        let held = self.seats.iter().filter(|seat| seat.unit.role() == Role::Master);
        let names: Vec<&str> = held.map(|seat| &*seat.name).collect();
        self.peers.fit(&names).collect()
    }

    /// The other directors and whether their beats are fresh.
    pub fn peers_up(&self, now: Instant) -> impl Iterator<Item = (&DirectorName, bool)> {
        self.peers.up(now)
    }

    /// Whether an operator's release of a router is in force.
    #[must_use]
    pub fn is_released(&self, router: RouterId) -> bool {
        self.seat_of(router).is_some_and(|seat| seat.unit.is_released())
    }

    /// When the release of a router ends by itself.
    #[must_use]
    pub fn released_until(&self, router: RouterId) -> Option<Instant> {
        self.seat_of(router).and_then(|seat| seat.released_until)
    }

    /// The routers that move with this one, itself among them.
    #[must_use]
    pub fn together(&self, router: RouterId) -> BTreeSet<RouterId> {
        self.seat_of(router).map(|seat| seat.unit.routers()).unwrap_or_default()
    }

    /// The routers of a unit.
    #[must_use]
    pub fn routers_of_unit(&self, unit: usize) -> BTreeSet<RouterId> {
        self.seats.get(unit).map(|seat| seat.unit.routers()).unwrap_or_default()
    }

    /// Whether the tracked gateways are reached.
    #[must_use]
    pub fn reach(&self, router: RouterId) -> Reach {
        self.seat_of(router).map_or(Reach::Untracked, |seat| seat.unit.fitness().reach)
    }

    /// Routers whose sessions are served here.
    #[must_use]
    pub fn routers(&self) -> BTreeSet<RouterId> {
        (0..self.names.len()).map(RouterId).collect()
    }
}
