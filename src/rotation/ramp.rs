//! Slow start: a server that comes back gets its weight in steps.

use crate::model::{Curve, SlowStart};
use crate::time::Instant;

/// One server's way to its full weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ramp {
    rules: SlowStart,
    since: Instant,
}

impl Ramp {
    pub(super) const fn new(rules: SlowStart, since: Instant) -> Self {
        Self { rules, since }
    }

    /// When it began.
    pub(super) const fn since(self) -> Instant {
        self.since
    }

    /// Steps that are through at `at`, 0..=steps.
    fn step(self, at: Instant) -> u32 {
        let (elapsed, duration) =
            (at.saturating_since(self.since).as_micros(), self.rules.duration.as_micros().max(1));
        let step = elapsed * u128::from(self.rules.steps) / duration;
        u32::try_from(step).unwrap_or(u32::MAX).min(self.rules.steps)
    }

    pub(super) fn is_over(self, at: Instant) -> bool {
        self.step(at) >= self.rules.steps
    }

    /// When the next step is due.
    pub(super) fn next(self, at: Instant) -> Option<Instant> {
        let next = self.step(at) + 1;
        let steps = self.rules.steps.max(1);
        // Rounded up: a step looked at a moment too early would be looked at for ever.
        let micros = (self.rules.duration.as_micros() * u128::from(next)).div_ceil(u128::from(steps));
        let after = std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        (next <= self.rules.steps).then(|| self.since + after)
    }

    /// What is given of `weight` at `at`: at least 1 of a positive one, and never less than before.
    pub(super) fn weight(self, weight: u32, at: Instant) -> u32 {
        if weight == 0 {
            return 0;
        }
        let power = match self.rules.curve {
            Curve::Linear => 1,
            Curve::Quadratic => 2,
        };
        let (step, steps) =
            (u128::from(self.step(at)).pow(power), u128::from(self.rules.steps.max(1)).pow(power));
        let from = u128::from(self.rules.from.get());
        let given = u128::from(weight) * (from * steps + (100 - from) * step) / (100 * steps);
        u32::try_from(given).unwrap_or(weight).clamp(1, weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Percent;
    use proptest::prelude::*;
    use std::time::Duration;

    fn ramp(duration_s: u64, from: u8, steps: u32, curve: Curve) -> Ramp {
        let from = Percent::new(from).expect("a share");
        let duration = Duration::from_secs(duration_s);
        Ramp::new(SlowStart { duration, from, steps, curve, shadow: false }, Instant::from_millis(1_000))
    }

    /// The weights of 100 at each step, as `next` leads through them.
    fn weights(ramp: Ramp) -> Vec<u32> {
        let mut at = Instant::from_millis(1_000);
        let mut weights = vec![ramp.weight(100, at)];
        while let Some(next) = ramp.next(at) {
            assert!(next > at, "time goes on");
            at = next;
            weights.push(ramp.weight(100, at));
        }
        assert!(ramp.is_over(at));
        weights
    }

    #[test]
    fn the_weight_grows_in_as_many_steps_as_were_said() {
        assert_eq!(weights(ramp(60, 10, 6, Curve::Linear)), [10, 25, 40, 55, 70, 85, 100]);
        assert_eq!(weights(ramp(60, 10, 3, Curve::Quadratic)), [10, 20, 50, 100]);
        assert_eq!(weights(ramp(60, 50, 1, Curve::Linear)), [50, 100]);
    }

    #[test]
    fn a_small_weight_is_never_zero_and_weight_zero_stays() {
        let ramp = ramp(60, 10, 6, Curve::Linear);
        assert_eq!(ramp.weight(1, Instant::from_millis(1_000)), 1);
        assert_eq!(ramp.weight(0, Instant::from_millis(90_000)), 0);
    }

    proptest! {
        #[test]
        fn it_never_goes_back_and_ends_at_the_whole(
            weight in 1..=65_535_u32, from in 1..=100_u8, steps in 1..=60_u32, duration in 1..=86_400_u64,
            quadratic in any::<bool>(), mut moments in prop::collection::vec(0..=90_000_000_u64, 1..20),
        ) {
            let curve = if quadratic { Curve::Quadratic } else { Curve::Linear };
            let ramp = ramp(duration, from, steps, curve);
            moments.sort_unstable();
            let given: Vec<u32> = moments.iter().map(|at| ramp.weight(weight, Instant::from_millis(*at))).collect();
            prop_assert!(given.is_sorted());
            prop_assert!(given.iter().all(|given| (1..=weight).contains(given)));
            prop_assert_eq!(ramp.weight(weight, Instant::from_millis((duration + 1) * 1000)), weight);
        }
    }
}
