//! The lab: what must be seen on a real IPVS kernel, with real clients and real servers. Start it with `tests/lab/run`;
//! it needs root, network namespaces and the programs that the lab brings along, so plain `cargo test` leaves it out.
//!
//! A case makes a [`world::World`], does something to it, and says what must become true, by when:
//!
//! ```ignore
//! #[test]
//! fn a_stopped_server_leaves_the_table() {
//!     let world = World::new();
//!     let _director = Director::start(world.director(), world.folder(), POLICY);
//!     world.real_servers[0].stop();
//!     until_true("one destination", Duration::from_secs(5), || world.director().ipvs()[0].destinations.len() == 1);
//! }
//! ```

#![allow(
    clippy::disallowed_methods,
    reason = "the lab lives in real time: it reads the clock and polls with deadlines"
)]
#![allow(clippy::print_stdout, reason = "libtest shows what a failed case prints")]
#![allow(dead_code, reason = "the world is a library for cases, and more cases come")]

mod attributes;
#[path = "../pair/stage/canary.rs"]
mod canary;
mod connections;
mod doctor;
mod drift;
mod evening;
mod failure;
mod kernel;
mod kills;
mod lone;
mod modes;
mod observe;
mod orders;
mod policies;
mod ports;
mod rack;
#[allow(unreachable_pub, reason = "another test's module, which is a library there")]
#[path = "../simulation/random.rs"]
mod random;
mod real_servers;
#[path = "../pair/stage/realtime.rs"]
mod realtime;
mod reload;
mod removal;
mod restart;
mod rotation;
#[path = "../bench/servers.rs"]
mod servers;
mod services;
mod takeover;
mod topology;
mod weather;
mod world;
