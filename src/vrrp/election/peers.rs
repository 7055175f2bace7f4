//! The other directors, as their beats tell of them: who is there, in which roles, and what is wanted.
//!
//! A beat is a datagram that each director sends to the others beside VRRP: on their own addresses, and on the interfaces that
//! `heartbeat` names. It never makes anybody Master; it can postpone a takeover for a bounded time, and it asks for state.
//! One that a peer key seals also settles which of two directors gives way that don't hear each other's advertisements.

use crate::hash::fnv1a;
use crate::model::DirectorName;
use crate::time::Instant;
use crate::vrrp::authentication::Stale;
use crate::vrrp::fitness::Reach;
use crate::vrrp::handed::{HandedPeer, micros};
use crate::vrrp::role::Role;
use crate::vrrp::transfer::Said;
use crate::vrrp::unit::{Elsewhere, Unit};
use std::collections::BTreeMap;
use std::time::Duration;

/// Beats that may be missed before a director counts as gone.
const MISSED_BEATS: u32 = 3;
/// The longest interval of beats that is believed.
const LONGEST_INTERVAL: Duration = Duration::from_secs(10);

/// One beat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    pub director: DirectorName,
    /// Higher in each run of a director.
    pub epoch: u64,
    /// Higher in each beat of a run.
    pub sequence: u64,
    /// From this beat to the next.
    pub interval: Duration,
    pub said: Said,
    /// A director that we refuse for the number of its run; only a sealed beat is asked for it.
    pub stale: Option<Stale>,
    pub units: Vec<UnitBeat>,
}

/// What a beat says of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitBeat {
    /// FNV-1a of the unit's name.
    pub name: u64,
    pub role: Role,
    pub is_fit: bool,
    pub reach: Reach,
    /// Effective priority of its first session.
    pub priority: u8,
}

impl UnitBeat {
    pub(super) fn of(name: &str, unit: &Unit) -> Self {
        Self {
            name: fnv1a(name.bytes()),
            role: unit.role(),
            is_fit: unit.is_fit(),
            reach: unit.fitness().reach,
            priority: unit.members().first().map_or(0, |member| member.machine.priority()),
        }
    }

    pub(super) fn is_of(&self, name: &str) -> bool {
        self.name == fnv1a(name.bytes())
    }

    pub(super) fn elsewhere(&self, director: DirectorName, sealed: bool, until: Instant) -> Elsewhere {
        let is_master = self.role == Role::Master;
        Elsewhere { director, is_master, is_fit: self.is_fit, reach: self.reach, sealed, until }
    }
}

/// What is known of one other director.
#[derive(Clone, Debug, Default)]
struct Peer {
    last: Option<(u64, u64)>,
    heard_at: Option<Instant>,
    interval: Duration,
    units: Vec<UnitBeat>,
}

/// All other directors.
#[derive(Debug)]
pub(in crate::vrrp) struct Peers {
    own: DirectorName,
    epoch: u64,
    sequence: u64,
    /// What the last beat said of the units.
    told: Vec<UnitBeat>,
    others: BTreeMap<DirectorName, Peer>,
}

impl Peers {
    pub(super) fn new(own: DirectorName, epoch: u64, others: impl Iterator<Item = DirectorName>) -> Self {
        let others = others.map(|name| (name, Peer::default())).collect();
        Self { own, epoch, sequence: 0, told: Vec::new(), others }
    }

    /// A higher number of this run.
    pub(super) fn set_epoch(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.others.is_empty()
    }

    /// Whether the others were told something else of these units.
    pub(super) fn is_news(&self, units: &[UnitBeat]) -> bool {
        self.told != units
    }

    pub(super) fn next_beat(&mut self, interval: Duration, said: Said, units: Vec<UnitBeat>) -> Beat {
        self.sequence += 1;
        self.told.clone_from(&units);
        let (director, epoch, sequence) = (self.own.clone(), self.epoch, self.sequence);
        Beat { director, epoch, sequence, interval, said, stale: None, units }
    }

    /// Whether the beat comes from a director of this policy and is newer than what was heard, or as new: the same one comes
    /// on several paths.
    pub(super) fn heard(&mut self, beat: &Beat, at: Instant) -> bool {
        let fresh_for = self.fresh_for();
        let Some(peer) = self.others.get_mut(&beat.director) else { return false };
        let mark = (beat.epoch, beat.sequence);
        // Without a key anybody can say any number: what nothing followed in time is no reason to be deaf to what comes now.
        let silent = peer.heard_at.is_none_or(|heard| heard + fresh_for <= at);
        if peer.last.is_some_and(|last| mark < last) && !silent {
            return false;
        }
        peer.last = Some(mark);
        peer.units.clone_from(&beat.units);
        (peer.heard_at, peer.interval) = (Some(at), beat.interval.min(LONGEST_INTERVAL));
        true
    }

    /// For how long a beat is believed.
    pub(super) fn fresh_for(&self) -> Duration {
        let longest = self.others.values().map(|peer| peer.interval).max().unwrap_or_default();
        longest * (MISSED_BEATS + 1)
    }

    pub(super) fn any_up(&self, now: Instant) -> bool {
        self.up(now).any(|(_, up)| up)
    }

    pub(super) fn up(&self, now: Instant) -> impl Iterator<Item = (&DirectorName, bool)> {
        let fresh = self.fresh_for();
        self.others
            .iter()
            .map(move |(name, peer)| (name, peer.heard_at.is_some_and(|heard| heard + fresh > now)))
    }

    /// What is known of each, to be handed on.
    pub(super) fn hand_on(&self) -> Vec<HandedPeer> {
        let each = self.others.iter().map(|(name, peer)| HandedPeer {
            name: name.to_string(),
            last: peer.last,
            heard_at: peer.heard_at,
            interval_us: micros(peer.interval),
            fit: peer.units.iter().filter(|unit| unit.is_fit).map(|unit| unit.name).collect(),
            sealed: false,
        });
        each.collect()
    }

    /// Goes on with what another process heard; `units` are what it told last.
    pub(super) fn go_on(&mut self, handed: &[HandedPeer], units: Vec<UnitBeat>) {
        self.told = units;
        for said in handed {
            let Some(peer) = self.others.get_mut(said.name.as_str()) else { continue };
            let fit = |name: &u64| UnitBeat {
                name: *name,
                role: Role::Backup,
                is_fit: true,
                reach: Reach::Untracked,
                priority: 0,
            };
            (peer.last, peer.heard_at) = (said.last, said.heard_at);
            peer.interval = Duration::from_micros(said.interval_us).min(LONGEST_INTERVAL);
            peer.units = said.fit.iter().map(fit).collect();
        }
    }

    /// Whether each director said of all these units that it could be their Master.
    pub(super) fn fit(&self, units: &[&str]) -> impl Iterator<Item = bool> {
        let says = |peer: &Peer, name: &str| peer.units.iter().any(|unit| unit.is_of(name) && unit.is_fit);
        self.others.values().map(move |peer| units.iter().all(|name| says(peer, name)))
    }

    pub(super) fn heard_at(&self) -> impl Iterator<Item = (&DirectorName, Option<Instant>)> {
        self.others.iter().map(|(name, peer)| (name, peer.heard_at))
    }
}
