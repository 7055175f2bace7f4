//! The kernel's connection table: read, told anew to the other directors, counted.
//!
//! The kernel's own synchronisation speaks of a connection only when it has a packet. What rests, and what was there
//! before the other director (or its daemon) came up, it never tells: such a connection survives one failover and is reset
//! by the way back. So before a planned takeover, and when a director has returned, the Master tells its whole table, in the
//! words of the kernel's own protocol: the other side needs nothing but its backup daemon.
//!
//! What the receiving kernel does with a record (`ip_vs_proc_conn`):
//!
//! - A connection that it does not have is made, bound to the destination if that is in its table, with the destination's
//!   own forwarding method; without one it lives unbound, with the method of the record.
//! - One that it has, to the same destination, takes the record's state and timeout; to another destination, it is ended
//!   and made anew, unless the record is of an inactive state: then the record is ignored.
//! - So a record that is late by some milliseconds can put back the state of a connection that has just been closed. That is
//!   harmless: the next packet sets it right, and without one it ends after the timeout that the record carries, which is
//!   the time that the connection had left here.
//!
//! | file | pure | what it is |
//! |---|---|---|
//! | [`entry`] | yes | a line of `/proc/net/ip_vs_conn` as a value |
//! | `lines` | yes | the lines of that table that matter |
//! | [`services`] | yes | what the line does not tell: firewall mark, forwarding method, timeout of a template |
//! | [`message`] | yes | values as datagrams of the protocol, version 1, and back |
//! | [`pass`](mod@pass) | no | reads the table and sends it |
//! | [`follow`](mod@follow) | no | tells connections as they begin, while the addresses are about to go |
//! | `pace` | no | messages at a pace that the other kernel stands |
//! | `group` | no | the sockets for it |
//! | [`tracking`] | yes | what connection tracking needs for full-NAT's connections |
//! | [`restore`] | no | puts that into the kernel's table |
//! | [`count`](mod@count) | no | how many of the entries came from the other director |
//!
//! It does not decide when to tell: that is the election's business. It never writes to the IPVS table of its own kernel.

pub mod count;
pub mod entry;
pub mod follow;
mod group;
mod lines;
pub mod message;
mod pace;
pub mod pass;
pub mod restore;
pub mod services;
pub mod tracking;

pub use count::{EntryCounts, count};
pub use entry::Entry;
pub use follow::{FollowError, follow};
pub use group::SendError;
pub use pass::{PassError, Passed, Told, pass};
pub use restore::{RestoreError, Restorer, sweep};
