//! Whether advertisements that came together show that this machine stood still.
//!
//! A machine that is paused as a whole has a clock that does not see it. What shows it are the advertisements of the Master
//! that has taken over meanwhile: they have queued, and come in one look at the sockets. But so do those that a switch has held
//! back, or that somebody sends in one breath, and these are no reason to give up. So a queue is a suspicion: the Master says
//! nothing for a while, and only when it hears the same Master again, as one that lives goes on advertising, it gives up.
//!
//! That silence and the interval before it are shorter than the others wait, so it makes nobody Master. After one that came to
//! nothing no other begins for some time: nobody silences a Master by one burst after the other.

use super::{Output, Role, SessionId, Unit};
use crate::time::Instant;
use crate::vrrp::machine::Heard;
use std::time::Duration;

/// So many advertisements of one lower-priority Master in one look at the sockets are a queue.
pub(super) const QUEUE: usize = 3;
/// What comes within a fourth of an interval belongs to the queue still.
const SAME_BURST: u32 = 4;
/// Intervals until the next suspicion, after one that came to nothing.
const REST: u32 = 20;

/// A suspicion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Suspicion {
    #[default]
    None,
    /// Until then the Master is silent and listens whether this one goes on.
    Raised {
        session: SessionId,
        by: Heard,
        since: Instant,
        until: Instant,
    },
    Rests {
        until: Instant,
    },
}

impl Suspicion {
    pub(super) fn is_raised(self) -> bool {
        self.deadline().is_some()
    }

    pub(super) fn deadline(self) -> Option<Instant> {
        match self {
            Self::Raised { until, .. } => Some(until),
            Self::None | Self::Rests { .. } => None,
        }
    }

    /// Until when none begins.
    pub(super) fn rests_until(self) -> Option<Instant> {
        match self {
            Self::Rests { until } => Some(until),
            Self::None | Self::Raised { .. } => None,
        }
    }

    /// The unit is Master no more, or has become it.
    pub(super) fn forget(&mut self) {
        if self.is_raised() {
            *self = Self::None;
        }
    }
}

impl Unit {
    /// Raises a suspicion where one session has heard a queue.
    pub(super) fn look_for_queue(&mut self, now: Instant) {
        let rests = matches!(self.suspicion, Suspicion::Rests { until } if until > now);
        let queue = |member: &super::Member| Some((member.id, member.machine.contested_often(QUEUE)?));
        let Some((session, by)) = self.members.iter().find_map(queue) else { return };
        if self.role != Role::Master || self.suspicion.is_raised() || rests {
            return;
        }
        let interval = self.shortest_interval();
        let until = now + interval + interval / 2;
        self.suspicion = Suspicion::Raised { session, by, since: now, until };
        self.members.iter_mut().for_each(|member| member.machine.hold_tongue());
    }

    /// What an advertisement means to a Master that suspects itself; whether nobody else is to hear of it.
    pub(super) fn weigh(&mut self, at: Instant, heard: Heard, own: u8) -> bool {
        let Suspicion::Raised { by, since, .. } = self.suspicion else { return false };
        if heard.is_resignation() || heard.priority >= own {
            return false;
        }
        let goes_on = at > since + self.shortest_interval() / SAME_BURST;
        if heard.source == by.source && goes_on {
            self.give_up(at);
        }
        true
    }

    /// The suspected Master has not gone on: this one does. The neighbours may believe the other.
    pub(super) fn drop_suspicion(&mut self, at: Instant) {
        let Suspicion::Raised { session, by, until, .. } = self.suspicion else { return };
        if until <= at {
            self.suspicion = Suspicion::Rests { until: at + self.shortest_interval() * REST };
            self.outputs.push_back(Output::Contested { session, by });
        }
    }

    fn shortest_interval(&self) -> Duration {
        self.members.iter().map(super::Member::interval).min().unwrap_or_default()
    }
}
