//! One server of a pool: what is seen of it, and what is under way with it.

use super::advised;
use super::drain::Draining;
use super::machine::{Rules, Seen};
use super::panic::Episode;
use super::ramp::Ramp;
use super::{Act, ActKind, Place, Why};
use crate::model::{Advice, WeightFrom};
use crate::time::Instant;

/// One server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    configured: u32,
    pub(super) backup: bool,
    pub(super) seen: Seen,
    advice: Advice,
    silent: bool,
    /// Whether it is up, when it was last looked at; `None`: nothing is known.
    up: Option<bool>,
    down_since: Option<Instant>,
    /// It is up again, and nothing was made of it yet.
    pub(super) came_back: bool,
    pub(super) ramp: Option<Ramp>,
    pub(super) draining: Option<Draining>,
}

impl Server {
    pub(super) fn new(configured: u32, backup: bool) -> Self {
        Self {
            configured,
            backup,
            seen: Seen::default(),
            advice: Advice::default(),
            silent: false,
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

    /// Takes in what is seen: what its advice means now, and whether it went up or down.
    pub(super) fn look(&mut self, index: usize, at: Instant, rules: &Rules) -> Option<Act> {
        let (advice, silent) = advised::current(rules.weights, self.seen.said, at);
        let act = (silent != self.silent).then(|| {
            let after = self.seen.said.map(|(said_at, _)| at.saturating_since(said_at)).unwrap_or_default();
            let kind = ActKind::Silence { server: index, after };
            Act { kind, begins: silent, shadow: rules.weights.shadow }
        });
        (self.advice, self.silent) = (advice, silent);
        let advised_down = advised::is_down(advice) && !rules.weights.shadow;
        let up = self.seen.up && self.seen.usable && !advised_down;
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
        act
    }

    pub(super) const fn configured(&self) -> u32 {
        self.configured
    }

    pub(super) fn is_up(&self) -> bool {
        self.up == Some(true) && self.draining.is_none_or(|_| self.backup)
    }

    /// Whether it serves with its full weight.
    pub(super) fn is_steady(&self) -> bool {
        self.is_up() && self.ramp.is_none() && self.draining.is_none()
    }

    /// Its weight by policy and advice.
    pub(super) fn weight(&self, rules: &WeightFrom) -> u32 {
        match rules.shadow {
            true => self.configured,
            false => advised::weight(self.configured, self.advice),
        }
    }

    pub(super) const fn asks_to_drain(&self, rules: &WeightFrom) -> bool {
        advised::drains(self.advice) && !rules.shadow
    }

    /// What a panic looks at; `None`: it is not meant to serve now.
    pub(super) fn episode(&self) -> Option<Episode> {
        let meant = !self.backup && self.configured > 0 && self.draining.is_none();
        meant.then_some(Episode {
            up: self.up == Some(true),
            known: self.seen.settled || self.seen.up,
            down_since: self.down_since,
        })
    }

    /// Where it stands by verdict, backup and its own advice.
    pub(super) fn place(&self, at: Instant, joined: bool, rules: &Rules) -> Place {
        if let Some(draining) = self.draining {
            let why = if self.backup && !joined { Why::Backup } else { Why::Drain };
            return Place { weight: (!draining.is_over()).then_some(0), why };
        }
        if self.up != Some(true) {
            let advised = self.seen.up && advised::is_down(self.advice);
            return rules.failed(if advised { Why::Advised } else { Why::Verdict });
        }
        let weight = self.weight(&rules.weights);
        let ramped = self.ramp.filter(|_| rules.slow_start.is_some_and(|rules| !rules.shadow));
        let why = match ramped {
            Some(_) => Why::SlowStart,
            None if self.backup => Why::Backup,
            None if weight != self.configured => Why::Advised,
            None => Why::Verdict,
        };
        Place { weight: Some(ramped.map_or(weight, |ramp| ramp.weight(weight, at))), why }
    }

    /// When time alone changes something.
    pub(super) fn deadline(&self, at: Instant, rules: &Rules) -> Option<Instant> {
        let expiry = self.seen.said.filter(|_| !self.silent).map(|(said, _)| said + rules.weights.valid_for);
        let step = self.ramp.and_then(|ramp| ramp.next(at));
        let leaves = self.draining.and_then(Draining::deadline);
        [expiry, step, leaves].into_iter().flatten().min()
    }
}
