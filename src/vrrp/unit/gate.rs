//! What stands between a down timer that has ended and the takeover: a fit Master that is heard on another path, and the
//! `before_master` hook. Each for a bounded time.

use crate::model::DirectorName;
use crate::time::Instant;
use crate::vrrp::fitness::Reach;
use std::collections::BTreeMap;
use std::time::Duration;

/// A Backup that hears a Master on another path waits for so many advertisement intervals.
const POSTPONED_INTERVALS: u32 = 10;

/// What another director says of the unit on another path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    pub director: DirectorName,
    pub is_master: bool,
    pub is_fit: bool,
    pub reach: Reach,
    /// Whether it is proven to be that director's word. If not, it can postpone a takeover and nothing else: anybody on the
    /// path can have said it.
    pub sealed: bool,
    /// Until when the word is fresh.
    pub until: Instant,
}

/// The gate of one unit.
#[derive(Debug, Default)]
pub(super) struct Gate {
    /// The last word of each director.
    elsewhere: BTreeMap<DirectorName, Elsewhere>,
    /// Since when every session is due.
    due_since: Option<Instant>,
    /// When the postponement is looked at again.
    again_at: Option<Instant>,
    hook: Hook,
    /// Whether nothing but the hook stands before the takeover. One that goes on while the sessions are not due, because the
    /// Master that was to be preempted resigns, say, is no reason to be woken.
    waits_for_hook: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hook {
    #[default]
    NotRun,
    Runs {
        until: Instant,
    },
    Done,
}

impl Gate {
    pub(super) fn elsewhere(&mut self, elsewhere: Elsewhere) {
        self.elsewhere.insert(elsewhere.director.clone(), elsewhere);
    }

    /// The last word of each director.
    pub(super) fn words(&self) -> impl Iterator<Item = &Elsewhere> {
        self.elsewhere.values()
    }

    /// Whether a takeover waits here.
    pub(super) fn is_waited_at(&self) -> bool {
        self.due_since.is_some() || self.hook != Hook::NotRun
    }

    pub(super) fn hook_done(&mut self) {
        if matches!(self.hook, Hook::Runs { .. }) {
            self.hook = Hook::Done;
        }
    }

    /// A Master was heard again, or the takeover is through.
    pub(super) fn reset(&mut self) {
        (self.due_since, self.again_at, self.hook) = (None, None, Hook::NotRun);
    }

    /// Not every session is due, or not any more.
    pub(super) fn not_due(&mut self) {
        self.waits_for_hook = false;
        if self.due_since.is_some() {
            self.reset();
        }
    }

    /// Whether no fit Master elsewhere speaks against the takeover (any more): it is waited for a bounded time; then who
    /// reaches the tracked gateway wins, where that is proven.
    pub(super) fn postponement_over(&mut self, now: Instant, interval: Duration, own: Reach) -> bool {
        let since = *self.due_since.get_or_insert(now);
        // The hook comes after this: until it is looked at again, nothing waits for it.
        (self.again_at, self.waits_for_hook) = (None, false);
        let masters =
            self.elsewhere.values().filter(|other| other.is_master && other.is_fit && other.until > now);
        // Of several the one that reaches the gateway speaks for all.
        let weight = |other: &&Elsewhere| (other.sealed, other.reach == Reach::Reached, other.until);
        let Some(other) = masters.max_by_key(weight) else {
            return true;
        };
        let bound = since + interval * POSTPONED_INTERVALS;
        if bound > now {
            self.again_at = Some(bound.min(other.until));
            return false;
        }
        let reaches = other.reach == Reach::Reached || (other.reach == Reach::Lost && own == Reach::Lost);
        let other_wins = other.sealed && reaches;
        if other_wins {
            self.again_at = Some(other.until);
        }
        !other_wins
    }

    /// Whether the hook is through; and whether it is to be started now.
    pub(super) fn hook_over(&mut self, now: Instant, limit: Duration) -> (bool, bool) {
        // It comes last: a postponement that a Master who is heard meanwhile has ended is not waited for.
        (self.again_at, self.waits_for_hook) = (None, true);
        match self.hook {
            Hook::NotRun => {
                self.hook = Hook::Runs { until: now + limit };
                (false, true)
            }
            Hook::Runs { until } => (until <= now, false),
            Hook::Done => (true, false),
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let hook = match self.hook {
            Hook::Runs { until } => Some(until).filter(|_| self.waits_for_hook),
            Hook::NotRun | Hook::Done => None,
        };
        hook.into_iter().chain(self.again_at).min()
    }
}
