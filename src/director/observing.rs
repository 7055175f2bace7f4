//! A director that changes nothing: what it would do otherwise than the live tables are. Pure.
//!
//! It probes and decides as ever; its changes are planned by the same comparison, and told instead of applied. It is no
//! member of the election: who holds the virtual addresses is seen by where they are, so that it compares in the role that
//! this host really has.

use super::core::{Core, Input};
use super::event::Event;
use super::snapshot::ObservingSnapshot;
use crate::model::{Observed, Policy, Roles, RouterName, ServiceKey, Tables, VirtualAddress, VirtualRouter};
use crate::reconcile::{Change, Object, Ownership, Table};
use crate::time::Instant;
use crate::vrrp::picture::{Counts, Picture, RouterPicture};
use crate::vrrp::role::Role;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

/// Differences that are told one by one, in status and log; there may be more.
pub const MOST_TOLD: usize = 100;
/// An address there is nobody's VIP: a real server of DR or TUN holds its VIP on it.
const LOOPBACK: &str = "lo";

/// Something that this director would have otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It would make this change.
    Change(Change),
    /// It would leave this service alone: the policy does not name it.
    Unnamed(ServiceKey),
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(change) => write!(formatter, "{change}"),
            Self::Unnamed(service) => {
                write!(formatter, "? {service}: leave it alone, the policy does not name it")
            }
        }
    }
}

impl Difference {
    pub(super) fn table(&self) -> Table {
        match self {
            Self::Change(change) => change.table(),
            Self::Unnamed(_) => Table::Services,
        }
    }

    /// What it is about, and how: two changes may be about one object.
    fn key(&self) -> Key {
        match self {
            Self::Change(change) => (change.object(), change.kind()),
            Self::Unnamed(service) => (Object::Service(*service), "unnamed"),
        }
    }
}

type Key = (Object, &'static str);

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Observing {
    differences: BTreeMap<Key, (Difference, Instant)>,
    has_compared: bool,
    watched: BTreeSet<IpAddr>,
    routers: BTreeMap<RouterName, Standing>,
}

/// How many addresses of a router this host has, and since when it has some or none.
#[derive(Clone, Copy, Debug)]
struct Standing {
    held: usize,
    since: Instant,
}

impl Observing {
    /// Addresses to look for.
    pub(super) fn held(&self) -> BTreeSet<IpAddr> {
        self.watched.clone()
    }

    /// Whether the live tables were compared once.
    pub(super) const fn has_compared(&self) -> bool {
        self.has_compared
    }

    /// Takes in the changes that are not made; what is told of them, and whether anything differs.
    pub(super) fn compare(
        &mut self,
        planned: Vec<Change>,
        desired: &Tables,
        observed: &Observed,
        now: Instant,
    ) -> (Option<Event>, bool) {
        let unnamed = observed.services.keys().filter(|key| !desired.services.contains_key(key));
        let unnamed = unnamed.map(|key| Difference::Unnamed(*key));
        let found: BTreeMap<Key, Difference> = planned
            .into_iter()
            .map(Difference::Change)
            .chain(unnamed)
            .map(|difference| (difference.key(), difference))
            .collect();
        let first = !std::mem::replace(&mut self.has_compared, true);
        let event = self.take(found, now, first);
        (event, !self.differences.is_empty())
    }

    fn take(&mut self, found: BTreeMap<Key, Difference>, now: Instant, first: bool) -> Option<Event> {
        let known = |key: &Key, difference: &Difference| {
            self.differences.get(key).is_some_and(|(known, _)| known == difference)
        };
        let appeared: Vec<Difference> = found
            .iter()
            .filter(|(key, difference)| !known(key, difference))
            .map(|(_, difference)| difference.clone())
            .collect();
        let ended: Vec<Difference> = self
            .differences
            .iter()
            .filter(|(key, _)| !found.contains_key(*key))
            .map(|(_, (difference, _))| difference.clone())
            .collect();
        if appeared.is_empty() && ended.is_empty() && !first {
            return None;
        }
        self.differences.retain(|key, _| found.contains_key(key));
        for difference in &appeared {
            self.differences.insert(difference.key(), (difference.clone(), now));
        }
        Some(Event::Differs { appeared, ended, left: self.differences.len() })
    }

    /// All that differs now.
    fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.differences.values().map(|(difference, _)| difference)
    }

    pub(super) fn snapshot(&self) -> ObservingSnapshot {
        let mut differences = BTreeMap::new();
        for difference in self.differences() {
            *differences.entry(difference.table()).or_default() += 1;
        }
        let told = self.differences.values().take(MOST_TOLD);
        let told =
            told.map(|(difference, since)| (*since, difference.table(), difference.to_string().into()));
        ObservingSnapshot { differences, told: told.collect() }
    }

    /// Looks at who holds the addresses; the roles that follow.
    fn look(&mut self, policy: &Policy, observed: &Observed, now: Instant) -> Roles {
        let routers = &policy.pair.routers;
        let alone = policy.virtual_addresses.iter().map(|held| held.address.addr());
        self.watched = routers.values().flat_map(VirtualRouter::floating_addresses).chain(alone).collect();
        self.routers.retain(|name, _| routers.contains_key(name));
        for (name, router) in routers {
            let held = observed.held.iter().filter(|found| holds(router, found)).count();
            let standing = self.routers.entry(name.clone()).or_insert(Standing { held, since: now });
            let same = (standing.held > 0) == (held > 0);
            *standing = Standing { held, since: if same { standing.since } else { now } };
        }
        let held = self.routers.iter().filter(|(_, standing)| standing.held > 0);
        Roles { master_of: held.map(|(name, _)| name.clone()).collect(), changing_hands: BTreeSet::new() }
    }

    fn picture(&self, policy: &Policy) -> Picture {
        let priority = |router: &VirtualRouter| {
            let own = policy.pair.own.as_ref().and_then(|own| router.priorities.get(own));
            own.copied().unwrap_or_default()
        };
        let seen = |(name, standing): (&RouterName, &Standing)| {
            let router = policy.pair.routers.get(name)?;
            let role = if standing.held > 0 { Role::Master } else { Role::Backup };
            let wanted = if standing.held > 0 { router.floating_addresses().count() } else { 0 };
            Some(RouterPicture {
                name: name.clone(),
                role,
                since: standing.since,
                cause: None,
                priority: priority(router),
                released: false,
                released_until: None,
                contested_at: None,
                addresses_wanted: wanted,
                addresses_held: standing.held,
                trackers: Vec::new(),
                complaints: BTreeMap::new(),
                counts: Counts::default(),
            })
        };
        let routers = self.routers.iter().filter_map(seen).collect();
        Picture { routers, ..Picture::default() }
    }
}

/// On its own interface; with a virtual MAC address the VIPs have one of their own, and who names it is not us.
fn holds(router: &VirtualRouter, found: &VirtualAddress) -> bool {
    let interface = match router.virtual_mac {
        true => found.interface != LOOPBACK,
        false => found.interface == router.interface,
    };
    interface && router.floating_addresses().any(|address| address == found.address.addr())
}

impl Core {
    /// The same as a director that only observes; `found` is what is another director's by its record.
    #[must_use]
    pub fn observing(mut self, found: Ownership) -> Self {
        self.reconciler.only_observe(found, self.now);
        self.look_who_holds();
        self
    }

    /// Whether this director changes nothing.
    #[must_use]
    pub const fn is_observing(&self) -> bool {
        self.reconciler.observing.is_some()
    }

    /// The routers as this host holds their addresses; `None` for a director that takes part.
    #[must_use]
    pub fn seen_routers(&self) -> Option<Picture> {
        self.reconciler.observing.as_ref().map(|observing| observing.picture(&self.policy))
    }

    pub(super) fn look_who_holds(&mut self) {
        let Some(mut observing) = self.reconciler.observing.take() else { return };
        let roles = observing.look(&self.policy, self.reconciler.observed(), self.now);
        self.reconciler.observing = Some(observing);
        self.handle(Input::Roles { at: self.now, roles });
    }

    pub(super) fn tell_last_differences(&mut self) {
        let Some(observing) = &self.reconciler.observing else { return };
        let differences = observing.differences().cloned().collect();
        self.tell([Event::ObservedUntilNow { differences }]);
    }
}
