//! Every running check of the policy, with one timer queue for all. Pure.

use super::renewal::Unchanged;
use super::sharing::{Alike, Place, Shared};
use crate::hash::Fixed;
use crate::health::budget::Budget;
use crate::health::{Input, Machine, Output, Params, ProbeId, Start, WaitReason, schedule};
use crate::model::{CheckName, Policy, Pool, RealServer, TargetKey};
use crate::time::Instant;
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Probes under way at the same time, at most: what is due beyond them waits, and is late. A rack of ten thousand servers
/// that has fallen silent leaves room for the others. Each takes a socket and a few kilobytes.
pub const MOST_AT_ONCE: usize = 16_384;
/// Probes that are started in one turn of the loop, at most. After this host has stood still everything is due at once; what
/// was started must then go on in between, and so must all else on the loop's thread (which runs some 60 tasks a turn).
pub(super) const MOST_IN_A_TURN: usize = 16;

/// Identity of a running check: its place in [`Targets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(pub usize);

/// What a check wants done, with its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// `due` is when it should have started.
    StartProbe {
        target: TargetId,
        probe: ProbeId,
        due: Instant,
        give_up_at: Instant,
    },
    Verdict {
        target: TargetId,
        up: bool,
    },
}

/// No probe starts at the very instant at which its check began: one of an earlier check may have.
const SOONEST_FIRST: Duration = Duration::from_micros(1);

/// What running checks are renewed by.
#[derive(Debug)]
pub(super) struct Renewal<'a> {
    pub(super) before: &'a Policy,
    pub(super) policy: &'a Policy,
    /// What the two have in common.
    pub(super) unchanged: &'a Unchanged,
    pub(super) seed: u64,
    pub(super) now: Instant,
}

/// One running check.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) key: Arc<TargetKey>,
    /// Other checks that ask the same of the same address: what it finds is theirs too.
    namesakes: Box<[CheckName]>,
    pub(super) machine: Machine,
    /// Where it stands in one of the queues.
    deadline: Option<Instant>,
}

impl Target {
    /// The checks that it runs for.
    pub(super) fn checks(&self) -> impl Iterator<Item = &CheckName> {
        std::iter::once(&self.key.check).chain(&self.namesakes)
    }

    /// What each of them asks.
    fn keys(&self) -> impl Iterator<Item = Arc<TargetKey>> {
        let namesakes = self.namesakes.iter();
        let others =
            namesakes.map(|check| Arc::new(TargetKey { check: check.clone(), ..(*self.key).clone() }));
        std::iter::once(Arc::clone(&self.key)).chain(others)
    }
}

/// What the servers of these pools need asked, and the policy's virtual routers.
fn asked<'a>(pools: impl Iterator<Item = &'a Pool>, policy: &Policy) -> BTreeSet<Arc<TargetKey>> {
    let servers = pools.flat_map(Pool::every_server);
    servers
        .flat_map(RealServer::asked)
        .cloned()
        .chain(policy.tracked_targets().into_iter().map(Arc::new))
        .collect()
}

/// All running checks. One keeps its identity for as long as it runs; what a policy that is taken over leaves out makes room.
#[derive(Debug, Default)]
pub(super) struct Targets {
    targets: Vec<Option<Target>>,
    /// Places in `targets` that are empty. A probe of whoever had one may still end there: its identity is an instant that is
    /// past, and no probe of the next one has it.
    free: Vec<TargetId>,
    ids: IndexMap<Arc<TargetKey>, TargetId, Fixed>,
    /// Whose next probe starts when: at the beat after it is due. How late it starts is counted from there.
    waiting: Queue,
    /// Whose probe is under way, and when it counts as lost.
    probing: Queue,
    /// How many may start in a second.
    budget: Budget,
}

type Queue = BTreeSet<(Instant, TargetId)>;

impl Targets {
    /// One check for each target that a server of `policy` names or a router tracks, where those that ask the same of the same
    /// address are one; `start` says what is known of each. A target whose check is not in the policy is left out.
    pub(super) fn new(policy: &Policy, seed: u64, now: Instant, start: impl Fn(&TargetKey) -> Start) -> Self {
        let mut all = Self { budget: Budget::new(policy.probes), ..Self::default() };
        let asked = asked(policy.pools.values(), policy);
        all.begin_all(asked, (policy, seed, now), start);
        all
    }

    /// The same for a policy that is taken over: a check goes on as it is where it asks what it asked, and begins anew where it
    /// does not. The identities that have ended; they may be in use again.
    pub(super) fn renew(
        &mut self,
        renewal: Renewal<'_>,
        start: impl Fn(&TargetKey) -> Start,
    ) -> BTreeSet<TargetId> {
        let Renewal { before, policy, unchanged, seed, now } = renewal;
        self.budget.renew(policy.probes);
        let asked_before = asked(unchanged.touched(before), before);
        let asked_now = asked(unchanged.touched(policy), policy);
        let stays = |key: &Arc<TargetKey>| {
            asked_now.contains(key) && unchanged.asks_as_before(&key.check, key.real_path)
        };
        let mut left: BTreeSet<Arc<TargetKey>> = asked_before.into_iter().filter(|key| !stays(key)).collect();
        if !left.is_empty() {
            // Other pools may still ask it.
            let others = unchanged.untouched(policy).flat_map(Pool::every_server);
            for key in others.flat_map(RealServer::asked) {
                left.remove(key);
            }
        }
        let ended = self.leave(&left);
        self.begin_all(asked_now, (policy, seed, now), start);
        ended
    }

    /// These are asked no more: a check that nobody asks any more ends.
    fn leave(&mut self, left: &BTreeSet<Arc<TargetKey>>) -> BTreeSet<TargetId> {
        let ids: BTreeSet<TargetId> = left.iter().filter_map(|key| self.ids.swap_remove(&**key)).collect();
        let rest = |target: &Target| target.keys().filter(|key| !left.contains(key)).collect::<Shared>();
        let mut ended = BTreeSet::new();
        for id in ids {
            let rest = self.get(id).map(rest).unwrap_or_default();
            if rest.is_empty() {
                self.end(id);
                ended.insert(id);
            } else {
                self.go_on(id, &rest);
            }
        }
        ended
    }

    /// Begins what is asked and does not run yet. What asks the same as a running check shares it.
    fn begin_all(
        &mut self,
        mut asked: BTreeSet<Arc<TargetKey>>,
        (policy, seed, now): (&Policy, u64, Instant),
        start: impl Fn(&TargetKey) -> Start,
    ) {
        asked.retain(|key| !self.ids.contains_key(key));
        if asked.is_empty() {
            return;
        }
        let alike = Alike::of(policy);
        let (new, shared) = self.grouped(&alike, asked);
        for (id, group) in shared {
            let keys: BTreeSet<_> = self.get(id).into_iter().flat_map(Target::keys).chain(group).collect();
            self.go_on(id, &Vec::from_iter(keys));
        }
        let params = policy.checks.iter().map(|(name, check)| (name, Arc::new(Params::from(check))));
        let params: BTreeMap<_, _> = params.collect();
        let stretch = schedule::stretch(new.len(), policy.probes.per_second);
        // Grown by doubling, the list of ten thousand would hold room for six thousand more.
        self.targets.reserve_exact(new.len().saturating_sub(self.free.len()));
        self.ids.reserve_exact(new.iter().map(Vec::len).sum());
        for group in new {
            let Some(key) = group.first() else { continue };
            let Some(params) = params.get(&key.check) else { continue };
            let start = group.iter().map(|key| start(key)).fold(Start::Down, Start::or);
            let own_seed = schedule::seed_of(seed, key);
            let first =
                now + SOONEST_FIRST + schedule::first_probe_after(own_seed, params.interval) * stretch;
            self.begin(&group, Machine::new(Arc::clone(params), start, first).with_seed(own_seed));
        }
    }

    /// Keys in groups of those that are one check: those of new ones, and those that share one that runs.
    fn grouped(
        &self,
        alike: &Alike<'_>,
        keys: BTreeSet<Arc<TargetKey>>,
    ) -> (Vec<Shared>, Vec<(TargetId, Shared)>) {
        let running = self.targets.iter().enumerate();
        let running = running.filter_map(|(index, target)| Some((index, target.as_ref()?)));
        let running =
            running.filter_map(|(index, target)| Some((alike.place(&target.key)?, TargetId(index))));
        let running: IndexMap<Place<'_>, TargetId, Fixed> = running.collect();
        let (mut new, mut shared) = (Vec::new(), Vec::new());
        for (place, group) in alike.grouped(keys) {
            match running.get(&place) {
                Some(id) => shared.push((*id, group)),
                None => new.push(group),
            }
        }
        (new, shared)
    }

    /// A check goes on for those that share it now.
    fn go_on(&mut self, id: TargetId, group: &Shared) -> TargetId {
        if let (Some(target), Some((key, namesakes))) = (self.slot(id), group.split_first()) {
            target.key = key.clone();
            target.namesakes = namesakes.iter().map(|key| key.check.clone()).collect();
        }
        self.ids.extend(group.iter().map(|key| (key.clone(), id)));
        id
    }

    fn begin(&mut self, group: &Shared, machine: Machine) {
        let Some(key) = group.first() else { return };
        let id = self.free.pop().unwrap_or_else(|| {
            self.targets.push(None);
            TargetId(self.targets.len() - 1)
        });
        let target = Target { key: key.clone(), namesakes: Box::default(), machine, deadline: None };
        if let Some(slot) = self.targets.get_mut(id.0) {
            *slot = Some(target);
        }
        self.go_on(id, group);
        // One that has just begun only waits.
        self.settle(id);
    }

    fn end(&mut self, id: TargetId) {
        let Some(target) = self.targets.get_mut(id.0).and_then(Option::take) else { return };
        if let Some(deadline) = target.deadline {
            self.waiting.remove(&(deadline, id));
            self.probing.remove(&(deadline, id));
        }
        self.free.push(id);
    }

    fn slot(&mut self, id: TargetId) -> Option<&mut Target> {
        self.targets.get_mut(id.0)?.as_mut()
    }

    /// The identity of the check of a key.
    pub(super) fn id_of(&self, key: &TargetKey) -> Option<TargetId> {
        self.ids.get(key).copied()
    }

    /// The check of a key.
    pub(super) fn by_key(&self, key: &TargetKey) -> Option<&Target> {
        self.get(self.id_of(key)?)
    }

    pub(super) fn get(&self, id: TargetId) -> Option<&Target> {
        self.targets.get(id.0)?.as_ref()
    }

    /// How many places there are: each identity is less.
    pub(super) fn places(&self) -> usize {
        self.targets.len()
    }

    /// All of them.
    pub(super) fn running(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().flatten()
    }

    /// Changes the check of a key to another state in which it waits.
    pub(super) fn change(&mut self, key: &TargetKey, change: impl FnOnce(&mut Machine)) {
        let Some(id) = self.id_of(key) else { return };
        let Some(target) = self.slot(id) else { return };
        change(&mut target.machine);
        self.settle(id);
    }

    /// How many checks run.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.targets.len() - self.free.len()
    }

    /// Those that are asked by one check each, sorted.
    #[cfg(test)]
    pub(super) fn groups(&self) -> BTreeSet<Shared> {
        self.targets.iter().flatten().map(|target| target.keys().collect()).collect()
    }

    /// The next instant at which a check wants to be called, and may be. With no room for another probe only the end of one
    /// brings it on.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let next = |queue: &Queue| queue.first().map(|(deadline, _)| *deadline);
        let lost = next(&self.probing);
        let due = next(&self.waiting).filter(|_| self.has_room()).map(|due| due.max(self.budget.free_at()));
        lost.into_iter().chain(due).min()
    }

    /// Whether another probe may start.
    fn has_room(&self) -> bool {
        self.probing.len() < MOST_AT_ONCE
    }

    /// Calls the checks whose deadline has come, those first whose probe is lost; what is too much for one turn is called the
    /// next time.
    pub(super) fn time_passed(&mut self, at: Instant) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for _ in 0..MOST_IN_A_TURN {
            let due = |queue: &Queue| queue.first().copied().filter(|(deadline, _)| *deadline <= at);
            let may_start = self.has_room() && self.budget.free_at() <= at;
            let next = due(&self.probing).or_else(|| due(&self.waiting).filter(|_| may_start));
            let Some((_, id)) = next else { break };
            wishes.extend(self.handle(id, Input::Timeout { at }));
        }
        wishes
    }

    /// Gives an input to one check.
    pub(super) fn handle(&mut self, id: TargetId, input: Input) -> Vec<Wish> {
        if let Some(target) = self.slot(id) {
            target.machine.handle(input);
        }
        self.settle(id)
    }

    /// All targets of these checks: one pass over everything, for what happens seldom.
    pub(super) fn of_checks(&self, checks: &[CheckName]) -> Vec<TargetId> {
        let runs_one = |target: &Target| target.checks().any(|name| checks.contains(name));
        let found = self.targets.iter().enumerate();
        let found = found.filter(|(_, target)| target.as_ref().is_some_and(runs_one));
        found.map(|(index, _)| TargetId(index)).collect()
    }

    /// Polls a check until it waits, and sets its timer.
    fn settle(&mut self, id: TargetId) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let Some(target) = self.targets.get_mut(id.0).and_then(Option::as_mut) else { return wishes };
        loop {
            match target.machine.poll() {
                Output::StartProbe { probe, give_up_at } => {
                    self.budget.spend(probe.0);
                    // It may also start early: because it was asked to, or the last one ended late.
                    let due = target.deadline.map_or(probe.0, |deadline| deadline.min(probe.0));
                    wishes.push(Wish::StartProbe { target: id, probe, due, give_up_at });
                }
                Output::Verdict { up, .. } => wishes.push(Wish::Verdict { target: id, up }),
                Output::Wait { deadline, reason } => {
                    let deadline = match reason {
                        // Those that are due at the same beat are one wake-up.
                        WaitReason::NextProbe => {
                            deadline.map(|due| schedule::beat(due, target.machine.interval()))
                        }
                        WaitReason::Outcome => deadline,
                    };
                    if let Some(before) = std::mem::replace(&mut target.deadline, deadline) {
                        self.waiting.remove(&(before, id));
                        self.probing.remove(&(before, id));
                    }
                    let queue = match reason {
                        WaitReason::NextProbe => &mut self.waiting,
                        WaitReason::Outcome => &mut self.probing,
                    };
                    queue.extend(deadline.map(|deadline| (deadline, id)));
                    return wishes;
                }
            }
        }
    }
}
