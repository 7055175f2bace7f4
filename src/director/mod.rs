//! The director: health, desired tables and reconciliation composed into one machine, and the loop that feeds it.
//!
//! [`core`] is pure: inputs carry their instant, outputs say what to do. [`run`] is the only event loop of the pools, and
//! the only place that knows every module.

mod adoption;
mod alone;
mod asides;
mod attend;
mod beginning;
mod certificates;
pub mod chronicle;
mod clock;
mod composites;
pub mod core;
mod deciding;
pub mod difference;
mod entry_look;
pub mod error;
pub mod event;
mod guard;
pub mod histogram;
pub mod history;
pub mod host_look;
pub mod host_snapshot;
mod inout;
mod kernel_thread;
pub mod loading;
mod log;
mod mirroring;
pub mod observing;
mod obstacles;
mod ordering;
pub mod override_file;
mod overrides;
mod pair;
mod pair_restart;
mod peers;
pub mod permissions;
mod picture;
mod ports;
mod preparation;
mod publisher;
mod readiness;
pub mod reconciler;
mod reload;
mod renewal;
mod rotations;
pub mod run;
pub mod runtime;
mod server_id;
mod sharing;
mod sightings;
pub mod snapshot;
mod splits;
pub mod state_directory;
mod statistics;
pub mod succession;
pub mod targets;
mod tracking_look;
mod turn;
mod verdicts;
mod watchdog;

#[cfg(test)]
mod tests;
