//! Keeps the kernel's tables level with the desired ones: when to look, when to change, what was drift. Pure.
//!
//! One piece of work is under way at a time. A new desired table is planned against the last observation, brought forward
//! by what was applied since, so that a verdict reaches the kernel without a dump; every [`OBSERVE_EVERY`] the whole table
//! is observed and compared again, which corrects that picture and finds drift.

use super::event::{Cause, Event};
use crate::kernel::KernelError;
use crate::model::{Observed, Scope, ServiceKey, Tables};
use crate::reconcile::{Backoff, Change, Object, Ownership, Table, assume, plan, scope};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often the tables are observed: as often as IPVS counters move.
pub const OBSERVE_EVERY: Duration = Duration::from_secs(2);
/// After a refusal the picture may be wrong; it is taken anew this soon.
const OBSERVE_AFTER_REFUSAL: Duration = Duration::from_millis(200);

/// Work for the kernel thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Observe(Scope),
    /// `record` must be on disk before the first change is made.
    Apply {
        record: Ownership,
        changes: Vec<Change>,
    },
}

/// What was done so far: the numbers of the `tandem_reconcile_*` and `tandem_drift_total` families.
#[derive(Clone, Debug, Default)]
pub struct ReconcileCounts {
    /// Passes that applied everything, and passes with a refusal.
    pub passes_ok: u64,
    pub passes_failed: u64,
    /// Accepted changes by [`Change::kind`].
    pub changes: BTreeMap<&'static str, u64>,
    pub drift: BTreeMap<Table, u64>,
    /// When the tables were last seen to be as desired.
    pub last_success: Option<Instant>,
    /// Changes that are due and not made: refused, or under way.
    pub pending: usize,
}

#[derive(Debug)]
enum Step {
    Idle,
    Observing,
    Applying { cause: Cause, changes: Vec<Change> },
}

#[derive(Debug)]
pub(super) struct Reconciler {
    desired: Tables,
    observed: Observed,
    owned: Ownership,
    backoff: Backoff,
    step: Step,
    /// Why the next plan is due; `None` when nothing has changed since the last.
    due: Option<Cause>,
    /// Whether the kernel was level with `desired`, but for what it refuses: what differs afterwards is drift.
    level: bool,
    /// Whether it was so without any refusal.
    complete: bool,
    observe_at: Instant,
    unreadable: Option<String>,
    pub(super) counts: ReconcileCounts,
    pub(super) events: Vec<Event>,
}

impl Reconciler {
    /// With the picture that was observed at the start.
    pub(super) fn new(desired: Tables, observed: Observed, owned: Ownership, now: Instant) -> Self {
        let owned = owned.after(&desired, &observed);
        Self {
            desired,
            observed,
            owned,
            backoff: Backoff::default(),
            step: Step::Idle,
            due: Some(Cause::Start),
            level: false,
            complete: false,
            observe_at: now + OBSERVE_EVERY,
            unreadable: None,
            counts: ReconcileCounts::default(),
            events: Vec::new(),
        }
    }

    /// The picture: the last observation, brought forward.
    pub(super) const fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Whether the first pass is through: everything is applied that the kernel accepts.
    pub(super) const fn is_applied(&self) -> bool {
        self.counts.passes_ok + self.counts.passes_failed > 0
    }

    /// Whether no work is under way.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.step, Step::Idle)
    }

    /// Whether nothing is under way or due.
    pub(super) const fn is_quiet(&self) -> bool {
        matches!(self.step, Step::Idle) && self.due.is_none()
    }

    /// Takes a newly computed desired table.
    pub(super) fn desire(&mut self, desired: Tables, cause: Cause) {
        if desired != self.desired {
            self.desired = desired;
            (self.level, self.complete) = (false, false);
            self.due = Some(self.due.map_or(cause, |due| if due == Cause::Start { due } else { cause }));
        }
    }

    /// The next piece of work, if one is due and none is under way.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Work> {
        if !matches!(self.step, Step::Idle) {
            return None;
        }
        if self.due.is_none() && self.backoff.next().is_some_and(|next| next <= now) {
            self.due = Some(Cause::Repair);
        }
        if let Some(work) = self.due.take().and_then(|cause| self.plan(cause, now)) {
            return Some(work);
        }
        if self.observe_at > now {
            return None;
        }
        self.step = Step::Observing;
        Some(Work::Observe(scope(&self.desired, &self.owned)))
    }

    /// When [`Self::poll`] may have work without another input.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.step {
            Step::Idle => Some(self.backoff.next().map_or(self.observe_at, |next| next.min(self.observe_at))),
            Step::Observing | Step::Applying { .. } => None,
        }
    }

    fn plan(&mut self, cause: Cause, now: Instant) -> Option<Work> {
        let planned = plan(&self.desired, &self.observed, &self.owned);
        self.backoff.keep_only(&planned);
        self.counts.pending = planned.len();
        if planned.is_empty() {
            self.reached_level(now);
            return None;
        }
        self.complete = false;
        self.note_drift(&planned);
        let changes: Vec<Change> =
            planned.into_iter().filter(|change| self.backoff.allows(change, now)).collect();
        if changes.is_empty() {
            return None;
        }
        self.owned = self.owned.before(&self.desired, &changes);
        self.step = Step::Applying { cause, changes: changes.clone() };
        Some(Work::Apply { record: self.owned.clone(), changes })
    }

    fn reached_level(&mut self, now: Instant) {
        if !self.complete {
            self.counts.passes_ok += 1;
        }
        (self.level, self.complete) = (true, true);
        self.counts.last_success = Some(now);
    }

    /// What differs from a table that was already level is somebody else's doing. What the kernel refuses differs anyway.
    fn note_drift(&mut self, planned: &[Change]) {
        let changes: Vec<Change> =
            planned.iter().filter(|change| !self.backoff.concerns(change)).cloned().collect();
        let was_level = std::mem::replace(&mut self.level, changes.is_empty());
        if !was_level || changes.is_empty() {
            return;
        }
        for change in &changes {
            *self.counts.drift.entry(change.table()).or_default() += 1;
        }
        self.events.push(Event::Drift { changes });
    }

    /// Takes an observation; the record if it must be written anew.
    pub(super) fn observe(
        &mut self,
        result: Result<Observed, KernelError>,
        now: Instant,
    ) -> Option<Ownership> {
        self.step = Step::Idle;
        self.observe_at = now + OBSERVE_EVERY;
        match result {
            Ok(observed) => self.take_picture(observed),
            Err(error) => {
                self.counts.passes_failed += 1;
                if self.unreadable.as_ref() != Some(&error.message) {
                    self.events.push(Event::Unreadable { message: error.message.clone() });
                }
                self.unreadable = Some(error.message);
                None
            }
        }
    }

    fn take_picture(&mut self, observed: Observed) -> Option<Ownership> {
        self.unreadable = None;
        self.observed = observed;
        self.due.get_or_insert(Cause::Repair);
        let owned = self.owned.after(&self.desired, &self.observed);
        (owned != self.owned).then(|| {
            self.owned = owned.clone();
            owned
        })
    }

    /// Takes the results of the changes under way, one for each.
    pub(super) fn applied(&mut self, results: Vec<Result<(), KernelError>>, now: Instant) {
        let step = std::mem::replace(&mut self.step, Step::Idle);
        let Step::Applying { cause, changes } = step else { return };
        let mut accepted = Vec::new();
        let mut refused_services = BTreeSet::new();
        let planned = changes.len();
        for (change, result) in changes.into_iter().zip(results) {
            match result {
                Ok(()) => {
                    self.accepted(&change);
                    accepted.push(change);
                }
                Err(error) => self.refused(&change, &error, &mut refused_services, now),
            }
        }
        if accepted.len() < planned {
            self.counts.passes_failed += 1;
            self.observe_at = self.observe_at.min(now + OBSERVE_AFTER_REFUSAL);
        }
        if accepted.iter().any(|change| matches!(change, Change::ReplaceRuleset { .. })) {
            self.observe_at = now;
        }
        if !accepted.is_empty() {
            self.events.push(Event::Applied { cause, changes: accepted });
        }
        self.due.get_or_insert(Cause::Repair);
    }

    fn accepted(&mut self, change: &Change) {
        assume(&mut self.observed, change);
        *self.counts.changes.entry(change.kind()).or_default() += 1;
        if self.backoff.accepted(&change.object()) {
            self.events.push(Event::Accepted { object: change.object() });
        }
    }

    /// A service that is refused takes its destinations with it: one message is enough.
    fn refused(
        &mut self,
        change: &Change,
        error: &KernelError,
        refused_services: &mut BTreeSet<ServiceKey>,
        now: Instant,
    ) {
        let object = change.object();
        match &object {
            Object::Service(service) => {
                refused_services.insert(*service);
            }
            Object::Destination(service, _) if refused_services.contains(service) => return,
            _ => {}
        }
        if self.backoff.refused(object.clone(), &error.message, now) {
            self.events.push(Event::Refused { object, message: error.message.clone() });
        }
    }
}
