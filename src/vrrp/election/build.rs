//! An election from a policy.

use super::grip::Grip;
use super::peers::Peers;
use super::warmth::Warmth;
use super::{Election, Seat};
use crate::hash::{fnv1a, mix};
use crate::model::{BothUnfit, Pair, Policy, Preempt, RouterName, VirtualRouter};
use crate::time::Instant;
use crate::vrrp::machine::OWNER;
use crate::vrrp::timing::Pace;
use crate::vrrp::tracking::Trackers;
use crate::vrrp::transfer::Transfer;
use crate::vrrp::unit::{Member, Settings, Unit};
use crate::vrrp::{RouterId, SessionId};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Bounds of the interval of beats.
const BEAT_LEAST: Duration = Duration::from_millis(50);
const BEAT_MOST: Duration = Duration::from_secs(1);

impl Election {
    /// The election of the director that the policy was read for. `epoch` is higher in each run of this director.
    #[must_use]
    pub fn new(policy: &Policy, epoch: u64, now: Instant) -> Self {
        let pair = &policy.pair;
        let seats: Vec<Seat> = units_of(pair).into_iter().map(|unit| seat(unit, policy, now)).collect();
        let (mut by_session, mut by_router) = (BTreeMap::new(), BTreeMap::new());
        for (index, seat) in seats.iter().enumerate() {
            by_session.extend(seat.unit.members().iter().map(|member| (member.id, index)));
            by_router.extend(seat.unit.routers().into_iter().map(|router| (router, index)));
        }
        let own = pair.own.clone().unwrap_or_else(|| "".into());
        let first_request = first_request(&own, epoch);
        let peers = Peers::new(own, epoch, pair.others().map(|(name, _)| name.clone()));
        let beats = !peers.is_empty() && !pair.routers.is_empty();
        let fastest = pair.routers.values().map(|router| router.interval).min().unwrap_or(BEAT_MOST);
        Self {
            seats,
            by_session,
            by_router,
            names: pair.routers.keys().cloned().collect(),
            transfer: Transfer::new(pair.connection_sync.is_some(), first_request),
            peers,
            warmth: Warmth::new(now),
            peers_known_at: now + BEAT_MOST * 2,
            beat_at: beats.then_some(now),
            beat_every: fastest.clamp(BEAT_LEAST, BEAT_MOST),
            stop_by: None,
            stopped: false,
            outputs: VecDeque::new(),
            now,
        }
    }
}

/// Where a director's requests for state begin. An answer names only the number: directors that have started in the same second,
/// and a run that follows soon on one that asked several times, must not take each other's for their own.
fn first_request(own: &str, epoch: u64) -> u32 {
    u32::try_from(mix(fnv1a(own.bytes()) ^ epoch) >> 33).unwrap_or(1)
}

/// Routers that move together, by the name of their group or their own.
struct UnitOf<'a> {
    name: Arc<str>,
    both_unfit: BothUnfit,
    routers: Vec<(RouterId, &'a VirtualRouter)>,
}

fn units_of(pair: &Pair) -> Vec<UnitOf<'_>> {
    let id = |name: &RouterName| pair.routers.keys().position(|known| known == name).map(RouterId);
    let found = |name: &RouterName| Some((id(name)?, pair.routers.get(name)?));
    let grouped = pair.groups.values().map(|group| UnitOf {
        name: Arc::clone(&group.name),
        both_unfit: group.both_unfit,
        routers: group.routers.iter().filter_map(found).collect(),
    });
    let alone =
        pair.routers.keys().filter(|name| !pair.groups.values().any(|group| group.routers.contains(name)));
    let alone = alone.map(|name| UnitOf {
        name: Arc::clone(name),
        both_unfit: BothUnfit::default(),
        routers: found(name).into_iter().collect(),
    });
    grouped.chain(alone).collect()
}

fn seat(of: UnitOf<'_>, policy: &Policy, now: Instant) -> Seat {
    let routers = || of.routers.iter().map(|(_, router)| *router);
    let settings = Settings {
        preempt: routers().map(|router| router.preempt).fold(Preempt::After(Duration::ZERO), slower),
        both_unfit: of.both_unfit,
        start_delay: routers().map(|router| router.start_delay).max().unwrap_or_default(),
        tandem_peers: policy.pair.directors.len() > 1,
        hook: hook_time(routers()),
    };
    let members = of.routers.iter().flat_map(|(id, router)| members(*id, router, &policy.pair)).collect();
    let trackers = Trackers::new(routers().flat_map(|router| policy.trackers_of(router)), policy);
    let unit = Unit::new(settings, members, now);
    Seat {
        name: of.name,
        unit,
        trackers,
        grip: Grip::default(),
        released_until: None,
        leaving: None,
        sound: false,
        owes_state: false,
        was_master: false,
    }
}

/// The hooks run one after the other, each within its own time.
fn hook_time<'a>(routers: impl Iterator<Item = &'a VirtualRouter>) -> Option<Duration> {
    routers.filter_map(|router| Some(router.before_master.as_ref()?.timeout)).reduce(|one, next| one + next)
}

/// The one that waits longer.
fn slower(one: Preempt, other: Preempt) -> Preempt {
    match (one, other) {
        (Preempt::Never, _) | (_, Preempt::Never) => Preempt::Never,
        (Preempt::After(one), Preempt::After(other)) => Preempt::After(one.max(other)),
    }
}

fn members(id: RouterId, router: &VirtualRouter, pair: &Pair) -> Vec<Member> {
    let pace = Pace { version: router.version, interval: router.interval };
    let own = pair.own_priority(router).unwrap_or(1);
    let others = router.priorities.iter().filter(|(name, _)| Some(*name) != pair.own.as_ref());
    // Directors that the policy does not know may be there as well: they are quick at most.
    let highest_other = others.map(|(_, priority)| *priority).max().unwrap_or(OWNER - 1);
    let member = |family| Member::new(SessionId { router: id, family }, own, highest_other, pace);
    router.families().into_iter().map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::first_request;

    /// Seeds 164 and 272: a director took the answer to another's request, or to its own run before, for the one to its own,
    /// and preempted without the Master's connections.
    #[test]
    fn requests_of_two_directors_or_of_two_runs_are_far_apart() {
        let starts = [("lb-a", 7), ("lb-b", 7), ("lb-a", 8), ("lb-b", 8), ("lb-a", 1_800_000_000)];
        let mut numbers = starts.map(|(own, epoch)| first_request(own, epoch));
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|two| two[1] - two[0] > 1_000), "{numbers:?}");
    }
}
