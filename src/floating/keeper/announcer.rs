//! Which announcement (gratuitous ARP, unsolicited neighbour advertisement) goes out next, and when. Pure.
//!
//! A burst announces an address `repeat` times: at once, then 20, 100, 300 and 1,000 ms after the first, then each second.
//! keepalived sends all five back to back, where one full queue or one moment of a blocked port loses them together; spaced
//! like this a neighbour that lost the first is mended after 20 ms, and one behind a port that opens late within a second.
//!
//! On each interface the announcement of the lowest round goes first, so that of thousands of addresses each is announced
//! once before any is announced twice; two on one interface are at least the policy's `interval` apart, and a round's delay
//! counts from the moment when the one before it was really sent.
//!
//! It does not know which addresses are held: its user begins and cancels.

use crate::model::AnnouncementPolicy;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// From one announcement of a burst to the next; the last one goes on.
const GAPS: [Duration; 5] = [
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(200),
    Duration::from_millis(700),
    Duration::from_secs(1),
];
/// No refresh comes more often than this, whatever the policy says.
const SHORTEST_REFRESH: Duration = Duration::from_millis(100);

/// The announcements of all addresses. An address is its place in the list that it was built from, an interface likewise.
#[derive(Clone, Debug)]
pub(super) struct Announcer {
    members: Vec<Member>,
    lanes: Vec<Lane>,
    /// Second bursts and refreshes to come.
    later: BTreeSet<(Instant, usize)>,
}

#[derive(Clone, Debug)]
struct Member {
    interface: usize,
    policy: AnnouncementPolicy,
    running: Option<Burst>,
    later: Option<(Instant, Later)>,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    /// Announcements of this burst that are sent.
    round: usize,
    repeat: usize,
    due: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Later {
    SecondBurst,
    Refresh,
}

/// The announcements that wait on one interface.
#[derive(Clone, Debug, Default)]
struct Lane {
    rounds: BTreeMap<usize, BTreeSet<(Instant, usize)>>,
    free_at: Instant,
}

impl Announcer {
    /// `members`: interface and policy of each address.
    pub(super) fn new(members: impl Iterator<Item = (usize, AnnouncementPolicy)>, interfaces: usize) -> Self {
        let member = |(interface, policy)| Member { interface, policy, running: None, later: None };
        let members = members.map(member).collect();
        Self { members, lanes: vec![Lane::default(); interfaces], later: BTreeSet::new() }
    }

    /// What was to come for an address in another announcer is to come for it here.
    pub(super) fn go_on(&mut self, address: usize, before: &Self, place: usize) {
        let known = &before.members[place];
        known.running.into_iter().for_each(|burst| self.start(address, burst));
        self.set_later(address, known.later);
    }

    /// The address was just taken over: a burst, a second one, and the refreshes behind it.
    pub(super) fn take_over(&mut self, address: usize, at: Instant) {
        let policy = self.members[address].policy;
        self.burst(address, policy.repeat, at);
        let later = if policy.delay.is_zero() {
            self.refresh_after(address, at)
        } else {
            Some((at + policy.delay, Later::SecondBurst))
        };
        self.set_later(address, later);
    }

    /// The address was taken over long ago: only its refreshes go on.
    pub(super) fn refresh_from(&mut self, address: usize, at: Instant) {
        let later = self.refresh_after(address, at);
        self.set_later(address, later);
    }

    /// One burst now. A running one begins anew, with what is left of it at least.
    pub(super) fn burst(&mut self, address: usize, repeat: u32, at: Instant) {
        let repeat = usize::try_from(repeat).unwrap_or(usize::MAX);
        let (repeat, due) = match self.stop(address) {
            Some(running) => {
                let due = if running.round == 0 { running.due.min(at) } else { at };
                (repeat.max(running.repeat - running.round), due)
            }
            None => (repeat, at),
        };
        if repeat > 0 {
            self.start(address, Burst { round: 0, repeat, due });
        }
    }

    /// One burst then, where none is running.
    pub(super) fn begin(&mut self, address: usize, repeat: u32, at: Instant) {
        if self.members[address].running.is_none() {
            self.burst(address, repeat, at);
        }
    }

    /// Nothing more of this address.
    pub(super) fn cancel(&mut self, address: usize) {
        self.stop(address);
        self.set_later(address, None);
    }

    /// Nothing more of the running burst; the later ones stay.
    pub(super) fn stop_burst(&mut self, address: usize) {
        self.stop(address);
    }

    /// The next address to announce now, of the first `rounds` rounds, on an interface that is open.
    pub(super) fn next(
        &mut self,
        now: Instant,
        rounds: usize,
        open: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        self.begin_later(now);
        let free = |(_, lane): &(usize, &Lane)| lane.free_at <= now;
        let due = |(_, lane): (usize, &Lane)| lane.due(now, rounds);
        let address =
            self.lanes.iter().enumerate().filter(free).filter(|(index, _)| open(*index)).find_map(due)?;
        let burst = self.stop(address)?;
        let member = &self.members[address];
        self.lanes[member.interface].free_at = now + member.policy.interval;
        let round = burst.round + 1;
        if round < burst.repeat {
            let gap = GAPS[(round - 1).min(GAPS.len() - 1)];
            self.start(address, Burst { round, due: now + gap, ..burst });
        }
        Some(address)
    }

    /// When [`Self::next`] has something; `None`: never, as things are.
    pub(super) fn deadline(&self, open: impl Fn(usize) -> bool) -> Option<Instant> {
        let lanes = self.lanes.iter().enumerate().filter(|(index, _)| open(*index));
        let first = lanes.filter_map(|(_, lane)| lane.deadline());
        first.chain(self.later.first().map(|(due, _)| *due)).min()
    }

    /// Turns second bursts and refreshes that are due into running ones.
    fn begin_later(&mut self, now: Instant) {
        while let Some((due, address)) = self.later.first().copied().filter(|(due, _)| *due <= now) {
            let policy = self.members[address].policy;
            match self.members[address].later {
                Some((_, Later::SecondBurst)) => self.burst(address, policy.repeat, due),
                Some((_, Later::Refresh)) => self.burst(address, policy.refresh_repeat, due),
                None => {}
            }
            let refresh = self.refresh_after(address, now);
            self.set_later(address, refresh);
        }
    }

    fn refresh_after(&self, address: usize, at: Instant) -> Option<(Instant, Later)> {
        let refresh = self.members[address].policy.refresh;
        (!refresh.is_zero()).then(|| (at + refresh.max(SHORTEST_REFRESH), Later::Refresh))
    }

    fn set_later(&mut self, address: usize, later: Option<(Instant, Later)>) {
        if let Some((due, _)) = std::mem::replace(&mut self.members[address].later, later) {
            self.later.remove(&(due, address));
        }
        self.later.extend(later.map(|(due, _)| (due, address)));
    }

    fn start(&mut self, address: usize, burst: Burst) {
        let member = &mut self.members[address];
        member.running = Some(burst);
        let rounds = &mut self.lanes[member.interface].rounds;
        rounds.entry(burst.round).or_default().insert((burst.due, address));
    }

    fn stop(&mut self, address: usize) -> Option<Burst> {
        let member = &mut self.members[address];
        let burst = member.running.take()?;
        let rounds = &mut self.lanes[member.interface].rounds;
        if let Some(waiting) = rounds.get_mut(&burst.round) {
            waiting.remove(&(burst.due, address));
            if waiting.is_empty() {
                rounds.remove(&burst.round);
            }
        }
        Some(burst)
    }
}

impl Lane {
    fn due(&self, now: Instant, rounds: usize) -> Option<usize> {
        let firsts = self.rounds.range(..rounds).filter_map(|(_, waiting)| waiting.first());
        firsts.copied().find(|(due, _)| *due <= now).map(|(_, address)| address)
    }

    fn deadline(&self) -> Option<Instant> {
        let first = self.rounds.values().filter_map(|waiting| waiting.first()).map(|(due, _)| *due).min()?;
        Some(first.max(self.free_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: fn(usize) -> bool = |_| true;

    /// Everything that goes out until `end`, as (milliseconds, address).
    fn sent(announcer: &mut Announcer, end: Instant) -> Vec<(u64, usize)> {
        let mut sent = Vec::new();
        let mut now = Instant::ZERO;
        while now <= end {
            while let Some(address) = announcer.next(now, usize::MAX, OPEN) {
                sent.push((now.as_micros() / 1_000, address));
            }
            let Some(deadline) = announcer.deadline(OPEN) else { break };
            assert!(deadline > now, "what is due is handed out");
            now = deadline;
        }
        sent
    }

    fn announcer(addresses: usize, policy: AnnouncementPolicy) -> Announcer {
        Announcer::new(std::iter::repeat_n((0, policy), addresses), 1)
    }

    #[test]
    fn a_burst_is_spaced_and_comes_a_second_time_after_the_delay() {
        let mut announcer = announcer(1, AnnouncementPolicy::default());
        announcer.take_over(0, Instant::ZERO);
        let times: Vec<u64> =
            sent(&mut announcer, Instant::from_millis(60_000)).into_iter().map(|(at, _)| at).collect();
        assert_eq!(times, [0, 20, 100, 300, 1_000, 5_000, 5_020, 5_100, 5_300, 6_000]);
    }

    #[test]
    fn every_address_is_announced_once_before_any_is_announced_twice() {
        let interval = Duration::from_millis(10);
        let policy = AnnouncementPolicy { repeat: 2, delay: Duration::ZERO, interval, ..Default::default() };
        let mut announcer = announcer(4, policy);
        (0..4).for_each(|address| announcer.take_over(address, Instant::ZERO));
        assert_eq!(
            sent(&mut announcer, Instant::from_millis(1_000)),
            [(0, 0), (10, 1), (20, 2), (30, 3), (40, 0), (50, 1), (60, 2), (70, 3)]
        );
    }

    #[test]
    fn a_refresh_comes_as_often_as_the_policy_says() {
        let refresh = Duration::from_secs(10);
        let policy =
            AnnouncementPolicy { repeat: 1, delay: Duration::from_secs(5), refresh, ..Default::default() };
        let mut announcer = announcer(1, policy);
        announcer.take_over(0, Instant::ZERO);
        assert_eq!(
            sent(&mut announcer, Instant::from_millis(30_000)),
            [(0, 0), (5_000, 0), (15_000, 0), (25_000, 0)]
        );
    }

    #[test]
    fn what_is_cancelled_is_not_sent() {
        let refresh = Duration::from_secs(1);
        let mut announcer = announcer(2, AnnouncementPolicy { refresh, ..Default::default() });
        (0..2).for_each(|address| announcer.take_over(address, Instant::ZERO));
        announcer.cancel(0);
        assert!(sent(&mut announcer, Instant::from_millis(9_000)).iter().all(|(_, address)| *address == 1));
        announcer.cancel(1);
        assert_eq!(announcer.deadline(OPEN), None);
    }

    #[test]
    fn a_closed_interface_waits_and_does_not_hold_the_others_back() {
        let policy = AnnouncementPolicy { repeat: 1, delay: Duration::ZERO, ..Default::default() };
        let mut announcer = Announcer::new([(0, policy), (1, policy)].into_iter(), 2);
        (0..2).for_each(|address| announcer.take_over(address, Instant::ZERO));
        let open = |interface| interface == 1;
        assert_eq!(announcer.next(Instant::ZERO, 1, open), Some(1));
        assert_eq!((announcer.next(Instant::ZERO, 1, open), announcer.deadline(open)), (None, None));
        assert_eq!(announcer.next(Instant::ZERO, 1, OPEN), Some(0));
    }
}
