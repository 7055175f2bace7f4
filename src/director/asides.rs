//! What comes to the core beside the outcomes of probes: certificates that a probe saw, and changes that make one come early.
//! Pure.

use super::core::Core;
use super::event::Event;
use super::targets::TargetId;
use crate::health::Input;
use crate::model::{CheckName, Outcome};
use std::time::Duration;

impl Core {
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
