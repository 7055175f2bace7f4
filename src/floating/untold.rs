//! Reports that the election has not taken yet, because too much else waits there. None may be lost: one that says that an
//! address is held is told once. Pure.

use super::Report;
use std::collections::VecDeque;

/// In the order in which they happened; of what is told of the same thing, the last word only, so there are never more than
/// things.
#[derive(Debug, Default)]
pub(super) struct Untold(VecDeque<Report>);

impl Untold {
    pub(super) fn add(&mut self, report: Report) {
        self.0.retain(|before| !is_overtaken(before, &report));
        self.0.push_back(report);
    }

    /// Tells as many as are taken; `give` says whether one was.
    pub(super) fn tell(&mut self, mut give: impl FnMut(Report) -> bool) {
        while self.0.front().is_some_and(|report| give(report.clone())) {
            self.0.pop_front();
        }
    }
}

/// Whether a later report says everything that an earlier one did.
fn is_overtaken(before: &Report, later: &Report) -> bool {
    match (before, later) {
        (Report::Held { router: one, .. }, Report::Held { router: other, .. }) => one == other,
        (Report::Released { .. }, _) | (Report::Conflict { .. }, _) => before == later,
        (Report::Held { .. }, Report::Released { .. } | Report::Conflict { .. }) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vrrp::RouterId;

    const fn held(router: usize, held: usize) -> Report {
        Report::Held { router: RouterId(router), held, wanted: 2 }
    }

    #[test]
    fn what_is_not_taken_is_told_again_in_order_and_of_each_thing_the_last_word() {
        let mut untold = Untold::default();
        let released = Report::Released { router: RouterId(0) };
        for report in [held(0, 0), held(1, 1), released.clone(), released.clone(), held(0, 2)] {
            untold.add(report);
            untold.tell(|_| false);
        }
        let mut told = Vec::new();
        untold.tell(|report| {
            told.push(report);
            told.len() < 2
        });
        untold.tell(|report| {
            told.push(report);
            true
        });
        let released_again = released.clone();
        assert_eq!(told, [held(1, 1), released, released_again, held(0, 2)], "the refused one comes again");
    }
}
