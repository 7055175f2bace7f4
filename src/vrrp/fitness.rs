//! From trackers to a priority: what is added to it, and what makes a director unfit.
//!
//! An unfit director stays in the election with a priority below [`UNFIT_BELOW`], so that the least unfit of all holds the
//! addresses when none is fit; the more is wrong with it, the lower.

use super::machine::OWNER;
use std::sync::Arc;

/// Priorities below this say "unfit"; policies with two or more directors don't configure them.
pub const UNFIT_BELOW: u8 = 10;
/// The priority of a released director: the last that shall hold the addresses, but better than nobody.
const RELEASED: u8 = 1;
/// The least priority of a director that is unfit and not released.
const LEAST_UNFIT: u8 = 2;
/// The least priority that weights can lead to.
const LEAST_FIT: i32 = UNFIT_BELOW as i32;
/// The highest priority that weights can lead to: 255 is the owner's alone.
const MOST_FIT: i32 = OWNER as i32 - 1;

/// Whether the tracked gateway is reached: decides who holds the addresses when two Masters don't hear each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reach {
    /// No check is tracked.
    #[default]
    Untracked,
    Reached,
    Lost,
}

/// What the trackers of a unit say together.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Fitness {
    /// Sum of the priority changes of bad trackers.
    pub change: i32,
    /// Bad trackers without a priority change: each is a Fault.
    pub faults: Vec<Arc<str>>,
    pub reach: Reach,
}

impl Fitness {
    /// Whether no Fault tracker is bad.
    #[must_use]
    pub fn is_fit(&self) -> bool {
        self.faults.is_empty()
    }

    /// The effective priority of a router with this configured one. `dead_links` of its unit's sessions have no link.
    #[must_use]
    pub fn priority(&self, configured: u8, dead_links: usize, released: bool) -> u8 {
        let wrong = self.faults.len() + dead_links;
        if released {
            RELEASED
        } else if wrong > 0 {
            let wrong = u8::try_from(wrong).unwrap_or(u8::MAX);
            UNFIT_BELOW.saturating_sub(wrong).max(LEAST_UNFIT)
        } else if configured == OWNER || self.change == 0 {
            configured
        } else {
            let changed = (i32::from(configured) + self.change).clamp(LEAST_FIT, MOST_FIT);
            u8::try_from(changed).unwrap_or(configured)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: i32, faults: usize) -> Fitness {
        Fitness { change, faults: vec!["tracker".into(); faults], reach: Reach::Untracked }
    }

    #[test]
    fn weights_move_the_priority_within_10_and_254_and_never_an_owners() {
        let priority = |change, configured| with(change, 0).priority(configured, 0, false);
        assert_eq!(
            [
                priority(0, 100),
                priority(-60, 150),
                priority(-253, 150),
                priority(253, 150),
                priority(-60, 255)
            ],
            [100, 90, 10, 254, 255]
        );
    }

    #[test]
    fn a_fault_leads_below_ten_and_each_further_one_lower_but_above_a_released_director() {
        let priority = |faults, links| with(50, faults).priority(200, links, false);
        assert_eq!([priority(1, 0), priority(1, 1), priority(3, 1), priority(50, 9)], [9, 8, 6, 2]);
        assert_eq!(with(0, 0).priority(200, 0, true), 1);
        assert_eq!(with(0, 1).priority(255, 0, false), 9, "an owner that is unfit is unfit");
    }
}
