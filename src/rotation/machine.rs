//! One pool: from what is seen of its servers to where they stand.

mod succession;

use super::drain::Draining;
use super::panic::{Episode, Panicking};
use super::quorum::Quorum;
use super::ramp::Ramp;
use super::server::Server;
use super::sight::Lost;
use super::{Act, ActKind, Place, Placement, Why};
use crate::model::{
    Advice, Drain, OnFailure, OnLoss, Order, PanicAction, Pool, QuorumUnit, SlowStart, WeightFrom,
};
use crate::time::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// What is seen of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The verdict of its checks.
    pub up: bool,
    /// Whether another director, whose word counts in this pool, sees it up.
    pub vouched: bool,
    /// Whether probes stand behind the verdict.
    pub settled: bool,
    /// Whether this host reaches it as its forwarding method needs.
    pub usable: bool,
    /// What it, or the source of its weight, said last, and when.
    pub said: Option<(Instant, Advice)>,
    /// What the kernel holds of it; `None`: nothing.
    pub held: Option<Held>,
    /// What an operator ordered of it.
    pub ordered: Option<Order>,
}

impl Seen {
    /// Whether anybody whose word counts sees it up.
    #[must_use]
    pub const fn passes(self) -> bool {
        self.up || self.vouched
    }
}

/// A server in the kernel's table, over all the pool's services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The largest of its weights.
    pub weight: u32,
    /// Active and inactive connections.
    pub connections: u64,
    /// When these were counted.
    pub counted_at: Instant,
}

/// What was found in the kernel's table at the start: what had stood in goes on until the verdicts are in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The sorry server answers.
    pub sorry: bool,
    /// A backup server answers.
    pub backup: bool,
}

/// What happened. Instants never go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// How the servers are: one entry each, in the pool's order.
    Looked {
        at: Instant,
        servers: Vec<Seen>,
        /// Whether the sorry server can answer.
        sorry_up: bool,
        /// Whether an operator froze the pool: what its checks say counts no more, what they had said stays.
        frozen: bool,
    },
    /// Time has passed, usually to the deadline of [`Output::Wait`]. Harmless at any other time.
    Timeout { at: Instant },
}

/// What is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// A rule acted.
    Acted(Act),
    /// Nothing until an input comes, at the latest [`Input::Timeout`] at the deadline.
    Wait { deadline: Option<Instant> },
}

/// What a pool decides by, beside its servers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) slow_start: Option<SlowStart>,
    pub(super) weights: WeightFrom,
    pub(super) drain: Drain,
    on_failure: OnFailure,
    has_sorry: bool,
    has_backup: bool,
    /// How long failures of one cause take to show.
    window: Duration,
}

/// One pool.
#[derive(Clone, Debug)]
pub struct Machine {
    rules: Rules,
    servers: Vec<Server>,
    /// Of the ordinary servers: without it the backup servers join.
    ordinary: Quorum,
    /// Of all that take part.
    quorum: Quorum,
    panic: Option<Panicking>,
    lost: Lost,
    sorry_up: bool,
    placement: Placement,
    acts: VecDeque<Act>,
    deadline: Option<Instant>,
}

impl Machine {
    /// A pool about which nothing is known but what was found in the table. `window`: how long failures of one cause take
    /// to show, the longest of its checks' fall windows.
    #[must_use]
    pub fn new(pool: &Pool, window: Duration, found: Found) -> Self {
        let rules = Rules {
            slow_start: pool.rules.slow_start,
            weights: pool.rules.weight_from,
            drain: pool.rules.drain,
            on_failure: pool.on_failure,
            has_sorry: !pool.sorry_servers.is_empty(),
            has_backup: pool.servers.iter().any(|server| server.backup),
            window,
        };
        Self {
            rules,
            servers: pool.servers.iter().map(|server| Server::new(server.weight, server.backup)).collect(),
            ordinary: Quorum::new(pool.rules.quorum, found.backup || found.sorry),
            quorum: Quorum::new(pool.rules.quorum, found.sorry),
            panic: pool.rules.panic.map(Panicking::new),
            lost: Lost::default(),
            sorry_up: false,
            placement: Placement::default(),
            acts: VecDeque::new(),
            deadline: None,
        }
    }

    /// The same pool as another policy has it. `before` says where a server was, by where it is now; what is under way with one
    /// that stays goes on. The next [`Input::Looked`] decides anew.
    pub fn renew(&mut self, pool: &Pool, window: Duration, before: impl Fn(usize) -> Option<usize>) {
        let mut renewed = Self::new(pool, window, Found::default());
        for (index, server) in renewed.servers.iter_mut().enumerate() {
            if let Some(known) = before(index).and_then(|index| self.servers.get(index)) {
                *server = known.renewed(server.configured(), server.backup);
            }
        }
        let awaits = (0..renewed.servers.len()).any(|index| before(index).is_none());
        renewed.ordinary = self.ordinary.by(pool.rules.quorum, awaits);
        renewed.quorum = self.quorum.by(pool.rules.quorum, awaits);
        renewed.panic = pool.rules.panic.map(|rules| match self.panic {
            Some(panic) => panic.by(rules),
            None => Panicking::new(rules),
        });
        renewed.lost = self.lost;
        renewed.placement.sorry = self.placement.sorry;
        *self = renewed;
    }

    /// Takes in what happened; call [`Machine::poll`] afterwards.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Looked { at, servers, sorry_up, frozen } => {
                self.sorry_up = sorry_up;
                for (server, seen) in self.servers.iter_mut().zip(servers) {
                    server.see(at, seen, frozen);
                }
                self.decide(at);
            }
            Input::Timeout { at } => self.decide(at),
        }
    }

    /// What is next; call until it says [`Output::Wait`].
    pub fn poll(&mut self) -> Output {
        match self.acts.pop_front() {
            Some(act) => Output::Acted(act),
            None => Output::Wait { deadline: self.deadline },
        }
    }

    /// When time alone changes something.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Where the servers stand.
    #[must_use]
    pub const fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Whether enough servers are up, whatever stands in; `None` before that is known.
    #[must_use]
    pub const fn has_quorum(&self) -> Option<bool> {
        match (self.quorum.is_there(), self.quorum.is_lost()) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            (false, false) => None,
        }
    }

    /// Whether the pool is in a panic, acted upon or in shadow.
    #[must_use]
    pub fn panics(&self) -> bool {
        self.panic.is_some_and(|panic| panic.since().is_some())
    }

    /// Whether this director sees most of the servers that any director sees.
    #[must_use]
    pub const fn is_in_sight(&self) -> bool {
        !self.lost.is_most()
    }

    /// Connections with which the server at `index` left at the end of its drain; `None`: it is not drained.
    #[must_use]
    pub fn left_with(&self, index: usize) -> Option<u64> {
        self.servers.get(index)?.draining.as_ref()?.left_with()
    }

    /// Whether a server waits for its last connection: then each observation of the kernel is worth a look.
    #[must_use]
    pub fn drains(&self) -> bool {
        self.servers.iter().any(|server| server.draining.as_ref().is_some_and(|draining| !draining.is_over()))
    }

    fn decide(&mut self, at: Instant) {
        let before: Vec<_> = self.servers.iter().map(Server::is_steady).collect();
        for (index, server) in self.servers.iter_mut().enumerate() {
            self.acts.extend(server.look(index, at, &self.rules));
        }
        self.look_for_sight();
        self.count();
        self.drain(at);
        self.begin_ramps(at, &before);
        self.look_for_panic(at);
        self.place(at);
        self.deadline = self.servers.iter().filter_map(|server| server.deadline(at, &self.rules)).min();
    }

    /// Who comes back while others serve gets its weight in steps. Who comes back to an empty pool gets it at once: there is
    /// nobody to spare it; and so do those on their way when the others are gone.
    fn begin_ramps(&mut self, at: Instant, before: &[bool]) {
        let Some(rules) = self.rules.slow_start else { return };
        let others_serve = self.servers.iter().zip(before).any(|(server, steady)| *steady && server.is_up());
        for (index, server) in self.servers.iter_mut().enumerate() {
            let act =
                |begins| Act { kind: ActKind::SlowStart { server: index }, begins, shadow: rules.shadow };
            if others_serve && server.came_back {
                server.ramp = Some(Box::new(Ramp::new(rules, at)));
                self.acts.push_back(act(true));
            }
            server.came_back = false;
            let ends = |ramp: &Ramp| !others_serve || !server.is_up() || ramp.is_over(at);
            if server.ramp.as_deref().is_some_and(ends) {
                server.ramp = None;
                self.acts.push_back(act(false));
            }
        }
    }

    fn look_for_sight(&mut self) {
        let before = std::mem::replace(&mut self.lost, Lost::count(self.servers.iter()));
        let Lost { lost, of } = self.lost;
        if self.lost.is_most() != before.is_most() {
            self.act(ActKind::SightLost { lost, of }, self.lost.is_most(), false);
        }
    }

    /// The quorum of the ordinary servers decides on the backup servers, and then that of all on the sorry server.
    fn count(&mut self) {
        let decided = self.servers.iter().all(|server| server.seen.settled || server.seen.passes());
        let rules = self.quorum.rules();
        let count = |servers: &[Server], with_backup: bool, weights: &WeightFrom| {
            let counted = servers.iter().filter(|server| server.is_up() && (with_backup || !server.backup));
            let worth = |server: &Server| match (rules.unit, server.weight(weights)) {
                (_, 0) => 0,
                (QuorumUnit::Servers, _) => 1,
                (QuorumUnit::Weight, weight) => u64::from(weight),
            };
            counted.map(worth).sum::<u64>()
        };
        let (waited, lost) = (self.joined(), self.quorum.is_lost());
        self.ordinary.count(count(&self.servers, false, &self.rules.weights), decided);
        let found = count(&self.servers, self.joined(), &self.rules.weights);
        self.quorum.count(found, decided);
        if self.joined() != waited {
            self.act(ActKind::Backup, self.joined(), false);
        }
        if self.quorum.is_lost() != lost {
            let kind = ActKind::QuorumLost { found, wanted: rules.least };
            self.act(kind, self.quorum.is_lost(), rules.shadow);
        }
    }

    /// Whether the backup servers have joined.
    const fn joined(&self) -> bool {
        self.rules.has_backup && self.ordinary.is_lost()
    }

    /// Who asks for it gets no new connection, and a backup server whose time is over; only the former is told of.
    fn drain(&mut self, at: Instant) {
        let joined = self.joined();
        for (index, server) in self.servers.iter_mut().enumerate() {
            let before = server.draining.as_deref().copied();
            let waits = server.backup && !joined && !server.is_ordered(Order::ForceUp);
            let leaves = server.asks_to_drain(&self.rules.weights) || waits;
            server.draining = leaves.then(|| {
                let mut draining = before.unwrap_or_else(|| Draining::new(self.rules.drain, at));
                draining.look(at, server.seen.held);
                Box::new(draining)
            });
            let drains = |draining: Option<Draining>| draining.is_some_and(|draining| !draining.is_over());
            let begins = before.is_none() && leaves;
            let ends = (drains(before) || begins) && !drains(server.draining.as_deref().copied());
            let act = |begins| Act { kind: ActKind::Drain { server: index }, begins, shadow: false };
            let acts = [begins.then(|| act(true)), ends.then(|| act(false))];
            self.acts.extend(acts.into_iter().flatten().filter(|_| !server.backup));
        }
    }

    fn look_for_panic(&mut self, at: Instant) {
        let Some(panic) = &mut self.panic else { return };
        let before = panic.since().is_some();
        let servers: Vec<Episode> = self.servers.iter().filter_map(Server::episode).collect();
        panic.look(at, &servers);
        if panic.since().is_some() != before {
            let up = servers.iter().filter(|server| server.up).count();
            let kind = ActKind::Panic { up, of: servers.len() };
            let (begins, shadow) = (panic.since().is_some(), panic.rules().shadow);
            self.act(kind, begins, shadow);
        }
    }

    fn place(&mut self, at: Instant) {
        let sorry_before = self.placement.sorry;
        let (joined, stand_in) = (self.joined(), self.stands_in());
        let places = self.servers.iter().map(|server| {
            let by_rules = server.place(at, joined, &self.rules);
            match stand_in {
                None => by_rules,
                Some(action) => self.in_place_of(action, server, by_rules),
            }
        });
        let servers = places.collect();
        let sorry = matches!(stand_in, Some(StandIn::Sorry(_)));
        self.placement = Placement { servers, sorry };
        if sorry != sorry_before {
            self.act(ActKind::Sorry, sorry, false);
        }
    }

    /// What stands above verdicts and backup now.
    fn stands_in(&self) -> Option<StandIn> {
        let active = |panic: &&Panicking| panic.since().is_some() && !panic.rules().shadow;
        if let Some(panic) = self.panic.as_ref().filter(active) {
            match panic.rules().action {
                PanicAction::KeepLast => return Some(StandIn::Last(*panic)),
                PanicAction::All => return Some(StandIn::All),
                PanicAction::None => return Some(StandIn::Nobody),
                PanicAction::Sorry if self.sorry_up => return Some(StandIn::Sorry(Why::Panic)),
                // Without a sorry server that answers, the pool goes on as if there were no panic.
                PanicAction::Sorry => {}
            }
        }
        let rules = self.quorum.rules();
        let sorry = self.quorum.is_lost() && rules.on_loss == OnLoss::Sorry && !rules.shadow;
        (sorry && self.rules.has_sorry && self.sorry_up).then_some(StandIn::Sorry(Why::Sorry))
    }

    fn in_place_of(&self, action: StandIn, server: &Server, by_rules: Place) -> Place {
        let full = || Place { weight: Some(server.weight(&self.rules.weights)), why: Why::Panic };
        if server.has_its_place() || server.draining.is_some() && !server.backup {
            return by_rules;
        }
        match action {
            StandIn::Last(panic) => match server.episode() {
                Some(episode) if !by_rules.serves() && panic.keeps(episode, self.rules.window) => full(),
                Some(_) | None => by_rules,
            },
            StandIn::All if by_rules.serves() => by_rules,
            StandIn::All => full(),
            StandIn::Nobody => quiesced(by_rules, Why::Panic),
            StandIn::Sorry(why) => quiesced(by_rules, why),
        }
    }

    fn act(&mut self, kind: ActKind, begins: bool, shadow: bool) {
        self.acts.push_back(Act { kind, begins, shadow });
    }
}

/// What stands above verdicts and backup.
#[derive(Clone, Copy, Debug)]
enum StandIn {
    /// Those who served before the failures that led here.
    Last(Panicking),
    All,
    Nobody,
    Sorry(Why),
}

/// A server that would serve gets no new connection, and keeps the old ones.
fn quiesced(place: Place, why: Why) -> Place {
    match place.weight {
        Some(1..) => Place { weight: Some(0), why },
        Some(0) | None => place,
    }
}

impl Rules {
    /// Where a failed server stands.
    pub(super) const fn failed(&self, why: Why) -> Place {
        let weight = match self.on_failure {
            OnFailure::Remove => None,
            OnFailure::Quiesce => Some(0),
        };
        Place { weight, why }
    }
}
