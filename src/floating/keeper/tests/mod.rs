//! The keeper's rules, one by one, with exact instants; then any sequence of inputs.

mod adopting;
mod any;
mod conflict;
mod hold;
mod kernel;
mod links;
mod release;

use super::*;
use crate::floating::Wish;
use crate::floating::plan::{PlannedAddress, RouterPlan};
use crate::model::AnnouncementPolicy;
use std::num::NonZeroU8;

pub(super) const OURS: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(super) const FOREIGN: [u8; 6] = [2, 0, 0, 0, 0, 2];
pub(super) const WEB: RouterId = RouterId(0);

pub(super) fn millis(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

pub(super) fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// One router `web` on `eth0` with these addresses.
pub(super) fn plan(addresses: &[IpAddr], lifetimes: bool) -> Plan {
    let place = |address: &IpAddr| PlannedAddress { address: *address, interface: "eth0".into() };
    let router = RouterPlan {
        name: "web".into(),
        interface: "eth0".into(),
        vrid: NonZeroU8::new(51).expect("not 0"),
        virtual_mac: false,
        announcements: AnnouncementPolicy { repeat: 2, ..AnnouncementPolicy::default() },
        addresses: addresses.iter().map(place).collect(),
    };
    Plan { lifetimes, routers: vec![router] }
}

/// A keeper and a kernel that grants everything, with a diary of (milliseconds, what came out).
pub(super) struct World {
    pub(super) keeper: Keeper,
    pub(super) diary: Vec<(u64, String)>,
    pub(super) batches: Vec<usize>,
    /// The advert thread gives a sign of life at each step until then.
    pub(super) lives_until: Instant,
    /// What the kernel answers to each operation.
    pub(super) errno: Option<i32>,
    now: Instant,
}

impl World {
    /// At time 0, with the interface there.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut world = Self {
            keeper: Keeper::new(plan),
            diary: Vec::new(),
            batches: Vec::new(),
            lives_until: millis(u64::MAX / 2_000),
            errno: None,
            now: Instant::ZERO,
        };
        world.link(0, Some(LINK));
        world
    }

    pub(super) fn input(&mut self, input: Input) {
        self.keeper.handle(input);
        self.drain();
    }

    pub(super) fn wish(&mut self, at: u64, wish: Wish) {
        self.run_until(at);
        self.input(Input::Order { at: millis(at), order: Order::Wish { router: WEB, wish } });
    }

    pub(super) fn link(&mut self, at: u64, link: Option<Link>) {
        self.run_until(at);
        self.input(Input::Link { at: millis(at), interface: "eth0".into(), link });
    }

    pub(super) fn found(&mut self, at: u64, last: u8, valid: Option<Duration>) {
        self.run_until(at);
        let held = HeldAddress { address: address(last), prefix_length: 32, valid };
        self.input(Input::AddressFound { at: millis(at), interface: "eth0".into(), held });
    }

    pub(super) fn lost(&mut self, at: u64, last: u8) {
        self.run_until(at);
        let (interface, address) = ("eth0".into(), address(last));
        self.input(Input::AddressLost { at: millis(at), interface, address, prefix_length: 32 });
    }

    pub(super) fn seen(&mut self, at: u64, last: u8, hardware_address: [u8; 6]) {
        self.run_until(at);
        let (interface, address) = ("eth0".into(), address(last));
        self.input(Input::Seen { at: millis(at), interface, address, hardware_address });
    }

    /// Lets time pass from deadline to deadline.
    pub(super) fn run_until(&mut self, end: u64) {
        while let Output::Wait { deadline: Some(deadline) } = self.drain() {
            assert!(deadline > self.now, "at {} it waits for {deadline}", self.now);
            if deadline > millis(end) {
                break;
            }
            self.step(deadline);
        }
        self.step(millis(end));
    }

    fn step(&mut self, at: Instant) {
        self.now = at;
        self.keeper.handle(Input::AdvertThreadAlive { at, sign: at.min(self.lives_until) });
        self.keeper.handle(Input::Timeout { at });
        self.drain();
    }

    fn drain(&mut self) -> Output {
        loop {
            let at = self.now.as_micros() / 1_000;
            let line = match self.keeper.poll() {
                wait @ Output::Wait { .. } => return wait,
                Output::Operate(batch) => {
                    let result = self.errno.map_or(Ok(()), Err);
                    self.keeper.handle(Input::Done { at: self.now, results: vec![result; batch.len()] });
                    self.batches.push(batch.len());
                    for operation in batch {
                        self.diary.push((at, describe(&operation)));
                    }
                    continue;
                }
                Output::SetLink { interface, up, .. } => {
                    format!("set {interface} {}", if up { "up" } else { "down" })
                }
                Output::Announce(announcement) => format!("announce {}", announcement.address),
                Output::Report(report) => format!("{report:?}"),
                Output::Tell(event) => event.to_string(),
            };
            self.diary.push((at, line));
        }
    }

    /// The diary's lines that begin so, since it was last asked for.
    pub(super) fn told(&mut self, beginnings: &[&str]) -> Vec<(u64, String)> {
        let mut diary = std::mem::take(&mut self.diary);
        diary.retain(|(_, line)| beginnings.iter().any(|beginning| line.starts_with(beginning)));
        diary
    }
}

pub(super) const LINK: Link = Link { index: 7, up: true, carrier: true, hardware_address: OURS };

fn describe(operation: &Operation) -> String {
    let lifetime = operation.lifetime.map_or("for ever".to_owned(), |lifetime| format!("{lifetime:?}"));
    match operation.kind {
        OperationKind::Remove => format!("remove {}", operation.address),
        kind => format!("{} {} {lifetime}", kind.verb(), operation.address),
    }
}

/// Expected lines, as the diary has them.
pub(super) fn lines(lines: &[(u64, &str)]) -> Vec<(u64, String)> {
    lines.iter().map(|(at, line)| (*at, (*line).to_owned())).collect()
}
