//! Every running check of the policy, with one timer queue for all. Pure.

use super::renewal::Unchanged;
use super::sharing::{Shared, shared};
use crate::hash::Fixed;
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

/// What running checks are made from.
#[derive(Debug)]
pub(super) struct Renewal<'a> {
    pub(super) policy: &'a Policy,
    /// Targets that no server names.
    pub(super) further: BTreeSet<TargetKey>,
    /// What is asked as under the policy before.
    pub(super) unchanged: &'a Unchanged,
    pub(super) seed: u64,
    pub(super) now: Instant,
}

/// One running check.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) key: TargetKey,
    /// Other checks that ask the same of the same address: what it finds is theirs too.
    namesakes: Vec<CheckName>,
    pub(super) machine: Machine,
    /// Where it stands in one of the queues.
    deadline: Option<Instant>,
}

impl Target {
    /// The checks that it runs for.
    pub(super) fn checks(&self) -> impl Iterator<Item = &CheckName> {
        std::iter::once(&self.key.check).chain(&self.namesakes)
    }
}

/// All running checks. One keeps its identity for as long as it runs; what a policy that is taken over leaves out makes room.
#[derive(Debug, Default)]
pub(super) struct Targets {
    targets: Vec<Option<Target>>,
    /// Places in `targets` that are empty. A probe of whoever had one may still end there: its identity is an instant that is
    /// past, and no probe of the next one has it.
    free: Vec<TargetId>,
    ids: IndexMap<TargetKey, TargetId, Fixed>,
    /// Whose next probe is due when.
    waiting: Queue,
    /// Whose probe is under way, and when it counts as lost.
    probing: Queue,
}

type Queue = BTreeSet<(Instant, TargetId)>;

impl Targets {
    /// One check for each target that a server of `policy` names, and for each of `further`, where those that ask the same of
    /// the same address are one; `start` says what is known of each. A target whose check is not in the policy is left out.
    pub(super) fn new(
        policy: &Policy,
        further: BTreeSet<TargetKey>,
        seed: u64,
        now: Instant,
        start: impl Fn(&TargetKey) -> Start,
    ) -> Self {
        let mut all = Self::default();
        all.renew(Renewal { policy, further, unchanged: &Unchanged::default(), seed, now }, start);
        all
    }

    /// The same for a policy that is taken over: a check goes on as it is where it asks what it asked, and begins anew where it
    /// does not. The identities that have ended; they may be in use again.
    pub(super) fn renew(
        &mut self,
        renewal: Renewal<'_>,
        start: impl Fn(&TargetKey) -> Start,
    ) -> BTreeSet<TargetId> {
        let Renewal { policy, further, unchanged, seed, now } = renewal;
        let servers = policy.pools.values().flat_map(Pool::every_server);
        let keys: BTreeSet<TargetKey> = servers.flat_map(RealServer::asked).cloned().chain(further).collect();
        let (kept, new): (Vec<_>, Vec<_>) = shared(policy, keys)
            .into_iter()
            .map(|group| (self.running(&group, unchanged), group))
            .partition(|(running, _)| running.is_some());
        self.ids.clear();
        let kept = kept.into_iter().filter_map(|(running, group)| Some((running?, group)));
        let kept: BTreeSet<TargetId> = kept.map(|(id, group)| self.go_on(id, &group)).collect();
        let ended = self.end_all_but(&kept);
        let params = policy.checks.iter().map(|(name, check)| (name, Arc::new(Params::from(check))));
        let params: BTreeMap<_, _> = params.collect();
        let stretch = schedule::stretch(new.len());
        for (_, group) in new {
            let Some(key) = group.first() else { continue };
            let Some(params) = params.get(&key.check) else { continue };
            let start = group.iter().map(&start).fold(Start::Down, Start::or);
            let own_seed = schedule::seed_of(seed, key);
            let first =
                now + SOONEST_FIRST + schedule::first_probe_after(own_seed, params.interval) * stretch;
            self.begin(&group, Machine::new(Arc::clone(params), start, first).with_seed(own_seed));
        }
        ended
    }

    /// The check that already asks what a group asks.
    fn running(&self, group: &Shared, unchanged: &Unchanged) -> Option<TargetId> {
        group
            .iter()
            .filter(|key| unchanged.asks_as_before(&key.check, key.real_path))
            .find_map(|key| self.id_of(key))
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
        let target = Target { key: key.clone(), namesakes: Vec::new(), machine, deadline: None };
        if let Some(slot) = self.targets.get_mut(id.0) {
            *slot = Some(target);
        }
        self.go_on(id, group);
        // One that has just begun only waits.
        self.settle(id);
    }

    fn end_all_but(&mut self, kept: &BTreeSet<TargetId>) -> BTreeSet<TargetId> {
        let mut ended = BTreeSet::new();
        for (index, slot) in self.targets.iter_mut().enumerate() {
            let id = TargetId(index);
            if let Some(target) = slot.take_if(|_| !kept.contains(&id)) {
                let at = target.deadline.map(|deadline| (deadline, id));
                at.into_iter().for_each(|at| {
                    self.waiting.remove(&at);
                    self.probing.remove(&at);
                });
                self.free.push(id);
                ended.insert(id);
            }
        }
        ended
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

    /// How many checks run.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.targets.len() - self.free.len()
    }

    /// The next instant at which a check wants to be called. With no room for another probe only the end of one brings it
    /// on.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let next = |queue: &Queue| queue.first().map(|(deadline, _)| *deadline);
        let lost = next(&self.probing);
        let due = next(&self.waiting).filter(|_| self.has_room());
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
            let next = due(&self.probing).or_else(|| due(&self.waiting).filter(|_| self.has_room()));
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
                    // It may also start early: because it was asked to, or the last one ended late.
                    let due = target.deadline.map_or(probe.0, |deadline| deadline.min(probe.0));
                    wishes.push(Wish::StartProbe { target: id, probe, due, give_up_at });
                }
                Output::Verdict { up, .. } => wishes.push(Wish::Verdict { target: id, up }),
                Output::Wait { deadline, reason } => {
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
