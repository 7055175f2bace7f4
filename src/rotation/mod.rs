//! Rotation: which of a pool's servers get new connections, and with what weight. Pure.
//!
//! One [`Machine`] is one pool. It is told what is seen of the servers ([`Seen`]: verdicts, advice, what the kernel holds)
//! and says where each of them stands ([`Placement`]); what a placement means for the kernel's table is decided in
//! [`crate::desired`]. It has the three verbs of every machine here: [`Machine::new`], [`Machine::handle`],
//! [`Machine::poll`].
//!
//! Precedence, everywhere the same: an operator's override, then panic, then sorry, then backup, then verdicts. One file a rule:
//!
//! | file | rule |
//! |---|---|
//! | `quorum` | enough servers, with hysteresis; below it the sorry server answers |
//! | `panic` | so few that the checks are doubted: keep the last, all, sorry, none |
//! | `ramp` | slow start: a server that comes back gets its weight in steps |
//! | `advised` | weights and states that servers say of themselves, and their expiry |
//! | `frozen` | what the checks of a frozen pool had said |
//! | `sight` | verdicts of both directors, and whether this one has lost sight of most |
//! | `drain` | weight 0, then out when no connection is left or at the deadline |
//!
//! What a rule does by itself can be in shadow: it is told and counted as if it were done, and nothing else changes.

mod act;
mod advised;
mod drain;
mod frozen;
pub mod handed;
mod machine;
mod panic;
mod placement;
mod quorum;
mod ramp;
mod server;
mod sight;

pub use act::*;
pub use machine::*;
pub use placement::*;

#[cfg(test)]
mod tests;
