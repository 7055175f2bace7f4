//! What operators watch with: the alert rules and dashboards of `packaging`, by the real promtool and in a real Prometheus that
//! scrapes a real pair of directors. Start it with `tests/lab/run monitoring`; it needs root, network namespaces and Debian's
//! prometheus. Where the kernel has no IPVS, its table alone is kept in memory ([`memory`]). Plain `cargo test` leaves it out.

#![allow(
    clippy::disallowed_methods,
    reason = "the lab lives in real time: it reads the clock and polls with deadlines"
)]
#![allow(clippy::print_stdout, reason = "libtest shows what a failed case prints")]
#![allow(dead_code, reason = "world is a library for cases")]

mod alerts;
mod both;
mod dashboards;
mod director;
mod exposition;
mod faults;
mod live;
mod memory;
mod orders;
mod prometheus;
mod rules;
mod servers;
mod site;
mod statuses;
mod tracking;
#[path = "../lab/world/mod.rs"]
mod world;

use std::path::PathBuf;

/// A folder of the project.
fn project(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder)
}
