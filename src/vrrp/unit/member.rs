//! One session of a unit.

use crate::time::Instant;
use crate::vrrp::SessionId;
use crate::vrrp::machine::{Heard, Machine, State};
use crate::vrrp::timing::Pace;
use std::net::IpAddr;
use std::time::Duration;

/// A session, its configured priority and its link.
#[derive(Debug)]
pub struct Member {
    pub id: SessionId,
    pub machine: Machine,
    /// Configured priority, 1..=255.
    pub configured: u8,
    pace: Pace,
    /// The address that its advertisements come from; `None`: it cannot send, for want of a link or of an address.
    source: Option<IpAddr>,
    /// The last advertisement heard.
    pub last_heard: Option<Heard>,
    /// The highest configured priority of the other directors: how soon one of them can take over.
    highest_other: u8,
    /// As Master: advertisements of equal priority since the unit's first session heard any.
    pub(super) ties: u32,
}

impl Member {
    /// A session that has no link yet.
    #[must_use]
    pub fn new(id: SessionId, configured: u8, highest_other: u8, pace: Pace) -> Self {
        let nowhere = IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED);
        let mut machine = Machine::new(configured, pace, nowhere);
        machine.set_waits(true);
        Self { id, machine, configured, pace, source: None, last_heard: None, highest_other, ties: 0 }
    }

    /// The address that its advertisements come from.
    #[must_use]
    pub fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// The priorities of another policy.
    pub(super) fn take_priorities(&mut self, fresh: &Self) {
        (self.configured, self.highest_other) = (fresh.configured, fresh.highest_other);
    }

    pub(super) fn is_live(&self) -> bool {
        self.source.is_some()
    }

    pub(super) fn set_source(&mut self, source: Option<IpAddr>) {
        self.source = source;
        source.into_iter().for_each(|source| self.machine.set_own_address(source));
    }

    pub(super) fn interval(&self) -> Duration {
        self.pace.interval
    }

    pub(super) fn down_interval(&self) -> Duration {
        self.pace.down_interval(self.configured)
    }

    /// As Master: whether the advertisement that is due is so late that a Backup has taken over.
    pub(super) fn slept_past_down_interval(&self, now: Instant) -> bool {
        let others_wait = self.pace.down_interval(self.highest_other);
        matches!(self.machine.state(), State::Master { advertise_at }
            if (advertise_at - self.pace.interval) + others_wait < now)
    }

    /// When it wants to be called; not again for a down timer that has ended.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        match self.machine.state() {
            State::Initialize => None,
            State::Backup { down_at, .. } => (down_at > now).then_some(down_at),
            State::Master { advertise_at } => Some(advertise_at),
        }
    }
}
