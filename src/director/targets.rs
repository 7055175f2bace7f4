//! Every running check of the policy, with one timer queue for all. Pure.

use super::sharing::shared;
use crate::health::{Input, Machine, Output, Params, ProbeId, Start, schedule};
use crate::model::{CheckName, Policy, Pool, RealServer, TargetKey};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Identity of a running check: its place in [`Targets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId(pub usize);

/// What a check wants done, with its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    StartProbe { target: TargetId, probe: ProbeId, give_up_at: Instant },
    Verdict { target: TargetId, up: bool },
}

/// One running check.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) key: TargetKey,
    /// Other checks that ask the same of the same address: what it finds is theirs too.
    namesakes: Vec<CheckName>,
    pub(super) machine: Machine,
    deadline: Option<Instant>,
}

impl Target {
    /// The checks that it runs for.
    pub(super) fn checks(&self) -> impl Iterator<Item = &CheckName> {
        std::iter::once(&self.key.check).chain(&self.namesakes)
    }
}

/// All running checks, in the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Targets {
    targets: Vec<Target>,
    ids: BTreeMap<TargetKey, TargetId>,
    timers: BTreeSet<(Instant, TargetId)>,
}

impl Targets {
    /// One check for each target that a server of `policy` names, and for each of `further`, where those that ask the same of
    /// the same address are one; `start` says what is known of each. A target whose check is not in the policy is left out.
    pub(super) fn new(
        policy: &Policy,
        further: impl IntoIterator<Item = TargetKey>,
        seed: u64,
        now: Instant,
        start: impl Fn(&TargetKey) -> Start,
    ) -> Self {
        let mut all = Self::default();
        let servers = policy.pools.values().flat_map(Pool::every_server);
        let keys: BTreeSet<TargetKey> = servers.flat_map(RealServer::asked).cloned().chain(further).collect();
        let params = policy.checks.iter().map(|(name, check)| (name, Arc::new(Params::from(check))));
        let params: BTreeMap<_, _> = params.collect();
        for group in shared(policy, keys) {
            let Some((key, namesakes)) = group.split_first() else { continue };
            let Some(params) = params.get(&key.check) else { continue };
            let start = group.iter().map(&start).fold(Start::Down, Start::or);
            let own_seed = schedule::seed_of(seed, key);
            let first = now + schedule::first_probe_after(own_seed, params.interval);
            let machine = Machine::new(Arc::clone(params), start, first).with_seed(own_seed);
            let id = TargetId(all.targets.len());
            all.ids.extend(group.iter().map(|key| (key.clone(), id)));
            let namesakes = namesakes.iter().map(|key| key.check.clone()).collect();
            all.targets.push(Target { key: key.clone(), namesakes, machine, deadline: None });
            all.settle(id);
        }
        all
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
        self.targets.get(id.0)
    }

    /// How many checks run.
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.targets.len()
    }

    /// The next instant at which a check wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(deadline, _)| *deadline)
    }

    /// Calls every check whose deadline has come.
    pub(super) fn time_passed(&mut self, at: Instant) -> Vec<Wish> {
        let mut wishes = Vec::new();
        while let Some((_, id)) = self.timers.first().copied().filter(|(deadline, _)| *deadline <= at) {
            wishes.extend(self.handle(id, Input::Timeout { at }));
            // A machine that asks for the past would hold this loop for ever; it is called again by the next input.
            if self.timers.first().is_some_and(|(next, same)| *same == id && *next <= at) {
                break;
            }
        }
        wishes
    }

    /// Gives an input to one check.
    pub(super) fn handle(&mut self, id: TargetId, input: Input) -> Vec<Wish> {
        if let Some(target) = self.targets.get_mut(id.0) {
            target.machine.handle(input);
        }
        self.settle(id)
    }

    /// Polls a check until it waits, and sets its timer.
    fn settle(&mut self, id: TargetId) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let Some(target) = self.targets.get_mut(id.0) else { return wishes };
        loop {
            match target.machine.poll() {
                Output::StartProbe { probe, give_up_at } => {
                    wishes.push(Wish::StartProbe { target: id, probe, give_up_at });
                }
                Output::Verdict { up, .. } => wishes.push(Wish::Verdict { target: id, up }),
                Output::Wait { deadline, .. } => {
                    let before = std::mem::replace(&mut target.deadline, deadline);
                    before.map(|before| self.timers.remove(&(before, id)));
                    deadline.map(|deadline| self.timers.insert((deadline, id)));
                    return wishes;
                }
            }
        }
    }
}
