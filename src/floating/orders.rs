//! Orders on their way to the address thread (shell: atomics and a wake-up). Giving one never waits, and there is never more
//! than one of a kind for each router: the last wish counts, and the largest number of announcements.

use super::{Order, Plan, Wish};
use crate::time::Instant;
use crate::vrrp::RouterId;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Announcements of each address after a wish to hold that came before the last one was taken.
const ANNOUNCED_AGAIN: u32 = 5;
/// Encodings of a wish: none, or one of these in the two lowest bits; the instant of a release is above them.
const NONE: u64 = 0;
const HOLD: u64 = 1;
const DROP: u64 = 2;
const RELEASE: u64 = 3;
const KIND_BITS: u32 = 2;
/// No such request is waiting.
const NOT_ASKED: u64 = u64::MAX;

/// What waits to be taken.
#[derive(Debug)]
pub struct Orders {
    wishes: Vec<AtomicU64>,
    announcements: Vec<AtomicU32>,
    /// Microseconds; [`NOT_ASKED`].
    lengthen: AtomicU64,
    finish: AtomicU64,
    /// Whether another process goes on: nothing at all is put back at the end.
    handed_on: AtomicBool,
    /// The thread's last sign of life, in microseconds of its clock.
    alive: AtomicU64,
    /// Another policy's.
    plan: Mutex<Option<Plan>>,
    wake: EventFd,
}

impl Orders {
    pub(super) fn new(routers: usize) -> io::Result<Self> {
        Ok(Self {
            wishes: (0..routers).map(|_| AtomicU64::new(NONE)).collect(),
            announcements: (0..routers).map(|_| AtomicU32::new(0)).collect(),
            lengthen: AtomicU64::new(NOT_ASKED),
            finish: AtomicU64::new(NOT_ASKED),
            handed_on: AtomicBool::new(false),
            alive: AtomicU64::new(0),
            plan: Mutex::new(None),
            wake: EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?,
        })
    }

    /// The thread is alive.
    pub(super) fn live(&self, at: Instant) {
        self.alive.store(at.as_micros(), Ordering::Release);
    }

    /// When the thread was last alive.
    pub(super) fn alive(&self) -> Instant {
        Instant::from_micros(self.alive.load(Ordering::Acquire))
    }

    pub(super) fn give(&self, order: Order) {
        match order {
            Order::Wish { router, wish } => {
                if let Some(slot) = self.wishes.get(router.0) {
                    let before = decode(slot.swap(encode(wish), Ordering::AcqRel));
                    let left_between = before.is_some_and(|before| before != Wish::Hold);
                    if wish == Wish::Hold && left_between {
                        // The keeper will not see that the router was another's in between; the neighbours may have.
                        self.give_announcement(router, ANNOUNCED_AGAIN);
                    }
                }
            }
            Order::Announce { router, repeat } => self.give_announcement(router, repeat),
        }
        self.wake();
    }

    fn give_announcement(&self, router: RouterId, repeat: u32) {
        if let Some(slot) = self.announcements.get(router.0) {
            slot.fetch_max(repeat, Ordering::AcqRel);
        }
    }

    /// The same routers under another policy.
    pub(super) fn renew(&self, plan: Plan) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(plan);
        self.wake();
    }

    pub(super) fn take_plan(&self) -> Option<Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn lengthen(&self, lifetime: Duration) {
        self.lengthen.store(micros(lifetime), Ordering::Release);
        self.wake();
    }

    pub(super) fn finish(&self, within: Duration) {
        self.finish.store(micros(within), Ordering::Release);
        self.wake();
    }

    /// Another process goes on with everything as it is.
    pub(super) fn hand_on(&self) {
        self.handed_on.store(true, Ordering::Release);
        self.finish(Duration::ZERO);
    }

    pub(super) fn is_handed_on(&self) -> bool {
        self.handed_on.load(Ordering::Acquire)
    }

    /// The counter is only ever full while the thread is about to wake: nothing is lost.
    fn wake(&self) {
        let _ = self.wake.write(1);
    }

    /// Everything that waits; wishes first, since announcements are for what is held.
    pub(super) fn take(&self) -> Vec<Order> {
        let _ = self.wake.read();
        let wishes = self.wishes.iter().enumerate().filter_map(|(index, slot)| {
            let wish = decode(slot.swap(NONE, Ordering::AcqRel))?;
            Some(Order::Wish { router: RouterId(index), wish })
        });
        let announcements = self.announcements.iter().enumerate().filter_map(|(index, slot)| {
            let repeat = slot.swap(0, Ordering::AcqRel);
            (repeat > 0).then_some(Order::Announce { router: RouterId(index), repeat })
        });
        wishes.chain(announcements).collect()
    }

    pub(super) fn take_lengthen(&self) -> Option<Duration> {
        asked(self.lengthen.swap(NOT_ASKED, Ordering::AcqRel))
    }

    pub(super) fn take_finish(&self) -> Option<Duration> {
        asked(self.finish.swap(NOT_ASKED, Ordering::AcqRel))
    }
}

impl AsFd for Orders {
    /// Readable when something waits.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(NOT_ASKED).min(NOT_ASKED - 1)
}

fn asked(micros: u64) -> Option<Duration> {
    (micros != NOT_ASKED).then(|| Duration::from_micros(micros))
}

fn encode(wish: Wish) -> u64 {
    match wish {
        Wish::Hold => HOLD,
        Wish::Drop => DROP,
        Wish::Release { by } => (by.as_micros().min(u64::MAX >> KIND_BITS) << KIND_BITS) | RELEASE,
    }
}

fn decode(slot: u64) -> Option<Wish> {
    match slot & RELEASE {
        HOLD => Some(Wish::Hold),
        DROP => Some(Wish::Drop),
        RELEASE => Some(Wish::Release { by: Instant::from_micros(slot >> KIND_BITS) }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(router: usize, wish: Wish) -> Order {
        Order::Wish { router: RouterId(router), wish }
    }

    #[test]
    fn of_each_router_the_last_wish_counts_and_is_taken_once() {
        let orders = Orders::new(2).expect("an eventfd");
        let by = Instant::from_micros(1_234_567);
        orders.give(Order::Announce { router: RouterId(0), repeat: 5 });
        orders.give(Order::Announce { router: RouterId(0), repeat: 2 });
        orders.give(wish(0, Wish::Drop));
        orders.give(wish(1, Wish::Release { by }));
        orders.give(wish(0, Wish::Hold));
        orders.give(wish(9, Wish::Hold));
        let expected = [
            wish(0, Wish::Hold),
            wish(1, Wish::Release { by }),
            Order::Announce { router: RouterId(0), repeat: 5 },
        ];
        assert_eq!(orders.take(), expected);
        assert_eq!(orders.take(), []);
    }

    #[test]
    fn every_wish_survives_its_encoding() {
        for wish in [Wish::Hold, Wish::Drop, Wish::Release { by: Instant::ZERO }] {
            assert_eq!(decode(encode(wish)), Some(wish));
        }
        let latest = Instant::from_micros(u64::MAX >> KIND_BITS);
        let never = Wish::Release { by: Instant::from_micros(u64::MAX) };
        assert_eq!(decode(encode(never)), Some(Wish::Release { by: latest }));
    }

    #[test]
    fn requests_without_a_duration_are_requests_too() {
        let orders = Orders::new(0).expect("an eventfd");
        assert_eq!(orders.take_finish(), None);
        orders.finish(Duration::ZERO);
        assert_eq!((orders.take_finish(), orders.take_finish()), (Some(Duration::ZERO), None));
        orders.lengthen(Duration::MAX);
        assert!(orders.take_lengthen().is_some());
    }
}
