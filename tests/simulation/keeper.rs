//! A director's production keeper of floating addresses, and the kernel that it works on.

use crate::draw::{micros, name};
use crate::faults::Still;
use crate::host::Item;
use crate::world::{Event, World};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tandem::floating::keeper::{HeldAddress, Input, Keeper, Link, Operation, OperationKind, Output};
use tandem::floating::{Order, Plan};
use tandem::time::Instant;

/// The kernel takes an address away so much later than it was told to (it was seen to need 50 to 330 ms).
const KERNEL_LATE: Duration = Duration::from_millis(200);

impl World<'_> {
    pub fn order(&mut self, host: usize, order: Order) {
        let at = self.hosts[host].clock(self.now);
        self.tell_keeper(host, Input::Order { at, order });
    }

    /// A keeper of a new process, which asks the kernel what is there.
    pub fn begin_keeper(&mut self, host: usize) {
        let at = self.hosts[host].clock(self.now);
        let mut keeper = Keeper::new(&Plan::of(&self.drawn.policy_of(host).pair));
        for link in 0..self.drawn.links {
            keeper.handle(Input::Link { at, interface: interface(link), link: Some(self.link(host, link)) });
            let held = self.held_on(host, link, at);
            keeper.handle(Input::Addresses { at, interface: interface(link), held });
        }
        self.hosts[host].keeper_wake_at = None;
        self.hosts[host].keeper = Some(keeper);
        self.keeper_turn(host);
    }

    fn held_on(&self, host: usize, link: usize, at: Instant) -> Vec<HeldAddress> {
        let mut held = Vec::new();
        for place in self.drawn.places.iter().filter(|place| self.drawn.link_of[place.router] == link) {
            if let Some(until) = self.hosts[host].kernel[place.index].filter(|until| *until > at) {
                let prefix_length = if place.address.is_ipv4() { 32 } else { 128 };
                let valid = Some(until.saturating_since(at));
                held.push(HeldAddress { address: place.address, prefix_length, valid });
            }
        }
        held
    }

    fn link(&self, host: usize, link: usize) -> Link {
        let index = u32::try_from(link).expect("small") + 2;
        Link { index, up: true, carrier: self.hosts[host].links_up[link], hardware_address: hardware(host) }
    }

    pub fn keeper_link(&mut self, host: usize, link: usize) {
        let at = self.hosts[host].clock(self.now);
        let input = Input::Link { at, interface: interface(link), link: Some(self.link(host, link)) };
        self.tell_keeper(host, input);
    }

    pub fn tell_keeper(&mut self, host: usize, input: Input) {
        if self.hosts[host].keeper_runs() {
            let keeper = self.hosts[host].keeper.as_mut();
            keeper.into_iter().for_each(|keeper| keeper.handle(input.clone()));
            self.keeper_turn(host);
        } else if self.hosts[host].keeper.is_some() {
            self.hosts[host].keeper_inbox.push(input);
        }
    }

    /// What has come while it stood still, at the present instant. The advert thread, which stood still as well, gives its next
    /// sign of life only behind its orders; this thread goes on sooner.
    pub fn resume_keeper(&mut self, host: usize, silent: Duration) {
        let at = self.hosts[host].clock(self.now);
        let inputs = std::mem::take(&mut self.hosts[host].keeper_inbox);
        if let Some(keeper) = &mut self.hosts[host].keeper {
            keeper.handle(Input::Timeout { at });
            inputs.into_iter().for_each(|input| keeper.handle(input));
        }
        self.turn(host, silent);
    }

    /// One turn of the keeper's thread.
    pub fn keeper_turn(&mut self, host: usize) {
        // A thread that stands still gave its last sign of life when it began to.
        let silent = match self.hosts[host].still {
            Some(still) if still.how == Still::Thread => self.now - still.since,
            Some(_) | None => 0,
        };
        self.turn(host, Duration::from_micros(silent));
    }

    fn turn(&mut self, host: usize, silent: Duration) {
        let this = &mut self.hosts[host];
        if !this.keeper_runs() {
            return;
        }
        let at = this.clock(self.now);
        let Some(mut keeper) = this.keeper.take() else { return };
        keeper.handle(Input::AdvertThreadAlive { at, sign: at - silent });
        keeper.handle(Input::Timeout { at });
        let deadline = loop {
            match keeper.poll() {
                Output::Operate(operations) => self.operate(host, operations),
                Output::Announce(announcement) => {
                    let link = usize::from(&*announcement.interface != "eth0");
                    let (address, from) = (announcement.address, announcement.hardware_address);
                    self.cast(host, link, |to| Event::Seen { host: to, link, address, from });
                }
                Output::Report(report) => self.give(host, Item::Report(report)),
                Output::SetLink { .. } => {}
                Output::Tell(told) => self.say(|| format!("{host}: keeper: {told}")),
                Output::Wait { deadline } => break deadline,
            }
        };
        let quiet = keeper.is_quiet();
        self.hosts[host].keeper = Some(keeper);
        if self.hosts[host].ending && quiet {
            return self.end_process(host);
        }
        if let Some(deadline) = deadline {
            let wake = self.now + micros(deadline.saturating_since(at)).max(20);
            let known = self.hosts[host].keeper_wake_at;
            if known.is_none_or(|known| known <= self.now || known > wake) {
                self.hosts[host].keeper_wake_at = Some(wake);
                self.at(wake, Event::KeeperWake { host });
            }
        }
    }

    /// The kernel does it when the rtnl lock is free, which is somebody else's now and then.
    fn operate(&mut self, host: usize, operations: Vec<Operation>) {
        let latency = match self.random.chance(5) {
            true => self.random.between(5_000, 80_000),
            false => self.random.between(60, 1_500),
        };
        let run = self.hosts[host].keeper_run;
        self.at(self.now + latency, Event::Operated { host, run, operations });
    }

    /// The kernel has done what it was asked; what a dead process has asked is done, too.
    pub fn operated(&mut self, host: usize, run: u32, operations: &[Operation]) {
        let at = self.hosts[host].clock(self.now);
        for operation in operations {
            let place = self.drawn.places.iter().find(|place| place.address == operation.address);
            let place = place.expect("a planned address");
            let until = operation.lifetime.map(|lifetime| at + lifetime + KERNEL_LATE);
            let held = &mut self.hosts[host].kernel[place.index];
            *held = match operation.kind {
                OperationKind::Add | OperationKind::Renew => {
                    until.or(Some(Instant::from_micros(u64::MAX / 2)))
                }
                OperationKind::Remove => None,
            };
            if operation.kind != OperationKind::Renew {
                self.say(|| format!("{host}: {} {}", operation.kind.verb(), operation.address));
                let done = if operation.kind == OperationKind::Add { "has" } else { "lets go of" };
                self.narrate(|| format!("{}: {done} {}", name(host), operation.address));
            }
            if let Some(until) = until {
                self.at(self.now + micros(until.saturating_since(at)), Event::Expiry { host });
            }
        }
        if self.hosts[host].keeper_run == run {
            let results = vec![Ok(()); operations.len()];
            self.tell_keeper(host, Input::Done { at, results });
        }
    }

    /// The kernel's lifetimes.
    pub fn expire(&mut self, host: usize) {
        let at = self.hosts[host].clock(self.now);
        for place in &self.drawn.places {
            if self.hosts[host].kernel[place.index].is_some_and(|until| until <= at) {
                self.hosts[host].kernel[place.index] = None;
                self.say(|| format!("{host}: {} expires", place.address));
                self.narrate(|| format!("{}: the kernel takes {} away", name(host), place.address));
                let prefix_length = if place.address.is_ipv4() { 32 } else { 128 };
                let interface = interface(self.drawn.link_of[place.router]);
                let address = place.address;
                self.tell_keeper(host, Input::AddressLost { at, interface, address, prefix_length });
            }
        }
    }

    /// Another machine announced an address.
    pub fn seen(&mut self, host: usize, link: usize, address: IpAddr, from: [u8; 6]) {
        let at = self.hosts[host].clock(self.now);
        let interface = interface(link);
        self.tell_keeper(host, Input::Seen { at, interface, address, hardware_address: from });
    }
}

fn interface(link: usize) -> Arc<str> {
    ["eth0", "eth1"][link].into()
}

fn hardware(host: usize) -> [u8; 6] {
    [2, 0, 0, 0, 0, u8::try_from(host).expect("small")]
}
