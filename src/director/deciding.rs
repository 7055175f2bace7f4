//! When the desired tables are computed anew, and for which pools: of fifty thousand servers the verdict on one concerns one
//! pool. Pure.

use super::core::Core;
use super::event::Cause;
use super::targets::{Target, TargetId};
use crate::model::PoolName;
use crate::time::Instant;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Verdicts on servers that follow another change of the tables within this time go into the kernel together: the first is
/// acted on at once, and a rack that fails is a stream of them.
const GATHER: Duration = Duration::from_millis(100);

/// The pools that something new concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Concerned {
    #[default]
    Nobody,
    Those(BTreeSet<PoolName>),
    Everybody,
}

impl Concerned {
    /// These, too.
    pub(super) fn add<'a>(&mut self, pools: impl IntoIterator<Item = &'a PoolName>) {
        match self {
            Self::Everybody => {}
            Self::Those(names) => names.extend(pools.into_iter().cloned()),
            Self::Nobody => {
                let names: BTreeSet<_> = pools.into_iter().cloned().collect();
                if !names.is_empty() {
                    *self = Self::Those(names);
                }
            }
        }
    }

    pub(super) const fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }
}

impl Core {
    /// Until when verdicts are gathered.
    pub(super) fn gathers_until(&self) -> Option<Instant> {
        self.decided_at.map(|at| at + GATHER)
    }

    /// The verdict on a target waits for others, for the pools that it decides on; what says a weight may be asked by any.
    pub(super) fn gather(&mut self, id: TargetId) {
        let says_weight = |target: &Target| target.checks().any(|check| self.weight_sources.contains(check));
        if self.targets.get(id).is_some_and(says_weight) {
            self.gathered = Concerned::Everybody;
        } else {
            self.gathered.add(self.users.of_target(id).iter().map(|(pool, _)| pool));
        }
    }

    /// Computes the desired tables anew, once for all the verdicts that came since the last time, or while the kernel was
    /// busy: a rack that fails is few passes. Where only verdicts came, it looks at their pools alone. A stopping director has
    /// nothing left to decide.
    pub(super) fn decide(&mut self) {
        let due = self.gathers_until().is_none_or(|until| until <= self.now);
        let gathered = !self.gathered.is_nobody() && due;
        if (self.undecided || gathered) && !self.stopping && !self.rests && self.reconciler.is_idle() {
            let concerned = match std::mem::take(&mut self.gathered) {
                Concerned::Those(names) if !self.undecided => Some(names),
                _ => None,
            };
            self.undecided = false;
            self.decided_at = Some(self.now);
            self.turn_those(concerned.as_ref());
            let policy = Arc::clone(&self.policy);
            self.desire_after(&policy, concerned.as_ref(), Cause::Decision);
            self.count_pools();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_gathered_until_it_is_everybody() {
        let (web, mail): (PoolName, PoolName) = ("web".into(), "mail".into());
        let mut concerned = Concerned::default();
        concerned.add([]);
        assert!(concerned.is_nobody());
        concerned.add([&web]);
        concerned.add([&mail, &web]);
        assert_eq!(concerned, Concerned::Those([mail, web.clone()].into()));
        concerned = Concerned::Everybody;
        concerned.add([&web]);
        assert_eq!(concerned, Concerned::Everybody);
    }
}
