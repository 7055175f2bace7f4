//! The way back of a director that is refused for the number of its run.
//!
//! It happens to one whose state directory was lost, after its clock had been ahead: the others have accepted a higher number
//! from it, and would refuse all that it says until its clock gets there. To make them forget would be no way out: whoever
//! recorded the messages of that run could play them back. So they tell it the number, in their own sealed beats, and it
//! takes a higher one. Numbers only ever grow, so nothing old is believed by it; and who plays back such an answer tells it
//! of a number that it has passed, or of a run that is not the present one.

/// Messages of this run are refused, since one of another was accepted of the same sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The run that is refused.
    pub run: u64,
    /// The higher one that was accepted.
    pub known: u64,
}

impl Stale {
    /// The number that a director of this run takes now; `None`: it is not the one that is refused, or there is no higher one.
    #[must_use]
    pub fn next_run(self, own: u64) -> Option<u64> {
        (self.run == own && self.known >= own).then_some(self.known)?.checked_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_run_that_is_refused_takes_a_higher_number_than_the_accepted_one() {
        let stale = Stale { run: 5, known: 90 };
        assert_eq!(stale.next_run(5), Some(91));
        for own in [4, 6, 91] {
            assert_eq!(stale.next_run(own), None, "{own}");
        }
        assert_eq!(Stale { run: 5, known: 4 }.next_run(5), None);
        assert_eq!(Stale { run: 5, known: u64::MAX }.next_run(5), None);
    }
}
