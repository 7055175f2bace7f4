//! What the rotation of a pool hands on to that of another process, as JSON: what is under way with its servers. What is unknown
//! is ignored, and what is missing is as at a start.

use crate::model::Advice;
use crate::time::Instant;
use serde::{Deserialize, Serialize};

/// One pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedPool {
    pub name: String,
    /// Whether the quorum of the ordinary servers, and that of all, is there; `None`: unknown.
    pub ordinary: Option<bool>,
    pub quorum: Option<bool>,
    pub panic_since: Option<Instant>,
    /// Whether the sorry server answers.
    pub sorry: bool,
    /// In the pool's order.
    pub servers: Vec<HandedServer>,
}

/// One server of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HandedServer {
    pub name: String,
    /// Whether it is up; `None`: nothing is known.
    pub up: Option<bool>,
    pub down_since: Option<Instant>,
    pub came_back: bool,
    pub silent: bool,
    pub disputed: bool,
    /// Whether an operator had sent it away.
    pub sent_away: bool,
    /// Since when it gets its weight in steps.
    pub ramp_since: Option<Instant>,
    pub drain: Option<HandedDrain>,
    /// What its checks had said when its pool was frozen.
    pub frozen: Option<HandedFreeze>,
}

/// A server's way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedDrain {
    pub deadline: Instant,
    pub quiet_since: Option<Instant>,
    pub left_with: Option<u64>,
}

/// What is held of a server in a frozen pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedFreeze {
    pub up: bool,
    pub vouched: bool,
    pub advice: Option<Advice>,
}
