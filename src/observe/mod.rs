//! What a director tells of itself: metrics (pure, a function of a [`crate::director::snapshot::Snapshot`]) and the
//! listener that serves them (shell). Read-only: nothing that comes in here changes anything.

mod exposition;
mod families;
mod listener;
mod metrics;
mod negotiation;
mod override_families;
mod pair_families;

pub use listener::*;
pub use metrics::*;
pub use negotiation::*;

#[cfg(test)]
mod tests;
