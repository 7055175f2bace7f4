//! One server of a pool: what is seen of it, and what is under way with it.

use super::advised;
use super::drain::Draining;
use super::frozen::Frozen;
use super::machine::{Rules, Seen};
use super::panic::Episode;
use super::ramp::Ramp;
use super::{Act, ActKind, Place, Why};
use crate::model::{Advice, Order, WeightFrom};
use crate::time::Instant;

/// One server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    configured: u32,
    pub(super) backup: bool,
    pub(super) seen: Seen,
    frozen: Frozen,
    advice: Advice,
    silent: bool,
    disputed: bool,
    /// Whether it is up, when it was last looked at; `None`: nothing is known.
    up: Option<bool>,
    down_since: Option<Instant>,
    /// It is up again, and nothing was made of it yet.
    pub(super) came_back: bool,
    /// Few are on their way, in or out.
    pub(super) ramp: Option<Box<Ramp>>,
    pub(super) draining: Option<Box<Draining>>,
}

impl Server {
    pub(super) fn new(configured: u32, backup: bool) -> Self {
        Self {
            configured,
            backup,
            seen: Seen::default(),
            frozen: Frozen::default(),
            advice: Advice::default(),
            silent: false,
            disputed: false,
            up: None,
            down_since: None,
            came_back: false,
            ramp: None,
            draining: None,
        }
    }

    /// The same server as another policy has it.
    pub(super) fn renewed(&self, configured: u32, backup: bool) -> Self {
        Self { configured, backup, ..self.clone() }
    }

    /// Whether it is up, as it was last looked at; `None`: nothing is known.
    pub(super) const fn known_up(&self) -> Option<bool> {
        self.up
    }

    pub(super) const fn down_since(&self) -> Option<Instant> {
        self.down_since
    }

    pub(super) const fn is_silent(&self) -> bool {
        self.silent
    }

    /// Whether it was disputed when it was last looked at.
    pub(super) const fn was_disputed(&self) -> bool {
        self.disputed
    }

    pub(super) const fn frozen(&self) -> Frozen {
        self.frozen
    }

    pub(super) const fn frozen_mut(&mut self) -> &mut Frozen {
        &mut self.frozen
    }

    /// Goes on as another process has seen it.
    pub(super) const fn go_on(&mut self, up: Option<bool>, down_since: Option<Instant>) {
        (self.up, self.down_since) = (up, down_since);
    }

    /// The same with what was told of it.
    pub(super) const fn go_on_saying(&mut self, silent: bool, disputed: bool) {
        (self.silent, self.disputed) = (silent, disputed);
    }

    /// What is seen of it; in a frozen pool its checks have no say. One that comes back from where an operator had sent it
    /// comes back as any other.
    pub(super) fn see(&mut self, at: Instant, seen: Seen, frozen: bool) {
        let was_sent_away = self.is_sent_away();
        self.seen = self.frozen.hold(at, seen, frozen);
        // Nothing more need be known of a server whose place is ordered.
        self.seen.settled |= self.has_its_place();
        self.came_back |= was_sent_away && !self.is_sent_away();
    }

    /// Whether an operator ordered where it stands: above every rule, not only in place of its weight.
    pub(super) const fn has_its_place(&self) -> bool {
        match self.seen.ordered {
            Some(Order::Drain | Order::Disable | Order::ForceUp) => true,
            Some(Order::Weight(_)) | None => false,
        }
    }

    /// Whether an operator ordered this.
    pub(super) fn is_ordered(&self, order: Order) -> bool {
        self.seen.ordered == Some(order)
    }

    pub(super) fn is_sent_away(&self) -> bool {
        self.is_ordered(Order::Drain) || self.is_ordered(Order::Disable)
    }

    /// Takes in what is seen: what its advice means now, and whether it went up or down.
    pub(super) fn look(
        &mut self,
        index: usize,
        at: Instant,
        rules: &Rules,
    ) -> impl Iterator<Item = Act> + use<> {
        let (advice, silent) = advised::current(rules.weights, self.seen.said, at);
        let silence = (silent != self.silent).then(|| {
            let after = self.seen.said.map(|(said_at, _)| at.saturating_since(said_at)).unwrap_or_default();
            let kind = ActKind::Silence { server: index, after };
            Act { kind, begins: silent, shadow: rules.weights.shadow }
        });
        (self.advice, self.silent) = (advice, silent);
        let begins = self.is_disputed();
        let is_news = std::mem::replace(&mut self.disputed, begins) != begins;
        let kind = ActKind::Disputed { server: index };
        let dispute = is_news.then_some(Act { kind, begins, shadow: false });
        let advised_down = advised::is_down(advice) && !rules.weights.shadow;
        let passes = self.is_ordered(Order::ForceUp) || self.seen.passes() && !advised_down;
        let up = passes && self.seen.usable;
        match (self.up, up) {
            (Some(true), false) => (self.up, self.down_since) = (Some(false), Some(at)),
            (None, false) if self.seen.settled => self.up = Some(false),
            (Some(false), true) => {
                (self.up, self.down_since) = (Some(true), None);
                self.came_back = true;
            }
            (None, true) => self.up = Some(true),
            (Some(true), true) | (Some(false) | None, false) => {}
        }
        silence.into_iter().chain(dispute)
    }

    /// Whether it fails here, and stays for what another director sees.
    pub(super) const fn is_disputed(&self) -> bool {
        self.seen.vouched && self.seen.settled && !self.seen.up
    }

    pub(super) const fn configured(&self) -> u32 {
        self.configured
    }

    pub(super) fn is_up(&self) -> bool {
        self.up == Some(true) && (self.draining.is_none() || self.backup) && !self.is_sent_away()
    }

    /// Whether it serves with its full weight.
    pub(super) fn is_steady(&self) -> bool {
        self.is_up() && self.ramp.is_none() && self.draining.is_none()
    }

    /// Its weight by override, policy and advice.
    pub(super) fn weight(&self, rules: &WeightFrom) -> u32 {
        match (self.seen.ordered, rules.shadow) {
            (Some(Order::Weight(weight)), _) => weight,
            (_, true) => self.configured,
            (_, false) => advised::weight(self.configured, self.advice),
        }
    }

    pub(super) fn asks_to_drain(&self, rules: &WeightFrom) -> bool {
        match self.seen.ordered {
            Some(Order::Drain) => true,
            Some(Order::Disable | Order::ForceUp) => false,
            Some(Order::Weight(_)) | None => advised::drains(self.advice) && !rules.shadow,
        }
    }

    /// What a panic looks at; `None`: it is not meant to serve now.
    pub(super) fn episode(&self) -> Option<Episode> {
        let weight = match self.seen.ordered {
            Some(Order::Weight(weight)) => weight,
            Some(Order::Disable) => 0,
            Some(Order::Drain | Order::ForceUp) | None => self.configured,
        };
        let meant = !self.backup && weight > 0 && self.draining.is_none();
        meant.then_some(Episode {
            up: self.up == Some(true),
            known: self.seen.settled || self.seen.passes(),
            down_since: self.down_since,
        })
    }

    /// Where it stands by verdict, backup and its own advice.
    pub(super) fn place(&self, at: Instant, joined: bool, rules: &Rules) -> Place {
        if self.is_ordered(Order::Disable) {
            return Place { weight: None, why: Why::Override };
        }
        if let Some(draining) = &self.draining {
            let ordered = self.is_ordered(Order::Drain);
            let why = match (ordered, self.backup && !joined) {
                (true, _) => Why::Override,
                (false, true) => Why::Backup,
                (false, false) => Why::Drain,
            };
            return Place { weight: (!draining.is_over()).then_some(0), why };
        }
        if self.up != Some(true) {
            let advised = self.seen.passes() && advised::is_down(self.advice);
            return rules.failed(if advised { Why::Advised } else { Why::Verdict });
        }
        let weight = self.weight(&rules.weights);
        let ramped = self.ramp.as_deref().filter(|_| rules.slow_start.is_some_and(|rules| !rules.shadow));
        let why = match (self.seen.ordered, ramped) {
            (Some(_), _) => Why::Override,
            (None, Some(_)) => Why::SlowStart,
            (None, None) if self.is_disputed() => Why::Disputed,
            (None, None) if self.backup => Why::Backup,
            (None, None) if weight != self.configured => Why::Advised,
            (None, None) => Why::Verdict,
        };
        Place { weight: Some(ramped.map_or(weight, |ramp| ramp.weight(weight, at))), why }
    }

    /// When time alone changes something.
    pub(super) fn deadline(&self, at: Instant, rules: &Rules) -> Option<Instant> {
        let expiry = self.seen.said.filter(|_| !self.silent).map(|(said, _)| said + rules.weights.valid_for);
        let step = self.ramp.as_ref().and_then(|ramp| ramp.next(at));
        let leaves = self.draining.as_ref().and_then(|draining| draining.deadline());
        [expiry, step, leaves].into_iter().flatten().min()
    }
}
