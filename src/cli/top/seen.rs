//! What one poll brought, and the rates that follow from several. Pure.
//!
//! Counters of IPVS move every two seconds: a rate is taken over the last [`WINDOW`] polls, not from one to the next.

use crate::control::{PoolStatus, ServerStatus, Status};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// Polls that a rate is taken over: five seconds at one a second.
const WINDOW: usize = 6;

/// A status.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) status: Status,
}

impl Seen {
    /// Reads the JSON of a status.
    ///
    /// # Errors
    /// When it is none of version 1.
    pub(super) fn read(value: Value) -> Result<Self, String> {
        let status = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(Self { status })
    }
}

/// What was counted until one poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted {
    connections: u64,
    incoming_bytes: u64,
    outgoing_bytes: u64,
}

impl Counted {
    fn of_pool(pool: &PoolStatus) -> Self {
        pool.virtual_services.iter().fold(Self::default(), |sum, service| Self {
            connections: sum.connections.saturating_add(service.connections),
            incoming_bytes: sum.incoming_bytes.saturating_add(service.incoming_bytes),
            outgoing_bytes: sum.outgoing_bytes.saturating_add(service.outgoing_bytes),
        })
    }

    const fn of_server(server: &ServerStatus) -> Self {
        Self {
            connections: server.connections,
            incoming_bytes: server.incoming_bytes,
            outgoing_bytes: server.outgoing_bytes,
        }
    }
}

/// In one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(super) struct Rates {
    pub(super) connections: f64,
    pub(super) incoming_bytes: f64,
    pub(super) outgoing_bytes: f64,
}

/// A pool, or a server of one.
type Place = (String, Option<String>);

#[derive(Clone, Debug)]
struct Sample {
    uptime_ms: u64,
    counted: BTreeMap<Place, Counted>,
}

/// The last polls.
#[derive(Clone, Debug, Default)]
pub(super) struct History(VecDeque<Sample>);

impl History {
    /// Takes a poll in. A director that was started anew counts anew.
    pub(super) fn take(&mut self, status: &Status) {
        let last = self.0.back();
        if last.is_some_and(|last| last.uptime_ms > status.uptime_ms) {
            self.0.clear();
        } else if last.is_some_and(|last| last.uptime_ms == status.uptime_ms) {
            return;
        }
        if self.0.len() == WINDOW {
            self.0.pop_front();
        }
        let mut counted = BTreeMap::new();
        for pool in &status.pools {
            counted.insert((pool.name.clone(), None), Counted::of_pool(pool));
            for server in &pool.real_servers {
                counted.insert((pool.name.clone(), Some(server.name.clone())), Counted::of_server(server));
            }
        }
        self.0.push_back(Sample { uptime_ms: status.uptime_ms, counted });
    }

    /// The rates of a pool, or of one of its servers; `None` before there are two polls.
    pub(super) fn rates(&self, pool: &str, server: Option<&str>) -> Option<Rates> {
        let place = (pool.to_owned(), server.map(str::to_owned));
        let newest = self.0.back()?;
        let end = newest.counted.get(&place)?;
        // Where a counter began anew within the window, from there on.
        let usable = self.0.iter().rev().skip(1).map_while(|sample| {
            let start = sample.counted.get(&place)?;
            let grows = start.connections <= end.connections && start.incoming_bytes <= end.incoming_bytes;
            grows.then_some((sample.uptime_ms, start))
        });
        let (at, start) = usable.last()?;
        let seconds = (newest.uptime_ms.saturating_sub(at)) as f64 / 1_000.0;
        let each = |end: u64, start: u64| end.saturating_sub(start) as f64 / seconds;
        (seconds > 0.0).then(|| Rates {
            connections: each(end.connections, start.connections),
            incoming_bytes: each(end.incoming_bytes, start.incoming_bytes),
            outgoing_bytes: each(end.outgoing_bytes, start.outgoing_bytes),
        })
    }
}
