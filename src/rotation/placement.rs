//! Where each server of a pool stands, and why.

use crate::model::{OnFailure, Pool, RealServer};

/// Where a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Weight in the kernel's table, 0..=65535; `None`: it is not in it.
    pub weight: Option<u32>,
    pub why: Why,
}

impl Place {
    /// In no table.
    pub const OUT: Self = Self { weight: None, why: Why::Verdict };

    /// Whether it gets new connections.
    #[must_use]
    pub fn serves(self) -> bool {
        self.weight.is_some_and(|weight| weight > 0)
    }
}

/// The rule that decided where a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its check.
    Verdict,
    /// Its checks fail here, and those of another director do not.
    Disputed,
    /// What it, or the source of its weight, says.
    Advised,
    /// It comes back in steps.
    SlowStart,
    /// It gets no new connection, and leaves.
    Drain,
    /// It is a backup server: it waits, or has joined.
    Backup,
    /// The sorry server answers.
    Sorry,
    /// The pool is in a panic.
    Panic,
    /// An operator ordered it.
    Override,
}

impl Why {
    /// Its word in logs and answers.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Disputed => "disputed",
            Self::Advised => "advised",
            Self::SlowStart => "slow_start",
            Self::Drain => "drain",
            Self::Backup => "backup",
            Self::Sorry => "sorry",
            Self::Panic => "panic",
            Self::Override => "override",
        }
    }
}

/// Where everything of a pool stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// In the order of the pool's servers; one that is missing is out.
    pub servers: Vec<Place>,
    /// Whether the sorry server answers.
    pub sorry: bool,
}

impl Placement {
    /// By verdicts alone: what a pool without any further rule comes to.
    #[must_use]
    pub fn by_verdict(pool: &Pool, up: impl Fn(&RealServer) -> bool) -> Self {
        let weight = |server: &RealServer| match (up(server), pool.on_failure) {
            (true, _) => Some(server.weight),
            (false, OnFailure::Quiesce) => Some(0),
            (false, OnFailure::Remove) => None,
        };
        let place = |server| Place { weight: weight(server), why: Why::Verdict };
        Self { servers: pool.servers.iter().map(place).collect(), sorry: false }
    }

    /// Where the server at `index` stands.
    #[must_use]
    pub fn of(&self, index: usize) -> Place {
        self.servers.get(index).copied().unwrap_or(Place::OUT)
    }

    /// Weight in the kernel of the server at `index`, 0 where it is not in the table.
    #[must_use]
    pub fn weight(&self, index: usize) -> u32 {
        self.of(index).weight.unwrap_or(0)
    }

    /// Whether anything answers new connections.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.sorry || self.servers.iter().any(|place| place.serves())
    }
}
