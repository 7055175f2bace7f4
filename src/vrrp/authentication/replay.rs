//! What was accepted last, from whom: only what is newer is accepted. Bounded: beyond the limit the sender that was heard
//! longest ago is forgotten. Only a holder of a key gets into the table, so nobody else can push one out of it.

use super::{Refusal, Stale};
use std::collections::BTreeMap;

/// A message's place in its sender's history; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// The run of the sender: higher in each.
    pub epoch: u64,
    /// The message of that run: higher in each.
    pub counter: u64,
}

/// The newest mark of each sender.
#[derive(Clone, Debug)]
pub struct Marks<S> {
    newest: BTreeMap<S, Heard>,
    /// Most senders that are remembered.
    limit: usize,
    /// Messages accepted so far: who was heard longest ago has the least.
    accepted: u64,
    /// The last message that was refused for its run.
    stale: Option<Stale>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    mark: Mark,
    accepted: u64,
}

impl<S: Ord + Clone> Marks<S> {
    /// An empty table of at most `limit` senders, at least one.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        // A table of none would accept everything again.
        let limit = if limit == 0 { 1 } else { limit };
        Self { newest: BTreeMap::new(), limit, accepted: 0, stale: None }
    }

    /// Accepts what is newer than all before from this sender, and remembers it. For messages whose signature fits only.
    ///
    /// # Errors
    /// [`Refusal::StaleEpoch`] or [`Refusal::Replayed`].
    pub fn accept(&mut self, sender: S, mark: Mark) -> Result<(), Refusal> {
        if let Some(heard) = self.newest.get(&sender) {
            if mark.epoch < heard.mark.epoch {
                self.stale = Some(Stale { run: mark.epoch, known: heard.mark.epoch });
                return Err(Refusal::StaleEpoch);
            }
            if mark <= heard.mark {
                return Err(Refusal::Replayed);
            }
        }
        self.insert(sender, mark);
        Ok(())
    }

    /// The last message that was refused for its run since this was asked.
    pub fn take_stale(&mut self) -> Option<Stale> {
        self.stale.take()
    }

    /// Takes a mark over from an earlier run of this program; a newer one that is known stays.
    pub fn remember(&mut self, sender: S, mark: Mark) {
        if self.newest.get(&sender).is_none_or(|heard| heard.mark < mark) {
            self.insert(sender, mark);
        }
    }

    /// Every sender and its newest mark, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&S, Mark)> {
        self.newest.iter().map(|(sender, heard)| (sender, heard.mark))
    }

    fn insert(&mut self, sender: S, mark: Mark) {
        self.accepted = self.accepted.saturating_add(1);
        self.newest.insert(sender, Heard { mark, accepted: self.accepted });
        if self.newest.len() > self.limit {
            // Never the one that was just heard: it has the most.
            let oldest = self.newest.iter().min_by_key(|(_, heard)| heard.accepted);
            let oldest = oldest.map(|(sender, _)| sender.clone());
            oldest.and_then(|oldest| self.newest.remove(&oldest));
        }
    }
}
