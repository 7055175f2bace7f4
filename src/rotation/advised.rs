//! What servers, or the sources of their weights, say; and its expiry.

use crate::model::{Advice, AdvisedState, AfterSilence, WeightFrom};
use crate::time::Instant;

/// No weight of the kernel is larger.
const LARGEST_WEIGHT: u64 = 65_535;

/// An answer that was given at `at`, and what it still means at `now`; `true` with it where it has expired.
pub(super) fn current(rules: WeightFrom, said: Option<(Instant, Advice)>, now: Instant) -> (Advice, bool) {
    match said {
        None => (Advice::default(), false),
        Some((at, advice)) if now < at + rules.valid_for => (advice, false),
        Some((_, advice)) => match rules.after_silence {
            AfterSilence::Configured => (Advice::default(), true),
            AfterSilence::Keep => (Advice { state: None, ..advice }, true),
        },
    }
}

/// The weight that `advice` makes of the configured one: never 0 unless it says 0, for 0 is quiescing.
pub(super) fn weight(configured: u32, advice: Advice) -> u32 {
    match advice.weight_percent {
        None => configured,
        Some(0) => 0,
        Some(_) if configured == 0 => 0,
        Some(percent) => {
            let weight = (u64::from(configured) * u64::from(percent) / 100).clamp(1, LARGEST_WEIGHT);
            u32::try_from(weight).unwrap_or(configured)
        }
    }
}

/// Whether the server asks to be treated as one that failed.
pub(super) const fn is_down(advice: Advice) -> bool {
    matches!(advice.state, Some(AdvisedState::Down | AdvisedState::Maintenance))
}

/// Whether the server asks for no new connections.
pub(super) const fn drains(advice: Advice) -> bool {
    matches!(advice.state, Some(AdvisedState::Drain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: WeightFrom = WeightFrom {
        valid_for: std::time::Duration::from_secs(30),
        after_silence: AfterSilence::Configured,
        shadow: false,
    };

    fn percent(percent: u16) -> Advice {
        Advice { weight_percent: Some(percent), state: None }
    }

    #[test]
    fn a_share_is_of_the_configured_weight() {
        let weights = [(100, 50), (3, 50), (1, 1), (100, 0), (0, 50), (65_535, 200), (10, 150)];
        let weights = weights.map(|(configured, share)| weight(configured, percent(share)));
        assert_eq!(weights, [50, 1, 1, 0, 0, 65_535, 15]);
        assert_eq!(weight(7, Advice::default()), 7);
    }

    #[test]
    fn an_answer_expires() {
        let said = Some((Instant::from_millis(1_000), percent(50)));
        assert_eq!(current(RULES, said, Instant::from_millis(30_999)), (percent(50), false));
        assert_eq!(current(RULES, said, Instant::from_millis(31_000)), (Advice::default(), true));
        assert_eq!(current(RULES, None, Instant::from_millis(99_000)), (Advice::default(), false));
    }

    #[test]
    fn a_source_that_died_keeps_a_weight_and_pins_nobody_down() {
        let keep = WeightFrom { after_silence: AfterSilence::Keep, ..RULES };
        let down = Advice { state: Some(AdvisedState::Down), ..percent(50) };
        let said = Some((Instant::ZERO, down));
        assert!(is_down(current(keep, said, Instant::from_millis(1)).0));
        assert_eq!(current(keep, said, Instant::from_millis(60_000)), (percent(50), true));
    }
}
