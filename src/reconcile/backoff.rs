//! An object that the kernel refuses is tried again later and later, while the rest of the table goes on.

use super::{Change, Object};
use crate::model::ServiceKey;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// Wait after the first refusal; it doubles with each further one.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait: an operator who has loaded the missing module does not wait longer than this.
const LONGEST: Duration = Duration::from_secs(15);

/// Refusals by object.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    refused: BTreeMap<Object, Refusal>,
}

#[derive(Clone, Debug)]
struct Refusal {
    wait: Duration,
    until: Instant,
    /// What the kernel said, so that one refusal is logged once and not with each retry.
    message: String,
}

impl Backoff {
    /// Whether `change` may be tried now: its object is not waiting, and neither is the service that it needs. A service that
    /// is in the kernel (`exists`) holds up no destination, even if an edit of it is refused.
    #[must_use]
    pub fn allows(&self, change: &Change, now: Instant, exists: impl Fn(&ServiceKey) -> bool) -> bool {
        let waits = |object: &Object| self.refused.get(object).is_some_and(|refusal| refusal.until > now);
        let object = change.object();
        let needs = match &object {
            Object::Destination(service, _) if !exists(service) => Some(Object::Service(*service)),
            _ => None,
        };
        !waits(&object) && !needs.as_ref().is_some_and(waits)
    }

    /// Takes a refusal; true if it is news: the object's first, or in other words than before.
    pub fn refused(&mut self, object: Object, message: &str, now: Instant) -> bool {
        let before = self.refused.get(&object);
        let news = before.is_none_or(|refusal| refusal.message != message);
        let wait = before.map_or(FIRST, |refusal| (refusal.wait * 2).min(LONGEST));
        let refusal = Refusal { wait, until: now + wait, message: message.to_owned() };
        self.refused.insert(object, refusal);
        news
    }

    /// Takes a success; true if the object had been refused before.
    pub fn accepted(&mut self, object: &Object) -> bool {
        self.refused.remove(object).is_some()
    }

    /// Forgets refusals of objects that no change is about any more.
    pub fn keep_only(&mut self, planned: &[Change]) {
        if self.refused.is_empty() {
            return;
        }
        let objects: std::collections::BTreeSet<Object> = planned.iter().map(Change::object).collect();
        self.refused.retain(|object, _| objects.contains(object));
    }

    /// What the kernel said when it last refused an object; `None` where it did not.
    #[must_use]
    pub fn message(&self, object: &Object) -> Option<&str> {
        self.refused.get(object).map(|refusal| refusal.message.as_str())
    }

    /// When the next refused object may be tried.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.refused.values().map(|refusal| refusal.until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound_and_one_refusal_is_news_once() {
        let mut backoff = Backoff::default();
        let change = Change::RemoveRuleset;
        let mut now = Instant::ZERO;
        let mut waits = Vec::new();
        for round in 0..8 {
            assert!(backoff.allows(&change, now, |_| true));
            assert_eq!(backoff.refused(change.object(), "no", now), round == 0);
            assert_eq!(backoff.message(&change.object()), Some("no"));
            assert!(!backoff.allows(&change, now, |_| true));
            let next = backoff.next().expect("a refusal waits");
            waits.push(next.saturating_since(now).as_millis());
            now = next;
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
        assert!(backoff.refused(change.object(), "another no", now), "other words are news");
        assert!(backoff.accepted(&change.object()));
        assert_eq!(backoff.message(&change.object()), None);
        assert!(!backoff.accepted(&change.object()));
    }

    #[test]
    fn a_refused_edit_of_a_service_holds_up_none_of_its_destinations() {
        use crate::desired::fixtures::{ip, tcp};
        let service = tcp("192.0.2.1", 80);
        let key = crate::model::DestinationKey { address: ip("10.0.0.1"), port: 80 };
        let change = Change::RemoveDestination { service, key };
        let mut backoff = Backoff::default();
        backoff.refused(Object::Service(service), "no scheduler", Instant::ZERO);
        assert!(
            backoff.allows(&change, Instant::ZERO, |_| true),
            "the service is there: a dead server leaves it"
        );
        assert!(
            !backoff.allows(&change, Instant::ZERO, |_| false),
            "it is not: the destination cannot go in"
        );
    }

    #[test]
    fn what_is_no_longer_planned_is_forgotten() {
        let mut backoff = Backoff::default();
        backoff.refused(Object::Ruleset, "no", Instant::ZERO);
        backoff.keep_only(&[]);
        assert_eq!(backoff.next(), None);
    }
}
