//! A small world: a kernel that keeps real tables and may refuse, servers that live and die, time that jumps from event to
//! event. Everything is a function of the test's own inputs.

use crate::desired::fixtures::{host, ip, policy, pool, tcp};
use crate::director::core::{Beginning, Core, Input, Output};
use crate::director::event::Event;
use crate::director::reconciler::Work;
use crate::director::targets::TargetId;
use crate::health::ProbeId;
use crate::kernel::KernelError;
use crate::model::{
    Connections, Destination, DestinationCounts, DestinationKey, Failure, Findings, Forwarding, Observed,
    ObservedRuleset, Outcome, Override, Policy, Roles,
};
use crate::peer::sight::Sights;
use crate::reconcile::{Change, Ownership, assume};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

pub(super) const VIP: &str = "192.168.101.100";
pub(super) const ONE: &str = "192.168.101.110";
pub(super) const TWO: &str = "192.168.101.210";
pub(super) const PROBE_TAKES: Duration = Duration::from_millis(10);
pub(super) const KERNEL_TAKES: Duration = Duration::from_millis(5);

enum Coming {
    Probe(TargetId, ProbeId, Option<Outcome>, IpAddr),
    Work(Work),
}

pub(super) struct World {
    pub(super) core: Core,
    pub(super) now: Instant,
    pub(super) kernel: Observed,
    pub(super) record: Ownership,
    pub(super) dead: BTreeSet<IpAddr>,
    pub(super) refuse: fn(&Change) -> bool,
    pub(super) no_sockets: bool,
    /// What every probe learns.
    pub(super) findings: Findings,
    coming: BTreeMap<(Instant, u64), Coming>,
    sequence: u64,
    pub(super) events: Vec<Event>,
    pub(super) overrides: Vec<Override>,
    /// What the other directors are told.
    pub(super) sights: Sights,
    pub(super) applied: Vec<(Instant, Vec<Change>)>,
    pub(super) stopped: bool,
}

/// A director that finds nothing.
pub(super) fn beginning(policy: Policy) -> Beginning {
    Beginning {
        host: host(&policy),
        policy,
        generation: 1,
        roles: Roles::default(),
        observed: Observed::default(),
        owned: Ownership::default(),
        overrides: Vec::new(),
        epoch: Duration::ZERO,
        seed: 7,
        now: Instant::ZERO,
    }
}

impl World {
    pub(super) fn start(policy: Policy, kernel: Observed, owned: Ownership) -> Self {
        Self::start_with(policy, kernel, owned, Vec::new())
    }

    pub(super) fn start_with(
        policy: Policy,
        kernel: Observed,
        owned: Ownership,
        overrides: Vec<Override>,
    ) -> Self {
        let (observed, owned_before) = (kernel.clone(), owned.clone());
        let beginning =
            Beginning { observed, owned: owned_before, overrides: overrides.clone(), ..beginning(policy) };
        Self {
            core: Core::new(beginning),
            now: Instant::ZERO,
            kernel,
            record: owned,
            dead: BTreeSet::new(),
            refuse: |_| false,
            no_sockets: false,
            findings: Findings::default(),
            coming: BTreeMap::new(),
            sequence: 0,
            events: Vec::new(),
            overrides,
            sights: Sights::new(),
            applied: Vec::new(),
            stopped: false,
        }
    }

    /// The same with the core of another process, which has no probe in flight.
    pub(super) fn with_core(self, core: Core) -> Self {
        Self { core, coming: BTreeMap::new(), ..self }
    }

    /// One that changes nothing, beside what the kernel holds.
    pub(super) fn observing(policy: Policy, kernel: Observed) -> Self {
        let world = Self::start(policy, kernel, Ownership::default());
        Self { core: world.core.observing(Ownership::default()), ..world }
    }

    pub(super) fn fresh(policy: Policy) -> Self {
        Self::start(policy, Observed::default(), Ownership::default())
    }

    fn schedule(&mut self, after: Duration, coming: Coming) {
        self.sequence += 1;
        self.coming.insert((self.now + after, self.sequence), coming);
    }

    /// Does what the core asks for, until it waits; the deadline of its wait.
    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.core.poll() {
                Output::Overrides(all) => self.overrides = all,
                Output::Sights(sights) => self.sights = sights,
                Output::StartProbe { target, probe, .. } => {
                    let address = self.core.targets.get(target).expect("a target").key.address.ip();
                    self.schedule(PROBE_TAKES, Coming::Probe(target, probe, None, address));
                }
                Output::Kernel(work) => self.schedule(KERNEL_TAKES, Coming::Work(work)),
                Output::Record(record) => self.record = record,
                Output::Tell(event) => self.events.push(event),
                Output::Stopped => {
                    self.stopped = true;
                    return None;
                }
                Output::Wait { deadline } => return deadline,
            }
        }
    }

    fn run_until(&mut self, end: Instant) {
        loop {
            let deadline = self.drain();
            let first = self.coming.keys().next().map(|(at, _)| *at);
            let next = [deadline, first].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            assert!(next >= self.now, "time never goes back");
            self.now = next;
            match self.coming.first_entry().filter(|entry| entry.key().0 <= next) {
                Some(entry) => {
                    let coming = entry.remove();
                    self.arrive(coming);
                }
                None => self.core.handle(Input::Timeout { at: next }),
            }
        }
        self.now = end;
    }

    pub(super) fn run_for(&mut self, duration: Duration) {
        self.run_until(self.now + duration);
    }

    fn arrive(&mut self, coming: Coming) {
        let at = self.now;
        match coming {
            Coming::Probe(target, probe, outcome, address) => {
                let result = match (self.no_sockets, self.dead.contains(&address)) {
                    (true, _) => Err(Failure::Local("too many open files".into())),
                    (false, true) => Err(Failure::ConnectionRefused),
                    (false, false) => Ok(()),
                };
                let outcome = outcome
                    .unwrap_or(Outcome { findings: self.findings, ..Outcome::new(PROBE_TAKES, result) });
                let lateness = Duration::ZERO;
                self.core.handle(Input::ProbeFinished { at, target, probe, outcome, lateness });
            }
            Coming::Work(Work::Observe(_)) => {
                let result = Ok(self.kernel.clone());
                self.core.handle(Input::Observed { at, result });
            }
            Coming::Work(Work::Apply { record, changes }) => {
                self.record = record;
                let results = changes.iter().map(|change| self.apply(change)).collect();
                self.applied.push((at, changes));
                self.core.handle(Input::Applied { at, took: KERNEL_TAKES, results });
            }
        }
    }

    fn apply(&mut self, change: &Change) -> Result<(), KernelError> {
        if (self.refuse)(change) {
            return Err(KernelError { errno: Some(22), message: format!("{}: refused", change.object()) });
        }
        assume(&mut self.kernel, change);
        if let Change::ReplaceRuleset { .. } = change {
            self.kernel.ruleset = ObservedRuleset::Present("as listed".into());
        }
        Ok(())
    }

    pub(super) fn weights(&self) -> Vec<(String, u32)> {
        let service = self.kernel.services.get(&tcp(VIP, 80));
        let destinations = service.into_iter().flat_map(|service| &*service.destinations);
        destinations.map(|(key, found)| (key.address.to_string(), found.weight)).collect()
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        self.weights().into_iter().map(|(address, _)| address).collect()
    }

    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.applied.iter().flat_map(|(_, changes)| changes.iter().map(Change::kind)).collect()
    }

    pub(super) fn is_level(&self) -> bool {
        let desired = self.core.tables();
        crate::reconcile::plan(&desired, &self.kernel, &self.record).is_empty()
    }

    /// Clients hold connections to a server, for ever.
    pub(super) fn hold_connections(&mut self, server: &str, active: u32) {
        let connections = Connections { active, ..Connections::default() };
        let counts = DestinationCounts { connections, ..DestinationCounts::default() };
        for (key, service) in &self.kernel.services {
            let held = service.destinations.keys().find(|key| key.address == ip(server));
            self.kernel
                .destination_counts
                .insert(*key, held.map(|held| (*held, counts)).into_iter().collect());
        }
    }

    pub(super) fn kernel_edit(&mut self, edit: impl FnOnce(&mut Destination)) {
        let service = self.kernel.services.get_mut(&tcp(VIP, 80)).expect("the service");
        let key = DestinationKey { address: ip(ONE), port: 80 };
        edit(service.destinations_mut().get_mut(&key).expect("the destination"));
    }
}

pub(super) fn dr() -> Policy {
    policy([pool("web", VIP, &Forwarding::DirectRouting)])
}

pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_server_that_was_never_up_is_told_once_with_its_reason() {
    let mut world = World::fresh(dr());
    world.dead.insert(ip(TWO));
    world.run_for(seconds(20));
    let told: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Verdict { target, up, .. } => Some((target.address.ip(), *up)),
            _ => None,
        })
        .collect();
    assert_eq!(told.iter().filter(|verdict| **verdict == (ip(TWO), false)).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|verdict| **verdict == (ip(ONE), true)).count(), 1, "{told:?}");
}
