//! What a director tells of itself: a report every second, and its pools by their summaries. Pure.
//!
//! Bounded: a report names at most [`MOST_ROUTERS`] routers, and pools travel apart, in parts, when they change. Of servers
//! there are only counts, however many there are.

use super::fingerprint::{PoolTable, of_all};
use crate::director::chronicle::Book;
use crate::director::snapshot::{PoolSnapshot, Snapshot};
use crate::model::PoolName;
use crate::policy::Fingerprint;
use crate::time::{Instant, milliseconds};
use crate::vrrp::picture::{Picture, RouterPicture};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Routers that a report names at most; a VRID is one byte.
pub const MOST_ROUTERS: usize = 1_024;

/// What the event loop hands over: shared, so that nothing is copied there.
#[derive(Clone, Debug)]
pub struct Facts {
    pub snapshot: Arc<Snapshot>,
    pub tables: Arc<BTreeMap<PoolName, PoolTable>>,
    /// Fingerprint of the policy; `None` until it is known.
    pub policy: Option<Arc<Fingerprint>>,
    /// What happened here.
    pub book: Book,
}

/// One director, now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    pub uptime_ms: u64,
    /// Its own count of policies.
    pub policy_generation: u64,
    /// Whether its tables are applied and each pool has a first verdict.
    pub ready: bool,
    /// What is awaited until then.
    pub awaits: Option<String>,
    /// Fingerprint of what its policy means; `None` until it is known.
    pub policy: Option<String>,
    /// The same of the policy's files.
    pub policy_files: Option<String>,
    /// Fingerprint of all its pools' tables.
    pub tables: Option<String>,
    pub routers: Vec<RouterReport>,
    pub pools: usize,
    pub pools_up: usize,
}

/// One virtual router there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RouterReport {
    pub name: String,
    /// initialize, backup, master or fault.
    pub role: String,
    /// How long it has had this role.
    pub for_ms: u64,
    pub priority: u8,
    pub released: bool,
    pub addresses_wanted: usize,
    pub addresses_held: usize,
}

/// One pool there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolSummary {
    pub name: String,
    pub up: bool,
    pub servers: usize,
    pub servers_up: usize,
    pub weight: u64,
    pub weight_up: u64,
    /// Fingerprint of its IPVS tables.
    pub table: String,
    /// Whether it depends on `mh` tables that are the same on both.
    pub mh: bool,
}

/// Pools by name.
pub type Summaries = BTreeMap<String, Arc<PoolSummary>>;

impl Report {
    /// What there is to tell now.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let snapshot = &facts.snapshot;
        let nothing = Picture::default();
        let picture = snapshot.pair.as_ref().map_or(&nothing, |pair| &pair.picture);
        let routers = picture.routers.iter().take(MOST_ROUTERS);
        Self {
            uptime_ms: milliseconds(snapshot.taken_at.saturating_since(Instant::ZERO)),
            policy_generation: snapshot.policy_generation,
            ready: snapshot.readiness.is_ok(),
            awaits: snapshot.readiness.clone().err(),
            policy: facts.policy.as_ref().map(|policy| policy.meaning.clone()),
            policy_files: facts.policy.as_ref().map(|policy| policy.files.clone()),
            tables: Some(hexadecimal(of_all(&facts.tables))),
            routers: routers.map(|router| RouterReport::of(router, snapshot.taken_at)).collect(),
            pools: snapshot.pools.len(),
            pools_up: snapshot.pools.iter().filter(|pool| pool.up).count(),
        }
    }
}

impl RouterReport {
    fn of(router: &RouterPicture, now: Instant) -> Self {
        Self {
            name: router.name.to_string(),
            role: router.role.name().to_owned(),
            for_ms: milliseconds(now.saturating_since(router.since)),
            priority: router.priority,
            released: router.released,
            addresses_wanted: router.addresses_wanted,
            addresses_held: router.addresses_held,
        }
    }
}

/// The pools. One that is as it was in `before` is the same value: what is equal costs no memory and no comparison.
#[must_use]
pub fn summaries(facts: &Facts, before: &Summaries) -> Summaries {
    let one = |pool: &PoolSnapshot| {
        let summary = summary(pool, facts.tables.get(&pool.name));
        let known = before.get(&summary.name).filter(|known| ***known == summary);
        (summary.name.clone(), known.cloned().unwrap_or_else(|| Arc::new(summary)))
    };
    facts.snapshot.pools.iter().map(one).collect()
}

fn summary(pool: &PoolSnapshot, table: Option<&PoolTable>) -> PoolSummary {
    PoolSummary {
        name: pool.name.to_string(),
        up: pool.up,
        servers: pool.servers.len(),
        servers_up: pool.servers_up(),
        weight: pool.weight(),
        weight_up: pool.weight_up(),
        table: table.map(|table| hexadecimal(table.fingerprint)).unwrap_or_default(),
        mh: table.is_some_and(|table| table.mh),
    }
}

fn hexadecimal(number: u64) -> String {
    format!("{number:016x}")
}
