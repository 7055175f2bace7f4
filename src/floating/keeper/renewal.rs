//! A keeper goes on under another plan of the same routers: what is held stays held, what is new is added, and what the plan
//! does not name any more is removed. Pure.

use super::facts::{Address, Interface};
use super::standing::{Router, Standing};
use super::{Keeper, Plan};
use crate::floating::plan::{PlannedAddress, RouterPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Name of those whose routers do not have them any more.
const FORMER: &str = "addresses of the policy before";

impl Keeper {
    /// Takes over another plan. Between two batches only: nothing may be under way.
    pub(super) fn renew(&mut self, plan: &Plan) {
        let former = self.former(plan);
        let routers = plan.routers.iter().cloned().chain(former).collect();
        let fresh = Self::new(&Plan { routers, ..plan.clone() });
        let before = std::mem::replace(self, fresh);
        self.now = before.now;
        (self.sign, self.told_alive, self.lengthened) = (before.sign, before.told_alive, before.lengthened);
        self.outbox.clone_from(&before.outbox);
        for interface in &mut self.interfaces {
            if let Some(known) = before.interface_of_name.get(&interface.name) {
                interface.go_on(&before.interfaces[*known]);
            }
        }
        let places = self.places_before(&before);
        for (id, place) in places.iter().enumerate() {
            let Some(place) = *place else { continue };
            let address = &mut self.addresses[id];
            *address = before.addresses[place].clone().at(address.router, address.interface);
            self.announcer.go_on(id, &before.announcer, place);
        }
        self.go_on(&before, &places);
        (0..self.addresses.len()).for_each(|id| self.reconsider(id));
    }

    /// What is held and planned no more, as a router that has nothing else.
    fn former(&self, plan: &Plan) -> Option<RouterPlan> {
        let places = plan.routers.iter().flat_map(|router| &router.addresses);
        let planned: BTreeSet<(&str, IpAddr)> =
            places.map(|place| (&*place.interface, place.address)).collect();
        let left = self.addresses.iter().filter(|address| address.is_held()).filter_map(|address| {
            let interface = &self.interfaces[address.interface].name;
            (!planned.contains(&(&**interface, address.address)))
                .then(|| PlannedAddress { address: address.address, interface: Arc::clone(interface) })
        });
        let addresses: Vec<PlannedAddress> = left.collect();
        let like = plan.routers.first()?;
        (!addresses.is_empty()).then(|| RouterPlan { name: FORMER.into(), addresses, ..like.clone() })
    }

    /// Where each address was before.
    fn places_before(&self, before: &Self) -> Vec<Option<usize>> {
        let place = |address: &Address| {
            let interface = before.interface_of_name.get(&self.interfaces[address.interface].name)?;
            before.address_of_place.get(&(*interface, address.address)).copied()
        };
        self.addresses.iter().map(place).collect()
    }

    /// Each router stands as it stood; one that is left with former addresses lets them go.
    fn go_on(&mut self, before: &Self, places: &[Option<usize>]) {
        let known: BTreeMap<&str, &Router> =
            before.routers.iter().map(|router| (&*router.name, router)).collect();
        let now: BTreeMap<usize, usize> =
            places.iter().enumerate().filter_map(|(id, place)| Some(((*place)?, id))).collect();
        for (index, router) in self.routers.iter_mut().enumerate() {
            router.standing = match known.get(&*router.name) {
                Some(known) if *router.name != *FORMER => {
                    router.told = known.told;
                    known.standing.with(|place| now.get(&place).copied())
                }
                Some(_) | None => Standing::Drop { released: false },
            };
            let held = router.addresses.clone().filter(|id| self.addresses[*id].is_held());
            router.held = held.count();
            self.changed.insert(index);
        }
    }
}

impl Interface {
    fn go_on(&mut self, before: &Self) {
        (self.known, self.link, self.asked_at) = (before.known, before.link, before.asked_at);
    }
}

impl Standing {
    /// The same with other places of the addresses.
    fn with(&self, now: impl Fn(usize) -> Option<usize>) -> Self {
        match self {
            Self::Release { by, unseen, leaves_at } => Self::Release {
                by: *by,
                unseen: unseen.iter().filter_map(|place| now(*place)).collect(),
                leaves_at: *leaves_at,
            },
            Self::Unwished | Self::Hold | Self::Drop { .. } => self.clone(),
        }
    }
}
