//! Enough servers, with hysteresis.

use crate::model;

/// Whether the quorum is there; `None` before that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quorum {
    rules: model::Quorum,
    there: Option<bool>,
    /// Servers have come that have no verdict yet: until they have, a quorum that was there is not lost for their sake.
    awaits: bool,
}

impl Quorum {
    /// `lost`: it was seen to be lost before.
    pub(super) fn new(rules: model::Quorum, lost: bool) -> Self {
        Self { rules, there: lost.then_some(false), awaits: false }
    }

    /// The same quorum by other rules: one that is lost needs what brings it back by these. `awaits`: new servers have come.
    pub(super) const fn by(self, rules: model::Quorum, awaits: bool) -> Self {
        Self { rules, there: self.there, awaits }
    }

    /// Whether it is there; `None` before that is known.
    pub(super) const fn known(&self) -> Option<bool> {
        self.there
    }

    /// Goes on as another knew it.
    pub(super) const fn go_on(&mut self, there: Option<bool>) {
        self.there = there;
    }

    pub(super) const fn rules(&self) -> model::Quorum {
        self.rules
    }

    /// Takes the count of what is up. Before `decided` (some server has no verdict) a quorum that is not there is not lost.
    pub(super) fn count(&mut self, found: u64, decided: bool) {
        let (least, recover) = (u64::from(self.rules.least), u64::from(self.rules.recover));
        self.awaits &= !decided;
        self.there = match self.there {
            Some(true) if self.awaits => Some(true),
            Some(true) => Some(found >= least),
            Some(false) => Some(found >= recover),
            None if found >= least => Some(true),
            None if decided => Some(false),
            None => None,
        };
    }

    pub(super) const fn is_lost(&self) -> bool {
        matches!(self.there, Some(false))
    }

    pub(super) const fn is_there(&self) -> bool {
        matches!(self.there, Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quorum(least: u32, recover: u32, lost: bool) -> Quorum {
        Quorum::new(model::Quorum { least, recover, ..model::Quorum::default() }, lost)
    }

    #[test]
    fn it_is_lost_below_the_least_and_there_again_with_more() {
        let mut quorum = quorum(2, 3, false);
        let mut after = |found| {
            quorum.count(found, true);
            quorum.is_there()
        };
        assert_eq!([2, 1, 2, 3, 2, 1].map(&mut after), [true, false, false, true, true, false]);
    }

    #[test]
    fn it_is_not_lost_for_the_sake_of_new_servers_before_they_have_a_verdict() {
        let mut before = quorum(2, 2, false);
        before.count(2, true);
        let mut renewed = before.by(before.rules(), true);
        renewed.count(1, false);
        assert!(renewed.is_there(), "one of the two was swapped");
        renewed.count(1, true);
        assert!(renewed.is_lost(), "the new one has failed");
        let mut same = before.by(before.rules(), false);
        same.count(1, false);
        assert!(same.is_lost());
    }

    #[test]
    fn it_is_not_lost_before_the_verdicts_are_in() {
        let mut fresh = quorum(2, 2, false);
        fresh.count(1, false);
        assert!(!fresh.is_lost() && !fresh.is_there());
        fresh.count(2, false);
        assert!(fresh.is_there());
        let mut adopted = quorum(2, 3, true);
        adopted.count(2, false);
        assert!(adopted.is_lost(), "what was lost before a restart needs what brings it back");
    }
}
