//! What a station counts, and which of it is worth a line in the log.

use crate::floating::{Order, Report, Wish};
use crate::model::{Pair, RouterName, VirtualRouter};
use crate::time::Instant;
use crate::vrrp::election::Election;
use crate::vrrp::event::Event;
use crate::vrrp::handed::{HandedCause, HandedRouter};
use crate::vrrp::machine::{Heard, RESIGNS};
use crate::vrrp::picture::{Counts, PeerPicture, Picture, RouterPicture};
use crate::vrrp::role::{Cause, Role};
use crate::vrrp::{RouterId, SessionId};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The same error of the same router is told at most so often.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// A configuration that differs is told at most so often: it is there until somebody changes it.
const DIFFERS_EVERY: Duration = Duration::from_secs(3600);
/// Another machine that claims an address for so long while we are Master is no director that takes over.
const CLAIM_LASTS: Duration = Duration::from_millis(500);
/// A Master that was contested and hears nothing for so long is not contested any more.
const CONTEST_ENDS: Duration = Duration::from_secs(5);

/// One router's book.
#[derive(Debug)]
struct Entry {
    name: RouterName,
    role: Role,
    since: Instant,
    cause: Option<Cause>,
    wanted: usize,
    held: usize,
    /// When it decided to become Master, until all its addresses are held.
    takes_over_since: Option<Instant>,
    contested_at: Option<Instant>,
    /// Since when another machine claims each address of this Master.
    claimed_since: BTreeMap<IpAddr, Instant>,
    /// For each kind of error: when it was last told, and how often it came since.
    told: BTreeMap<&'static str, (Instant, u64)>,
    complaints: BTreeMap<&'static str, (IpAddr, Instant)>,
    trackers: BTreeMap<Arc<str>, bool>,
    counts: Counts,
}

/// The books of all routers.
#[derive(Debug)]
pub(super) struct Account {
    entries: Vec<Entry>,
    peers: BTreeMap<Arc<str>, bool>,
    bad_beats: BTreeMap<&'static str, u64>,
    beats_told: BTreeMap<&'static str, (Instant, u64)>,
}

impl Account {
    pub(super) fn new(routers: &[VirtualRouter], pair: &Pair, now: Instant) -> Self {
        let entry = |router: &VirtualRouter| Entry {
            name: Arc::clone(&router.name),
            role: Role::Initialize,
            since: now,
            cause: None,
            wanted: 0,
            held: 0,
            takes_over_since: None,
            contested_at: None,
            claimed_since: BTreeMap::new(),
            told: BTreeMap::new(),
            complaints: BTreeMap::new(),
            trackers: BTreeMap::new(),
            counts: Counts::default(),
        };
        Self {
            entries: routers.iter().map(entry).collect(),
            peers: pair.others().map(|(name, _)| (Arc::clone(name), false)).collect(),
            bad_beats: BTreeMap::new(),
            beats_told: BTreeMap::new(),
        }
    }

    fn entry(&mut self, router: RouterId) -> Option<&mut Entry> {
        self.entries.get_mut(router.0)
    }

    pub(super) fn sent(&mut self, router: RouterId, priority: u8) {
        if let Some(entry) = self.entry(router) {
            entry.counts.sent += 1;
            entry.counts.resignations_sent += u64::from(priority == RESIGNS);
        }
    }

    pub(super) fn received(&mut self, router: RouterId, at: Instant, heard: Heard) {
        if let Some(entry) = self.entry(router) {
            entry.counts.received += 1;
            entry.counts.resignations_received += u64::from(heard.is_resignation());
            entry.counts.last_received = Some(at);
            entry.counts.last_master = Some(heard.source).filter(|_| !heard.is_resignation());
        }
    }

    pub(super) fn count_error(&mut self, router: RouterId, kind: &'static str) {
        self.entry(router).into_iter().for_each(|entry| *entry.counts.errors.entry(kind).or_default() += 1);
    }

    pub(super) fn bad_beat(&mut self, kind: &'static str, at: Instant) -> Option<Event> {
        *self.bad_beats.entry(kind).or_default() += 1;
        let times = due(&mut self.beats_told, kind, at, TELL_EVERY)?;
        Some(Event::BadBeat { kind, times })
    }

    /// Counts what is believed and shows a configuration that differs, and tells it now and then.
    pub(super) fn differs(
        &mut self,
        router: RouterId,
        source: IpAddr,
        kind: &'static str,
        at: Instant,
    ) -> Option<Event> {
        self.count_error(router, kind);
        let entry = self.entry(router)?;
        entry.complaints.insert(kind, (source, at));
        due(&mut entry.told, kind, at, DIFFERS_EVERY)?;
        Some(Event::Differs { router: Arc::clone(&entry.name), source, kind })
    }

    /// Counts what was not believed, and tells it now and then. A VRID that is nobody's is other people's business.
    pub(super) fn dropped(
        &mut self,
        session: Option<SessionId>,
        source: IpAddr,
        kind: &'static str,
        at: Instant,
    ) -> Option<Event> {
        let SessionId { router, family } = session?;
        self.count_error(router, kind);
        let entry = self.entry(router)?;
        entry.complaints.insert(kind, (source, at));
        let times = due(&mut entry.told, kind, at, TELL_EVERY)?;
        Some(Event::Dropped { router: Arc::clone(&entry.name), family, source, kind, times })
    }

    pub(super) fn role(&mut self, router: RouterId, role: Role, cause: &Cause, at: Instant) -> Option<Event> {
        let entry = self.entry(router)?;
        let ends = entry.role == Role::Master && role != Role::Master;
        entry.counts.masterships_ended += u64::from(ends);
        (entry.role, entry.since, entry.cause) = (role, at, Some(cause.clone()));
        entry.claimed_since.clear();
        entry.takes_over_since = (role == Role::Master).then_some(at);
        *entry.counts.transitions.entry((role, cause.name())).or_default() += 1;
        Some(Event::Role { router: Arc::clone(&entry.name), role, cause: cause.clone() })
    }

    /// What is shown of each router, to be handed on.
    pub(super) fn hand_on(&self) -> Vec<HandedRouter> {
        let each = self.entries.iter().map(|entry| HandedRouter {
            name: entry.name.to_string(),
            since: entry.since,
            cause: entry.cause.as_ref().map(HandedCause::from),
            contested_at: entry.contested_at,
            last_received: entry.counts.last_received,
            last_master: entry.counts.last_master,
        });
        each.collect()
    }

    /// Goes on with the books of another process; nothing of what is known already is told again.
    pub(super) fn go_on(&mut self, handed: &[HandedRouter], election: &Election, now: Instant) {
        for (index, entry) in self.entries.iter_mut().enumerate() {
            entry.role = election.role(RouterId(index));
            let Some(said) = handed.iter().find(|said| *said.name == *entry.name) else { continue };
            (entry.since, entry.contested_at) = (said.since, said.contested_at);
            entry.cause = said.cause.as_ref().and_then(HandedCause::cause);
            (entry.counts.last_received, entry.counts.last_master) = (said.last_received, said.last_master);
        }
        self.changes(election, now);
    }

    pub(super) fn contested(&mut self, router: RouterId, by: Heard, at: Instant) -> Option<Event> {
        let entry = self.entry(router)?;
        entry.counts.master_conflicts += 1;
        let before = entry.contested_at.replace(at);
        let known = before.is_some_and(|before| before + CONTEST_ENDS > at);
        let Heard { source, priority, .. } = by;
        (!known).then(|| Event::Contested { router: Arc::clone(&entry.name), source, priority })
    }

    pub(super) fn order(&mut self, order: &Order) {
        if let Order::Wish { router, wish: Wish::Drop } = order {
            self.entry(*router).into_iter().for_each(|entry| entry.takes_over_since = None);
        }
    }

    pub(super) fn keeper(&mut self, report: &Report, at: Instant) -> Option<Event> {
        match report {
            Report::Held { router, held, wanted } => {
                let entry = self.entry(*router)?;
                (entry.held, entry.wanted) = (*held, *wanted);
                if held == wanted
                    && *wanted > 0
                    && let Some(since) = entry.takes_over_since.take()
                {
                    entry.counts.last_takeover = Some(at.saturating_since(since));
                }
            }
            Report::Released { .. } => {}
            Report::Conflict { router, address, hardware_address } => {
                return self.conflict(*router, *address, *hardware_address, at);
            }
        }
        None
    }

    /// Counts a claim that lasts, and tells it now and then. A new Master that takes over announces in the moment in which its
    /// advertisement is on the way here: that is no conflict.
    fn conflict(
        &mut self,
        router: RouterId,
        address: IpAddr,
        hardware_address: [u8; 6],
        at: Instant,
    ) -> Option<Event> {
        const KIND: &str = "address_conflict";
        let entry = self.entry(router)?;
        let since = *entry.claimed_since.entry(address).or_insert(at);
        if at.saturating_since(since) < CLAIM_LASTS {
            return None;
        }
        entry.counts.address_conflicts += 1;
        if entry.told.get(KIND).is_some_and(|(last, _)| *last + TELL_EVERY > at) {
            return None;
        }
        entry.told.insert(KIND, (at, 0));
        Some(Event::Conflict { router: Arc::clone(&entry.name), address, hardware_address })
    }

    /// What changed of trackers and other directors since it was last looked at.
    pub(super) fn changes(&mut self, election: &Election, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        for (index, entry) in self.entries.iter_mut().enumerate() {
            for (tracker, good) in election.trackers(RouterId(index)) {
                let known = entry.trackers.get(tracker).copied();
                if known.unwrap_or(true) != good {
                    let (router, tracker) = (Arc::clone(&entry.name), Arc::clone(tracker));
                    events.push(Event::Tracker { router, tracker, good });
                }
                if known != Some(good) {
                    entry.trackers.insert(Arc::clone(tracker), good);
                }
            }
        }
        for (director, up) in election.peers_up(now) {
            if self.peers.get(director).copied().unwrap_or_default() != up {
                self.peers.insert(Arc::clone(director), up);
                events.push(Event::Peer { director: Arc::clone(director), up });
            }
        }
        events
    }

    pub(super) fn picture(&self, election: &Election, now: Instant) -> Picture {
        let router = |(index, entry): (usize, &Entry)| RouterPicture {
            name: Arc::clone(&entry.name),
            role: entry.role,
            since: entry.since,
            cause: entry.cause.clone(),
            priority: election.priority(RouterId(index)),
            released: election.is_released(RouterId(index)),
            released_until: election.released_until(RouterId(index)),
            contested_at: entry.contested_at,
            addresses_wanted: entry.wanted,
            addresses_held: entry.held,
            trackers: election
                .trackers(RouterId(index))
                .map(|(name, good)| (Arc::clone(name), good))
                .collect(),
            complaints: entry.complaints.clone(),
            counts: entry.counts.clone(),
        };
        let heard: BTreeMap<_, _> = election.peers_heard().collect();
        let fit = election.peers_fit();
        let peer = |(index, (name, up)): (usize, (&Arc<str>, bool))| PeerPicture {
            name: Arc::clone(name),
            up,
            fit: fit.get(index).copied().unwrap_or_default(),
            last_heard: heard.get(name).copied().flatten(),
        };
        Picture {
            routers: self.entries.iter().enumerate().map(router).collect(),
            peers: election.peers_up(now).enumerate().map(peer).collect(),
            bad_beats: self.bad_beats.clone(),
        }
    }
}

/// Whether something of this kind is to be told now; how often it came since it was last told, this time included.
fn due(
    told: &mut BTreeMap<&'static str, (Instant, u64)>,
    kind: &'static str,
    at: Instant,
    every: Duration,
) -> Option<u64> {
    let Some((last, times)) = told.get_mut(kind) else {
        told.insert(kind, (at, 0));
        return Some(1);
    };
    *times += 1;
    (*last + every <= at).then(|| {
        *last = at;
        std::mem::take(times)
    })
}
