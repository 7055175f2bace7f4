//! Which operation each address needs and when; batches of them, and their results. Pure.

use super::facts::{Presence, back_off};
use super::standing::Standing;
use super::{
    BATCH_MAX, Keeper, LIFETIME, Operation, OperationKind, Output, RENEW_EVERY, RENEW_TOGETHER, URGENT_AFTER,
};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The back-off of refusals: this, doubled up to the maximum, which is well within a lifetime.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(1);
/// Refusals of a removal that say that nothing is there to remove.
const EADDRNOTAVAIL: i32 = 99;
const ENODEV: i32 = 19;
/// What counts as the result of an operation that no result came for.
const EIO: i32 = 5;

/// Operations to come: each address is in at most one of the sets, with the instant from which on it is due.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    removals: BTreeSet<(Instant, usize)>,
    additions: BTreeSet<(Instant, usize)>,
    renewals: BTreeSet<(Instant, usize)>,
    /// By address: what it is in.
    places: BTreeMap<usize, (OperationKind, Instant)>,
}

/// An operation whose result is not known yet.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    id: usize,
    kind: OperationKind,
    lifetime: Option<Duration>,
    handed_at: Instant,
    last: bool,
}

impl Agenda {
    fn set_of(&mut self, kind: OperationKind) -> &mut BTreeSet<(Instant, usize)> {
        match kind {
            OperationKind::Add => &mut self.additions,
            OperationKind::Renew => &mut self.renewals,
            OperationKind::Remove => &mut self.removals,
        }
    }

    fn set(&mut self, id: usize, next: Option<(OperationKind, Instant)>) {
        if let Some((kind, due)) = self.places.remove(&id) {
            self.set_of(kind).remove(&(due, id));
        }
        if let Some((kind, due)) = next {
            self.places.insert(id, (kind, due));
            self.set_of(kind).insert((due, id));
        }
    }

    /// Up to a batch of what is due: the first of the set at `now`, the others at `together`.
    fn take(&mut self, kind: OperationKind, now: Instant, together: Instant) -> Vec<usize> {
        let set = self.set_of(kind);
        if set.first().is_none_or(|(due, _)| *due > now) {
            return Vec::new();
        }
        let due = set.iter().take_while(|(due, _)| *due <= together).take(BATCH_MAX);
        let ids: Vec<usize> = due.map(|(_, id)| *id).collect();
        ids.iter().for_each(|id| self.set(*id, None));
        ids
    }

    /// When the first operation is due, among those that go on as things are.
    pub(super) fn deadline(&self, alive: bool) -> Option<Instant> {
        let first = |set: &BTreeSet<(Instant, usize)>| set.first().map(|(due, _)| *due);
        let living = [&self.additions, &self.renewals].into_iter().filter(|_| alive).filter_map(first);
        first(&self.removals).into_iter().chain(living).min()
    }

    /// Whether something will go on when the advert thread is alive again.
    pub(super) fn waits_for_life(&self) -> bool {
        !(self.additions.is_empty() && self.renewals.is_empty())
    }

    pub(super) fn only_later_renewals(&self, now: Instant) -> bool {
        self.removals.is_empty() && self.renewals.first().is_none_or(|(due, _)| *due > now)
    }
}

impl Keeper {
    /// Decides anew what an address needs; call after anything about it has changed.
    pub(super) fn reconsider(&mut self, id: usize) {
        let next = if self.in_flight.iter().any(|flying| flying.id == id) { None } else { self.need_of(id) };
        self.agenda.set(id, next);
    }

    fn need_of(&self, id: usize) -> Option<(OperationKind, Instant)> {
        let address = &self.addresses[id];
        let interface = &self.interfaces[address.interface];
        interface.link?;
        let at = |kind, due: Instant| Some((kind, due.max(address.not_before)));
        match (self.standing_of(id), address.presence) {
            (Standing::Unwished, _)
            | (Standing::Release { .. } | Standing::Drop { .. }, Presence::Absent) => None,
            (Standing::Hold, Presence::Absent) => {
                let in_the_way = address.obstructed && address.address.is_ipv6();
                let blocked = in_the_way || !interface.is_up() || self.lengthened.is_some();
                if blocked { None } else { at(OperationKind::Add, address.not_before) }
            }
            (Standing::Hold | Standing::Release { .. }, Presence::Held { until, renewed, last }) => {
                at(OperationKind::Renew, self.renewal_due(until, renewed, last)?)
            }
            (Standing::Drop { .. }, Presence::Held { .. }) => at(OperationKind::Remove, address.not_before),
        }
    }

    /// Whether the kernel holds the address and was not asked to remove it.
    pub(super) fn stays(&self, id: usize) -> bool {
        let leaves = |flying: &InFlight| flying.id == id && flying.kind == OperationKind::Remove;
        self.addresses[id].is_held() && !self.in_flight.iter().any(leaves)
    }

    fn renewal_due(&self, until: Option<Instant>, renewed: Option<Instant>, last: bool) -> Option<Instant> {
        match (self.lifetimes, self.lengthened) {
            (true, Some(_)) => (!last).then_some(Instant::ZERO),
            (true, None) if last => Some(Instant::ZERO),
            (true, None) => Some(renewed.map_or(Instant::ZERO, |renewed| renewed + RENEW_EVERY)),
            // Found with the lifetime of a pair that is none any more.
            (false, _) => until.is_some().then_some(Instant::ZERO),
        }
    }

    /// The next batch: removals and what is urgent, or all the rest.
    pub(super) fn next_batch(&mut self, urgent: bool) -> Option<Output> {
        if !self.in_flight.is_empty() {
            return None;
        }
        let (alive, now) = (self.is_alive(), self.now);
        let together = now + RENEW_TOGETHER;
        let mut take = |kind, now, together| {
            let ids = self.agenda.take(kind, now, together);
            (!ids.is_empty()).then_some((kind, ids))
        };
        let batch = match (urgent, alive) {
            (true, true) => take(OperationKind::Remove, now, now)
                .or_else(|| take(OperationKind::Renew, now - URGENT_AFTER, together)),
            (true, false) => take(OperationKind::Remove, now, now),
            (false, true) => {
                take(OperationKind::Add, now, now).or_else(|| take(OperationKind::Renew, now, together))
            }
            (false, false) => None,
        };
        batch.map(|(kind, ids)| self.hand_out(kind, &ids))
    }

    fn hand_out(&mut self, kind: OperationKind, ids: &[usize]) -> Output {
        let lifetime = self.lifetimes.then(|| self.lengthened.unwrap_or(LIFETIME));
        let last = self.lengthened.is_some();
        let flying = |id: &usize| InFlight { id: *id, kind, lifetime, handed_at: self.now, last };
        self.in_flight = ids.iter().map(flying).collect();
        let operation = |id: &usize| {
            let address = &self.addresses[*id];
            let index = self.interfaces[address.interface].link.map_or(0, |link| link.index);
            Operation { kind, address: address.address, index, lifetime }
        };
        Output::Operate(ids.iter().map(operation).collect())
    }

    pub(super) fn done(&mut self, results: &[Result<(), i32>]) {
        let batch = std::mem::take(&mut self.in_flight);
        let results = results.iter().copied().chain(std::iter::repeat(Err(EIO)));
        for (flying, result) in batch.into_iter().zip(results) {
            match (flying.kind, result) {
                (OperationKind::Add | OperationKind::Renew, Ok(())) => self.renewed(&flying),
                (OperationKind::Remove, Ok(()) | Err(EADDRNOTAVAIL | ENODEV)) => {
                    // A wish that came while it was under way waits for nothing.
                    let unwanted = !matches!(self.standing_of(flying.id), Standing::Hold);
                    let address = &mut self.addresses[flying.id];
                    address.forget_troubles();
                    if unwanted {
                        // Another program that adds it again and again is not answered faster than this.
                        address.not_before = self.now + RETRY_FIRST;
                    }
                    self.became_absent(flying.id);
                }
                (OperationKind::Add | OperationKind::Renew | OperationKind::Remove, Err(errno)) => {
                    self.refused(&flying, errno);
                }
            }
        }
    }

    fn renewed(&mut self, flying: &InFlight) {
        let until = flying.lifetime.map(|lifetime| flying.handed_at + lifetime);
        let address = &mut self.addresses[flying.id];
        (address.refusals, address.errno) = (0, None);
        let presence = Presence::Held { until, renewed: Some(flying.handed_at), last: flying.last };
        self.became_held(flying.id, presence);
    }

    fn refused(&mut self, flying: &InFlight, errno: i32) {
        let address = &mut self.addresses[flying.id];
        address.refusals = address.refusals.saturating_add(1);
        address.not_before = self.now + back_off(address.refusals, RETRY_FIRST, RETRY_MAX);
        if address.errno.replace(errno) != Some(errno) {
            let key = (address.router, flying.kind, errno);
            self.refusals.entry(key).or_default().push(address.address);
        }
        if flying.kind == OperationKind::Remove && self.standing_of(flying.id) == &Standing::Hold {
            // A wish that came while it was under way has announced nothing.
            self.announce_taken_over(flying.id);
        }
        self.reconsider(flying.id);
    }

    pub(super) fn lengthen(&mut self, lifetime: Duration) {
        self.lengthened = Some(lifetime);
        for id in 0..self.addresses.len() {
            self.announcer.cancel(id);
            self.reconsider(id);
        }
    }
}
