//! The director: health, desired tables and reconciliation composed into one machine, and the loop that feeds it.
//!
//! [`core`] is pure: inputs carry their instant, outputs say what to do. [`run`] is the only event loop of the pools, and
//! the only place that knows every module.

mod adoption;
pub mod core;
pub mod event;
pub mod reconciler;
pub mod targets;

#[cfg(test)]
mod tests;
