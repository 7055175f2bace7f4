//! What is wished for a router, and how far that is: orders, releases, conflicts. Pure.

use super::{Event, GRACE, Keeper, Output};
use crate::floating::plan::RouterPlan;
use crate::floating::{Report, Wish};
use crate::model::RouterName;
use crate::time::Instant;
use crate::vrrp::RouterId;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

/// Least time between two reports of a conflict about one address, and between two answers to it (RFC 5227, section 2.4
/// (b), wants 10 s of a host that would give the address up; a Master that gives nothing up repairs its neighbours sooner).
const CONFLICT_EVERY: Duration = Duration::from_secs(1);
/// A foreign claim is answered so late, and never where we let go of the address meanwhile: a director that takes it over
/// announces it in the moment in which its advertisement is on the way to our election. An answer would bring the clients back
/// to us, who know none of the connections that began there.
const DEFENCE_AFTER: Duration = Duration::from_millis(250);

/// [`GRACE`] under a virtual MAC: an answer of ours would lead the switches back to us, so it is over before the second
/// announcement of the new Master, which mends that.
const VIRTUAL_MAC_GRACE: Duration = Duration::from_millis(10);

/// One router.
#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) name: RouterName,
    pub(super) virtual_mac: bool,
    /// Its addresses: places in [`Keeper::addresses`].
    pub(super) addresses: Range<usize>,
    pub(super) standing: Standing,
    /// How many of them are held.
    pub(super) held: usize,
    pub(super) told: (usize, usize),
}

/// What is wished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing yet: whatever is there stays as it is.
    Unwished,
    Hold,
    /// `unseen`: what was held when it began and no other machine was seen to announce since.
    Release {
        by: Instant,
        unseen: BTreeSet<usize>,
        leaves_at: Instant,
    },
    /// `released`: the election waits to hear when all is gone.
    Drop {
        released: bool,
    },
}

impl Router {
    pub(super) fn unwished(plan: &RouterPlan, addresses: Range<usize>) -> Self {
        let (name, virtual_mac) = (plan.name.clone(), plan.virtual_mac);
        Self { name, virtual_mac, addresses, standing: Standing::Unwished, held: 0, told: (0, 0) }
    }

    /// Held and wanted, where they differ from what was told last.
    pub(super) fn count_to_tell(&mut self) -> Option<(usize, usize)> {
        let wanted = match self.standing {
            Standing::Hold => self.addresses.len(),
            Standing::Unwished | Standing::Release { .. } | Standing::Drop { .. } => 0,
        };
        let count = (self.held, wanted);
        (std::mem::replace(&mut self.told, count) != count).then_some(count)
    }

    /// When a release ends.
    pub(super) fn leaves_at(&self) -> Option<Instant> {
        match self.standing {
            Standing::Release { leaves_at, .. } => Some(leaves_at),
            Standing::Unwished | Standing::Hold | Standing::Drop { .. } => None,
        }
    }

    /// Whether nothing more will change by itself.
    pub(super) fn is_settled(&self) -> bool {
        match self.standing {
            Standing::Unwished | Standing::Hold => true,
            Standing::Release { .. } => false,
            Standing::Drop { released } => self.held == 0 && !released,
        }
    }
}

impl Keeper {
    pub(super) fn wish(&mut self, id: RouterId, wish: Wish) {
        let Some(router) = self.routers.get(id.0) else { return };
        let standing = match (wish, &router.standing) {
            (Wish::Hold, _) => Standing::Hold,
            (Wish::Drop, Standing::Drop { released }) => Standing::Drop { released: *released },
            (Wish::Drop, Standing::Release { .. }) => Standing::Drop { released: true },
            (Wish::Drop, Standing::Unwished | Standing::Hold) => Standing::Drop { released: false },
            (Wish::Release { by }, Standing::Release { unseen, leaves_at, by: before }) => {
                let leaves_at = if leaves_at == before { by } else { by.min(*leaves_at) };
                Standing::Release { by, unseen: unseen.clone(), leaves_at }
            }
            (Wish::Release { by }, Standing::Unwished | Standing::Hold | Standing::Drop { .. }) => {
                Standing::Release { by, unseen: router.addresses.clone().collect(), leaves_at: by }
            }
        };
        self.take_standing(id.0, standing);
        if self.lengthened.take().is_some() {
            (0..self.addresses.len()).for_each(|address| self.reconsider(address));
        }
    }

    fn take_standing(&mut self, router: usize, standing: Standing) {
        let begins_to_hold = standing == Standing::Hold && self.routers[router].standing != Standing::Hold;
        let holds = standing == Standing::Hold;
        self.routers[router].standing = standing;
        self.changed.insert(router);
        for address in self.routers[router].addresses.clone() {
            if !holds {
                self.adopted.remove(&address);
            }
            if begins_to_hold {
                self.addresses[address].forget_troubles();
                self.announce_taken_over(address);
            } else if !holds {
                self.announcer.cancel(address);
            }
            self.reconsider(address);
        }
    }

    /// A burst, a second one and refreshes, where the address is there and stays: the other director lets go of what it hears
    /// announced.
    pub(super) fn announce_taken_over(&mut self, address: usize) {
        if self.stays(address) {
            self.announcer.take_over(address, self.now);
        }
    }

    pub(super) fn announce(&mut self, id: RouterId, repeat: u32) {
        let Some(router) = self.routers.get(id.0).filter(|router| router.standing == Standing::Hold) else {
            return;
        };
        for address in router.addresses.clone() {
            if self.stays(address) {
                self.announcer.burst(address, repeat, self.now);
            }
        }
    }

    /// Ends the releases whose time has come, and tells those that are complete.
    pub(super) fn end_releases(&mut self) {
        for id in 0..self.routers.len() {
            if self.release_is_over(id) {
                self.take_standing(id, Standing::Drop { released: true });
            }
            let router = &mut self.routers[id];
            if router.standing == (Standing::Drop { released: true }) && router.held == 0 {
                router.standing = Standing::Drop { released: false };
                self.outbox.push_back(Output::Report(Report::Released { router: RouterId(id) }));
            }
        }
    }

    /// At its instant, or when nothing is held; before the kernel was asked nothing is known to be held.
    fn release_is_over(&self, id: usize) -> bool {
        let router = &self.routers[id];
        let known = || router.addresses.clone().all(|id| self.interfaces[self.addresses[id].interface].known);
        router.leaves_at().is_some_and(|at| at <= self.now || (router.held == 0 && known()))
    }

    pub(super) fn seen(&mut self, interface: &str, address: IpAddr, hardware_address: [u8; 6]) {
        let Some(&place) = self.interface_of_name.get(interface) else { return };
        let Some(&id) = self.address_of_place.get(&(place, address)) else { return };
        let own = self.interfaces.iter().filter_map(|interface| interface.link);
        let is_own = own.into_iter().any(|link| link.hardware_address == hardware_address);
        let router = self.addresses[id].router;
        let virtual_mac = self.routers[router].virtual_mac;
        match &mut self.routers[router].standing {
            // Under a virtual MAC the other director has the same, and with its first frame the switches send it what is
            // for any address of this interface.
            Standing::Release { unseen, .. } if is_own && virtual_mac => {
                let together = &self.interfaces[place].addresses;
                unseen.retain(|other| !together.contains(other));
                self.hasten_release(router);
            }
            Standing::Release { unseen, .. } if !is_own => {
                unseen.remove(&id);
                self.hasten_release(router);
            }
            Standing::Hold if !is_own => self.conflict(id, hardware_address),
            Standing::Unwished | Standing::Hold | Standing::Release { .. } | Standing::Drop { .. } => {}
        }
    }

    /// Lets a release end soon when all that is held was seen elsewhere.
    pub(super) fn hasten_release(&mut self, router: usize) {
        if self.routers[router].held == 0 {
            return;
        }
        let grace = if self.routers[router].virtual_mac { VIRTUAL_MAC_GRACE } else { GRACE };
        let until = self.now + grace;
        let held = |id: &usize| self.addresses[*id].is_held();
        if let Standing::Release { unseen, leaves_at, by } = &mut self.routers[router].standing
            && leaves_at == by
            && !unseen.iter().any(held)
        {
            *leaves_at = until.min(*by);
        }
    }

    fn conflict(&mut self, id: usize, hardware_address: [u8; 6]) {
        let (now, stays) = (self.now, self.stays(id));
        let address = &mut self.addresses[id];
        let recent = address.conflict_at.is_some_and(|at| now.saturating_since(at) < CONFLICT_EVERY);
        if recent || !stays {
            return;
        }
        address.conflict_at = Some(now);
        let (router, address) = (RouterId(address.router), address.address);
        self.announcer.begin(id, 1, now + DEFENCE_AFTER);
        self.outbox.push_back(Output::Report(Report::Conflict { router, address, hardware_address }));
    }

    /// Tells the log that an interface went or came.
    pub(super) fn tell_interface(&mut self, interface: usize, is_there: bool) {
        let interface = self.interfaces[interface].name.clone();
        let event = if is_there {
            Event::InterfaceReturned { interface }
        } else {
            Event::InterfaceGone { interface }
        };
        self.outbox.push_back(Output::Tell(event));
    }
}
