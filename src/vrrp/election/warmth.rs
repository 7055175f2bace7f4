//! Whether this director's tables are as good as another's, so that it may preempt.
//!
//! It is a level, not an event: a director that has just started, was cut off, unfit or stood still does not know what its
//! real servers can do now. It asks its pools, and until they answer it leaves mastership where it is; for a bounded time.

use crate::time::Instant;
use std::time::Duration;

/// A director counts as warm after this, whatever its pools say.
pub(super) const BOUND: Duration = Duration::from_secs(60);

/// So long after it became cold it is better than one that says that it is unfit: which has lost a link, perhaps.
const BOUND_BESIDE_UNFIT: Duration = Duration::from_secs(3);

/// Warm or cold.
#[derive(Debug)]
pub(super) struct Warmth {
    /// What the pools knew before says nothing any more.
    cold_since: Instant,
    /// Their verdicts are of what there is since then.
    warm_since: Option<Instant>,
    /// Whether they are to be asked.
    to_ask: bool,
}

impl Warmth {
    pub(super) fn new(now: Instant) -> Self {
        Self { cold_since: now, warm_since: None, to_ask: true }
    }

    /// Since when it is cold, and since when the pools' verdicts are known to be.
    pub(super) fn marks(&self) -> (Instant, Option<Instant>) {
        (self.cold_since, self.warm_since)
    }

    /// Goes on as warm as another was; one that was cold asks its own pools.
    pub(super) fn go_on(&mut self, cold_since: Instant, warm_since: Option<Instant>) {
        (self.cold_since, self.warm_since) = (cold_since, warm_since);
        self.to_ask = !self.is_known();
    }

    /// From now on everything is to be known anew.
    pub(super) fn chill(&mut self, now: Instant) {
        self.cold_since = now;
        self.to_ask = !self.is_known();
    }

    /// The answer of the pools: all is applied, and each verdict is of what there is since then.
    pub(super) fn warmed(&mut self, since: Instant) {
        self.warm_since = self.warm_since.max(Some(since));
    }

    fn is_known(&self) -> bool {
        self.warm_since.is_some_and(|since| since >= self.cold_since)
    }

    pub(super) fn is_warm(&self, now: Instant) -> bool {
        self.is_known() || self.cold_since + BOUND <= now
    }

    /// Whether it shall take over from a Master that is unfit.
    pub(super) fn suffices_beside_unfit(&self, now: Instant) -> bool {
        self.is_warm(now) || self.cold_since + BOUND_BESIDE_UNFIT <= now
    }

    /// The instant since which the pools' verdicts must be, where they have not been asked yet.
    pub(super) fn question(&mut self) -> Option<Instant> {
        std::mem::take(&mut self.to_ask).then_some(self.cold_since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_before_a_cut_does_not_warm_it() {
        let at = Instant::from_millis;
        let mut warmth = Warmth::new(at(10));
        assert_eq!((warmth.question(), warmth.question()), (Some(at(10)), None), "asked once");
        warmth.warmed(at(10));
        assert!(warmth.is_warm(at(500)));
        warmth.chill(at(1_000));
        assert_eq!((warmth.is_warm(at(1_000)), warmth.question()), (false, Some(at(1_000))));
        warmth.warmed(at(10));
        assert!(!warmth.is_warm(at(1_001)), "a late answer to the question before");
        warmth.warmed(at(1_000));
        assert!(warmth.is_warm(at(1_001)));
    }

    #[test]
    fn one_that_goes_on_cold_asks_its_own_pools_and_one_that_goes_on_warm_asks_nothing() {
        let at = Instant::from_millis;
        for (warm_since, question) in
            [(None, Some(at(10))), (Some(at(9)), Some(at(10))), (Some(at(10)), None)]
        {
            let mut warmth = Warmth::new(at(0));
            warmth.go_on(at(10), warm_since);
            assert_eq!(warmth.question(), question, "{warm_since:?}");
        }
    }

    #[test]
    fn it_counts_as_warm_a_minute_after_it_became_cold() {
        let mut warmth = Warmth::new(Instant::ZERO);
        let cold = Instant::from_millis(5_000);
        warmth.chill(cold);
        assert!(!warmth.is_warm(cold + BOUND - Duration::from_micros(1)));
        assert!(warmth.is_warm(cold + BOUND));
        let short = BOUND_BESIDE_UNFIT;
        assert!(
            !warmth.suffices_beside_unfit(cold + short - Duration::from_micros(1)),
            "it may be warm soon"
        );
        assert!(warmth.suffices_beside_unfit(cold + short));
    }
}
