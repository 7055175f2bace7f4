//! Whether a Master holds what it should hold. One that cannot is unfit: the addresses are nobody's while it goes on
//! advertising. So is a director a part of which stands still: the address thread renews and adds none, and the loop of the
//! pools follows no check.

use crate::time::Instant;
use crate::vrrp::RouterId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A Master may take so long to get hold of its next addresses: a thousand of them take longer than one.
const BOUND: Duration = Duration::from_secs(1);
/// One that could not is unfit for so long: as Backup it has nothing to hold, so it learns nothing.
const REST: Duration = Duration::from_secs(30);
/// What reasons call it.
const NAME: &str = "addresses that could not be held";

/// A part of the director that the election cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The address thread.
    Addresses,
    /// The loop of the pools.
    Pools,
}

impl Part {
    /// What reasons call one that stands still.
    const fn name(self) -> &'static str {
        match self {
            Self::Addresses => "the address thread, which stands still",
            Self::Pools => "the loop of the pools, which stands still",
        }
    }
}

/// What the keeper said of the routers of one unit.
#[derive(Debug, Default)]
pub(super) struct Grip {
    /// Routers that hold less than they should: how many, and since when no more.
    short: BTreeMap<RouterId, (usize, Instant)>,
    unfit_until: Option<Instant>,
    /// The parts that give no sign of life.
    still: BTreeSet<Part>,
}

impl Grip {
    pub(super) fn report(&mut self, router: RouterId, held: usize, wanted: usize, at: Instant) {
        if held >= wanted {
            self.short.remove(&router);
            return;
        }
        let (most, since) = self.short.entry(router).or_insert((held, at));
        if held > *most {
            (*most, *since) = (held, at);
        }
    }

    /// Whether a router holds less than it should.
    pub(super) fn is_short(&self) -> bool {
        !self.short.is_empty()
    }

    /// Until when it is unfit.
    pub(super) fn unfit_until(&self) -> Option<Instant> {
        self.unfit_until
    }

    /// It is unfit until then, as was found before.
    pub(super) fn go_on(&mut self, unfit_until: Option<Instant>) {
        self.unfit_until = unfit_until;
    }

    pub(super) fn stands(&mut self, part: Part, still: bool) {
        if still {
            self.still.insert(part);
        } else {
            self.still.remove(&part);
        }
    }

    /// The fault that it is, if any.
    pub(super) fn fault(&mut self, is_master: bool, now: Instant) -> Option<Arc<str>> {
        if is_master && self.short.values().any(|(_, since)| *since + BOUND <= now) {
            self.unfit_until = Some(now + REST);
        }
        self.unfit_until = self.unfit_until.filter(|until| *until > now);
        match (self.still.first(), self.unfit_until) {
            (Some(part), _) => Some(part.name().into()),
            (None, Some(_)) => Some(NAME.into()),
            (None, None) => None,
        }
    }

    pub(super) fn deadline(&self, is_master: bool) -> Option<Instant> {
        let short = self.short.values().filter(|_| is_master && self.unfit_until.is_none());
        let short = short.map(|(_, since)| *since).min();
        short.map(|since| since + BOUND).into_iter().chain(self.unfit_until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_that_holds_too_little_for_a_second_is_unfit_until_it_has_rested() {
        let (mut grip, start) = (Grip::default(), Instant::from_millis(100));
        grip.report(RouterId(0), 1, 2, start);
        assert_eq!(grip.fault(true, start), None);
        assert_eq!(grip.deadline(true), Some(start + BOUND));
        assert_eq!(grip.fault(false, start + BOUND), None, "a Backup holds nothing");
        let bad = start + BOUND;
        assert!(grip.fault(true, bad).is_some());
        grip.report(RouterId(0), 2, 2, bad);
        assert!(grip.fault(false, bad + REST - Duration::from_micros(1)).is_some());
        assert_eq!(grip.fault(false, bad + REST), None);
        assert_eq!(grip.deadline(false), None, "what is over is not waited for");
    }

    /// Two thousand addresses take more than a second on a busy host.
    #[test]
    fn one_that_gets_hold_of_more_and_more_is_fit_and_one_that_loses_what_it_got_is_not() {
        let (mut grip, start) = (Grip::default(), Instant::from_millis(100));
        for step in 0..10 {
            let at = start + BOUND / 2 * step;
            grip.report(RouterId(0), usize::try_from(step).expect("small") * 64, 2_000, at);
            assert_eq!(grip.fault(true, at), None, "{step}");
        }
        // Up and down again is no progress.
        for step in 10..13 {
            grip.report(RouterId(0), if step % 2 == 0 { 10 } else { 500 }, 2_000, start + BOUND / 2 * step);
        }
        assert!(grip.fault(true, start + BOUND / 2 * 13).is_some());
    }

    #[test]
    fn no_director_is_fit_while_a_part_of_it_stands_still() {
        let (mut grip, now) = (Grip::default(), Instant::from_millis(100));
        for (is_master, part, name) in
            [(true, Part::Addresses, "the address thread"), (false, Part::Pools, "the loop of the pools")]
        {
            grip.stands(part, true);
            assert!(grip.fault(is_master, now).is_some_and(|fault| fault.starts_with(name)));
            grip.stands(part, false);
            assert_eq!(grip.fault(is_master, now), None);
        }
    }

    #[test]
    fn a_backup_waits_for_nothing_and_an_unfit_master_for_the_end_of_its_rest() {
        let (mut grip, start) = (Grip::default(), Instant::from_millis(100));
        grip.report(RouterId(0), 1, 2, start);
        assert_eq!(grip.deadline(false), None);
        assert!(grip.fault(true, start + BOUND).is_some());
        assert_eq!(grip.deadline(true), Some(start + BOUND + REST));
    }

    #[test]
    fn one_that_gets_hold_in_time_is_fit() {
        let (mut grip, start) = (Grip::default(), Instant::from_millis(100));
        grip.report(RouterId(0), 1, 2, start);
        grip.report(RouterId(0), 2, 2, start + BOUND / 2);
        assert_eq!(grip.fault(true, start + BOUND * 2), None);
    }
}
