//! A frozen pool: its checks go on, and what they say counts no more. What they had said stays.

use super::Seen;
use super::handed::HandedFreeze;
use crate::model::Advice;
use crate::time::Instant;

/// What the checks of one server had said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    up: bool,
    vouched: bool,
    advice: Option<Advice>,
}

/// What is held of one server; nothing while its pool is not frozen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frozen(Option<Held>);

impl Frozen {
    /// What another process goes on with.
    pub(super) fn hand_on(self) -> Option<HandedFreeze> {
        self.0.map(|Held { up, vouched, advice }| HandedFreeze { up, vouched, advice })
    }

    /// The same there.
    pub(super) fn from_handed(handed: Option<HandedFreeze>) -> Self {
        Self(handed.map(|HandedFreeze { up, vouched, advice }| Held { up, vouched, advice }))
    }

    /// What is to be seen of a server. One of which nothing is known when its pool is frozen (the policy has just named it)
    /// is judged once.
    pub(super) fn hold(&mut self, at: Instant, seen: Seen, frozen: bool) -> Seen {
        let known = seen.passes() || seen.settled;
        self.0 = match (frozen, self.0) {
            (false, _) => None,
            (true, None) if known => {
                Some(Held { up: seen.up, vouched: seen.vouched, advice: seen.said.map(|(_, advice)| advice) })
            }
            (true, held) => held,
        };
        let Some(held) = self.0 else { return seen };
        // What was advised does not expire either.
        let Held { up, vouched, .. } = held;
        Seen { up, vouched, settled: true, said: held.advice.map(|advice| (at, advice)), ..seen }
    }
}
