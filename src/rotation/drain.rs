//! Drain: no new connection, and out of the table when the last old one has ended, or at the deadline.

use super::Held;
use crate::model;
use crate::time::Instant;

/// One server's way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draining {
    deadline: Instant,
    /// Connections that it still had when it left; `None`: it is on its way.
    left_with: Option<u64>,
}

impl Draining {
    pub(super) fn new(rules: model::Drain, since: Instant) -> Self {
        Self { deadline: since + rules.deadline, left_with: None }
    }

    /// Looks at what the kernel holds. It counts as empty only where the kernel has the weight 0 already: before that a
    /// connection may just have come.
    pub(super) fn look(&mut self, at: Instant, held: Option<Held>) {
        let empty = held.is_none_or(|held| held.weight == 0 && held.connections == 0);
        if self.left_with.is_none() && (empty || at >= self.deadline) {
            self.left_with = Some(held.map_or(0, |held| held.connections));
        }
    }

    /// Connections that it still had when it left: 0 before the deadline. `None`: it is on its way.
    pub(super) const fn left_with(self) -> Option<u64> {
        self.left_with
    }

    /// Whether it has left.
    pub(super) const fn is_over(self) -> bool {
        self.left_with.is_some()
    }

    /// When it leaves at the latest; `None` when it has.
    pub(super) const fn deadline(self) -> Option<Instant> {
        match self.left_with {
            Some(_) => None,
            None => Some(self.deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn left_with(at_s: u64, held: Option<Held>) -> Option<u64> {
        let mut draining = Draining::new(model::Drain { deadline: Duration::from_secs(60) }, Instant::ZERO);
        draining.look(Instant::from_millis(at_s * 1000), held);
        assert_eq!(draining.is_over(), draining.left_with().is_some());
        draining.look(Instant::from_millis(100_000), Some(Held { weight: 0, connections: 99 }));
        draining.left_with().filter(|left| *left != 99)
    }

    #[test]
    fn it_leaves_with_its_last_connection_or_at_the_deadline() {
        let held = |weight, connections| Some(Held { weight, connections });
        assert_eq!((left_with(1, held(0, 0)), left_with(1, None)), (Some(0), Some(0)));
        assert_eq!((left_with(1, held(0, 1)), left_with(59, held(0, 1))), (None, None));
        assert_eq!(left_with(60, held(0, 1)), Some(1));
        assert_eq!(left_with(1, held(5, 0)), None, "the kernel may just have given it a connection");
    }
}
