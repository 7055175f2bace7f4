//! Drain: no new connection, and out of the table when the last old one has ended, or at the deadline.

use super::Held;
use crate::model;
use crate::time::Instant;

/// One server's way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draining {
    deadline: Instant,
    left: bool,
}

impl Draining {
    pub(super) fn new(rules: model::Drain, since: Instant) -> Self {
        Self { deadline: since + rules.deadline, left: false }
    }

    /// Looks at what the kernel holds. It counts as empty only where the kernel has the weight 0 already: before that a
    /// connection may just have come.
    pub(super) fn look(&mut self, at: Instant, held: Option<Held>) {
        let empty = held.is_none_or(|held| held.weight == 0 && held.connections == 0);
        self.left |= empty || at >= self.deadline;
    }

    /// Whether it has left.
    pub(super) const fn is_over(self) -> bool {
        self.left
    }

    /// When it leaves at the latest; `None` when it has.
    pub(super) const fn deadline(self) -> Option<Instant> {
        match self.left {
            true => None,
            false => Some(self.deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn after(at_s: u64, held: Option<Held>) -> bool {
        let mut draining = Draining::new(model::Drain { deadline: Duration::from_secs(60) }, Instant::ZERO);
        draining.look(Instant::from_millis(at_s * 1000), held);
        draining.is_over()
    }

    #[test]
    fn it_leaves_with_its_last_connection_or_at_the_deadline() {
        let held = |weight, connections| Some(Held { weight, connections });
        assert!(after(1, held(0, 0)) && after(1, None));
        assert!(!after(1, held(0, 1)) && !after(59, held(0, 1)) && after(60, held(0, 1)));
        assert!(!after(1, held(5, 0)), "the kernel may just have given it a connection");
    }
}
