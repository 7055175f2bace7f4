//! Whether somebody stands still, judged by one who may have stood still as well. Pure.
//!
//! The one who is looked at gives signs: a number that changes while it lives. Time in which the looker did not look proves
//! nothing: after a process was stopped (SIGSTOP), or its machine slept, everybody is late at once, and nobody hangs.

use crate::time::Instant;
use std::time::Duration;

/// A look counts for no longer than this: who looks more seldom did not run himself.
const MOST_A_LOOK: Duration = Duration::from_secs(1);

/// What was seen of one who gives signs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stillness {
    sign: Option<u64>,
    looked: Option<Instant>,
    still: Duration,
}

impl Stillness {
    /// For how long the sign has been the same by now, as far as was looked.
    pub(crate) fn look(&mut self, sign: u64, now: Instant) -> Duration {
        let passed = self.looked.replace(now).map(|before| now.saturating_since(before));
        let same = self.sign.replace(sign) == Some(sign);
        let counted = passed.unwrap_or_default().min(MOST_A_LOOK);
        self.still = if same { self.still.saturating_add(counted) } else { Duration::ZERO };
        self.still
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn who_gives_no_other_sign_is_still_for_as_long_as_was_looked() {
        let mut stillness = Stillness::default();
        let looks = (0..5).map(|look| stillness.look(7, at(look * 500)));
        assert_eq!(looks.map(|still| still.as_millis()).collect::<Vec<_>>(), [0, 500, 1_000, 1_500, 2_000]);
        assert_eq!(stillness.look(8, at(2_500)), Duration::ZERO);
    }

    #[test]
    fn time_in_which_nobody_looked_counts_little() {
        let mut stillness = Stillness::default();
        stillness.look(7, at(0));
        assert_eq!(stillness.look(7, at(60_000)), MOST_A_LOOK, "the looker was stopped, too");
        assert_eq!(stillness.look(9, at(120_000)), Duration::ZERO);
    }
}
