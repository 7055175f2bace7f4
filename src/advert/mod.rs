//! The advert thread: sockets, timers and real-time priority for [`crate::vrrp`]. It never makes an rtnetlink request.
//!
//! What takes the kernel's rtnl lock (to open and close sockets, to list links and addresses) is an errand for another
//! thread, whose results come back as data.

pub mod datagram;
mod driver;
pub mod errands;
pub mod frame;
pub mod lateness;
pub mod links;
pub mod path;
pub mod realtime;
pub mod socket;
pub mod thread;
pub mod transport;

mod control;
mod receive;
mod source;

pub use datagram::{DATAGRAM_BYTES_MAX, Datagram};
pub use path::{BeatPath, Path, PathId, Paths};
pub use transport::{Destination, Transport};
