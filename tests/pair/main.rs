//! The pair beside other vendors' programs: what must be seen with Debian's keepalived and FRR, on the wire and by a
//! client. Start it with `tests/lab/run pair`; it needs root, network namespaces, and the programs that the lab brings
//! along, but no IPVS: the VIP itself answers. Plain `cargo test` leaves it out.

#![allow(
    clippy::disallowed_methods,
    reason = "the lab lives in real time: it reads the clock and polls with deadlines"
)]
#![allow(clippy::print_stdout, reason = "libtest shows what a failed case prints")]
#![allow(dead_code, reason = "world and stage are libraries for cases, and more cases come")]

mod access;
mod channel;
mod doctor;
mod events;
mod faults;
mod handover;
mod interoperation;
mod kills;
mod packets;
#[allow(unreachable_pub, reason = "another test's module, which is a library there")]
#[path = "../simulation/random.rs"]
mod random;
mod real_server;
mod reload;
mod stage;
mod stopped;
mod takeover;
mod top;
mod upgrade;
#[path = "../lab/world/mod.rs"]
mod world;
