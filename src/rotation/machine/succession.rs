//! A pool's rotation goes on in another process: what is under way with its servers stays under way, and no weight changes for it.

use super::{Machine, Ramp};
use crate::model::Order;
use crate::rotation::drain::Draining;
use crate::rotation::frozen::Frozen;
use crate::rotation::handed::{HandedPool, HandedServer};
use crate::rotation::machine::Seen;

impl Machine {
    /// What another process goes on with, without names.
    #[must_use]
    pub fn hand_on(&self) -> HandedPool {
        let servers = self.servers.iter().map(|server| HandedServer {
            up: server.known_up(),
            down_since: server.down_since(),
            came_back: server.came_back,
            silent: server.is_silent(),
            disputed: server.was_disputed(),
            sent_away: server.is_sent_away(),
            ramp_since: server.ramp.as_deref().copied().map(Ramp::since),
            drain: server.draining.as_deref().copied().map(Draining::hand_on),
            frozen: server.frozen().hand_on(),
            ..HandedServer::default()
        });
        HandedPool {
            name: String::new(),
            ordinary: self.ordinary.known(),
            quorum: self.quorum.known(),
            panic_since: self.panic.and_then(|panic| panic.since()),
            sorry: self.placement.sorry,
            servers: servers.collect(),
        }
    }

    /// Goes on where another was; `of` says what it handed on of the server at a place. The next [`super::Input::Looked`] decides.
    pub fn go_on<'a>(&mut self, handed: &HandedPool, of: impl Fn(usize) -> Option<&'a HandedServer>) {
        self.ordinary.go_on(handed.ordinary);
        self.quorum.go_on(handed.quorum);
        self.panic = self.panic.map(|panic| panic.from(handed.panic_since));
        self.placement.sorry = handed.sorry;
        for (index, server) in self.servers.iter_mut().enumerate() {
            let Some(said) = of(index) else { continue };
            server.go_on(said.up, said.down_since);
            server.go_on_saying(said.silent, said.disputed);
            server.came_back = said.came_back;
            let rules = self.rules.slow_start;
            server.ramp = rules.zip(said.ramp_since).map(|(rules, since)| Box::new(Ramp::new(rules, since)));
            server.draining = said.drain.map(|drain| Box::new(Draining::from_handed(drain)));
            *server.frozen_mut() = Frozen::from_handed(said.frozen);
            let ordered = said.sent_away.then_some(Order::Disable);
            server.seen = Seen { ordered, ..server.seen };
        }
    }
}
