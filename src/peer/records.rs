//! The records of a director, shared with the thread of the channels (shell): [`Mirror`] behind a lock, and who is woken when it
//! changes. They outlive a channel, and a reload.
//!
//! The lock is held for a merge in memory and never while anybody waits for something else.

use super::mirror::{Mirror, Record};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// Everything that both directors know.
#[derive(Debug)]
pub struct Records {
    state: Mutex<State>,
    /// Counts the changes, for those who tell them.
    version: watch::Sender<u64>,
    /// Wakes whoever acts on what another director said.
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    mirror: Mirror,
    /// What another director changed and nobody has taken yet.
    changed: BTreeMap<String, Record>,
}

impl Default for Records {
    fn default() -> Self {
        Self { state: Mutex::default(), version: watch::Sender::new(0), arrived: Notify::new() }
    }
}

impl Records {
    /// Says a word of this director; it is told to the others at once. What is kept: [`Mirror::set`].
    pub fn set(&self, record: Record) -> Option<Record> {
        let kept = self.lock().mirror.set(record);
        if kept.is_some() {
            self.version.send_modify(|version| *version += 1);
        }
        kept
    }

    /// Takes in what was kept on disk, or what another director says. What it changed is handed out by
    /// [`Records::take_changed`].
    pub fn merge(&self, records: impl IntoIterator<Item = Record>) {
        let changed = {
            let mut state = self.lock();
            let changed = state.mirror.merge(records);
            state.changed.extend(changed.iter().map(|record| (record.key.clone(), record.clone())));
            !changed.is_empty()
        };
        if changed {
            self.version.send_modify(|version| *version += 1);
            self.arrived.notify_one();
        }
    }

    /// Resolves when there is something for [`Records::take_changed`].
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// What [`Records::merge`] has changed since this was asked last, by key. Bounded by the mirror's
    /// bound: of one key only the last word is handed out.
    pub fn take_changed(&self) -> Vec<Record> {
        std::mem::take(&mut self.lock().changed).into_values().collect()
    }

    /// Every record, tombstones among them, by key.
    pub fn all(&self) -> Vec<Record> {
        self.lock().mirror.all().cloned().collect()
    }

    /// Forgets what was taken back long ago.
    pub fn forget(&self, now_unix_ms: u64) {
        self.lock().mirror.forget(now_unix_ms);
    }

    /// Does something with all of them without copying them.
    pub(super) fn with<T>(&self, read: impl FnOnce(&Mirror) -> T) -> T {
        read(&self.lock().mirror)
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
