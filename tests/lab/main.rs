//! The lab: what must be seen on a real IPVS kernel, with real clients and real servers. Start it with `tests/lab/run`;
//! it needs root, network namespaces and the programs that the lab brings along, so plain `cargo test` leaves it out.
//!
//! A case makes a [`world::World`], does something to it, and says what must become true, by when.

#![allow(
    clippy::disallowed_methods,
    reason = "the lab lives in real time: it reads the clock and polls with deadlines"
)]
#![allow(dead_code, reason = "the world is a library for cases, and more cases come")]

mod attributes;
mod drift;
mod kernel;
mod lone;
mod topology;
mod world;
