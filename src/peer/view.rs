//! The channels as they are told: to status, metrics, and whoever asks whether it is safe to fail over. Pure data.

use super::happened::Happened;
use super::report::Report;
use crate::model::DirectorName;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Names that a sentence lists.
const MOST_NAMED: usize = 5;

/// All channels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeersView {
    /// One for each other director, by name; none where the policy has no key for them.
    pub channels: Vec<ChannelView>,
    /// What went wrong, by kind.
    pub errors: BTreeMap<&'static str, u64>,
}

impl PeersView {
    /// The channel to a director.
    #[must_use]
    pub fn channel(&self, name: &str) -> Option<&ChannelView> {
        self.channels.iter().find(|channel| *channel.name == *name)
    }
}

/// The channel to one director.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelView {
    pub name: DirectorName,
    pub up: bool,
    /// Since when it is up, or down.
    pub since: Instant,
    /// Why it is down, in a sentence.
    pub fault: Option<String>,
    /// When the last report came.
    pub last_heard: Option<Instant>,
    /// Of the program there.
    pub version: Option<String>,
    /// What was last reported; kept when the channel is down.
    pub report: Option<Arc<Report>>,
    /// What happened there; kept when the channel is down.
    pub happened: Arc<Happened>,
    /// Whether it runs the same policy; `None` while that is unknown. A difference counts after a time of grace.
    pub policy_match: Option<bool>,
    /// The same of the IPVS tables of the pools.
    pub table_match: Option<bool>,
    /// Pools whose tables differ, beyond the time of grace.
    pub differing: Names,
    /// Whether one of them depends on `mh` tables.
    pub mh_differs: bool,
    /// Pools that are up here and not there.
    pub down_there: Names,
    /// Pools that are up there and not here.
    pub down_here: Names,
}

impl ChannelView {
    /// One that was never up.
    #[must_use]
    pub fn new(name: DirectorName) -> Self {
        Self {
            name,
            up: false,
            since: Instant::ZERO,
            fault: None,
            last_heard: None,
            version: None,
            report: None,
            happened: Arc::default(),
            policy_match: None,
            table_match: None,
            differing: Names::default(),
            mh_differs: false,
            down_there: Names::default(),
            down_here: Names::default(),
        }
    }
}

/// Some names, the first of them by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub first: Vec<String>,
    pub count: usize,
}

impl Names {
    /// One more, in the order in which a sentence names them.
    pub fn push(&mut self, name: &str) {
        self.count += 1;
        if self.first.len() < MOST_NAMED {
            self.first.push(name.to_owned());
        }
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl fmt::Display for Names {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.first.join(", "))?;
        match self.count - self.first.len() {
            0 => Ok(()),
            more => write!(formatter, " and {more} more"),
        }
    }
}
