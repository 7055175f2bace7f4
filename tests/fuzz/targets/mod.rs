//! What is given hostile bytes: one function a target, which panics where something is wrong. The fuzzer
//! (`tests/fuzz/run`) and the replay of its corpora (`tests/fuzz_corpus.rs`) call the same.

mod adverts;
mod bytes;
mod files;
mod imports;
mod netlink;
mod peers;
mod policies;
mod replies;
mod requests;
mod state;
mod station;

/// A target: any bytes, and a panic where they do harm.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("adverts", adverts::run),
    ("imports", imports::run),
    ("netlink", netlink::run),
    ("peers", peers::run),
    ("policies", policies::run),
    ("replies", replies::run),
    ("requests", requests::run),
    ("state", state::run),
    ("station", station::run),
];
