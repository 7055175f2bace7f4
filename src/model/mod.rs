//! The nouns: what a policy says and what the kernel holds, typed, comparable, without any IO.
//!
//! Glossary (the field's own words, spelled out):
//!
//! | word | meaning |
//! |---|---|
//! | director | the machine that spreads the traffic: this program's host |
//! | virtual service | what clients reach: protocol, VIP and port, or a firewall mark |
//! | VIP, RIP, DIP, CIP | address of the virtual service, of a real server, of the director, of a client |
//! | real server | a machine that answers |
//! | destination | a real server inside one virtual service, as the kernel holds it |
//! | pool | virtual services and the real servers behind them, under one policy |
//! | forwarding method | NAT, DR (direct routing), TUN (tunnelling) or full-NAT |
//! | scheduler | the kernel's rule for choosing a destination |
//! | quiesce | set a destination's weight to 0: no new connection, the old ones live on |
//! | virtual router | a VRID on an interface and the addresses that its Master holds; VRRP elects the Master |
//! | Master, Backup, Fault | the states of a virtual router on one director; RFC 9568 says Active, Backup and Initialize |
//! | synchronisation daemon | a thread of the kernel that sends its connections to the other directors (master) or takes theirs in (backup) |
//! | override | what an operator ordered of a server or a pool, above verdicts and rules, until it ends or is cleared |
//! | check | what a probe asks and how often; one answer is an outcome, the decision is a verdict |
//!
//! Nothing here decides: [`crate::health`], [`crate::desired`] and [`crate::reconcile`] do.

mod api;
mod check;
mod condition;
mod conntrack;
mod destination;
mod event;
mod event_hook;
mod fail_at_once;
mod host;
mod outcome;
mod overrides;
mod pair_change;
mod policy;
mod pool;
mod pools;
mod rotation;
mod router;
mod ruleset;
mod service;
mod sysctl;
mod tables;

pub use api::*;
pub use check::*;
pub use condition::*;
pub use conntrack::*;
pub use destination::*;
pub use event::*;
pub use event_hook::*;
pub use fail_at_once::*;
pub use host::*;
pub use outcome::*;
pub use overrides::*;
pub use pair_change::*;
pub use policy::*;
pub use pool::*;
pub use pools::*;
pub use rotation::*;
pub use router::*;
pub use ruleset::*;
pub use service::*;
pub use sysctl::*;
pub use tables::*;
