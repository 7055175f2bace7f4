//! Whether a Master holds what it should hold. One that cannot is unfit: the addresses are nobody's while it goes on
//! advertising.

use crate::time::Instant;
use crate::vrrp::RouterId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A Master may take so long to get hold of its addresses.
const BOUND: Duration = Duration::from_secs(1);
/// One that could not is unfit for so long: as Backup it has nothing to hold, so it learns nothing.
const REST: Duration = Duration::from_secs(30);
/// What reasons call it.
const NAME: &str = "addresses that could not be held";

/// What the keeper said of the routers of one unit.
#[derive(Debug, Default)]
pub(super) struct Grip {
    /// Since when a router holds less than it should.
    short_since: BTreeMap<RouterId, Instant>,
    unfit_until: Option<Instant>,
}

impl Grip {
    pub(super) fn report(&mut self, router: RouterId, short: bool, at: Instant) {
        if short {
            self.short_since.entry(router).or_insert(at);
        } else {
            self.short_since.remove(&router);
        }
    }

    /// The fault that it is, if any.
    pub(super) fn fault(&mut self, is_master: bool, now: Instant) -> Option<Arc<str>> {
        if is_master && self.short_since.values().any(|since| *since + BOUND <= now) {
            self.unfit_until = Some(now + REST);
        }
        self.unfit_until = self.unfit_until.filter(|until| *until > now);
        self.unfit_until.map(|_| NAME.into())
    }

    pub(super) fn deadline(&self, is_master: bool) -> Option<Instant> {
        let short = self.short_since.values().filter(|_| is_master && self.unfit_until.is_none()).min();
        short.map(|since| *since + BOUND).into_iter().chain(self.unfit_until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_that_holds_too_little_for_a_second_is_unfit_until_it_has_rested() {
        let (mut grip, start) = (Grip::default(), Instant::from_millis(100));
        grip.report(RouterId(0), true, start);
        assert_eq!(grip.fault(true, start), None);
        assert_eq!(grip.deadline(true), Some(start + BOUND));
        assert_eq!(grip.fault(false, start + BOUND), None, "a Backup holds nothing");
        let bad = start + BOUND;
        assert!(grip.fault(true, bad).is_some());
        grip.report(RouterId(0), false, bad);
        assert!(grip.fault(false, bad + REST - Duration::from_micros(1)).is_some());
        assert_eq!(grip.fault(false, bad + REST), None);
        assert_eq!(grip.deadline(false), None, "what is over is not waited for");
    }

    #[test]
    fn a_backup_waits_for_nothing_and_an_unfit_master_for_the_end_of_its_rest() {
        let (mut grip, start) = (Grip::default(), Instant::from_millis(100));
        grip.report(RouterId(0), true, start);
        assert_eq!(grip.deadline(false), None);
        assert!(grip.fault(true, start + BOUND).is_some());
        assert_eq!(grip.deadline(true), Some(start + BOUND + REST));
    }

    #[test]
    fn one_that_gets_hold_in_time_is_fit() {
        let (mut grip, start) = (Grip::default(), Instant::from_millis(100));
        grip.report(RouterId(0), true, start);
        grip.report(RouterId(0), false, start + BOUND / 2);
        assert_eq!(grip.fault(true, start + BOUND * 2), None);
    }
}
