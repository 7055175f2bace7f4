//! A director in a small world: a kernel that keeps real tables and may refuse, servers that live and die, time that jumps
//! from event to event. Everything is a function of the test's own inputs.

use super::core::{Beginning, Core, Input, Output};
use super::event::Event;
use super::reconciler::{OBSERVE_EVERY, Work};
use crate::desired::fixtures::{host, ip, policy, pool, tcp};
use crate::health::ProbeId;
use crate::kernel::KernelError;
use crate::model::{
    Destination, DestinationKey, Failure, Forwarding, HostFacts, Initial, Observed, ObservedRuleset,
    OnFailure, OnStop, Outcome, Policy, Reach, SourceTranslation, Sysctl,
};
use crate::reconcile::{Change, Ownership, assume};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

const VIP: &str = "192.168.101.100";
const ONE: &str = "192.168.101.110";
const TWO: &str = "192.168.101.210";
const PROBE_TAKES: Duration = Duration::from_millis(10);
const KERNEL_TAKES: Duration = Duration::from_millis(5);

enum Coming {
    Probe(super::targets::TargetId, ProbeId, Option<Outcome>, IpAddr),
    Work(Work),
}

struct World {
    core: Core,
    now: Instant,
    kernel: Observed,
    record: Ownership,
    dead: BTreeSet<IpAddr>,
    refuse: fn(&Change) -> bool,
    no_sockets: bool,
    coming: BTreeMap<(Instant, u64), Coming>,
    sequence: u64,
    events: Vec<Event>,
    applied: Vec<(Instant, Vec<Change>)>,
    stopped: bool,
}

impl World {
    fn start(policy: Policy, kernel: Observed, owned: Ownership) -> Self {
        let host = host(&policy);
        let beginning = Beginning {
            policy,
            host,
            observed: kernel.clone(),
            owned: owned.clone(),
            seed: 7,
            now: Instant::ZERO,
        };
        Self {
            core: Core::new(beginning),
            now: Instant::ZERO,
            kernel,
            record: owned,
            dead: BTreeSet::new(),
            refuse: |_| false,
            no_sockets: false,
            coming: BTreeMap::new(),
            sequence: 0,
            events: Vec::new(),
            applied: Vec::new(),
            stopped: false,
        }
    }

    fn fresh(policy: Policy) -> Self {
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

    fn run_for(&mut self, duration: Duration) {
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
                let outcome = outcome.unwrap_or(Outcome { duration: PROBE_TAKES, result });
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

    fn weights(&self) -> Vec<(String, u32)> {
        let service = self.kernel.services.get(&tcp(VIP, 80));
        let destinations = service.into_iter().flat_map(|service| &service.destinations);
        destinations.map(|(key, found)| (key.address.to_string(), found.weight)).collect()
    }

    fn addresses(&self) -> Vec<String> {
        self.weights().into_iter().map(|(address, _)| address).collect()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.applied.iter().flat_map(|(_, changes)| changes.iter().map(Change::kind)).collect()
    }

    fn is_level(&self) -> bool {
        let desired = self.core.tables();
        crate::reconcile::plan(&desired, &self.kernel, &self.record).is_empty()
    }

    fn kernel_edit(&mut self, edit: impl FnOnce(&mut Destination)) {
        let service = self.kernel.services.get_mut(&tcp(VIP, 80)).expect("the service");
        let key = DestinationKey { address: ip(ONE), port: 80 };
        edit(service.destinations.get_mut(&key).expect("the destination"));
    }
}

fn dr() -> Policy {
    policy([pool("web", VIP, &Forwarding::DirectRouting)])
}

fn seconds(seconds: u64) -> Duration {
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

#[test]
fn servers_join_after_their_first_success_and_only_those_that_answer() {
    let mut world = World::fresh(dr());
    world.dead.insert(ip(TWO));
    world.run_for(Duration::from_millis(4));
    assert!(world.core.readiness().is_err(), "not ready before the first pass");
    world.run_for(seconds(2));
    assert_eq!(world.addresses(), [ONE]);
    assert_eq!(world.core.readiness(), Ok(()));
}

#[test]
fn a_server_that_dies_is_out_within_fall_intervals_and_back_within_rise_intervals() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [ONE, TWO]);
    world.dead.insert(ip(ONE));
    world.run_for(seconds(3) + PROBE_TAKES + KERNEL_TAKES * 4);
    assert_eq!(world.addresses(), [TWO]);
    world.dead.clear();
    world.run_for(seconds(2) + PROBE_TAKES + KERNEL_TAKES * 4);
    assert_eq!(world.addresses(), [ONE, TWO]);
    let verdicts: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Verdict { up, servers, .. } => Some((*up, servers.len())),
            _ => None,
        })
        .collect();
    assert_eq!(verdicts, [(true, 1), (true, 1), (false, 1), (true, 1)]);
}

#[test]
fn a_right_table_that_is_found_is_adopted_without_a_single_change() {
    for pools in [
        [pool("web", VIP, &Forwarding::DirectRouting)],
        [pool("web", VIP, &Forwarding::FullNat(SourceTranslation::Masquerade))],
    ] {
        let mut first = World::fresh(policy(pools));
        first.run_for(seconds(5));
        let mut second = World::start(first.core.policy.clone(), first.kernel.clone(), first.record.clone());
        second.run_for(seconds(10));
        assert_eq!(second.applied, [], "dumps and nothing else");
        assert!(matches!(&second.events[0], Event::Adopted { ours, .. } if ours == &[tcp(VIP, 80)]));
    }
}

#[test]
fn what_changed_while_nobody_looked_is_put_right_at_the_start() {
    let mut first = World::fresh(dr());
    first.run_for(seconds(5));
    first.kernel_edit(|found| found.weight = 7);
    let mut second = World::start(dr(), first.kernel.clone(), first.record.clone());
    second.dead.insert(ip(TWO));
    second.run_for(Duration::from_millis(20));
    assert_eq!(second.weights(), [(ONE.to_owned(), 1), (TWO.to_owned(), 1)], "the weight at once");
    second.run_for(seconds(4));
    assert_eq!(second.addresses(), [ONE], "the dead server after its fall");
    assert_eq!(second.kinds(), ["edit_destination", "remove_destination"]);
}

#[test]
fn drift_is_counted_and_repaired_within_one_observation() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    let before = world.applied.len();
    world.kernel_edit(|found| found.weight = 7);
    world.run_for(OBSERVE_EVERY + KERNEL_TAKES * 4);
    assert!(world.is_level());
    assert_eq!(world.applied.len(), before + 1);
    assert_eq!(world.core.reconciler.counts.drift.values().sum::<u64>(), 1);
    assert!(world.events.iter().any(|event| matches!(event, Event::Drift { changes } if changes.len() == 1)));
}

/// One entry that the kernel never takes must not make the director blind to what others do.
#[test]
fn drift_is_counted_beside_a_refused_change_too() {
    let mut world = World::fresh(dr());
    world.refuse = |change| matches!(change, Change::AddDestination { key, .. } if key.address == ip(TWO));
    world.run_for(seconds(10));
    assert!(
        world.core.reconciler.counts.drift.is_empty(),
        "a refused change is no drift, however often tried"
    );
    world.kernel_edit(|found| found.weight = 7);
    world.run_for(OBSERVE_EVERY + KERNEL_TAKES * 4);
    assert_eq!(world.core.reconciler.counts.drift.values().sum::<u64>(), 1);
    let drift = |event: &&Event| matches!(event, Event::Drift { changes } if changes.len() == 1);
    assert_eq!(world.events.iter().filter(drift).count(), 1);
}

#[test]
fn a_decision_is_not_drift() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    world.dead.insert(ip(ONE));
    world.run_for(seconds(10));
    assert!(world.core.reconciler.counts.drift.is_empty());
}

#[test]
fn a_refused_destination_is_told_once_retried_and_does_not_hold_up_the_rest() {
    let mut world = World::fresh(dr());
    world.refuse = |change| matches!(change, Change::AddDestination { key, .. } if key.address == ip(ONE));
    world.run_for(seconds(30));
    assert_eq!(world.addresses(), [TWO]);
    let refused = world.events.iter().filter(|event| matches!(event, Event::Refused { .. })).count();
    assert_eq!(refused, 1, "told once");
    let tries = world.kinds().iter().filter(|kind| **kind == "add_destination").count();
    assert!((4..=8).contains(&tries), "backed off, {tries} tries");
    world.refuse = |_| false;
    world.run_for(seconds(16));
    assert_eq!(world.addresses(), [ONE, TWO]);
    assert!(world.events.iter().any(|event| matches!(event, Event::Accepted { .. })));
}

#[test]
fn a_refused_service_is_one_message_however_many_destinations_it_has() {
    let mut world = World::fresh(dr());
    world.refuse = |change| matches!(change, Change::AddService { .. } | Change::AddDestination { .. });
    world.run_for(seconds(20));
    let refused = world.events.iter().filter(|event| matches!(event, Event::Refused { .. })).count();
    assert_eq!(refused, 1);
}

#[test]
fn a_rack_that_fails_at_once_is_few_passes() {
    let mut large = pool("web", VIP, &Forwarding::DirectRouting);
    large.servers = (0..200)
        .map(|number| {
            crate::desired::fixtures::server(&format!("10.0.0.{number}"), &Forwarding::DirectRouting)
        })
        .collect();
    let mut world = World::fresh(policy([large]));
    world.run_for(seconds(5));
    assert_eq!(world.addresses().len(), 200);
    let before = world.applied.len();
    world.dead = (0..200).map(|number| ip(&format!("10.0.0.{number}"))).collect();
    world.run_for(seconds(5));
    assert_eq!(world.addresses().len(), 0);
    let passes = world.applied.len() - before;
    assert!(passes < 200, "verdicts that come while the kernel is busy go in together: {passes} passes");
}

#[test]
fn a_quiesced_server_keeps_its_place_and_one_found_quiesced_must_prove_itself() {
    let mut pool = pool("web", VIP, &Forwarding::DirectRouting);
    pool.on_failure = OnFailure::Quiesce;
    let policy = policy([pool]);
    let mut world = World::fresh(policy.clone());
    world.dead.insert(ip(ONE));
    world.run_for(seconds(5));
    assert_eq!(world.weights(), [(ONE.to_owned(), 0), (TWO.to_owned(), 1)]);
    let mut again = World::start(policy, world.kernel.clone(), world.record.clone());
    again.dead.insert(ip(ONE));
    again.run_for(seconds(5));
    assert_eq!(again.applied, [], "weight 0 says that it was down: it is left so");
}

#[test]
fn a_stop_keeps_the_table_or_takes_back_everything_that_is_ours() {
    let mut keeping = World::fresh(dr());
    keeping.run_for(seconds(5));
    let before = keeping.kernel.clone();
    keeping.core.handle(Input::Stop { at: keeping.now });
    keeping.run_for(seconds(1));
    assert!(keeping.stopped);
    assert_eq!(keeping.kernel, before);

    let mut policy = policy([pool("web", VIP, &Forwarding::FullNat(SourceTranslation::Masquerade))]);
    policy.on_stop = OnStop::Remove;
    let mut kernel = Observed::default();
    let forward = Sysctl::from_path("net/ipv4/ip_forward");
    kernel.sysctls.insert(forward.clone(), "0".into());
    let mut removing = World::start(policy, kernel, Ownership::default());
    removing.run_for(seconds(5));
    assert_eq!(removing.kernel.sysctls[&forward], "1");
    removing.core.handle(Input::Stop { at: removing.now });
    removing.run_for(seconds(1));
    assert!(removing.stopped);
    assert!(removing.kernel.services.is_empty());
    assert_eq!(removing.kernel.ruleset, ObservedRuleset::Absent);
    assert_eq!(removing.kernel.sysctls[&forward], "0", "the value that was found");
}

#[test]
fn two_pools_share_a_probe_and_each_keeps_its_own_start() {
    let mut eager = pool("eager", VIP, &Forwarding::DirectRouting);
    eager.initial = Initial::Up;
    let careful = pool("careful", "192.168.101.101", &Forwarding::DirectRouting);
    let mut world = World::fresh(policy([eager, careful]));
    world.dead = [ip(ONE), ip(TWO)].into();
    world.run_for(Duration::from_millis(20));
    assert_eq!(world.addresses(), [ONE, TWO], "initial: up is in at once");
    let second = &world.kernel.services[&tcp("192.168.101.101", 80)];
    assert!(second.destinations.is_empty(), "initial: down is not");
    assert_eq!(world.core.targets.iter().count(), 2, "one probe a target");
    world.run_for(seconds(4));
    assert_eq!(world.addresses().len(), 0);
}

#[test]
fn a_server_behind_a_gateway_joins_when_it_is_on_the_link() {
    let mut world = World::fresh(dr());
    let behind = Reach::Gateway { interface: "eth0".into() };
    let on_link = world.core.host.clone();
    let mut facts = on_link.clone();
    facts.reach.insert(ip(ONE), behind);
    world.core.handle(Input::Host { at: world.now, facts });
    world.run_for(seconds(5));
    assert_eq!(world.addresses(), [TWO]);
    world.core.handle(Input::Host { at: world.now, facts: HostFacts { reach: on_link.reach } });
    world.run_for(Duration::from_millis(20));
    assert_eq!(world.addresses(), [ONE, TWO]);
    let told = world.events.iter().filter(|event| matches!(event, Event::Obstructed { .. })).count();
    assert_eq!(told, 2);
}

#[test]
fn a_probe_that_cannot_be_made_is_told_once_and_changes_no_verdict() {
    let mut world = World::fresh(dr());
    world.run_for(seconds(5));
    world.no_sockets = true;
    world.run_for(seconds(20));
    assert_eq!(world.addresses(), [ONE, TWO]);
    let told = world.events.iter().filter(|event| matches!(event, Event::NotProbed { .. })).count();
    assert_eq!(told, 2, "once a target");
}

/// Any history of deaths, returns, foreign edits and refusals: once they end, the kernel is level with the servers that
/// live, and foreign services are as they were.
#[test]
fn after_any_history_the_table_is_level_again() {
    for seed in 0..60_u64 {
        let mut state = seed;
        let mut random = move |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let mut world = World::fresh(policy([
            pool("web", VIP, &Forwarding::DirectRouting),
            pool("api", "192.168.101.102", &Forwarding::FullNat(SourceTranslation::Masquerade)),
        ]));
        let foreign = tcp("10.9.9.9", 25);
        for _ in 0..30 {
            let server = if random(2) == 0 { ip(ONE) } else { ip(TWO) };
            match random(7) {
                0 => drop(world.dead.insert(server)),
                1 => drop(world.dead.remove(&server)),
                2 => drop(world.kernel.services.remove(&tcp(VIP, 80))),
                3 => world.kernel.ruleset = ObservedRuleset::Absent,
                4 => world.refuse = |change| change.kind() == "add_destination",
                5 => world.refuse = |_| false,
                _ => {
                    let other = world.kernel.services.get(&tcp(VIP, 80)).cloned();
                    other.map(|service| world.kernel.services.insert(foreign, service));
                }
            }
            world.run_for(Duration::from_millis(random(3_000)));
        }
        let untouched = world.kernel.services.get(&foreign).cloned();
        world.refuse = |_| false;
        world.dead = [ip(ONE)].into();
        world.run_for(seconds(40));
        assert!(world.is_level(), "seed {seed}");
        assert_eq!(world.addresses(), [TWO], "seed {seed}");
        assert_eq!(world.kernel.services.get(&foreign), untouched.as_ref(), "seed {seed}");
    }
}
