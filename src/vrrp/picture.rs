//! The election as numbers, for metrics and `status`.

use super::role::{Cause, Role};
use crate::model::{DirectorName, RouterName};
use crate::time::Instant;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// All routers and the other directors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    pub routers: Vec<RouterPicture>,
    pub peers: Vec<PeerPicture>,
    /// Beats that were not believed, by kind.
    pub bad_beats: BTreeMap<&'static str, u64>,
}

/// One virtual router.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterPicture {
    pub name: RouterName,
    pub role: Role,
    /// Since when it has this role, and why.
    pub since: Instant,
    pub cause: Option<Cause>,
    /// Effective priority.
    pub priority: u8,
    pub released: bool,
    /// When the release ends by itself; `None` with `released`: when it is cleared.
    pub released_until: Option<Instant>,
    /// When another Master that has to give way was last heard.
    pub contested_at: Option<Instant>,
    pub addresses_wanted: usize,
    pub addresses_held: usize,
    pub trackers: Vec<(Arc<str>, bool)>,
    /// What was heard that should not be: for each kind of it, from whom last, and when.
    pub complaints: BTreeMap<&'static str, (IpAddr, Instant)>,
    pub counts: Counts,
}

/// What was counted for one router since the start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    pub sent: u64,
    pub received: u64,
    pub last_received: Option<Instant>,
    /// Who sent the last of them that did not resign: the Master, as long as this director is none.
    pub last_master: Option<IpAddr>,
    /// By kind.
    pub errors: BTreeMap<&'static str, u64>,
    pub transitions: BTreeMap<(Role, &'static str), u64>,
    /// How often it ceased to be Master.
    pub masterships_ended: u64,
    /// Advertisements of priority 0.
    pub resignations_sent: u64,
    pub resignations_received: u64,
    pub master_conflicts: u64,
    pub address_conflicts: u64,
    /// From the decision to become Master until every address was held.
    pub last_takeover: Option<Duration>,
}

/// Another director.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPicture {
    pub name: DirectorName,
    pub up: bool,
    /// Whether it says that it could be Master of everything that this director is Master of.
    pub fit: bool,
    pub last_heard: Option<Instant>,
}
