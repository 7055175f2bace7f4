//! Keeps the kernel's tables level with the desired ones: when to look, when to change, what was drift. Pure.
//!
//! One piece of work is under way at a time. A new desired table is planned against the picture: the last observation,
//! brought forward by what was applied since, so that a verdict reaches the kernel without a dump. Every [`OBSERVE_EVERY`]
//! the whole table is observed and compared again, which corrects the picture. What the kernel then needs and the picture
//! did not is drift: somebody else's doing.

use super::event::{Cause, Event};
use super::observing::Observing;
use crate::desired::Exchange;
use crate::kernel::KernelError;
use crate::model::{IpvsScope, Observed, Scope, ServiceKey, Tables};
use crate::reconcile::{Backoff, Change, Object, Ownership, Table, assume, plan, scope};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often the tables are observed: as often as IPVS counters move.
pub const OBSERVE_EVERY: Duration = Duration::from_secs(2);
/// After a refusal the picture may be wrong; it is taken anew this soon.
const OBSERVE_AFTER_REFUSAL: Duration = Duration::from_millis(200);
/// Retries are never closer than this.
const RETRY_EVERY: Duration = Duration::from_millis(100);
/// Work that takes longer says that the kernel, or the disk under the record, hangs.
const LONGEST_WORK: Duration = Duration::from_secs(10);

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
    /// Passes that reached the desired tables, and passes with a refusal.
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
    Observing { since: Instant },
    Applying { since: Instant, cause: Cause, changes: Vec<Change> },
}

#[derive(Debug)]
pub(super) struct Reconciler {
    desired: Tables,
    /// The picture.
    observed: Observed,
    /// When the picture was taken: what is counted in it is as old.
    counted_at: Instant,
    /// What the picture covers.
    seen: Scope,
    owned: Ownership,
    /// Whether `owned` must be written though no change is due.
    unwritten: bool,
    backoff: Backoff,
    step: Step,
    /// Why the next plan is due; `None` when nothing has changed since the last.
    due: Option<Cause>,
    /// When refused changes are tried again.
    retry_at: Option<Instant>,
    /// Whether the kernel was level with `desired` since that last changed.
    level: bool,
    observe_at: Instant,
    unreadable: BTreeSet<String>,
    /// Of a director that changes nothing: what it would change is only told.
    pub(super) observing: Option<Observing>,
    pub(super) counts: ReconcileCounts,
    pub(super) events: Vec<Event>,
}

impl Reconciler {
    /// With the picture that was observed at the start, and nothing desired before [`Reconciler::begin`].
    pub(super) fn new(observed: Observed, now: Instant) -> Self {
        Self {
            seen: Scope::default(),
            unwritten: false,
            desired: Tables::default(),
            observed,
            counted_at: now,
            owned: Ownership::default(),
            backoff: Backoff::default(),
            step: Step::Idle,
            due: Some(Cause::Start),
            retry_at: None,
            level: false,
            observe_at: now + OBSERVE_EVERY,
            unreadable: BTreeSet::new(),
            observing: None,
            counts: ReconcileCounts::default(),
            events: Vec::new(),
        }
    }

    /// What is desired at the start, and what is ours by the record that was found.
    pub(super) fn begin(&mut self, desired: Tables, found: &Ownership) {
        self.owned = found.after(&desired, &self.observed);
        self.seen = scope(&desired, &self.owned);
        self.unwritten = self.owned != *found;
        self.desired = desired;
    }

    /// From now on nothing is changed and nothing is recorded; `found` is what is another director's by its record.
    pub(super) fn only_observe(&mut self, found: Ownership, now: Instant) {
        self.owned = found;
        self.unwritten = false;
        self.observing = Some(Observing::default());
        self.observe_at = now;
    }

    fn scope(&self) -> Scope {
        let held = self.observing.as_ref().map(Observing::held).unwrap_or_default();
        Scope { held, ..scope(&self.desired, &self.owned) }
    }

    pub(super) const fn observed(&self) -> &Observed {
        &self.observed
    }

    /// When the connections in the picture were counted.
    pub(super) const fn counted_at(&self) -> Instant {
        self.counted_at
    }

    /// What the kernel said of an object that it refuses.
    pub(super) fn refusal(&self, object: &Object) -> Option<&str> {
        self.backoff.message(object)
    }

    /// Whether the first pass is through: everything is applied that the kernel accepts.
    pub(super) fn is_applied(&self) -> bool {
        match &self.observing {
            Some(observing) => observing.has_compared(),
            None => self.counts.passes_ok + self.counts.passes_failed > 0,
        }
    }

    /// Whether no work is under way.
    pub(super) const fn is_idle(&self) -> bool {
        matches!(self.step, Step::Idle)
    }

    /// Whether the kernel was told of everything; some of it may have been refused.
    pub(super) const fn has_told_all(&self) -> bool {
        self.is_idle() && self.due.is_none()
    }

    /// Whether the kernel has still to be told of a stop.
    pub(super) const fn has_to_stop(&self) -> bool {
        matches!(self.due, Some(Cause::Stop))
    }

    /// Whether nothing is under way, due, or waiting to be tried again.
    pub(super) const fn is_done(&self) -> bool {
        self.is_idle() && self.due.is_none() && self.counts.pending == 0
    }

    /// When the work under way began.
    pub(super) const fn busy_since(&self) -> Option<Instant> {
        match self.step {
            Step::Observing { since } | Step::Applying { since, .. } => Some(since),
            Step::Idle => None,
        }
    }

    /// How long the work under way has taken, if that is too long.
    pub(super) fn hangs_for(&self, now: Instant) -> Option<Duration> {
        self.busy_since().map(|since| now.saturating_since(since)).filter(|took| *took > LONGEST_WORK)
    }

    /// Brings the record up to the picture: a director that has taken everything back owns nothing any more.
    pub(super) fn settle_record(&mut self) {
        if self.observing.is_some() {
            return;
        }
        let owned = self.owned.after(&self.desired, &self.observed);
        self.unwritten |= owned != self.owned;
        self.owned = owned;
    }

    /// The record, if it must be written though no change is due.
    pub(super) fn take_record(&mut self) -> Option<Ownership> {
        std::mem::take(&mut self.unwritten).then(|| self.owned.clone())
    }

    /// Takes a newly computed desired table.
    pub(super) fn desire(&mut self, desired: Tables, cause: Cause) {
        if desired != self.desired {
            self.desired = desired;
            self.note_desire(cause);
        }
    }

    /// Takes a part of the desired table that was newly computed.
    pub(super) fn exchange(&mut self, exchange: Exchange, cause: Cause) {
        if exchange.make(&mut self.desired) {
            self.note_desire(cause);
        }
    }

    /// The desired table.
    pub(super) const fn desired(&self) -> &Tables {
        &self.desired
    }

    fn note_desire(&mut self, cause: Cause) {
        self.level = false;
        self.due = Some(self.due.filter(|due| *due == Cause::Start).unwrap_or(cause));
    }

    /// What is desired goes on without the rules that wait for another director.
    pub(super) fn wait_for_nobody(&mut self, cause: Cause) {
        let mut desired = self.desired.clone();
        desired.ruleset = desired.ruleset.without_waiting();
        self.desire(desired, cause);
    }

    /// The next piece of work, if one is due and none is under way.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Work> {
        if !self.is_idle() {
            return None;
        }
        if self.observe_at <= now || !self.picture_is_complete() {
            self.seen = self.scope();
            self.step = Step::Observing { since: now };
            return Some(Work::Observe(self.seen.clone()));
        }
        if self.retry_at.is_some_and(|retry_at| retry_at <= now) {
            self.due.get_or_insert(Cause::Repair);
        }
        self.due.take().and_then(|cause| self.plan(cause, now))
    }

    /// Whether the picture covers everything that is desired now: a setting of a new device was never looked at.
    fn picture_is_complete(&self) -> bool {
        let sysctls = self.desired.sysctls.keys().all(|sysctl| self.seen.sysctls.contains(sysctl));
        let ipvs = !self.desired.needs_ipvs() || self.seen.ipvs != IpvsScope::Ignored;
        ipvs && sysctls && self.desired.addresses.is_subset(&self.seen.addresses)
    }

    /// When [`Self::poll`] may have work without another input.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let at = self.retry_at.map_or(self.observe_at, |retry_at| retry_at.min(self.observe_at));
        self.is_idle().then_some(at)
    }

    fn plan(&mut self, cause: Cause, now: Instant) -> Option<Work> {
        let planned = plan(&self.desired, &self.observed, &self.owned);
        if let Some(observing) = &mut self.observing {
            let (event, differs) = observing.compare(planned, &self.desired, &self.observed, now);
            self.events.extend(event);
            if !differs {
                self.reached_level(now);
            }
            return None;
        }
        self.backoff.keep_only(&planned);
        self.counts.pending = planned.len();
        self.retry_at = self.backoff.next().map(|next| next.max(now + RETRY_EVERY));
        if planned.is_empty() {
            self.reached_level(now);
            return None;
        }
        self.level = false;
        let exists = |service: &ServiceKey| self.observed.services.contains_key(service);
        let allowed = |change: &Change| self.backoff.allows(change, now, exists);
        let changes: Vec<Change> = planned.into_iter().filter(allowed).collect();
        if changes.is_empty() {
            return None;
        }
        self.owned = self.owned.before(&self.desired, &changes);
        self.step = Step::Applying { since: now, cause, changes: changes.clone() };
        Some(Work::Apply { record: self.owned.clone(), changes })
    }

    fn reached_level(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.level, true) {
            self.counts.passes_ok += 1;
        }
        self.counts.last_success = Some(now);
    }

    /// Takes an observation.
    pub(super) fn observe(&mut self, result: Result<Observed, KernelError>, now: Instant) {
        self.step = Step::Idle;
        self.observe_at = now + OBSERVE_EVERY;
        match result {
            Ok(observed) => {
                self.note_unreadable(observed.unreadable.iter().map(|(_, why)| why.clone()).collect());
                self.counted_at = now;
                self.take_picture(observed);
            }
            Err(error) => self.note_unreadable([error.message].into()),
        }
    }

    /// Tells what cannot be read, once, and when all can be read again.
    fn note_unreadable(&mut self, unreadable: BTreeSet<String>) {
        let news = unreadable.difference(&self.unreadable);
        self.events.extend(news.map(|message| Event::Unreadable { message: message.clone() }));
        if unreadable.is_empty() && !self.unreadable.is_empty() {
            self.events.push(Event::Readable);
        }
        self.counts.passes_failed += u64::from(!unreadable.is_empty());
        self.unreadable = unreadable;
    }

    fn take_picture(&mut self, mut observed: Observed) {
        observed.fill_in(&self.observed);
        observed.share(&self.desired, &self.observed);
        let expected = plan(&self.desired, &self.observed, &self.owned);
        self.observed = observed;
        self.settle_record();
        self.due.get_or_insert(Cause::Repair);
        self.note_drift(&expected);
    }

    fn note_drift(&mut self, expected: &[Change]) {
        if self.observing.is_some() {
            return;
        }
        let expected: BTreeSet<Object> = expected.iter().map(Change::object).collect();
        let mut changes = plan(&self.desired, &self.observed, &self.owned);
        changes.retain(|change| !expected.contains(&change.object()));
        for change in &changes {
            *self.counts.drift.entry(change.table()).or_default() += 1;
        }
        if !changes.is_empty() {
            self.events.push(Event::Drift { changes });
        }
    }

    /// Takes the results of the changes under way, one for each.
    pub(super) fn applied(&mut self, results: Vec<Result<(), KernelError>>, now: Instant) {
        let step = std::mem::replace(&mut self.step, Step::Idle);
        let Step::Applying { cause, changes, .. } = step else { return };
        let mut accepted = Vec::new();
        let mut refused_services = BTreeSet::new();
        let planned = changes.len();
        for (change, result) in changes.into_iter().zip(results) {
            self.owned.answered(&change, result.is_ok());
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
        // Only a listing right behind it tells how nft says what we said.
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

    /// A service that cannot go in takes its destinations with it: one message is enough.
    fn refused(
        &mut self,
        change: &Change,
        error: &KernelError,
        refused_services: &mut BTreeSet<ServiceKey>,
        now: Instant,
    ) {
        let object = change.object();
        match (change, &object) {
            (Change::AddService { service, .. }, _) => {
                refused_services.insert(*service);
            }
            (_, Object::Destination(service, _)) if refused_services.contains(service) => return,
            _ => {}
        }
        if self.backoff.refused(object.clone(), &error.message, now) {
            self.events.push(Event::Refused { object, message: error.message.clone() });
        }
    }
}
