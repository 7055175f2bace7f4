//! Floating addresses: the VIPs, inside gateways and local addresses of virtual routers; their only writer.
//!
//! The election ([`crate::vrrp`]) wishes; the keeper (pure) decides what to add, renew, announce and remove; a thread of its
//! own does it, because an address is changed under the kernel's rtnl lock, which can take long.
//!
//! | file | pure | what it is |
//! |---|---|---|
//! | [`plan`] | yes | what the policy says: which addresses of which router on which interface |
//! | [`macvlan`] | yes | the links of virtual MACs, and the settings that they need |
//! | [`keeper`] | yes | orders, kernel facts and time to operations, announcements and reports |
//! | [`event`] | yes | what the log is told |
//! | `untold` | yes | reports that the election has not taken yet |
//! | [`orders`] | no (atomics) | orders on their way to the thread: the last one of each router |
//! | [`thread`] | no | the thread: rtnetlink, packet sockets, real-time priority |

pub mod event;
pub mod keeper;
pub mod macvlan;
pub mod orders;
pub mod plan;
pub mod thread;
mod untold;

pub use event::Event;
pub use plan::Plan;
pub use thread::{AddressThread, Handle};

use crate::time::Instant;
use crate::vrrp::RouterId;
use std::net::IpAddr;

/// What the election wishes for all addresses of one router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Master: hold them, and announce those that were not held before.
    Hold,
    /// Another is about to hold them: keep what is there (add nothing, announce nothing) until another machine was seen to
    /// announce every one of them, at the latest until this instant; then remove.
    Release { by: Instant },
    /// Remove them now.
    Drop,
}

/// What the election tells the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Wish {
        router: RouterId,
        wish: Wish,
    },
    /// A neighbour may believe another Master: announce what is held again, so many times each.
    Announce {
        router: RouterId,
        repeat: u32,
    },
}

/// What the keeper tells the election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// How many of the router's addresses the kernel holds, of how many wished for. Told when it changes.
    Held { router: RouterId, held: usize, wanted: usize },
    /// All addresses of a router under [`Wish::Release`] are gone.
    Released { router: RouterId },
    /// Another machine answers for an address that this director holds as Master.
    Conflict { router: RouterId, address: IpAddr, hardware_address: [u8; 6] },
}
