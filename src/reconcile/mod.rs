//! From what the kernel holds to what it should hold, as an ordered list of changes. Pure.
//!
//! [`plan`] compares, [`Ownership`] says what is ours to remove, [`Backoff`] spares an object that the kernel keeps
//! refusing, [`assume`] foresees what a change leaves behind. Nothing is ever flushed; entries that are not ours are never
//! touched. Level, not edge: a change that was lost or refused is planned again by the next comparison.

mod assume;
mod backoff;
mod change;
mod describe;
mod ownership;
mod plan;

pub use assume::assume;
pub use backoff::Backoff;
pub use change::{Change, Object, Table, Verb};
pub use ownership::{Epoch, FoundValue, Ownership, RulesetRecord};
pub use plan::{plan, scope};

#[cfg(test)]
mod tests;
