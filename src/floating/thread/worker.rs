//! What the address thread does, over and over: take in, work, sleep (shell).

use super::Surroundings;
use super::macvlans::Macvlans;
use crate::floating::keeper::{Announcement, Input, Keeper, Link, Operation, Output};
use crate::floating::orders::Orders;
use crate::floating::untold::Untold;
use crate::floating::{Event, Plan, Report};
use crate::kernel::KernelError;
use crate::kernel::floating::{AddressTable, KernelEvent, PacketSocket, frame};
use crate::kernel::sys;
use crate::model::Family;
use crate::time::Instant;
use crate::vrrp::RouterId;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// After a dump that failed the next attempt comes so much later.
const DUMP_AGAIN: Duration = Duration::from_millis(200);
/// How often everything is dumped although nothing was said to be lost: the last resort against a missed event.
const DUMP_EVERY: Duration = Duration::from_secs(60);
/// From one sign of life to the next, at most.
const ALIVE_EVERY: Duration = Duration::from_millis(500);
/// Datagrams and frames taken in between two looks at the orders.
const TAKEN_MAX: usize = 4_096;
const FRAMES_MAX: usize = 256;

pub(super) struct Worker<Clock, Reports> {
    keeper: Keeper,
    table: AddressTable,
    orders: Arc<Orders>,
    surroundings: Surroundings<Clock, Reports>,
    /// The interfaces of the plan, each with the families of its addresses.
    wanted: BTreeMap<Arc<str>, BTreeSet<Family>>,
    macvlans: Macvlans,
    /// Those that are there, by index.
    present: BTreeMap<u32, Arc<str>>,
    sockets: BTreeMap<(Arc<str>, Family), PacketSocket>,
    /// Troubles that were told, so that each is told once: what, and the errno.
    told: BTreeMap<String, i32>,
    untold: Untold,
    dump_at: Instant,
    finish_at: Option<Instant>,
}

impl<Clock: Fn() -> Instant, Reports: FnMut(Report) -> bool> Worker<Clock, Reports> {
    pub(super) fn new(
        plan: &Plan,
        adopted: &BTreeSet<RouterId>,
        surroundings: Surroundings<Clock, Reports>,
        table: AddressTable,
        orders: Arc<Orders>,
    ) -> Self {
        Self {
            keeper: Keeper::new(plan).adopting(adopted.iter().copied()),
            table,
            orders,
            surroundings,
            wanted: wanted(plan),
            macvlans: Macvlans::new(plan.macvlans()),
            present: BTreeMap::new(),
            sockets: BTreeMap::new(),
            told: BTreeMap::new(),
            untold: Untold::default(),
            dump_at: Instant::ZERO,
            finish_at: None,
        }
    }

    pub(super) fn run(mut self) {
        if let Some(priority) = self.surroundings.priority {
            let outcome = sys::set_realtime(priority);
            self.watch("run the address thread with real-time priority", &outcome);
        }
        loop {
            self.take_in();
            let deadline = self.work();
            let now = self.now();
            if self.finish_at.is_some_and(|at| at <= now || self.keeper.is_quiet()) {
                if !self.orders.is_handed_on() {
                    self.macvlans.leave(&mut self.table);
                }
                return;
            }
            self.sleep(deadline.into_iter().chain(self.finish_at).fold(self.dump_at, Instant::min));
        }
    }

    fn now(&self) -> Instant {
        (self.surroundings.clock)()
    }

    /// Everything that has happened, in the order in which it must be known: a claim that answers to an order comes after it.
    fn take_in(&mut self) {
        let at = self.now();
        self.orders.live(at);
        let sign = Instant::from_micros(self.surroundings.alive.load(Ordering::Acquire));
        self.keeper.handle(Input::AdvertThreadAlive { at, sign });
        self.take_kernel_events();
        if let Some(plan) = self.orders.take_plan() {
            self.renew(at, plan);
        }
        if at >= self.dump_at {
            self.dump();
        }
        for order in self.orders.take() {
            self.keeper.handle(Input::Order { at, order });
        }
        if let Some(lifetime) = self.orders.take_lengthen() {
            self.keeper.handle(Input::Lengthen { at, lifetime });
        }
        if let Some(within) = self.orders.take_finish() {
            self.finish_at = Some(at + within);
        }
        self.take_frames();
        self.keeper.handle(Input::Timeout { at: self.now() });
    }

    /// What is held of the plan before is known, and what is on the interfaces beside it is read anew.
    fn renew(&mut self, at: Instant, plan: Plan) {
        self.wanted = wanted(&plan);
        self.keeper.handle(Input::Plan { at, plan });
        self.dump_at = Instant::ZERO;
    }

    /// Does what the keeper says until it waits; returns its deadline.
    fn work(&mut self) -> Option<Instant> {
        loop {
            match self.keeper.poll() {
                Output::Operate(operations) => self.operate(&operations),
                Output::SetLink { interface, index, up } => self.set_link(&interface, index, up),
                Output::Announce(announcement) => self.announce(&announcement),
                Output::Report(report) => self.untold.add(report),
                Output::Tell(event) => self.tell(event),
                Output::Wait { deadline } => {
                    // What is not taken is told at the next turn, of which there are two a second at least.
                    self.untold.tell(&mut self.surroundings.reports);
                    return deadline;
                }
            }
        }
    }

    fn operate(&mut self, operations: &[Operation]) {
        let results = self.table.operate(operations);
        self.keeper.handle(Input::Done { at: self.now(), results });
        self.take_in();
    }

    fn set_link(&mut self, interface: &Arc<str>, index: u32, up: bool) {
        let outcome = self.macvlans.set_up(&mut self.table, interface, index, up);
        self.watch(&format!("set {interface} {}", if up { "up" } else { "down" }), &outcome);
        self.take_in();
    }

    fn announce(&mut self, announcement: &Announcement) {
        let frame = frame::announcement(announcement.address, announcement.hardware_address);
        let key = (Arc::clone(&announcement.interface), Family::of(announcement.address));
        let Some(socket) = self.sockets.get(&key) else { return };
        let outcome = socket.send(&frame);
        self.watch(&format!("announce floating addresses on {}", announcement.interface), &outcome);
    }

    /// Tells a trouble once for each errno.
    fn watch(&mut self, what: &str, outcome: &std::io::Result<()>) {
        let errno = outcome.as_ref().err().map(|error| error.raw_os_error().unwrap_or(libc::EIO));
        let Some(errno) = errno else {
            self.told.remove(what);
            return;
        };
        if self.told.insert(what.to_owned(), errno) != Some(errno) {
            let error = std::io::Error::from_raw_os_error(errno);
            let message = KernelError::from_io(&format!("cannot {what}"), &error).message;
            self.tell(Event::Trouble { message });
        }
    }

    /// Nobody may be listening any more: that is no reason to stop.
    fn tell(&mut self, event: Event) {
        (self.surroundings.events)(event);
    }

    fn take_kernel_events(&mut self) {
        let mut events = Vec::new();
        for _ in 0..TAKEN_MAX {
            match self.table.events(&mut events) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) => {
                    self.dump_at = Instant::ZERO;
                    break;
                }
            }
        }
        let at = self.now();
        for event in events {
            self.kernel_event(at, event);
        }
    }

    fn kernel_event(&mut self, at: Instant, event: KernelEvent) {
        match event {
            KernelEvent::Link { name, link } => {
                let renamed = self.present.get(&link.index).filter(|known| ***known != *name).cloned();
                if let Some(before) = renamed {
                    self.forget(at, link.index, &before);
                }
                self.look_for_macvlans(&name);
                if let Some(interface) =
                    self.wanted.get_key_value(name.as_str()).map(|(name, _)| Arc::clone(name))
                {
                    if self.macvlans.speaks_on(&interface, link.index).is_none() {
                        return;
                    }
                    // What was on it before it was ours to know is found by a dump.
                    if self.present.insert(link.index, Arc::clone(&interface)).is_none() {
                        self.dump_at = Instant::ZERO;
                    }
                    self.open_sockets(&interface, link.index);
                    self.keeper.handle(Input::Link { at, interface, link: Some(link) });
                }
            }
            KernelEvent::LinkGone { name, index } => {
                if self.present.get(&index).is_some_and(|known| **known == *name) {
                    self.forget(at, index, &Arc::from(name.as_str()));
                    self.look_for_macvlans(&name);
                }
            }
            KernelEvent::Address { index, held } => {
                if let Some(interface) = self.present.get(&index).cloned() {
                    self.keeper.handle(Input::AddressFound { at, interface, held });
                }
            }
            KernelEvent::AddressGone { index, held } => {
                if let Some(interface) = self.present.get(&index).cloned() {
                    let (address, prefix_length) = (held.address, held.prefix_length);
                    self.keeper.handle(Input::AddressLost { at, interface, address, prefix_length });
                }
            }
        }
    }

    fn forget(&mut self, at: Instant, index: u32, interface: &Arc<str>) {
        self.present.remove(&index);
        self.sockets.retain(|(name, _), _| name != interface);
        self.keeper.handle(Input::Link { at, interface: Arc::clone(interface), link: None });
    }

    /// A macvlan that is gone or another's, or whose parent has come, is made by a dump.
    fn look_for_macvlans(&mut self, changed: &str) {
        let is_present = |name: &str| self.present.values().any(|present| **present == *name);
        if self.macvlans.misses_one(changed, is_present) {
            self.dump_at = self.dump_at.min(self.macvlans.not_before());
        }
    }

    /// Reads everything anew, and puts the macvlans right before.
    fn dump(&mut self) {
        let now = self.now();
        let troubles = self.macvlans.tend(&mut self.table, now);
        for (what, outcome) in troubles {
            self.watch(&what, &outcome);
        }
        let read = self.table.links().and_then(|links| Ok((links, self.table.addresses()?)));
        let at = self.now();
        let (links, addresses) = match read {
            Ok(read) => read,
            Err(error) => {
                self.dump_at = at + DUMP_AGAIN;
                self.watch(
                    "read the addresses of this host",
                    &Err(std::io::Error::from_raw_os_error(error.errno)),
                );
                return;
            }
        };
        self.dump_at = self.macvlans.again_at().unwrap_or(at + DUMP_EVERY);
        let links: BTreeMap<String, _> = links.into_iter().map(|(found, link)| (found.name, link)).collect();
        for interface in self.wanted.keys().cloned().collect::<Vec<_>>() {
            let is_right = |link: &Link| self.macvlans.speaks_on(&interface, link.index).is_some();
            let link = links.get(&*interface).copied().filter(is_right);
            let before = self.present.iter().find(|(_, name)| **name == interface).map(|(index, _)| *index);
            if let Some(index) = before.filter(|index| link.is_none_or(|link| link.index != *index)) {
                self.forget(at, index, &interface);
            }
            self.keeper.handle(Input::Link { at, interface: Arc::clone(&interface), link });
            let Some(link) = link else { continue };
            self.present.insert(link.index, Arc::clone(&interface));
            self.open_sockets(&interface, link.index);
            let held = addresses.iter().filter(|(index, _)| *index == link.index).map(|(_, held)| *held);
            self.keeper.handle(Input::Addresses { at, held: held.collect(), interface });
        }
    }

    /// Opens what is not open yet of an interface that is there; of a macvlan its parent, which hears everything.
    fn open_sockets(&mut self, interface: &Arc<str>, index: u32) {
        let Some(index) = self.macvlans.speaks_on(interface, index) else { return };
        for family in self.wanted.get(interface).cloned().unwrap_or_default() {
            let key = (Arc::clone(interface), family);
            if self.sockets.contains_key(&key) {
                continue;
            }
            let opened = PacketSocket::open(family, index);
            let outcome = opened.map(|socket| {
                self.sockets.insert(key, socket);
            });
            self.watch(&format!("open a packet socket on {interface}"), &outcome);
        }
    }

    fn take_frames(&mut self) {
        let at = self.now();
        let mut broken = Vec::new();
        for (key, socket) in &self.sockets {
            for _ in 0..FRAMES_MAX {
                match socket.receive() {
                    Ok(Some(Some((address, hardware_address)))) => {
                        let interface = Arc::clone(&key.0);
                        self.keeper.handle(Input::Seen { at, interface, address, hardware_address });
                    }
                    Ok(Some(None)) => {}
                    // The socket hears again when the interface is up again.
                    Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => {}
                    Ok(None) => break,
                    Err(_) => {
                        broken.push(key.clone());
                        break;
                    }
                }
            }
        }
        for key in broken {
            self.sockets.remove(&key);
            // The dump opens it again.
            self.dump_at = self.dump_at.min(at + DUMP_AGAIN);
        }
    }

    /// Waits for something to happen, or for the instant.
    fn sleep(&self, until: Instant) {
        let everything = [self.orders.as_fd(), self.table.as_fd()].into_iter();
        let everything = everything.chain(self.sockets.values().map(AsFd::as_fd));
        let mut watched: Vec<PollFd<'_>> =
            everything.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
        let timeout = until.saturating_since(self.now()).min(ALIVE_EVERY);
        // An interrupted or failed wait only means an early look.
        let _ = ppoll(&mut watched, Some(TimeSpec::from_duration(timeout)), None);
    }
}

/// The interfaces of a plan, each with the families of its addresses.
fn wanted(plan: &Plan) -> BTreeMap<Arc<str>, BTreeSet<Family>> {
    let mut wanted: BTreeMap<Arc<str>, BTreeSet<Family>> = BTreeMap::new();
    for place in plan.routers.iter().flat_map(|router| &router.addresses) {
        wanted.entry(Arc::clone(&place.interface)).or_default().insert(Family::of(place.address));
    }
    wanted
}
