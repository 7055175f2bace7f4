//! What the kernel holds, as the keeper knows it: links, addresses, and what their coming and going means. Pure.

use super::standing::Standing;
use super::{Event, HeldAddress, Keeper, Link, Output};
use crate::time::Instant;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// An address that leaves so shortly before the end of its lifetime left because of it: the kernel counts in whole seconds
/// with a fuzz of a quarter (`ADDRCONF_TIMER_FUZZ`), and our own count begins when the operation is handed out.
const EXPIRY_SLACK: Duration = Duration::from_millis(250);
/// An address that is taken away again within this time is put back later each time.
const FIGHT_WINDOW: Duration = Duration::from_secs(10);
/// The back-off of a fight: nothing, then this, doubled up to the maximum.
const FIGHT_FIRST: Duration = Duration::from_millis(100);
const FIGHT_MAX: Duration = Duration::from_secs(5);

/// An interface of the plan.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub(super) name: Arc<str>,
    /// Whether the kernel was asked at all.
    pub(super) known: bool,
    pub(super) link: Option<Link>,
    /// A macvlan, which is up only while it is wished for.
    pub(super) governed: bool,
    /// When the link was last asked to go up or down; no answer came since.
    pub(super) asked_at: Option<Instant>,
    /// Its addresses: places in [`Keeper::addresses`].
    pub(super) addresses: Vec<usize>,
}

impl Interface {
    pub(super) fn unknown(name: Arc<str>, governed: bool) -> Self {
        Self { name, known: false, link: None, governed, asked_at: None, addresses: Vec::new() }
    }

    /// Whether announcements get out.
    pub(super) fn is_open(&self) -> bool {
        self.is_up() && self.link.is_some_and(|link| link.carrier)
    }

    pub(super) fn is_up(&self) -> bool {
        self.link.is_some_and(|link| link.up)
    }
}

/// One floating address on its interface.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub(super) router: usize,
    pub(super) interface: usize,
    pub(super) address: IpAddr,
    pub(super) presence: Presence,
    /// The interface holds it with another prefix length, and IPv6 knows each address once.
    pub(super) obstructed: bool,
    /// No addition, renewal or removal before this: the kernel refused, or another program fights.
    pub(super) not_before: Instant,
    /// Refusals in a row, and the last errno.
    pub(super) refusals: u32,
    pub(super) errno: Option<i32>,
    /// How often in a row another program took it away, and when last.
    fights: u32,
    taken_at: Option<Instant>,
    pub(super) conflict_at: Option<Instant>,
}

/// Whether the interface holds the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Absent,
    /// `until`: the end of its lifetime. `renewed`: our last renewal; `None`: it was found, the lifetime is not ours.
    /// `last`: renewed for a planned restart.
    Held {
        until: Option<Instant>,
        renewed: Option<Instant>,
        last: bool,
    },
}

impl Address {
    pub(super) fn absent(router: usize, interface: usize, address: IpAddr) -> Self {
        Self {
            router,
            interface,
            address,
            presence: Presence::Absent,
            obstructed: false,
            not_before: Instant::ZERO,
            refusals: 0,
            errno: None,
            fights: 0,
            taken_at: None,
            conflict_at: None,
        }
    }

    /// The same address at another place of another plan.
    pub(super) fn at(self, router: usize, interface: usize) -> Self {
        Self { router, interface, ..self }
    }

    pub(super) fn is_held(&self) -> bool {
        match self.presence {
            Presence::Held { .. } => true,
            Presence::Absent => false,
        }
    }

    pub(super) fn forget_troubles(&mut self) {
        (self.not_before, self.refusals, self.errno) = (Instant::ZERO, 0, None);
        (self.fights, self.taken_at) = (0, None);
    }

    /// Another program took it away.
    fn taken(&mut self, at: Instant) {
        let again = self.taken_at.is_some_and(|last| at.saturating_since(last) <= FIGHT_WINDOW);
        self.fights = if again { self.fights.saturating_add(1) } else { 0 };
        self.taken_at = Some(at);
        self.not_before = at + back_off(self.fights, FIGHT_FIRST, FIGHT_MAX);
    }

    fn host_length(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }
}

/// Nothing, then `first`, doubled up to `most`.
pub(super) fn back_off(times: u32, first: Duration, most: Duration) -> Duration {
    match times.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => first.saturating_mul(2_u32.saturating_pow(doublings)).min(most),
    }
}

impl Keeper {
    pub(super) fn link(&mut self, name: &str, link: Option<Link>) {
        let Some(&id) = self.interface_of_name.get(name) else { return };
        let was_known = std::mem::replace(&mut self.interfaces[id].known, true);
        let before = std::mem::replace(&mut self.interfaces[id].link, link);
        match (before, link) {
            (Some(_), None) => self.tell_interface(id, false),
            (None, None) if !was_known => self.tell_interface(id, false),
            (None, Some(_)) if was_known => self.tell_interface(id, true),
            (None | Some(_), Some(_)) | (None, None) => {}
        }
        if before.map(|link| link.up) != link.map(|link| link.up) {
            self.interfaces[id].asked_at = None;
        }
        let is_another = before.map(|link| link.index) != link.map(|link| link.index);
        let speaks_anew = self.interfaces[id].is_open()
            && before.is_some_and(|before| {
                !(before.carrier && before.up)
                    || Some(before.hardware_address) != link.map(|link| link.hardware_address)
            });
        for address in self.interfaces[id].addresses.clone() {
            if is_another {
                self.became_absent(address);
            } else if speaks_anew && self.standing_of(address) == &Standing::Hold {
                self.announce_taken_over(address);
            } else if !self.interfaces[id].is_open() {
                self.announcer.stop_burst(address);
            }
            self.reconsider(address);
        }
    }

    pub(super) fn standing_of(&self, address: usize) -> &Standing {
        &self.routers[self.addresses[address].router].standing
    }

    pub(super) fn dump(&mut self, name: &str, held: &[HeldAddress]) {
        let Some(&interface) = self.interface_of_name.get(name) else { return };
        for id in self.interfaces[interface].addresses.clone() {
            let (address, length) = (self.addresses[id].address, self.addresses[id].host_length());
            let is_there = |found: &HeldAddress| found.address == address && found.prefix_length == length;
            if !held.iter().any(is_there) {
                self.is_lost(id);
            }
            // What is still in the way was told already.
            let is_other = |found: &HeldAddress| found.address == address && found.prefix_length != length;
            self.addresses[id].obstructed &= held.iter().any(is_other);
            self.reconsider(id);
        }
        for found in held {
            self.found(name, *found);
        }
        // What is missing now was not held for us, and is announced when it is added.
        for id in &self.interfaces[interface].addresses {
            self.adopted.remove(id);
        }
    }

    pub(super) fn found(&mut self, name: &str, held: HeldAddress) {
        let Some(id) = self.address_at(name, held.address) else { return };
        if held.prefix_length != self.addresses[id].host_length() {
            self.is_obstructed(id, held.prefix_length);
            return;
        }
        let until = held.valid.map(|valid| self.now + valid);
        let (renewed, last) = match self.addresses[id].presence {
            Presence::Held { renewed, last, .. } => (renewed, last),
            Presence::Absent => (None, false),
        };
        self.became_held(id, Presence::Held { until, renewed, last });
    }

    fn address_at(&self, interface: &str, address: IpAddr) -> Option<usize> {
        let interface = *self.interface_of_name.get(interface)?;
        self.address_of_place.get(&(interface, address)).copied()
    }

    /// IPv4 holds an address with two prefix lengths as two, of which only ours floats; IPv6 has it once.
    fn is_obstructed(&mut self, id: usize, prefix_length: u8) {
        let address = &mut self.addresses[id];
        if std::mem::replace(&mut address.obstructed, true) {
            return;
        }
        let event = Event::Obstructed {
            router: Arc::clone(&self.routers[address.router].name),
            address: address.address,
            interface: Arc::clone(&self.interfaces[address.interface].name),
            prefix_length,
        };
        self.outbox.push_back(Output::Tell(event));
        self.reconsider(id);
    }

    pub(super) fn lost(&mut self, name: &str, address: IpAddr, prefix_length: u8) {
        let Some(id) = self.address_at(name, address) else { return };
        if prefix_length == self.addresses[id].host_length() {
            self.is_lost(id);
        } else {
            self.addresses[id].obstructed = false;
            self.reconsider(id);
        }
    }

    /// The address is gone without our doing: its lifetime ran out, the interface went down, or another program removed it.
    fn is_lost(&mut self, id: usize) {
        let Presence::Held { until, .. } = self.addresses[id].presence else { return };
        let ran_out = until.is_some_and(|until| self.now + EXPIRY_SLACK >= until);
        let (router, address) = (self.addresses[id].router, self.addresses[id].address);
        if self.routers[router].standing == Standing::Hold {
            if ran_out {
                self.expired.entry(router).or_default().push(address);
            } else if self.interfaces[self.addresses[id].interface].is_up() {
                self.taken.entry(router).or_default().push(address);
                self.addresses[id].taken(self.now);
            }
        }
        self.became_absent(id);
    }

    /// The interface holds it now; where it was missing under Hold it is announced.
    pub(super) fn became_held(&mut self, id: usize, presence: Presence) {
        let was_held = self.addresses[id].is_held();
        self.addresses[id].presence = presence;
        if !was_held {
            let router = self.addresses[id].router;
            self.routers[router].held += 1;
            self.changed.insert(router);
            match (&self.routers[router].standing, self.adopted.remove(&id)) {
                (Standing::Hold, false) => self.announce_taken_over(id),
                (Standing::Hold, true) => self.announcer.refresh_from(id, self.now),
                (Standing::Unwished | Standing::Release { .. } | Standing::Drop { .. }, _) => {}
            }
        }
        self.reconsider(id);
    }

    pub(super) fn became_absent(&mut self, id: usize) {
        if self.addresses[id].is_held() {
            let router = self.addresses[id].router;
            self.addresses[id].presence = Presence::Absent;
            self.routers[router].held -= 1;
            self.changed.insert(router);
            self.announcer.cancel(id);
            self.hasten_release(router);
        }
        self.reconsider(id);
    }
}
