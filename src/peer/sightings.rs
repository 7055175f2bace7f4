//! Where the event loop and the channels hand each other what directors see of the pools that both judge (shell: a lock, and who
//! is woken). It outlives a channel, and a reload.

use super::sight::{Sight, Sights};
use crate::model::DirectorName;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// Bytes of one director's sights at most: ten times those of the largest site.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// What each sees.
#[derive(Debug)]
pub struct Sightings {
    own: watch::Sender<Arc<Sights>>,
    /// Of the directors that are heard now.
    others: Mutex<BTreeMap<DirectorName, Arc<Sights>>>,
    arrived: Notify,
}

impl Default for Sightings {
    fn default() -> Self {
        Self { own: watch::Sender::default(), others: Mutex::default(), arrived: Notify::new() }
    }
}

impl Sightings {
    /// What this director sees; the others are told at once what is new of it.
    pub fn tell(&self, own: Sights) {
        self.own.send_replace(Arc::new(own));
    }

    /// Resolves when [`Sightings::others`] has become something else.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// What each other director sees that is heard now.
    pub fn others(&self) -> Vec<Arc<Sights>> {
        self.lock().values().cloned().collect()
    }

    pub(super) fn watch(&self) -> watch::Receiver<Arc<Sights>> {
        self.own.subscribe()
    }

    /// A director says what it sees: all of it, or what is new. What is more than any site has is not taken in.
    pub fn heard(&self, director: &DirectorName, anew: bool, sights: BTreeMap<String, Sight>) {
        let mut others = self.lock();
        let known = others.entry(director.clone()).or_default();
        let mut all = if anew { Sights::default() } else { Sights::clone(known) };
        all.extend(sights.into_iter().map(|(pool, sight)| (pool.as_str().into(), Arc::new(sight))));
        if all.iter().map(|(pool, sight)| pool.len() + sight.size()).sum::<usize>() <= MOST_BYTES {
            *known = Arc::new(all);
        }
        drop(others);
        self.arrived.notify_one();
    }

    /// A director is not heard any more.
    pub(super) fn lost(&self, director: &DirectorName) {
        if self.lock().remove(director).is_some() {
            self.arrived.notify_one();
        }
    }

    /// Nobody is.
    pub fn lost_all(&self) {
        self.lock().clear();
        self.arrived.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DirectorName, Arc<Sights>>> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a director of the pair can say so; its mistakes must not take this one's memory either.
    #[test]
    fn names_count_as_bytes_too() {
        let sightings = Sightings::default();
        let name = |number: usize| format!("{number}{}", "x".repeat(MOST_BYTES / 8));
        for number in 0..20 {
            let said = BTreeMap::from([(name(number), Sight::new(1, [true].into_iter()))]);
            sightings.heard(&"lb-b".into(), false, said);
        }
        let pools: Vec<usize> = sightings.others().iter().map(|sights| sights.len()).collect();
        assert_eq!(pools, [7]);
    }
}
