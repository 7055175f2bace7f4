//! The pure core of a director: probe outcomes, observations and time go in; probes to start and work for the kernel come
//! out. The same code runs in the daemon and in tests.
//!
//! Invariants: at most one piece of kernel work is under way; the desired tables are always those of (policy, host,
//! verdicts); a server enters the table only when its check has passed, or it was in the table that was adopted, or its
//! pool says `initial: up`.

use super::adoption::{self, Adoption, Past};
use super::alone::Alone;
use super::certificates::Certificates;
use super::composites::Composites;
use super::deciding::Concerned;
use super::event::{Cause, Event};
use super::obstacles::Obstacles;
use super::overrides::Overrides;
use super::reconciler::Reconciler;
use super::rotations::Rotations;
use super::server_id::{ServerId, Users};
use super::sightings::Sightings;
use super::statistics::Statistics;
use super::succession::pools::HandedPools;
use super::targets::{TargetId, Targets, Wish};
use crate::desired::{self, Situation, Standing};
use crate::health::{Input as HealthInput, Start};
use crate::model::{
    CheckName, DirectorName, HostFacts, Observed, OnStop, Override, Policy, Pool, PoolName, RealServer,
    Roles, Scope, Tables, TargetKey,
};
use crate::reconcile::{self, Ownership};
use crate::rotation::Placement;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use super::inout::{Input, Output};

/// From a planned takeover on, so long the old Master may still pass on what was begun there: it goes on for
/// [`crate::vrrp::unit::RELEASE_BOUND`] at most, then it reads its table a last time. And so long after the last connections
/// that were passed to another director it may be about to take over.
const CHANGE_OF_HANDS: Duration = Duration::from_secs(3);

/// The director's pools.
#[derive(Debug)]
pub struct Core {
    pub(super) policy: Arc<Policy>,
    /// Its checks that only say weights.
    pub(super) weight_sources: BTreeSet<CheckName>,
    /// Counts the policies that were taken over.
    pub(super) generation: u64,
    /// Spreads the probes.
    pub(super) seed: u64,
    pub(super) host: HostFacts,
    pub(super) roles: Roles,
    pub(super) targets: Targets,
    /// The servers that each target decides on.
    pub(super) users: Users,
    /// Servers that are up from the start: they stay until a check fails them.
    pub(super) adopted: BTreeSet<ServerId>,
    /// Servers on which more than one check of their own decides.
    pub(super) composites: Composites,
    pub(super) obstacles: Obstacles,
    pub(super) certificates: Certificates,
    pub(super) rotations: Rotations,
    pub(super) overrides: Overrides,
    pub(super) sightings: Sightings,
    /// Targets whose last probe could not be made on this host, and why.
    pub(super) unprobed: BTreeMap<TargetId, String>,
    pub(super) reconciler: Reconciler,
    pub(super) statistics: Statistics,
    pub(super) alone: Alone,
    outputs: VecDeque<Output>,
    /// Whether something changed that the desired tables depend on.
    pub(super) undecided: bool,
    /// The pools for which a verdict did, which may wait for others a little.
    pub(super) gathered: Concerned,
    /// When the desired tables were computed last.
    pub(super) decided_at: Option<Instant>,
    pub(super) stopping: bool,
    /// Whether nothing new is begun: another process is about to go on.
    pub(super) rests: bool,
    /// When the takeover of what another director hands over is through.
    settles_at: Option<Instant>,
    pub(super) now: Instant,
}

/// What a director starts from.
#[derive(Debug)]
pub struct Beginning {
    pub policy: Policy,
    /// Its number, from 1: one more than that of the policy which ran here before.
    pub generation: u64,
    pub host: HostFacts,
    /// Where this director is Master already: with addresses that were adopted, say.
    pub roles: Roles,
    /// The kernel as it was found, observed with [`Core::first_scope`].
    pub observed: Observed,
    /// What an earlier run left in the state directory, valid in this boot and namespace.
    pub owned: Ownership,
    /// What operators ordered, and the Unix time of [`Instant::ZERO`], by which it ends.
    pub overrides: Vec<Override>,
    pub epoch: Duration,
    /// Spreads the probes; two directors should have different ones.
    pub seed: u64,
    pub now: Instant,
}

impl Core {
    /// What the first observation must look at.
    #[must_use]
    pub fn first_scope(policy: &Policy, host: &HostFacts, owned: &Ownership) -> Scope {
        let situation = Situation { host, roles: &Roles::default() };
        reconcile::scope(&desired::tables(policy, situation, |_| Placement::default()), owned)
    }

    /// A director that adopts what it finds.
    #[must_use]
    pub fn new(beginning: Beginning) -> Self {
        Self::begun(beginning, None)
    }

    pub(super) fn begun(beginning: Beginning, handed: Option<&HandedPools>) -> Self {
        let Beginning { policy, generation, host, roles, observed, owned, overrides, epoch, seed, now } =
            beginning;
        let Adoption { servers: adopted, starts } =
            Adoption::new(policy.pools.values(), &observed, Past::Unknown);
        let start = |key: &TargetKey| starts.get(key).copied().unwrap_or(Start::Down);
        let targets = Targets::new(&policy, seed, now, start);
        let users = Users::of(&policy, &targets);
        let found = adoption::found(&policy, &observed);
        let mut core = Self {
            composites: Composites::new(&policy),
            obstacles: Obstacles::default(),
            certificates: Certificates::default(),
            rotations: Rotations::new(&policy, &observed),
            overrides: Overrides::new(overrides, &policy, epoch),
            sightings: Sightings::new(&policy),
            reconciler: Reconciler::new(observed, now),
            unprobed: BTreeMap::new(),
            statistics: Statistics::new(&policy),
            alone: Alone::default(),
            outputs: VecDeque::new(),
            undecided: false,
            gathered: Concerned::Nobody,
            decided_at: None,
            stopping: false,
            rests: false,
            weight_sources: policy.weight_sources(),
            policy: Arc::new(policy),
            generation,
            seed,
            host,
            roles,
            targets,
            users,
            adopted,
            settles_at: None,
            now,
        };
        if let Some(handed) = handed {
            core.targets.succeed(now, &handed.checks);
            core.rotations.succeed(&core.policy, &handed.pools);
            core.sightings.hear(handed.others());
            core.settles_at = (!core.roles.changing_hands.is_empty()).then(|| now + CHANGE_OF_HANDS);
        }
        core.tell(found);
        core.expire_overrides();
        core.note_obstacles();
        core.with_composites(|composites, core| {
            composites.begin(|server, condition| core.stands(server, condition));
        });
        core.turn();
        let tables = core.tables();
        core.reconciler.begin(tables, &owned);
        core.count_pools();
        core.look_at_addresses();
        if handed.is_some() {
            // What there was to tell of this was told before.
            core.outputs.retain(|output| !matches!(output, Output::Tell(_)));
        }
        core
    }

    /// The tables that policy, host and verdicts ask for now.
    #[must_use]
    pub fn tables(&self) -> Tables {
        let situation = Situation { host: &self.host, roles: &self.roles };
        desired::tables(&self.policy, situation, |pool| self.rotations.placement(&pool.name))
    }

    /// Takes in what happened; call [`Core::poll`] afterwards until it says [`Output::Wait`].
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::ProbeFinished { at, target, probe, outcome, lateness } => {
                self.now = at;
                self.note_probe(target, &outcome, lateness);
                self.probe_finished(target, HealthInput::ProbeFinished { at, probe, outcome });
            }
            Input::Observed { at, result } => {
                self.now = at;
                self.reconciler.observe(result, at);
                self.look_who_holds();
                self.look_at_addresses();
                self.undecided |= self.rotations.drains();
            }
            Input::Applied { at, took, results } => {
                self.now = at;
                self.statistics.passes.record(took);
                self.reconciler.applied(results, at);
                self.look_at_addresses();
            }
            Input::Host { at, facts } => {
                self.now = at;
                self.undecided |= facts != self.host;
                self.host = facts;
                self.note_obstacles();
            }
            Input::Changed { at, checks } => {
                self.now = at;
                self.probe_at_once(&checks);
            }
            Input::Calendar { at, epoch } => {
                self.now = at;
                self.certificates.set_epoch(epoch);
                self.overrides.set_epoch(epoch);
            }
            Input::Overrides { at, all } => {
                self.now = at;
                self.override_with(all);
            }
            Input::Policy { at, policy, facts } => {
                self.now = at;
                self.take_over(policy, facts);
            }
            Input::Sights { at, others } => {
                self.now = at;
                if self.sightings.hear(others) {
                    self.gathered = Concerned::Everybody;
                }
            }
            Input::Roles { at, roles } => {
                self.now = at;
                self.roles_changed(at, roles);
            }
            Input::Timeout { at } => self.time_passed(at),
            Input::Stop { at } => self.stop(at),
        }
    }

    /// What to do next.
    pub fn poll(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        self.decide();
        let record = self.reconciler.take_record();
        let work = if self.rests { None } else { self.reconciler.poll(self.now) };
        let events = std::mem::take(&mut self.reconciler.events);
        self.tell(events);
        self.outputs.extend(record.map(Output::Record));
        self.outputs.extend(work.map(Output::Kernel));
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if self.stopping && self.nothing_left() {
            self.reconciler.settle_record();
            return self.reconciler.take_record().map_or(Output::Stopped, Output::Record);
        }
        if self.rests {
            return Output::Wait { deadline: None };
        }
        let deadlines = [
            self.reconciler.deadline(),
            self.targets.deadline().filter(|_| !self.stopping),
            self.settles_at.filter(|_| !self.stopping),
            // Once it has passed, the decision is due, and waits for the kernel alone.
            self.rotations.deadline().filter(|_| !self.stopping && !self.undecided),
            self.overrides.deadline().filter(|_| !self.stopping),
            // A kernel that is busy is waited for first, and its answer is an input.
            self.gathers_until()
                .filter(|_| !self.gathered.is_nobody() && !self.stopping && self.reconciler.is_idle()),
        ];
        Output::Wait { deadline: deadlines.into_iter().flatten().min() }
    }

    /// Whether the first pass is through: everything is applied that the kernel accepts.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        self.reconciler.is_applied()
    }

    /// The kernel's tables as they were last seen, brought forward by what was changed since.
    #[must_use]
    pub const fn observed(&self) -> &Observed {
        self.reconciler.observed()
    }

    /// Whether the host keeps a server out of the table.
    #[must_use]
    pub fn has_obstacles(&self) -> bool {
        !self.obstacles.is_empty()
    }

    /// Servers that are in no table because no probe has passed yet.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let waits = |pool: &Pool| {
            let down = |server: &&RealServer| self.standing(pool, server) == Standing::Down;
            pool.servers.iter().filter(down).count()
        };
        self.policy.pools.values().map(waits).sum()
    }

    /// Which of the policy's directors this is; `None` for one that is alone.
    #[must_use]
    pub fn director(&self) -> Option<&DirectorName> {
        self.policy.pair.own.as_ref()
    }

    /// What a running check asks, and whom.
    #[must_use]
    pub fn target(&self, id: TargetId) -> Option<&TargetKey> {
        self.targets.get(id).map(|target| &*target.key)
    }

    /// The servers that a running check decides on.
    pub(super) fn servers_of(&self, id: TargetId) -> &[ServerId] {
        self.users.of_target(id)
    }

    /// Whether a check that a virtual router tracks is good; `None` before its first verdict, and for one that does not run.
    #[must_use]
    pub fn check_verdict(&self, check: &CheckName) -> Option<bool> {
        let target = self.targets.by_key(&self.policy.own_target(check)?)?;
        target.machine.is_settled().then(|| target.machine.is_up())
    }

    /// What changed hands before still does; who says so again begins the time anew.
    fn roles_changed(&mut self, at: Instant, mut roles: Roles) {
        if !roles.changing_hands.is_empty() {
            self.settles_at = Some(at + CHANGE_OF_HANDS);
        }
        let still = self.roles.changing_hands.iter().filter(|router| roles.is_master_of(router));
        let still: Vec<_> = still.cloned().collect();
        roles.changing_hands.extend(still);
        self.undecided |= roles != self.roles;
        self.roles = roles;
    }

    fn time_passed(&mut self, at: Instant) {
        self.now = at;
        if self.settles_at.is_some_and(|settles_at| settles_at <= at) {
            self.settles_at = None;
            self.roles.changing_hands.clear();
            self.undecided = true;
        }
        self.undecided |= self.rotations.deadline().is_some_and(|deadline| deadline <= at);
        if !self.stopping && !self.rests {
            self.expire_overrides();
            let wishes = self.targets.time_passed(at);
            self.take(wishes);
        }
    }

    fn stop(&mut self, at: Instant) {
        self.now = at;
        self.stopping = true;
        if self.reconciler.observing.is_some() {
            self.tell_last_differences();
            return;
        }
        match self.policy.on_stop {
            OnStop::Keep => self.reconciler.wait_for_nobody(Cause::Stop),
            OnStop::Remove => self.reconciler.desire(Tables::default(), Cause::Stop),
        }
    }

    /// Whether everything is as it shall be left behind. What is kept needs only that no work is cut off.
    fn nothing_left(&self) -> bool {
        match self.policy.on_stop {
            _ if self.reconciler.observing.is_some() => self.reconciler.is_idle(),
            OnStop::Keep => self.reconciler.is_idle() && !self.reconciler.has_to_stop(),
            OnStop::Remove => self.reconciler.is_done(),
        }
    }

    /// One outcome out of thousands changes anything for the tables: only such a one makes them be computed anew.
    fn probe_finished(&mut self, id: TargetId, input: HealthInput) {
        let standing = |targets: &Targets| {
            targets.get(id).map(|target| {
                let machine = &target.machine;
                (machine.is_up(), machine.is_settled(), machine.advice().map(|(_, advice)| advice))
            })
        };
        let before = standing(&self.targets);
        let wishes = self.targets.handle(id, input);
        let after = standing(&self.targets);
        self.take(wishes);
        if after == before {
            return;
        }
        self.gather(id);
        let servers = self.changed_by(id);
        if matches!((before, after), (Some((false, false, _)), Some((false, true, _)))) {
            self.outputs.extend(self.told(id, false, servers).map(Output::Tell));
        }
    }

    pub(super) fn take(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            let output = match wish {
                Wish::StartProbe { target, probe, due, give_up_at } => {
                    Some(Output::StartProbe { target, probe, due, give_up_at })
                }
                Wish::Verdict { target, up } => self.verdict(target, up).map(Output::Tell),
            };
            self.outputs.extend(output);
        }
    }

    fn verdict(&mut self, id: TargetId, up: bool) -> Option<Event> {
        let servers = self.changed_by(id);
        let target = self.targets.get(id)?;
        self.statistics.verdict(&servers, up, target.machine.reason().label());
        self.told(id, up, servers)
    }

    /// What is told of a target's verdict: one that changed, or the first of a server that fails from the start on.
    fn told(&self, id: TargetId, up: bool, servers: Vec<ServerId>) -> Option<Event> {
        let target = self.targets.get(id)?;
        // A source of weights that is silent is no failure; its expiry is told by the rotation.
        if self.weight_sources.contains(&target.key.check) {
            return None;
        }
        let (target, reason) = (target.key.clone(), target.machine.reason().clone());
        Some(Event::Verdict { target, up, reason, servers })
    }

    pub(super) fn note_obstacles(&mut self) {
        self.note_obstacles_of(None);
    }

    /// The same of these pools only, where the host reaches the others as it did.
    pub(super) fn note_obstacles_of(&mut self, names: Option<&BTreeSet<PoolName>>) {
        let events = match names {
            Some(names) => self.obstacles.look_at_those(&self.policy, names, &self.host),
            None => self.obstacles.look(&self.policy, &self.host),
        };
        self.tell(events);
    }

    /// Since when the kernel has been asked for something that it has not answered.
    pub(super) const fn kernel_busy_since(&self) -> Option<Instant> {
        self.reconciler.busy_since()
    }

    /// Has all overrides kept.
    pub(super) fn keep_overrides(&mut self) {
        let all = self.overrides.all().cloned().collect();
        self.output(Output::Overrides(all));
    }

    pub(super) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn tell(&mut self, events: impl IntoIterator<Item = Event>) {
        self.outputs.extend(events.into_iter().map(Output::Tell));
    }
}
