//! An object that the kernel refuses is tried again later and later, while the rest of the table goes on.

use super::{Change, Object};
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
    /// Whether `change` may be tried now: neither its object nor the service that it belongs to is waiting.
    #[must_use]
    pub fn allows(&self, change: &Change, now: Instant) -> bool {
        !self.of(change).any(|refusal| refusal.until > now)
    }

    /// Whether `change` is about something that was refused, waiting or due.
    #[must_use]
    pub fn concerns(&self, change: &Change) -> bool {
        self.of(change).next().is_some()
    }

    /// The refusals that hold up `change`: its object's, and that of the service that it belongs to.
    fn of(&self, change: &Change) -> impl Iterator<Item = &Refusal> {
        let object = change.object();
        let service = match &object {
            Object::Destination(service, _) => Some(Object::Service(*service)),
            _ => None,
        };
        std::iter::once(object).chain(service).filter_map(|object| self.refused.get(&object))
    }

    /// Takes a refusal; true if it is news: the object's first, or in other words than before.
    pub fn refused(&mut self, object: Object, message: &str, now: Instant) -> bool {
        let before = self.refused.get(&object);
        let news = before.is_none_or(|refusal| refusal.message != message);
        let wait = before.map_or(FIRST, |refusal| (refusal.wait * 2).min(LONGEST));
        let refusal = Refusal { wait, until: now + wait, message: message.to_owned() };
        // Its destinations wait with it from now on: one that is due alone would have the director try nothing, at once.
        if let Object::Service(refused) = object {
            self.refused
                .retain(|other, _| !matches!(other, Object::Destination(service, _) if *service == refused));
        }
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
            assert!(backoff.allows(&change, now));
            assert_eq!(backoff.refused(change.object(), "no", now), round == 0);
            assert!(!backoff.allows(&change, now));
            let next = backoff.next().expect("a refusal waits");
            waits.push(next.saturating_since(now).as_millis());
            now = next;
        }
        assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
        assert!(backoff.refused(change.object(), "another no", now), "other words are news");
        assert!(backoff.accepted(&change.object()));
        assert!(!backoff.accepted(&change.object()));
    }

    #[test]
    fn a_refused_service_waits_for_its_destinations_too() {
        let service = crate::desired::fixtures::tcp("192.0.2.1", 80);
        let key = crate::model::DestinationKey { address: [192, 0, 2, 2].into(), port: 80 };
        let change = Change::RemoveDestination { service, key };
        let mut backoff = Backoff::default();
        backoff.refused(change.object(), "no", Instant::ZERO);
        let later = backoff.next().expect("it waits");
        backoff.refused(Object::Service(service), "no", later);
        assert!(backoff.next().expect("the service waits") > later, "nothing is due before the service");
        assert!(backoff.concerns(&change) && !backoff.allows(&change, later));
    }

    #[test]
    fn what_is_no_longer_planned_is_forgotten() {
        let mut backoff = Backoff::default();
        backoff.refused(Object::Ruleset, "no", Instant::ZERO);
        backoff.keep_only(&[]);
        assert_eq!(backoff.next(), None);
    }
}
