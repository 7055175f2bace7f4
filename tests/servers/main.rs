//! Probes against real servers of their kinds, from Debian's packages: each is seen healthy, then made bad in a way of its own,
//! and the probe's words are read. Start it with `tests/lab/run servers`; it needs root and network namespaces, but no IPVS.
//! Plain `cargo test` leaves it out.

#![allow(
    clippy::disallowed_methods,
    reason = "the lab lives in real time: it reads the clock and polls with deadlines"
)]
#![allow(dead_code, reason = "world and host are libraries for cases, and more cases come")]

mod certificates;
mod datagrams;
mod event_mail;
mod grpc;
mod host;
mod mail;
mod mariadb;
mod names;
mod nginx;
mod postgresql;
mod redis;
#[path = "../lab/world/mod.rs"]
mod world;
