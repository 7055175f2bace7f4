//! An election goes on under another policy that has the same sessions.

use super::Election;
use crate::time::Instant;

impl Election {
    /// Takes settings, priorities and trackers of `fresh`, the election that the other policy would begin with. Roles, releases
    /// and everything that was heard stay.
    pub fn renew(&mut self, at: Instant, fresh: Self) {
        self.now = at;
        for (seat, fresh) in self.seats.iter_mut().zip(fresh.seats) {
            seat.trackers.renew(fresh.trackers);
            seat.unit.renew(at, fresh.unit);
        }
    }
}
