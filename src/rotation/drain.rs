//! Drain: no new connection, and out of the table when the last old one has ended, or at the deadline.

use super::Held;
use super::handed::HandedDrain;
use crate::model;
use crate::time::Instant;

/// One server's way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Draining {
    deadline: Instant,
    /// Since when the kernel has the weight 0.
    quiet_since: Option<Instant>,
    /// Connections that it still had when it left; `None`: it is on its way.
    left_with: Option<u64>,
}

impl Draining {
    pub(super) fn new(rules: model::Drain, since: Instant) -> Self {
        Self { deadline: since + rules.deadline, quiet_since: None, left_with: None }
    }

    /// What another process goes on with.
    pub(super) const fn hand_on(self) -> HandedDrain {
        let Self { deadline, quiet_since, left_with } = self;
        HandedDrain { deadline, quiet_since, left_with }
    }

    /// The same there.
    pub(super) const fn from_handed(handed: HandedDrain) -> Self {
        let HandedDrain { deadline, quiet_since, left_with } = handed;
        Self { deadline, quiet_since, left_with }
    }

    /// Looks at what the kernel holds. It counts as empty only where its connections were counted after the kernel had the
    /// weight 0: one may have come since they were counted before.
    pub(super) fn look(&mut self, at: Instant, held: Option<Held>) {
        let quiet = held.filter(|held| held.weight == 0);
        self.quiet_since = quiet.map(|_| self.quiet_since.unwrap_or(at));
        let counted = |held: &Held| self.quiet_since.is_some_and(|since| held.counted_at > since);
        let empty = held.is_none_or(|held| held.connections == 0 && counted(&held));
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

    /// What it left with by then; what is `held` was counted each second.
    fn left_with(at_s: u64, held: Option<Held>) -> Option<u64> {
        let mut draining = Draining::new(model::Drain { deadline: Duration::from_secs(60) }, Instant::ZERO);
        for second in 0..=at_s {
            let counted_at = Instant::from_millis(second * 1000);
            draining.look(counted_at, held.map(|held| Held { counted_at, ..held }));
        }
        assert_eq!(draining.is_over(), draining.left_with().is_some());
        let left = draining.left_with();
        draining.look(Instant::from_millis(100_000), Some(Held { connections: 99, ..Held::default() }));
        left.inspect(|left| assert_eq!(draining.left_with(), Some(*left), "it has left"))
    }

    #[test]
    fn it_leaves_with_its_last_connection_or_at_the_deadline() {
        let held = |weight, connections| Some(Held { weight, connections, ..Held::default() });
        assert_eq!((left_with(1, held(0, 0)), left_with(0, None)), (Some(0), Some(0)));
        assert_eq!((left_with(1, held(0, 1)), left_with(59, held(0, 1))), (None, None));
        assert_eq!(left_with(60, held(0, 1)), Some(1));
        assert_eq!(left_with(1, held(5, 0)), None, "the kernel may just have given it a connection");
        assert_eq!(left_with(0, held(0, 0)), None, "or have done so since they were counted");
    }

    #[test]
    fn a_connection_that_came_before_the_weight_was_0_is_waited_for() {
        let at = |second: u64| Instant::from_millis(second * 1000);
        let mut draining = Draining::new(model::Drain { deadline: Duration::from_secs(60) }, at(0));
        let held = |weight, connections, counted_at| Some(Held { weight, connections, counted_at });
        draining.look(at(1), held(1, 0, at(0)));
        draining.look(at(2), held(0, 0, at(0)));
        assert!(!draining.is_over(), "they were counted before");
        draining.look(at(3), held(0, 1, at(3)));
        assert!(!draining.is_over());
        draining.look(at(5), held(0, 0, at(5)));
        assert!(draining.is_over());
    }
}
