//! What one peer is still to be told: of pools and records only what it does not know. Pure.

use super::message::{Message, Pools};
use super::mirror::{MOST_RECORDS, Record};
use super::report::{PoolSummary, Summaries};
use super::sight::{Sight, Sights};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Pools of one message: of the longest names and numbers, these are less than a frame.
const POOLS_AT_ONCE: usize = 256;
/// Bytes of the records of one message, roughly; one record is far smaller, and a frame larger.
const RECORD_BYTES: usize = 128 * 1024;
/// Bytes of the sights of one message, roughly; one alone may have more, and fits into a frame.
const SIGHT_BYTES: usize = 128 * 1024;

/// What a peer was told in this connection, or has told itself.
#[derive(Debug, Default)]
pub struct Told {
    pools: Option<Summaries>,
    /// By key, what is known of the newest word.
    records: BTreeMap<String, (u64, String)>,
    sights: Option<Arc<Sights>>,
}

impl Told {
    /// The messages about pools, when they are as `now`; it counts as told.
    pub fn pools(&mut self, now: &Summaries) -> Vec<Message> {
        let anew = self.pools.is_none();
        let before = self.pools.replace(now.clone()).unwrap_or_default();
        let is_known = |name: &String, pool: &Arc<PoolSummary>| {
            before.get(name).is_some_and(|known| Arc::ptr_eq(known, pool))
        };
        let changed: Vec<_> = now
            .iter()
            .filter(|(name, pool)| !is_known(name, pool))
            .map(|(_, pool)| PoolSummary::clone(pool))
            .collect();
        let gone: Vec<String> = before.keys().filter(|name| !now.contains_key(*name)).cloned().collect();
        let mut messages = Vec::new();
        if anew {
            messages.push(Pools { anew: true, ..Pools::default() });
        }
        let gone = gone.chunks(POOLS_AT_ONCE);
        messages.extend(gone.map(|gone| Pools { gone: gone.iter().cloned().collect(), ..Pools::default() }));
        let changed = changed.chunks(POOLS_AT_ONCE);
        messages.extend(changed.map(|pools| Pools { pools: pools.to_vec(), ..Pools::default() }));
        messages.into_iter().map(Message::Pools).collect()
    }

    /// The messages about the pools that both judge, when they are as `now`; it counts as told.
    pub fn sights(&mut self, now: Arc<Sights>) -> Vec<Message> {
        let before = self.sights.replace(Arc::clone(&now));
        let is_gone = |before: &Sights| before.keys().any(|pool| !now.contains_key(pool));
        let (mut anew, before) = match before {
            Some(before) if !is_gone(&before) => (false, before),
            _ => (true, Arc::default()),
        };
        let (mut messages, mut part, mut bytes) = (Vec::new(), BTreeMap::new(), 0);
        for (pool, sight) in now.iter().filter(|(pool, sight)| before.get(*pool) != Some(*sight)) {
            let size = pool.len() + sight.size();
            if bytes + size > SIGHT_BYTES && !part.is_empty() {
                let sights = std::mem::take(&mut part);
                messages.push(Message::Sights { anew: std::mem::take(&mut anew), sights });
                bytes = 0;
            }
            part.insert(pool.to_string(), Sight::clone(sight));
            bytes += size;
        }
        if anew || !part.is_empty() {
            messages.push(Message::Sights { anew, sights: part });
        }
        messages
    }

    /// The messages about records; they count as told.
    pub fn records<'a>(&mut self, now: impl Iterator<Item = &'a Record>) -> Vec<Message> {
        let mut messages = Vec::new();
        let (mut part, mut bytes) = (Vec::new(), 0);
        for record in now.filter(|record| !self.knows(record)) {
            let size = record.key.len() + record.body.as_ref().map_or(0, |body| body.to_string().len());
            if bytes + size > RECORD_BYTES {
                messages.push(Message::Records { records: std::mem::take(&mut part) });
                bytes = 0;
            }
            part.push(record.clone());
            bytes += size + 128;
        }
        part.iter().for_each(|record| self.note(record));
        for message in &messages {
            if let Message::Records { records } = message {
                records.iter().for_each(|record| self.note(record));
            }
        }
        if !part.is_empty() {
            messages.push(Message::Records { records: part });
        }
        messages
    }

    /// The peer has said a word itself: it is not told to it again.
    pub fn note(&mut self, record: &Record) {
        if self.records.len() >= MOST_RECORDS && !self.records.contains_key(&record.key) {
            return;
        }
        self.records.insert(record.key.clone(), (record.stamp_unix_ms, record.director.clone()));
    }

    fn knows(&self, record: &Record) -> bool {
        let known = self.records.get(&record.key);
        known.is_some_and(|(stamp, director)| *stamp == record.stamp_unix_ms && *director == record.director)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::frame;
    use crate::peer::heard::Heard;

    fn pools(names: impl IntoIterator<Item = String>) -> Summaries {
        let pool = |name: String| Arc::new(PoolSummary { name, ..PoolSummary::default() });
        names.into_iter().map(|name| (name.clone(), pool(name))).collect()
    }

    fn hear(heard: &mut Heard, messages: Vec<Message>) {
        for message in messages {
            frame::encode(&message).expect("it fits into a frame");
            if let Message::Pools(pools) = message {
                heard.pools(pools);
            }
        }
    }

    #[test]
    fn ten_thousand_pools_travel_in_parts_once_and_then_only_what_changed() {
        let mut now = pools((0..10_000).map(|number| format!("{number:0>200}")));
        let (mut told, mut heard) = (Told::default(), Heard::default());
        hear(&mut heard, told.pools(&now));
        assert_eq!(heard.pools, now);
        assert!(told.pools(&now).is_empty());
        now.retain(|name, _| !name.ends_with('7'));
        now.extend(pools(["new".to_owned()]));
        let messages = told.pools(&now);
        assert_eq!(messages.len(), 4 + 1);
        hear(&mut heard, messages);
        assert_eq!(heard.pools, now);
    }

    #[test]
    fn sights_are_told_whole_first_and_then_what_is_new() {
        let sight = |up: &[bool]| Arc::new(Sight::new(1, up.iter().copied().cycle().take(20_000)));
        let mut now: Sights =
            (0..100).map(|number| (number.to_string().as_str().into(), sight(&[true]))).collect();
        let mut told = Told::default();
        let mut heard: BTreeMap<String, Sight> = BTreeMap::new();
        let mut hear = |messages: Vec<Message>| {
            let mut count = 0;
            for message in messages {
                frame::encode(&message).expect("it fits into a frame");
                let Message::Sights { anew, sights } = message else { panic!("something else") };
                if anew {
                    heard.clear();
                }
                count += sights.len();
                heard.extend(sights);
            }
            (count, heard.len())
        };
        assert_eq!(hear(told.sights(Arc::new(now.clone()))), (100, 100));
        assert_eq!(hear(told.sights(Arc::new(now.clone()))), (0, 100));
        now.insert("7".into(), sight(&[true, false]));
        assert_eq!(hear(told.sights(Arc::new(now.clone()))), (1, 100));
        now.remove("8");
        assert_eq!(hear(told.sights(Arc::new(now.clone()))), (99, 99));
        assert_eq!(hear(told.sights(Arc::default())), (0, 0), "no pool is judged by both any more");
    }

    #[test]
    fn records_are_told_once_and_not_to_whoever_said_them() {
        let record = |key: usize, size| Record {
            key: key.to_string(),
            stamp_unix_ms: 1,
            director: "lb-a".to_owned(),
            body: Some("b".repeat(size).into()),
        };
        let all: Vec<_> = (0..200).map(|key| record(key, 4_000)).collect();
        let mut told = Told::default();
        told.note(&all[0]);
        let messages = told.records(all.iter());
        assert!(messages.len() > 5 && messages.iter().all(|message| frame::encode(message).is_ok()));
        let count = |message: &Message| match message {
            Message::Records { records } => records.len(),
            _ => 0,
        };
        assert_eq!(messages.iter().map(count).sum::<usize>(), 199);
        assert!(told.records(all.iter()).is_empty());
        let newer = Record { stamp_unix_ms: 2, ..record(0, 1) };
        assert_eq!(told.records([&newer].into_iter()).len(), 1);
    }
}
