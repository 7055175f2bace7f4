//! Keeps the floating addresses of all routers as the election wishes. Pure: [`Keeper::handle`] an input that carries its
//! instant, [`Keeper::poll`] until it says [`Output::Wait`].
//!
//! - An address is held as /32 or /128, in a pair with a lifetime of [`LIFETIME`] that is renewed each second while the
//!   advert thread is alive. When it is not, nothing is added, renewed or announced, and the kernel takes the addresses away.
//!   Removing goes on.
//! - Until the first wish of a router nothing of it is touched. What is found then is adopted: renewed, not made anew.
//! - Whenever a router comes under [`Wish::Hold`](super::Wish::Hold), from whatever was before, all its addresses are announced, those that were
//!   held through a [`Wish::Release`](super::Wish::Release) too: a neighbour may have believed the other director meanwhile.
//! - Under [`Wish::Release`] the addresses stay until another machine was seen to announce each one that is held, local
//!   addresses too (a director announces them as well: the real servers' replies go there), and [`GRACE`] longer for packets
//!   under way; at the latest until the order's instant.
//! - A macvlan is set up before addresses go on it, and down before they leave it: what leaves an interface that is up is told
//!   to multicast listeners, under the virtual MAC that another Master may have by then.
//! - What another program removes is put back at once, and with a growing back-off where that goes on.
//!
//! Order of work: removals, renewals that have become urgent, the first announcement of each address, additions, renewals,
//! further announcements. At most one batch of operations is under way, of [`BATCH_MAX`], so that an order is never stuck
//! behind thousands. The caller hands in every kernel event of the time of a batch before it polls again: then an event about
//! an address that is not as the keeper knows it is another program's doing.
//!
//! Invariant: an address whose router is under [`Wish::Drop`](super::Wish::Drop) is removed, or refused by the kernel and tried again, or held
//! with a lifetime that nobody renews.

mod announcer;
mod facts;
mod links;
mod operations;
mod renewal;
mod standing;
#[cfg(test)]
mod tests;

use super::{Event, Order, Plan, Report};
use crate::time::Instant;
use crate::vrrp::RouterId;
use announcer::Announcer;
use facts::{Address, Interface};
use operations::{Agenda, InFlight};
use standing::Router;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long the kernel keeps an address of a pair after its last renewal (tried: gone after 3.05 to 3.33 s).
pub const LIFETIME: Duration = Duration::from_secs(3);
/// From one renewal to the next.
pub const RENEW_EVERY: Duration = Duration::from_secs(1);
/// A renewal that is so late goes before everything but removals; half of the lifetime is still left then.
const URGENT_AFTER: Duration = Duration::from_millis(500);
/// Renewals that fall so close behind one that is due go with it, so that they make one pass and few wake-ups.
const RENEW_TOGETHER: Duration = Duration::from_millis(250);
/// The advert thread is alive while its last sign of life is no older.
pub const ALIVE_WITHIN: Duration = Duration::from_secs(1);
/// How soon a silent advert thread is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// From the last foreign announcement of a released router to the removal: for packets that are under way.
pub const GRACE: Duration = Duration::from_millis(50);
/// Operations in one batch: what goes into one system call.
pub const BATCH_MAX: usize = 64;

/// What happened. Instants never go back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The election wishes.
    Order { at: Instant, order: Order },
    /// Another policy: the same routers with other addresses, perhaps. Nothing is under way.
    Plan { at: Instant, plan: Plan },
    /// An interface of the plan is so, or is not there. Nothing is added to an interface before this came.
    Link { at: Instant, interface: Arc<str>, link: Option<Link> },
    /// All that an interface holds; other lengths of prefix than /32 and /128 too. Replaces what was known of it.
    Addresses { at: Instant, interface: Arc<str>, held: Vec<HeldAddress> },
    /// The interface holds this now: added or changed, by whomever.
    AddressFound { at: Instant, interface: Arc<str>, held: HeldAddress },
    /// The interface has lost this.
    AddressLost { at: Instant, interface: Arc<str>, address: IpAddr, prefix_length: u8 },
    /// The results of the last batch, in its order: an errno where the kernel refused. What is missing was refused.
    Done { at: Instant, results: Vec<Result<(), i32>> },
    /// Another machine said on this interface that the address is its own (ARP, neighbour advertisement).
    Seen { at: Instant, interface: Arc<str>, address: IpAddr, hardware_address: [u8; 6] },
    /// When the advert thread last gave a sign of life. Handed in before each [`Input::Timeout`].
    AdvertThreadAlive { at: Instant, sign: Instant },
    /// The program is about to be replaced: one last renewal of what is held, with this lifetime, and nothing but removals
    /// behind it until the next order.
    Lengthen { at: Instant, lifetime: Duration },
    /// Time has passed.
    Timeout { at: Instant },
}

/// An interface that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    pub index: u32,
    /// Administratively up.
    pub up: bool,
    /// Frames get through.
    pub carrier: bool,
    pub hardware_address: [u8; 6],
}

/// An address as the kernel holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldAddress {
    pub address: IpAddr,
    pub prefix_length: u8,
    /// What is left of its lifetime; `None`: it stays for ever.
    pub valid: Option<Duration>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Do these in one system call where that goes, and hand in [`Input::Done`].
    Operate(Vec<Operation>),
    /// Set a macvlan up or down; what becomes of it comes as [`Input::Link`].
    SetLink { interface: Arc<str>, index: u32, up: bool },
    /// Send one frame.
    Announce(Announcement),
    /// For the election.
    Report(Report),
    /// For the log.
    Tell(Event),
    /// Nothing until an input comes, at the latest [`Input::Timeout`] at the deadline.
    Wait { deadline: Option<Instant> },
}

/// One change of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub kind: OperationKind,
    pub address: IpAddr,
    /// Index of the interface.
    pub index: u32,
    /// `None`: for ever. Without meaning for a removal.
    pub lifetime: Option<Duration>,
}

/// What is done to the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    Add,
    Renew,
    Remove,
}

impl OperationKind {
    /// In a sentence: "cannot … the address".
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Renew => "renew",
            Self::Remove => "remove",
        }
    }
}

/// One gratuitous ARP or unsolicited neighbour advertisement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub interface: Arc<str>,
    pub address: IpAddr,
    pub hardware_address: [u8; 6],
}

/// The keeper of all routers of a plan.
#[derive(Clone, Debug)]
pub struct Keeper {
    now: Instant,
    lifetimes: bool,
    routers: Vec<Router>,
    addresses: Vec<Address>,
    interfaces: Vec<Interface>,
    interface_of_name: BTreeMap<Arc<str>, usize>,
    /// (interface, address) to the place in `addresses`. Of two routers that name the same, the first has it.
    address_of_place: BTreeMap<(usize, IpAddr), usize>,
    agenda: Agenda,
    in_flight: Vec<InFlight>,
    announcer: Announcer,
    /// The advert thread's last sign of life; `None` before the first.
    sign: Option<Instant>,
    told_alive: bool,
    /// The lifetime of a planned restart.
    lengthened: Option<Duration>,
    outbox: VecDeque<Output>,
    /// Routers whose number of held addresses may have changed.
    changed: BTreeSet<usize>,
    taken: BTreeMap<usize, Vec<IpAddr>>,
    expired: BTreeMap<usize, Vec<IpAddr>>,
    /// By router, operation and errno.
    refusals: BTreeMap<(usize, OperationKind, i32), Vec<IpAddr>>,
    /// Addresses that another process held for us until now: those that are found are no news to the neighbours.
    adopted: BTreeSet<usize>,
}

impl Keeper {
    /// A keeper that knows nothing of the kernel yet and wishes nothing.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let (mut interfaces, mut interface_of_name) = (Vec::new(), BTreeMap::new());
        let (mut routers, mut addresses, mut address_of_place) = (Vec::new(), Vec::new(), BTreeMap::new());
        let mut members = Vec::new();
        for (router, planned) in plan.routers.iter().enumerate() {
            let first = addresses.len();
            for place in &planned.addresses {
                let interface = *interface_of_name.entry(Arc::clone(&place.interface)).or_insert_with(|| {
                    interfaces.push(Interface::unknown(Arc::clone(&place.interface), planned.virtual_mac));
                    interfaces.len() - 1
                });
                if let std::collections::btree_map::Entry::Vacant(free) =
                    address_of_place.entry((interface, place.address))
                {
                    free.insert(addresses.len());
                    addresses.push(Address::absent(router, interface, place.address));
                    members.push((interface, planned.announcements));
                }
            }
            routers.push(Router::unwished(planned, first..addresses.len()));
        }
        for (id, address) in addresses.iter().enumerate() {
            interfaces[address.interface].addresses.push(id);
        }
        let announcer = Announcer::new(members.into_iter(), interfaces.len());
        Self {
            now: Instant::ZERO,
            lifetimes: plan.lifetimes,
            routers,
            addresses,
            interfaces,
            interface_of_name,
            address_of_place,
            agenda: Agenda::default(),
            in_flight: Vec::new(),
            announcer,
            sign: None,
            told_alive: true,
            lengthened: None,
            outbox: VecDeque::new(),
            changed: BTreeSet::new(),
            taken: BTreeMap::new(),
            expired: BTreeMap::new(),
            refusals: BTreeMap::new(),
            adopted: BTreeSet::new(),
        }
    }

    /// The same where another process of this director has held these routers until now: they are held on, without a word.
    #[must_use]
    pub fn adopting(mut self, routers: impl IntoIterator<Item = RouterId>) -> Self {
        for router in routers {
            if let Some(known) = self.routers.get_mut(router.0) {
                known.standing = standing::Standing::Hold;
                self.adopted.extend(known.addresses.clone());
                self.changed.insert(router.0);
            }
        }
        self
    }

    /// Takes in what happened; call [`Self::poll`] afterwards.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Order { at, order: Order::Wish { router, wish } } => self.at(at).wish(router, wish),
            Input::Order { at, order: Order::Announce { router, repeat } } => {
                self.at(at).announce(router, repeat);
            }
            Input::Plan { at, plan } => self.at(at).renew(&plan),
            Input::Link { at, interface, link } => self.at(at).link(&interface, link),
            Input::Addresses { at, interface, held } => self.at(at).dump(&interface, &held),
            Input::AddressFound { at, interface, held } => self.at(at).found(&interface, held),
            Input::AddressLost { at, interface, address, prefix_length } => {
                self.at(at).lost(&interface, address, prefix_length);
            }
            Input::Done { at, results } => self.at(at).done(&results),
            Input::Seen { at, interface, address, hardware_address } => {
                self.at(at).seen(&interface, address, hardware_address);
            }
            Input::AdvertThreadAlive { at, sign } => self.at(at).alive_sign(sign),
            Input::Lengthen { at, lifetime } => self.at(at).lengthen(lifetime),
            Input::Timeout { at } => {
                self.at(at);
            }
        }
    }

    /// What to do next; call until it says [`Output::Wait`].
    pub fn poll(&mut self) -> Output {
        self.end_releases();
        if let Some(output) = self.tell() {
            return output;
        }
        self.next_link()
            .or_else(|| self.next_batch(true))
            .or_else(|| self.next_announcement(1))
            .or_else(|| self.next_batch(false))
            .or_else(|| self.next_announcement(usize::MAX))
            .unwrap_or_else(|| Output::Wait { deadline: self.deadline() })
    }

    /// Whether nothing is left to be done but renewing and announcing: a program may stop here.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.in_flight.is_empty()
            && self.outbox.is_empty()
            && self.agenda.only_later_renewals(self.now)
            && self.links_are_as_wished()
            && self.routers.iter().all(Router::is_settled)
    }

    fn at(&mut self, at: Instant) -> &mut Self {
        self.now = self.now.max(at);
        self
    }

    /// Whether adding, renewing and announcing go on.
    fn is_alive(&self) -> bool {
        !self.lifetimes || self.sign.is_some_and(|sign| self.now.saturating_since(sign) <= ALIVE_WITHIN)
    }

    fn alive_sign(&mut self, sign: Instant) {
        self.sign = self.sign.max(Some(sign));
    }

    /// Reports and events that wait.
    fn tell(&mut self) -> Option<Output> {
        self.outbox
            .pop_front()
            .or_else(|| self.tell_alive())
            .or_else(|| self.tell_held())
            .or_else(|| self.tell_gone())
    }

    fn tell_alive(&mut self) -> Option<Output> {
        let alive = self.is_alive();
        if self.sign.is_none() || alive == self.told_alive {
            return None;
        }
        self.told_alive = alive;
        let event = if alive { Event::AdvertThreadReturned } else { Event::AdvertThreadSilent };
        Some(Output::Tell(event))
    }

    fn tell_gone(&mut self) -> Option<Output> {
        if let Some((router, addresses)) = self.taken.pop_first() {
            let router = Arc::clone(&self.routers[router].name);
            return Some(Output::Tell(Event::TakenAway { router, addresses }));
        }
        if let Some((router, addresses)) = self.expired.pop_first() {
            let router = Arc::clone(&self.routers[router].name);
            return Some(Output::Tell(Event::Expired { router, addresses }));
        }
        let ((router, kind, errno), addresses) = self.refusals.pop_first()?;
        let router = Arc::clone(&self.routers[router].name);
        Some(Output::Tell(Event::Refused { router, addresses, kind, errno }))
    }

    fn tell_held(&mut self) -> Option<Output> {
        while let Some(router) = self.changed.pop_first() {
            if let Some((held, wanted)) = self.routers[router].count_to_tell() {
                return Some(Output::Report(Report::Held { router: RouterId(router), held, wanted }));
            }
        }
        None
    }

    fn next_announcement(&mut self, rounds: usize) -> Option<Output> {
        let (alive, interfaces) = (self.is_alive(), &self.interfaces);
        let id =
            self.announcer.next(self.now, rounds, |interface| alive && interfaces[interface].is_open())?;
        let address = &self.addresses[id];
        let interface = &self.interfaces[address.interface];
        Some(Output::Announce(Announcement {
            interface: Arc::clone(&interface.name),
            address: address.address,
            hardware_address: interface.link?.hardware_address,
        }))
    }

    fn deadline(&self) -> Option<Instant> {
        let alive = self.is_alive();
        let announcement = self.announcer.deadline(|interface| alive && self.interfaces[interface].is_open());
        let operation = if self.in_flight.is_empty() { self.agenda.deadline(alive) } else { None };
        let release = self.routers.iter().filter_map(Router::leaves_at).min();
        let look = (!alive && self.agenda.waits_for_life()).then(|| self.now + LOOK_AGAIN);
        [announcement, operation, release, look, self.link_deadline()].into_iter().flatten().min()
    }
}
