//! The address thread (shell): feeds the [`Keeper`](super::keeper::Keeper) with orders, kernel events, foreign claims and
//! time, and does what it says. It decides nothing.
//!
//! It is the only writer of floating addresses, and may wait for the kernel's rtnl lock: nobody waits for it. Real-time
//! priority is one below the advert thread's, where permitted. It belongs to the network namespace of the thread that
//! started it.

mod macvlans;
mod worker;

use super::orders::Orders;
use super::{Event, Order, Plan, Report};
use crate::kernel::KernelError;
use crate::kernel::floating::AddressTable;
use crate::time::Instant;
use crate::vrrp::RouterId;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::Duration;
use worker::Worker;

/// How much longer than its time [`Handle::finish`] waits for a thread that is inside the kernel.
const FINISH_SLACK: Duration = Duration::from_millis(500);

/// What the thread is started with.
pub struct Surroundings<Clock, Reports> {
    /// Now, in the clock of this process.
    pub clock: Clock,
    /// The advert thread's last sign of life in that clock, in microseconds.
    pub alive: Arc<AtomicU64>,
    /// `SCHED_FIFO` priority, 1..=99; `None`: as the starting thread.
    pub priority: Option<u8>,
    /// Called on the address thread with each report; must not wait. `false`: it was not taken, and is to be told again.
    pub reports: Reports,
    /// Called on the address thread for each line of the log; must not wait.
    pub events: Box<dyn FnMut(Event) + Send>,
}

/// Not shown: closures have no words.
impl<Clock, Reports> std::fmt::Debug for Surroundings<Clock, Reports> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Surroundings").field("priority", &self.priority).finish_non_exhaustive()
    }
}

/// Starts address threads.
#[derive(Debug)]
pub struct AddressThread;

impl AddressThread {
    /// Starts the thread. It touches no address before the first order, but for those of `adopted`, which another process of this
    /// director has held until now: it renews them, and announces none that is there.
    ///
    /// # Errors
    /// When the kernel gives no netlink socket, or no thread.
    pub fn start<Clock, Reports>(
        plan: &Plan,
        adopted: &BTreeSet<RouterId>,
        surroundings: Surroundings<Clock, Reports>,
    ) -> Result<Handle, KernelError>
    where
        Clock: Fn() -> Instant + Send + 'static,
        Reports: FnMut(Report) -> bool + Send + 'static,
    {
        let failed = |what: &str, error: &std::io::Error| {
            KernelError::from_io(&format!("cannot start the address thread: {what}"), error)
        };
        let table = AddressTable::open().map_err(|error| KernelError {
            errno: Some(error.errno),
            message: format!("cannot watch the addresses of this host: {error}"),
        })?;
        let orders = Arc::new(Orders::new(plan.routers.len()).map_err(|error| failed("no eventfd", &error))?);
        let (end, ended) = mpsc::channel::<()>();
        // Nobody calls a thread silent that has not had its first turn.
        orders.live((surroundings.clock)());
        let worker = Worker::new(plan, adopted, surroundings, table, Arc::clone(&orders));
        thread::Builder::new()
            .name("addresses".to_owned())
            .spawn(move || {
                // However it ends, by a panic too.
                let _end = end;
                worker.run();
            })
            .map_err(|error| failed("no thread", &error))?;
        Ok(Handle { orders, ended })
    }
}

/// The running thread. Dropped, it ends at once and leaves the addresses as they are.
#[derive(Debug)]
pub struct Handle {
    orders: Arc<Orders>,
    ended: mpsc::Receiver<()>,
}

impl Handle {
    /// Gives an order. Never waits; of each router the last wish counts.
    pub fn order(&self, order: Order) {
        self.orders.give(order);
    }

    /// Another policy, with the same routers: addresses that it does not have are removed where they are held, and new ones are
    /// added.
    pub fn renew(&self, plan: Plan) {
        self.orders.renew(plan);
    }

    /// A way to give orders from another thread.
    pub fn orderer(&self) -> impl Fn(Order) + Clone + Send + Sync + 'static {
        let orders = Arc::clone(&self.orders);
        move |order| orders.give(order)
    }

    /// When the thread last gave a sign of life, in its clock: it does so twice a second, unless it is inside the kernel.
    pub fn pulse(&self) -> impl Fn() -> Instant + Clone + Send + Sync + 'static {
        let orders = Arc::clone(&self.orders);
        move || orders.alive()
    }

    /// Whether the thread has ended, which it does only when it was asked to, or by a panic.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.try_recv() == Err(TryRecvError::Disconnected)
    }

    /// A planned restart: what is held is renewed once more, for so long (whole seconds), and only removed from then on. The
    /// advert thread must still be alive.
    pub fn lengthen(&self, lifetime: Duration) {
        self.orders.lengthen(lifetime);
    }

    /// Another process goes on: the thread ends, and touches nothing any more.
    pub fn hand_on(self) {
        self.orders.hand_on();
    }

    /// Ends the thread as soon as nothing is left to do (all that is to be removed is gone), at the latest after this time.
    /// What is held stays held. Waits for the end; `false` when the thread is still inside the kernel.
    #[must_use]
    pub fn finish(self, within: Duration) -> bool {
        self.orders.finish(within);
        let ended = self.ended.recv_timeout(within.saturating_add(FINISH_SLACK));
        ended == Err(RecvTimeoutError::Disconnected)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.orders.finish(Duration::ZERO);
    }
}

#[cfg(test)]
mod tests;
