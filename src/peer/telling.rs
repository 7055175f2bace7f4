//! What one peer is still to be told: of pools and records only what it does not know. Pure.

use super::happened::{self, LONGEST_EVENT};
use super::message::{Message, Pools};
use super::mirror::{MOST_RECORDS, Record};
use super::report::{PoolSummary, Summaries};
use super::sight::{Sight, Sights};
use crate::control::EventRecord;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Pools of one message: of the longest names and numbers, these are less than a frame.
const POOLS_AT_ONCE: usize = 256;
/// Bytes of the records, events or sights of one message, roughly; one is far smaller, and a frame larger.
const PART_BYTES: usize = 128 * 1024;
/// Events of before that a connection begins with.
pub const PAST_EVENTS: usize = 256;

/// What a peer was told in this connection, or has told itself.
#[derive(Debug, Default)]
pub struct Told {
    pools: Option<Summaries>,
    /// By key, what is known of the newest word.
    records: BTreeMap<String, (u64, String)>,
    sights: Option<Arc<Sights>>,
    last_event: Option<u64>,
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
        let news = now.iter().filter(|(pool, sight)| before.get(*pool) != Some(*sight));
        let news: Vec<(String, Sight)> =
            news.map(|(pool, sight)| (pool.to_string(), Sight::clone(sight))).collect();
        let mut parts = parts(news, |(pool, sight)| pool.len() + sight.size());
        // That nothing is judged by both any more has to be said, too.
        if anew && parts.is_empty() {
            parts.push(Vec::new());
        }
        let message = |part: Vec<(String, Sight)>| {
            let sights = part.into_iter().collect();
            Message::Sights { anew: std::mem::take(&mut anew), sights }
        };
        parts.into_iter().map(message).collect()
    }

    /// The messages about records; they count as told.
    pub fn records<'a>(&mut self, now: impl Iterator<Item = &'a Record>) -> Vec<Message> {
        let news: Vec<Record> = now.filter(|record| !self.knows(record)).cloned().collect();
        news.iter().for_each(|record| self.note(record));
        let size = |record: &Record| {
            record.key.len() + record.body.as_ref().map_or(0, |body| body.to_string().len()) + 128
        };
        parts(news, size).into_iter().map(|records| Message::Records { records }).collect()
    }

    /// The number of the last event that was told; `None` where none was.
    #[must_use]
    pub const fn last_event(&self) -> Option<u64> {
        self.last_event
    }

    /// The messages about events, up to number `last`; they count as told.
    pub fn events(&mut self, news: &[Arc<EventRecord>], last: u64) -> Vec<Message> {
        self.last_event = Some(last);
        let news = news.iter().filter(|event| happened::size(event) <= LONGEST_EVENT);
        let news = news.map(|event| EventRecord::clone(event)).collect();
        parts(news, happened::size).into_iter().map(|events| Message::Events { events }).collect()
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

/// In parts that fit into a message each.
fn parts<T>(all: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut parts: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for one in all {
        let more = size(&one);
        match parts.last_mut().filter(|_| bytes + more <= PART_BYTES) {
            Some(part) => part.push(one),
            None => {
                parts.push(vec![one]);
                bytes = 0;
            }
        }
        bytes += more;
    }
    parts
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

    #[test]
    fn events_travel_in_parts_and_one_that_is_too_long_does_not() {
        let event = |id, bytes| {
            Arc::new(EventRecord { message: "\n".repeat(bytes), ..crate::control::event_record(id) })
        };
        let mut all: Vec<_> = (1..=200).map(|id| event(id, 2_000)).collect();
        all.push(event(201, LONGEST_EVENT));
        let mut told = Told::default();
        assert_eq!(told.last_event(), None);
        let messages = told.events(&all, 201);
        assert_eq!(told.last_event(), Some(201));
        assert!(messages.len() > 5 && messages.iter().all(|message| frame::encode(message).is_ok()));
        let count = |message: &Message| match message {
            Message::Events { events } => events.len(),
            _ => 0,
        };
        assert_eq!(messages.iter().map(count).sum::<usize>(), 200);
        assert!(told.events(&[], 201).is_empty());
    }
}
