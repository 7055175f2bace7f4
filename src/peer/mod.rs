//! The channel between the directors: what each tells the other of itself, and what follows from a difference.
//!
//! ```text
//!   event loop ── Facts (swapped whole) ──▶ thread "peers" ── TLS 1.3 over TCP ──▶ the other director
//!              ◀── PeersView (swapped whole) ──┘   one task a director: report every second, pools when they change, records, events
//! ```
//!
//! **Authentication and encryption.** TLS 1.3 alone, by rustls, which probes and metrics have in the program anyway. Each end
//! shows an Ed25519 key as a raw public key (RFC 7250) that it derives from the shared key, its own name and its role in the
//! connection ([`identity`]), and knows beforehand the one that the other end must show. So the handshake itself proves both
//! names, under forward secrecy; a recorded stream opens nothing, what one end says is never accepted as the other's, and a
//! changed byte ends the connection. The Noise protocol (`NNpsk0`) would do as much, with a second implementation of
//! ciphers; an HMAC over TLS's exporter would, too, with one more exchange of our own to get wrong.
//!
//! **The key** is `peer: {key: …}`: the beats' own, from which other keys are derived. There is one at a time. To
//! change it, write the new one on both directors and reload both: between the two reloads the channel is down and beats are
//! not believed, which is said once on each side; the election goes on by its advertisements.
//!
//! **Who connects:** the director whose name sorts first, from its own address to the other's (both families, in turn), so
//! that there is one connection and no race. The other accepts from addresses of the policy's directors and from no others.
//!
//! **Bounds.** A frame has 256 KiB at most, so whatever is large travels in parts: pools by their summaries (names and numbers,
//! no servers; 50,000 servers in 10,000 pools are 2 MB once, then only the pools that changed), records and events in parts. The
//! handshake takes 5 s at most, a write as long; who is silent for 5 s is gone. Tries are spaced by a back-off with jitter.
//! Everything here is a thread of its own: the slowest or most hostile peer holds up neither the event loop nor an
//! advertisement.
//!
//! **Versions.** Each end says the oldest and the newest form that it speaks; the newest common one is spoken. Unknown messages
//! and fields are ignored, so that two versions one apart understand each other while a pair is upgraded.
//!
//! | file | pure | what it is |
//! |---|---|---|
//! | [`frame`], [`message`] | yes | bytes to messages and back |
//! | [`report`] | yes | a director's view as what it tells |
//! | [`fingerprint`] | yes | a pool's IPVS tables as a number |
//! | [`happened`] | yes | what happened at the other director, by its own word |
//! | [`heard`], [`telling`] | yes | what one peer has said; what one is still to be told |
//! | [`comparison`] | yes | ours beside theirs, with a time of grace |
//! | [`sight`] | yes | what a director's checks say of the pools that both judge |
//! | [`mirror`] | yes | records that both directors have: the newer stamp wins |
//! | [`identity`] | yes | the keys of both ends, and TLS with them |
//! | [`settings`] | yes | who talks to whom |
//! | `shared`, `records`, `sightings` | no | what the thread's tasks know together |
//! | `link`, `connect`, `thread` | no | one connection; how connections come about; the thread |

pub mod comparison;
mod connect;
mod fault;
pub mod fingerprint;
pub mod frame;
pub mod happened;
pub mod heard;
pub mod identity;
mod link;
pub mod message;
pub mod mirror;
mod records;
pub mod report;
pub mod settings;
mod shared;
pub mod sight;
mod sightings;
pub mod telling;
#[cfg(test)]
mod tests;
mod thread;
pub mod view;

pub use mirror::{Mirror, Record};
pub use records::Records;
pub use report::Facts;
pub use settings::Settings;
pub use shared::Known;
pub use sightings::Sightings;
pub use thread::PeerThread;
pub use view::{ChannelView, PeersView};
