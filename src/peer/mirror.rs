//! Records that both directors have. Each is whole in itself: a key, a stamp, who said it, and what. The newer word on a key
//! wins, whatever the order in which words arrive, so that both directors end with the same after a partition. Pure.
//!
//! A word that is taken back is one, too (a tombstone): without it, the other director would bring the record back. It
//! is kept for [`TOMBSTONES_KEPT`]; a director that was away for longer may bring back what was taken back meanwhile.

use crate::time::milliseconds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Records at most, tombstones among them. A new key is refused beyond it.
pub const MOST_RECORDS: usize = 10_000;
/// Bytes of a key at most.
pub const LONGEST_KEY: usize = 512;
/// Bytes of a body at most, as JSON.
pub const LONGEST_BODY: usize = 4 * 1024;
/// How long a record that was taken back is remembered as such.
pub const TOMBSTONES_KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One word on one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub key: String,
    /// Unix time in milliseconds, by the clock of the director that said it; never equal to or before a stamp that it knew.
    pub stamp_unix_ms: u64,
    /// Who said it.
    pub director: String,
    /// What; `None` takes it back.
    #[serde(default)]
    pub body: Option<serde_json::Value>,
}

impl Record {
    /// What decides between two words on one key: the stamp, then the name. The body decides where a director has said two
    /// things at one stamp, which it never does, and both must still agree.
    fn rank(&self) -> (u64, &str, bool, String) {
        let body = self.body.as_ref().map(ToString::to_string).unwrap_or_default();
        (self.stamp_unix_ms, &self.director, self.body.is_none(), body)
    }

    /// Whether it is one that is kept.
    fn is_bounded(&self) -> bool {
        let body = self.body.as_ref().map_or(0, |body| body.to_string().len());
        self.key.len() <= LONGEST_KEY && self.director.len() <= LONGEST_KEY && body <= LONGEST_BODY
    }
}

/// The newest word on every key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mirror {
    records: BTreeMap<String, Record>,
}

impl Mirror {
    /// Says a word of this director. Its stamp is moved behind every word that is known on this key, so that what an operator
    /// says last counts whatever the clocks say. What is kept, or `None` where it exceeds a bound.
    pub fn set(&mut self, mut record: Record) -> Option<Record> {
        if let Some(known) = self.records.get(&record.key) {
            record.stamp_unix_ms = record.stamp_unix_ms.max(known.stamp_unix_ms.saturating_add(1));
        }
        self.take(record.clone()).then_some(record)
    }

    /// Takes in another director's words; those that changed something.
    pub fn merge(&mut self, records: impl IntoIterator<Item = Record>) -> Vec<Record> {
        records.into_iter().filter(|record| self.take(record.clone())).collect()
    }

    /// Every record, tombstones among them, by key.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// Forgets what was taken back long ago.
    pub fn forget(&mut self, now_unix_ms: u64) {
        let kept = milliseconds(TOMBSTONES_KEPT);
        let lasts = |record: &Record| record.body.is_some() || is_within(record, now_unix_ms, kept);
        self.records.retain(|_, record| lasts(record));
    }

    fn take(&mut self, record: Record) -> bool {
        let newer = match self.records.get(&record.key) {
            Some(known) => record.rank() > known.rank(),
            None => self.records.len() < MOST_RECORDS,
        };
        if newer && record.is_bounded() {
            self.records.insert(record.key.clone(), record);
            return true;
        }
        false
    }
}

fn is_within(record: &Record, now_unix_ms: u64, kept: u64) -> bool {
    record.stamp_unix_ms.saturating_add(kept) > now_unix_ms
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn word(key: &str, stamp: u64, director: &str, body: Option<u64>) -> Record {
        let body = body.map(|body| json!({ "weight": body }));
        Record { key: key.to_owned(), stamp_unix_ms: stamp, director: director.to_owned(), body }
    }

    #[test]
    fn the_newer_stamp_wins_and_of_equal_ones_the_later_name() {
        let mut mirror = Mirror::default();
        assert_eq!(mirror.merge([word("a", 5, "lb-a", Some(1))]).len(), 1);
        assert!(mirror.merge([word("a", 4, "lb-b", Some(2))]).is_empty());
        assert!(mirror.merge([word("a", 5, "lb-a", Some(1))]).is_empty(), "it is known");
        assert_eq!(mirror.merge([word("a", 5, "lb-b", None)]), [word("a", 5, "lb-b", None)]);
        assert_eq!(mirror.all().count(), 1);
    }

    #[test]
    fn what_is_said_here_is_newer_than_what_is_known_whatever_the_clock_says() {
        let mut mirror = Mirror::default();
        mirror.merge([word("a", 9_000, "lb-b", Some(1))]);
        let kept = mirror.set(word("a", 10, "lb-a", None)).expect("kept");
        assert_eq!((kept.stamp_unix_ms, kept.body), (9_001, None));
    }

    #[test]
    fn a_tombstone_lasts_as_long_as_it_is_said_to_and_a_record_for_ever() {
        let mut mirror = Mirror::default();
        mirror.merge([word("gone", 0, "lb-a", None), word("there", 0, "lb-a", Some(1))]);
        let kept = u64::try_from(TOMBSTONES_KEPT.as_millis()).expect("small");
        mirror.forget(kept - 1);
        assert_eq!(mirror.all().count(), 2);
        mirror.forget(kept);
        assert_eq!(mirror.all().map(|record| &*record.key).collect::<Vec<_>>(), ["there"]);
    }

    #[test]
    fn what_exceeds_a_bound_is_not_kept() {
        let mut mirror = Mirror::default();
        assert!(mirror.merge([word(&"k".repeat(LONGEST_KEY + 1), 1, "lb-a", None)]).is_empty());
        let body = Some(json!("b".repeat(LONGEST_BODY)));
        assert_eq!(mirror.set(Record { body, ..word("a", 1, "lb-a", None) }), None);
        mirror.merge((0..MOST_RECORDS).map(|number| word(&number.to_string(), 1, "lb-a", None)));
        assert!(mirror.merge([word("one more", 1, "lb-a", None)]).is_empty());
        assert_eq!(mirror.merge([word("0", 2, "lb-a", None)]).len(), 1, "a known key is not one more");
    }

    fn words() -> impl Strategy<Value = Vec<Record>> {
        let one = ("[a-c]", 0_u64..4, prop_oneof![Just("lb-a"), Just("lb-b")], prop::option::of(0_u64..3));
        prop::collection::vec(one.prop_map(|(key, stamp, name, body)| word(&key, stamp, name, body)), 0..24)
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_end_the_same(words in words(), seed in any::<u64>()) {
            let (mut one, mut other) = (Mirror::default(), Mirror::default());
            one.merge(words.clone());
            let mut shuffled = words.clone();
            shuffled.sort_by_key(|word| crate::hash::mix(seed ^ crate::hash::fnv1a(format!("{word:?}").bytes())));
            other.merge(shuffled.into_iter().chain(words));
            prop_assert_eq!(one, other);
        }

        #[test]
        fn after_a_partition_each_has_what_the_other_has(before in words(), here in words(), there in words()) {
            let mut one = Mirror::default();
            one.merge(before);
            let mut other = one.clone();
            here.into_iter().for_each(|word| { one.set(word); });
            there.into_iter().for_each(|word| { other.set(word); });
            let told: Vec<_> = one.all().cloned().collect();
            let answer = { other.merge(told); other.all().cloned().collect::<Vec<_>>() };
            one.merge(answer);
            prop_assert_eq!(one, other);
        }
    }
}
