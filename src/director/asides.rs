//! What comes to the core beside the outcomes of probes: certificates that a probe saw, changes that make one come early, and
//! the overrides of operators. Pure.

use super::core::Core;
use super::event::{Event, OverrideChange};
use super::targets::TargetId;
use crate::health::Input;
use crate::model::{CheckName, Failure, Outcome, Override};
use std::time::Duration;

impl Core {
    /// Counts an outcome. One that says nothing of the server but that it could not be probed is told, once for each reason.
    pub(super) fn note_probe(&mut self, id: TargetId, outcome: &Outcome, lateness: Duration) {
        let Some(target) = self.targets.get(id) else { return };
        for check in target.checks() {
            self.statistics.probe(check, outcome, lateness);
        }
        self.note_certificate(id, outcome);
        let Some(target) = self.targets.get(id) else { return };
        let Err(Failure::Local(reason)) = &outcome.result else {
            self.unprobed.remove(&id);
            return;
        };
        let (target, reason) = (target.key.clone(), reason.clone());
        if self.unprobed.insert(id, reason.clone()).as_ref() != Some(&reason) {
            self.tell([Event::NotProbed { target, reason }]);
        }
    }

    /// Keeps when the certificate expires that a probe saw, and tells it where that is soon.
    pub(super) fn note_certificate(&mut self, id: TargetId, outcome: &Outcome) {
        let (Some(expires), Some(target)) = (outcome.findings.certificate_expires, self.targets.get(id))
        else {
            return;
        };
        let tls = self.policy.checks.get(&target.key.check).and_then(|check| check.probe.tls());
        let warning = tls.map_or(Duration::ZERO, |tls| tls.expiry_warning);
        let left = self.certificates.note(id, expires, warning, self.now);
        let target = target.key.clone();
        self.tell(left.map(|left| Event::CertificateExpires { target, left }));
    }

    /// From now on these overrides are in force.
    pub(super) fn override_with(&mut self, all: Vec<Override>) {
        let (set, cleared) = self.overrides.replace(all);
        self.overridden([(set, OverrideChange::Set), (cleared, OverrideChange::Cleared)]);
    }

    /// Ends the overrides whose time is over.
    pub(super) fn expire_overrides(&mut self) {
        let expired = self.overrides.expire(self.now);
        self.overridden([(expired, OverrideChange::Expired)]);
    }

    fn overridden<const N: usize>(&mut self, changes: [(Vec<Override>, OverrideChange); N]) {
        if changes.iter().all(|(all, _)| all.is_empty()) {
            return;
        }
        self.overrides.apply_to(&self.policy);
        self.undecided = true;
        self.keep_overrides();
        for (all, change) in changes {
            self.tell(all.into_iter().map(|given| Event::Override { given, change }));
        }
    }

    /// Makes the probes of these checks at once. A stopping director makes none.
    pub(super) fn probe_at_once(&mut self, checks: &[CheckName]) {
        if self.stopping {
            return;
        }
        for id in self.targets.of_checks(checks) {
            let wishes = self.targets.handle(id, Input::ProbeNow { at: self.now });
            self.take(wishes);
        }
    }
}
