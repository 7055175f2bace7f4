//! Trackers to fitness: what is bad, since when, and from when on it counts.
//!
//! A pool that fails (or that one director alone no longer sees) is usually seen by both directors, a little apart. So it counts against a Backup at once (a Backup that
//! sees it fail does not take over for its sake), and against a Master only after a hold-down that is longer than the two can
//! be apart: by then the other knows too, and nobody moves in vain. When it returns it is the other way round: at once for a
//! Master, after a hold-down for a Backup, or a Backup that sees it first would take over from a Master that is about to.
//! Everything else counts at once, bad or good.

use super::fitness::{Fitness, Reach};
use super::handed::HandedTracker;
use crate::model::{Policy, Pool, PoolName, Tracked, Tracker};
use crate::time::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What is known of something tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Status {
    good: bool,
    since: Instant,
    /// Whether it counts as bad: lags behind by the hold-down.
    counts: bool,
}

/// The trackers of one unit.
#[derive(Clone, Debug, Default)]
pub struct Trackers {
    trackers: Vec<Tracker>,
    /// Unknown counts as good: a director that has just started does not preempt anyway.
    statuses: BTreeMap<Tracked, Status>,
    hold_downs: BTreeMap<PoolName, Duration>,
}

impl Trackers {
    /// The trackers of these routers, each thing once for each priority change.
    #[must_use]
    pub fn new(trackers: impl Iterator<Item = Tracker>, policy: &Policy) -> Self {
        let mut all: Vec<Tracker> = Vec::new();
        for tracker in trackers {
            if !all.contains(&tracker) {
                all.push(tracker);
            }
        }
        let hold_downs =
            policy.pools.values().map(|pool| (pool.name.clone(), hold_down(pool, policy))).collect();
        Self { trackers: all, statuses: BTreeMap::new(), hold_downs }
    }

    /// The trackers of another policy; what is known of a thing that is still tracked stays known.
    pub fn renew(&mut self, fresh: Self) {
        (self.trackers, self.hold_downs) = (fresh.trackers, fresh.hold_downs);
        let tracked: std::collections::BTreeSet<Tracked> = self.tracked().cloned().collect();
        self.statuses.retain(|what, _| tracked.contains(what));
    }

    /// Everything that somebody has to look at.
    pub fn tracked(&self) -> impl Iterator<Item = &Tracked> {
        self.trackers.iter().map(|tracker| &tracker.what)
    }

    /// What is known of each, to be handed on.
    pub(super) fn hand_on(&self) -> Vec<HandedTracker> {
        let known = |tracker: &Tracker| {
            let Status { good, since, counts } = *self.statuses.get(&tracker.what)?;
            Some(HandedTracker { name: tracker.name.to_string(), good, since, counts })
        };
        self.trackers.iter().filter_map(known).collect()
    }

    /// Goes on with what another knew.
    pub(super) fn go_on(&mut self, handed: &[HandedTracker]) {
        for HandedTracker { name, good, since, counts } in handed {
            let of = self.trackers.iter().filter(|tracker| *tracker.name == **name);
            let status = Status { good: *good, since: *since, counts: *counts };
            self.statuses.extend(of.map(|tracker| (tracker.what.clone(), status)));
        }
    }

    /// Name of each tracker, and whether it is good.
    pub fn each(&self) -> impl Iterator<Item = (&Arc<str>, bool)> {
        self.trackers.iter().map(|tracker| (&tracker.name, !self.is_bad(&tracker.what)))
    }

    /// Takes in what something tracked is now; whether that is news.
    pub fn report(&mut self, what: &Tracked, good: bool, at: Instant) -> bool {
        let known = self.statuses.get(what).copied();
        if known.is_some_and(|known| known.good == good) {
            return false;
        }
        let counts = known.is_some_and(|known| known.counts);
        self.statuses.insert(what.clone(), Status { good, since: at, counts });
        // The first good verdict of a check says that the gateway is reached.
        known.is_some() || !good || matches!(what, Tracked::Check(_))
    }

    /// What counts now, for a unit that is Master or not.
    pub fn fitness(&mut self, is_master: bool, now: Instant) -> Fitness {
        for (what, status) in &mut self.statuses {
            let wait = Self::wait(&self.hold_downs, what, status.good, is_master);
            if status.since + wait <= now {
                status.counts = !status.good;
            }
        }
        let mut fitness = Fitness { reach: self.reach(), ..Fitness::default() };
        for tracker in &self.trackers {
            match (self.counts(&tracker.what), tracker.priority_change) {
                (false, _) => {}
                (true, Some(change)) => fitness.change += i32::from(change),
                (true, None) => fitness.faults.push(Arc::clone(&tracker.name)),
            }
        }
        fitness
    }

    /// When a hold-down ends.
    #[must_use]
    pub fn deadline(&self, is_master: bool) -> Option<Instant> {
        let lags = |(_, status): &(&Tracked, &Status)| status.counts == status.good;
        let end = |(what, status): (&Tracked, &Status)| {
            status.since + Self::wait(&self.hold_downs, what, status.good, is_master)
        };
        self.statuses.iter().filter(lags).map(end).min()
    }

    fn wait(
        hold_downs: &BTreeMap<PoolName, Duration>,
        what: &Tracked,
        good: bool,
        is_master: bool,
    ) -> Duration {
        match what {
            Tracked::Pool(pool) | Tracked::Sight(pool) if is_master != good => {
                hold_downs.get(pool).copied().unwrap_or_default()
            }
            Tracked::Pool(_)
            | Tracked::Sight(_)
            | Tracked::Interface(_)
            | Tracked::Check(_)
            | Tracked::Process(_)
            | Tracked::File(_) => Duration::ZERO,
        }
    }

    fn is_bad(&self, what: &Tracked) -> bool {
        self.statuses.get(what).is_some_and(|status| !status.good)
    }

    fn counts(&self, what: &Tracked) -> bool {
        self.statuses.get(what).is_some_and(|status| status.counts)
    }

    /// The tracked checks are the way to the gateway. One that has no verdict yet has reached nothing.
    fn reach(&self) -> Reach {
        let is_check = |tracker: &&Tracker| matches!(tracker.what, Tracked::Check(_));
        let checks = self.trackers.iter().filter(is_check);
        let good: Vec<Option<bool>> =
            checks.map(|tracker| self.statuses.get(&tracker.what).map(|status| status.good)).collect();
        if good.contains(&Some(false)) {
            Reach::Lost
        } else if good.is_empty() || good.contains(&None) {
            Reach::Untracked
        } else {
            Reach::Reached
        }
    }
}

/// How far apart two directors can be in seeing a pool fail or return: the longer window (fall or rise) of its slowest check,
/// and one interval more.
fn hold_down(pool: &Pool, policy: &Policy) -> Duration {
    let targets = pool.servers.iter().flat_map(crate::model::RealServer::targets);
    let checks = targets.filter_map(|target| policy.checks.get(&target.check));
    checks
        .map(|check| check.slowest_verdict() + check.interval.max(check.interval_down))
        .max()
        .unwrap_or_default()
}

/// Everything that a policy tracks.
#[must_use]
pub fn tracked(policy: &Policy) -> std::collections::BTreeSet<Tracked> {
    let routers = policy.pair.routers.values();
    routers.flat_map(|router| policy.trackers_of(router)).map(|tracker| tracker.what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pool() -> Tracked {
        Tracked::Pool("web".into())
    }

    /// A pool with a hold-down of a second, a check and an interface.
    fn trackers(changes: [Option<i16>; 3]) -> Trackers {
        let all = [pool(), Tracked::Check("upstream".into()), Tracked::Interface("eth1".to_owned())];
        let trackers = ["pool web", "check upstream", "interface eth1"].into_iter().zip(all).zip(changes);
        let tracker = |((name, what), priority_change): ((&str, Tracked), Option<i16>)| Tracker {
            name: name.into(),
            what,
            priority_change,
        };
        Trackers {
            trackers: trackers.map(tracker).collect(),
            statuses: BTreeMap::new(),
            hold_downs: [("web".into(), SECOND)].into(),
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_pool_that_fails_counts_against_a_backup_at_once_and_against_a_master_after_the_hold_down() {
        for (is_master, from) in [(false, 100), (true, 1_100)] {
            let mut trackers = trackers([None; 3]);
            assert!(trackers.report(&pool(), false, at(100)));
            assert_eq!(trackers.deadline(is_master), Some(at(from)));
            if is_master {
                assert!(trackers.fitness(is_master, at(from - 1)).is_fit());
            }
            assert!(!trackers.fitness(is_master, at(from)).is_fit());
            assert_eq!(trackers.deadline(is_master), None);
        }
    }

    #[test]
    fn a_pool_that_returns_counts_for_a_master_at_once_and_for_a_backup_after_the_hold_down() {
        for (is_master, from) in [(true, 5_000), (false, 6_000)] {
            let mut trackers = trackers([None; 3]);
            trackers.report(&pool(), false, at(100));
            assert!(!trackers.fitness(is_master, at(4_000)).is_fit());
            trackers.report(&pool(), true, at(5_000));
            assert_eq!(trackers.deadline(is_master), Some(at(from)));
            assert_eq!(trackers.fitness(is_master, at(5_000)).is_fit(), is_master);
            assert!(trackers.fitness(is_master, at(from)).is_fit());
        }
    }

    #[test]
    fn a_master_never_hears_of_a_pool_that_returns_within_the_hold_down() {
        let mut trackers = trackers([None; 3]);
        trackers.report(&pool(), false, at(100));
        assert!(trackers.fitness(true, at(900)).is_fit());
        trackers.report(&pool(), true, at(1_000));
        assert!(trackers.fitness(true, at(1_500)).is_fit());
        assert_eq!(trackers.deadline(true), None);
    }

    #[test]
    fn a_pool_that_both_judge_is_followed_by_the_routers_that_hold_its_addresses() {
        use crate::desired::fixtures::{in_a_pair, policy, pool, router};
        let mut policy = policy([pool("web", "192.0.2.1", &crate::model::Forwarding::Nat)]);
        in_a_pair(&mut policy, "192.0.2.1");
        policy.pair.routers.insert("inside".into(), router("inside", 2));
        assert!(tracked(&policy).is_empty());
        policy.pools.get_mut("web").expect("the pool").rules.verdict = crate::model::VerdictBy::Both;
        let of = |router: &str| policy.trackers_of(&policy.pair.routers[router]);
        assert_eq!(of("inside"), []);
        let sight = Tracked::Sight("web".into());
        let names: Vec<_> = of("outside").iter().map(|tracker| tracker.name.to_string()).collect();
        assert_eq!(names, ["sight of pool web"]);
        let mut trackers = Trackers::new(of("outside").into_iter(), &policy);
        let hold_down = trackers.hold_downs["web"];
        trackers.report(&sight, false, at(0));
        assert!(trackers.fitness(true, at(0)).is_fit(), "the other may be about to lose it, too");
        assert_eq!(trackers.deadline(true), Some(Instant::ZERO + hold_down));
        assert!(!trackers.fitness(true, Instant::ZERO + hold_down).is_fit());
    }

    #[test]
    fn everything_else_counts_at_once() {
        let upstream = Tracked::Check("upstream".into());
        let mut trackers = trackers([None; 3]);
        trackers.report(&upstream, false, at(100));
        let fitness = trackers.fitness(true, at(100));
        assert_eq!((fitness.is_fit(), fitness.reach), (false, Reach::Lost));
        trackers.report(&upstream, true, at(200));
        let fitness = trackers.fitness(false, at(200));
        assert_eq!((fitness.is_fit(), fitness.reach), (true, Reach::Reached));
    }

    #[test]
    fn with_a_priority_change_a_failure_is_added_and_without_it_is_a_fault() {
        let mut trackers = trackers([Some(-20), Some(-30), None]);
        trackers.report(&Tracked::Check("upstream".into()), false, at(0));
        trackers.report(&pool(), false, at(0));
        let fitness = trackers.fitness(false, at(0));
        assert_eq!((fitness.change, fitness.is_fit()), (-50, true));
        trackers.report(&Tracked::Interface("eth1".to_owned()), false, at(0));
        assert_eq!(trackers.fitness(false, at(0)).faults, ["interface eth1".into()]);
    }

    #[test]
    fn the_hold_down_of_a_pool_is_longer_than_two_directors_can_see_its_failure_apart() {
        use crate::desired::fixtures::{check, policy, pool};
        let alive = check();
        let mut policy = policy([pool("web", "192.0.2.1", &crate::model::Forwarding::Nat)]);
        let of = |policy: &Policy| Trackers::new(std::iter::empty(), policy).hold_downs["web"];
        assert_eq!(of(&policy), alive.interval * (alive.fall + 1) + alive.timeout);
        policy.checks.insert("alive".into(), crate::model::Check { rise: 5, ..alive.clone() });
        assert_eq!(of(&policy), alive.interval * 6 + alive.timeout, "or its return");
        let paced =
            crate::model::Check { interval_down: alive.interval * 10, jitter_percent: 10, ..alive.clone() };
        policy.checks.insert("alive".into(), paced);
        assert_eq!(
            of(&policy),
            alive.interval * 21 + alive.interval * 11 / 10 + alive.timeout,
            "which is probed for seldom"
        );
    }

    #[test]
    fn what_two_routers_track_alike_is_tracked_once() {
        use crate::desired::fixtures::{in_a_pair, policy};
        let upstream = Tracker {
            name: "check upstream".into(),
            what: Tracked::Check("upstream".into()),
            priority_change: Some(-20),
        };
        let web = Tracker { name: "pool web".into(), what: pool(), priority_change: None };
        let mut policy = policy([]);
        in_a_pair(&mut policy, "192.0.2.1");
        for router in policy.pair.routers.values_mut() {
            router.track = vec![upstream.clone(), web.clone(), upstream.clone()];
        }
        let listed = policy.pair.routers.values().flat_map(|router| policy.trackers_of(router));
        let mut trackers = Trackers::new(listed, &policy);
        let all = [upstream.what.clone(), web.what.clone()];
        assert!(trackers.tracked().eq(&all));
        assert_eq!(tracked(&policy), all.into());
        trackers.report(&upstream.what, false, at(0));
        assert_eq!(trackers.fitness(false, at(0)).change, -20, "it counts once");
        let each: Vec<_> = trackers.each().map(|(name, good)| (&**name, good)).collect();
        assert_eq!(each, [("check upstream", false), ("pool web", true)]);
    }

    #[test]
    fn under_another_policy_what_is_still_tracked_stays_known_and_the_rest_is_forgotten() {
        let mut known = trackers([None; 3]);
        let (upstream, eth1) = (Tracked::Check("upstream".into()), Tracked::Interface("eth1".to_owned()));
        for what in [&upstream, &eth1] {
            known.report(what, false, at(0));
        }
        let mut fresh = trackers([Some(-20), Some(-30), None]);
        fresh.trackers.pop();
        known.renew(fresh);
        assert!(known.tracked().eq([&pool(), &upstream]));
        let fitness = known.fitness(false, at(0));
        assert_eq!((fitness.is_fit(), fitness.change), (true, -30));
        known.renew(trackers([None; 3]));
        let each: Vec<_> = known.each().map(|(name, good)| (&**name, good)).collect();
        assert_eq!(each, [("pool web", true), ("check upstream", false), ("interface eth1", true)]);
    }

    #[test]
    fn what_is_not_known_yet_counts_as_good_and_what_is_said_twice_is_no_news() {
        let mut trackers = trackers([None; 3]);
        let fitness = trackers.fitness(false, at(0));
        assert_eq!((fitness.is_fit(), fitness.reach), (true, Reach::Untracked));
        assert!(!trackers.report(&pool(), true, at(0)) && !trackers.report(&pool(), true, at(1)));
        assert!(trackers.report(&pool(), false, at(2)) && !trackers.report(&pool(), false, at(3)));
    }
}
