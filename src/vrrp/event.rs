//! What the election tells the log. One event a decision or an observation worth a line.

use super::role::{Cause, Role};
use crate::model::{DirectorName, Family, RouterName};
use std::net::IpAddr;
use std::sync::Arc;

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A router's role changed.
    Role { router: RouterName, role: Role, cause: Cause },
    /// As Master, another Master was heard that has to give way. Told once until it is silent.
    Contested { router: RouterName, source: IpAddr, priority: u8 },
    /// Something that came for a router was not believed, or is a sign of a wrong configuration; `times` since it was last
    /// told, which is done rarely.
    Dropped { router: RouterName, family: Family, source: IpAddr, kind: &'static str, times: u64 },
    /// What came for a router is believed, and shows a configuration that differs; told rarely.
    Differs { router: RouterName, source: IpAddr, kind: &'static str },
    /// Beats of another director are not believed; `times` since it was last told, which is done rarely.
    BadBeat { kind: &'static str, times: u64 },
    /// Another machine answers for an address that this director holds as Master. Told rarely.
    Conflict { router: RouterName, address: IpAddr, hardware_address: [u8; 6] },
    /// Another director is heard, or not any more.
    Peer { director: DirectorName, up: bool },
    /// The others had accepted a higher number of a run of this director, and refused it: it goes on under this one.
    Renumbered { epoch: u64 },
    /// Something tracked became bad or good.
    Tracker { router: RouterName, tracker: Arc<str>, good: bool },
}
