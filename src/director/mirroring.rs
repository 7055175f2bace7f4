//! Overrides given to one director reach the others (shell): the newest word on each counts, after a partition, too.
//!
//! What is in force here is compared with what the directors have told each other, and only a difference is said: so it does
//! not matter whether an operator, a clock or another director made it.

use super::core::Input;
use super::run::Loop;
use crate::control::{MOST_OVERRIDES, OverrideRecord};
use crate::model::Override;
use crate::peer::{Record, Records};
use crate::time::{Instant, milliseconds};
use std::collections::BTreeMap;

/// Keys of records that are overrides.
const PREFIX: &str = "override/";

impl Loop {
    /// Has these kept on disk, and told to the other directors.
    pub(super) fn keep_overrides(&mut self, all: Vec<Override>) {
        let own = self.core.director().map(ToString::to_string).unwrap_or_default();
        let now = self.unix_ms();
        let taken_back = reflect(self.peers.records(), &all, &own, now);
        self.overrides.keep(all, taken_back);
    }

    /// Another director has said something new.
    pub(super) fn records_arrived(&mut self) {
        let records = self.peers.records();
        records.take_changed();
        let all = merged(self.core.overrides.all(), records.all());
        let at = self.clock.now();
        self.core.handle(Input::Overrides { at, all });
        self.publish_soon();
    }

    /// By the wall clock.
    pub(super) fn unix_ms(&self) -> u64 {
        let now = self.clock.epoch() + self.clock.now().saturating_since(Instant::ZERO);
        milliseconds(now)
    }
}

/// What is kept of an override on its way between directors; `None` where it is none that this version knows.
fn of_record(record: &Record) -> Option<Override> {
    let body = record.body.clone()?;
    let said: OverrideRecord = serde_json::from_value(body).ok()?;
    Override::try_from(said).ok()
}

/// The word that `given` is.
pub(super) fn to_record(given: &Override) -> Record {
    Record {
        key: format!("{PREFIX}{}", given.target),
        stamp_unix_ms: given.set_unix_ms,
        director: given.director.clone().unwrap_or_default(),
        body: serde_json::to_value(OverrideRecord::from(given)).ok(),
    }
}

/// Says what differs between `all` and what the directors know; the words that were taken back and are still remembered.
fn reflect(records: &Records, all: &[Override], own: &str, now_unix_ms: u64) -> Vec<Record> {
    records.forget(now_unix_ms);
    let known = records.all().into_iter().filter(|record| record.key.starts_with(PREFIX));
    let known: BTreeMap<String, Record> = known.map(|record| (record.key.clone(), record)).collect();
    let here: BTreeMap<String, &Override> =
        all.iter().map(|given| (format!("{PREFIX}{}", given.target), given)).collect();
    for (key, given) in &here {
        // Compared by what it means: another version may say the same in other words, and must not be answered for ever.
        if known.get(key).and_then(of_record).as_ref() != Some(*given) {
            records.set(to_record(given));
        }
    }
    for record in known.values().filter(|record| record.body.is_some() && !here.contains_key(&record.key)) {
        let word =
            Record { stamp_unix_ms: now_unix_ms, director: own.to_owned(), body: None, ..record.clone() };
        records.set(word);
    }
    let all = records.all().into_iter();
    all.filter(|record| record.key.starts_with(PREFIX) && record.body.is_none()).collect()
}

/// All overrides, once what the directors know is taken in.
fn merged<'a>(here: impl Iterator<Item = &'a Override>, known: Vec<Record>) -> Vec<Override> {
    let mut all: BTreeMap<String, Override> =
        here.map(|given| (format!("{PREFIX}{}", given.target), given.clone())).collect();
    for record in known.into_iter().filter(|record| record.key.starts_with(PREFIX)) {
        match (&record.body, of_record(&record)) {
            (None, _) => drop(all.remove(&record.key)),
            (Some(_), Some(given)) if all.len() < MOST_OVERRIDES || all.contains_key(&record.key) => {
                all.insert(record.key, given);
            }
            (Some(_), Some(_)) => {
                tracing::warn!(key = record.key, "an override of another director is one too many");
            }
            (Some(_), None) => {
                tracing::warn!(
                    key = record.key,
                    director = record.director,
                    "an override of another director is none that this version knows"
                );
            }
        }
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Order, OverrideKind, OverrideTarget};

    fn given(server: &str, order: Order, director: &str, set_unix_ms: u64) -> Override {
        Override {
            kind: OverrideKind::Server(order),
            target: OverrideTarget::Server { server: server.into(), pool: None },
            by: "alice".to_owned(),
            reason: None,
            director: Some(director.to_owned()),
            set_unix_ms,
            until_unix_ms: None,
        }
    }

    /// A director: what is in force, and what it knows.
    #[derive(Default)]
    struct Director {
        all: Vec<Override>,
        records: Records,
    }

    impl Director {
        fn orders(&mut self, all: Vec<Override>, own: &str, now: u64) {
            self.all = all;
            reflect(&self.records, &self.all, own, now);
        }

        /// Hears everything that another one knows.
        fn hears(&mut self, other: &Self, own: &str) {
            self.records.merge(other.records.all());
            self.all = merged(self.all.iter(), self.records.all());
            reflect(&self.records, &self.all, own, 99);
        }
    }

    #[test]
    fn what_one_is_told_reaches_the_other_and_is_taken_back_there_too() {
        let (mut a, mut b) = (Director::default(), Director::default());
        a.orders(vec![given("one", Order::Drain, "a", 10)], "a", 10);
        b.hears(&a, "b");
        assert_eq!(b.all, a.all);
        b.orders(vec![], "b", 20);
        a.hears(&b, "a");
        assert_eq!(a.all, []);
        b.hears(&a, "b");
        assert_eq!(b.all, []);
    }

    #[test]
    fn after_a_partition_the_newer_word_counts_on_both() {
        for (of_a, of_b) in [(10, 20), (20, 10)] {
            let (mut a, mut b) = (Director::default(), Director::default());
            a.orders(vec![given("one", Order::Drain, "a", of_a)], "a", of_a);
            b.orders(vec![given("one", Order::ForceUp, "b", of_b)], "b", of_b);
            a.hears(&b, "a");
            b.hears(&a, "b");
            assert_eq!(a.all, b.all);
            let newer = if of_a > of_b { "a" } else { "b" };
            assert_eq!(a.all[0].director.as_deref(), Some(newer));
        }
    }

    #[test]
    fn a_director_that_comes_back_does_not_bring_back_what_was_cleared() {
        let (mut a, mut b) = (Director::default(), Director::default());
        a.orders(vec![given("one", Order::Drain, "a", 10)], "a", 10);
        b.hears(&a, "b");
        let kept = b.all.clone();
        a.orders(vec![], "a", 20);
        // It starts again with what its disk says.
        b = Director { all: kept.clone(), records: Records::default() };
        b.records.merge(kept.iter().map(to_record));
        a.hears(&b, "a");
        b.hears(&a, "b");
        assert_eq!((a.all, b.all), (vec![], vec![]));
    }

    #[test]
    fn what_this_version_does_not_know_is_left_to_the_other() {
        let mut record = to_record(&given("one", Order::Drain, "a", 10));
        record.body = Some(serde_json::json!({"kind": "melt"}));
        let mut b = Director::default();
        b.records.merge([record]);
        b.all = merged(b.all.iter(), b.records.all());
        assert_eq!(b.all, []);
    }
}
