//! What a director tells of itself: metrics (pure, a function of a [`crate::director::snapshot::Snapshot`]) and the
//! listener that serves them (shell). Read-only: nothing that comes in here changes anything.

mod exposition;
mod families;
mod host_families;
mod keepalived_names;
mod listener;
mod metrics;
mod names;
mod negotiation;
mod node_names;
mod override_families;
mod pair_families;

pub use listener::*;
pub use metrics::*;
pub use names::*;
pub use negotiation::*;

#[cfg(test)]
mod tests;
