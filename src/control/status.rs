//! The status of one director as JSON: `GET /v1/status`. Pure: the same view gives the same text, in the same order.
//!
//! Fields are added, never renamed or removed, while [`STATUS_VERSION`] stays. Times end in their unit; `…_ms` alone counts
//! from the start of the director, so that a stepped wall clock moves nothing.

use super::override_action::OverrideRecord;
use super::pool_status::PoolStatus;
use super::safety::SafeToFailOver;
use super::status_peer::PeerStatus;
use crate::director::snapshot::{AddressSnapshot, Snapshot};
use crate::model::{DirectorName, Pair};
use crate::reconcile::Table;
use crate::time::{Instant, milliseconds};
use crate::vrrp::complaint;
use crate::vrrp::picture::{Picture, RouterPicture};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Version of the form.
pub const STATUS_VERSION: u32 = 1;
/// What was heard longer ago is over.
const LATELY: Duration = Duration::from_secs(60);

/// Everything that one director tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// 1.
    pub status_version: u32,
    /// Version of the running program.
    pub version: String,
    /// Name of this director in the policy; null where the policy names none.
    pub director: Option<String>,
    /// Unix time of the director's start in milliseconds, by the wall clock as it is now.
    pub started_unix_ms: u64,
    /// From the start to this view, in milliseconds.
    pub uptime_ms: u64,
    /// Age of this view when it was answered, in milliseconds; more than some seconds says that the event loop stands still.
    pub age_ms: u64,
    /// Counts the policies that were taken over, the first is 1.
    pub policy_generation: u64,
    /// Whether the tables are applied and each pool has a first verdict.
    pub ready: bool,
    /// What is awaited until it is ready, in a sentence.
    pub awaits: Option<String>,
    /// Whether this director changes nothing (`tandem run --observe`). Its routers are as this host holds their addresses.
    #[serde(default)]
    pub observing: bool,
    /// How many differences an observing director sees between the live tables and those that it would make.
    #[serde(default)]
    pub differences_total: usize,
    /// The first hundred of them, sorted by what they are about.
    #[serde(default)]
    pub differences: Vec<DifferenceStatus>,
    pub safe_to_fail_over: SafeToFailOver,
    /// In the order of the policy.
    pub routers: Vec<RouterStatus>,
    /// What this director holds alone, without a virtual router; sorted.
    #[serde(default)]
    pub addresses: Vec<AddressStatus>,
    /// The other directors, sorted by name.
    pub peers: Vec<PeerStatus>,
    /// Sorted by name.
    pub pools: Vec<PoolStatus>,
    /// What operators ordered of servers and pools, sorted by what it is for.
    #[serde(default)]
    pub overrides: Vec<OverrideRecord>,
}

/// Something that an observing director would have otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DifferenceStatus {
    /// The closed list of the metric's label `table`.
    pub table: String,
    /// What the director would do: `+` adds, `~` edits, `-` removes, `?` leaves alone though the policy does not name it.
    pub what: String,
    /// When it was seen first, in milliseconds after the start of the director.
    pub since_ms: u64,
}

/// An address that this director holds alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressStatus {
    /// With the length of its prefix.
    pub address: String,
    pub interface: String,
    /// Whether it is really there; it is looked for every two seconds.
    pub held: bool,
    /// Since when it is there, or is not, in milliseconds after the start of the director.
    pub since_ms: u64,
    /// Why it is not there, in the kernel's words; null while it is, and before it was tried.
    pub because: Option<String>,
}

/// One virtual router on this director.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouterStatus {
    pub name: String,
    /// Its addresses with the length of their prefix, in the order of the policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// initialize, backup, master or fault.
    pub role: String,
    /// When it got this role, in milliseconds after the start of the director.
    pub since_ms: u64,
    /// Why it has this role: the closed list of the metric's label `reason`; null before the first change.
    pub reason: Option<String>,
    /// The same in words.
    pub because: Option<String>,
    /// Effective priority, 0..=255.
    pub priority: u8,
    /// Whether an operator's release is in force.
    pub released: bool,
    /// Addresses that this director should hold now.
    pub addresses_wanted: usize,
    /// Addresses that it holds.
    pub addresses_held: usize,
    /// The last advertisement of another Master; null where none was heard, or the last one resigned.
    pub other_master: Option<OtherMaster>,
    /// Sorted as the policy's are.
    pub trackers: Vec<TrackerStatus>,
    /// What was heard lately that should not be: advertisements that are not believed, and signs of a configuration that
    /// differs. Sorted by kind.
    pub complaints: Vec<ComplaintStatus>,
}

/// Something that was heard and should not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComplaintStatus {
    /// The closed list of the metric's label `kind`.
    pub kind: String,
    /// From whom it came last.
    pub source: IpAddr,
    /// How long ago that was, in milliseconds.
    pub heard_ms_ago: u64,
    /// What it means and what to do; null where the kind says it all.
    pub advice: Option<String>,
}

/// Another director as Master of a router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OtherMaster {
    /// Where its advertisements come from.
    pub address: IpAddr,
    /// How long ago the last one came, in milliseconds.
    pub heard_ms_ago: u64,
}

/// Something that a router's fitness follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrackerStatus {
    pub name: String,
    pub good: bool,
}

impl Status {
    /// The status of `director`. The instants of `picture` count from the same start as those of `snapshot`.
    #[must_use]
    pub fn of(director: Option<&DirectorName>, snapshot: &Snapshot, picture: &Picture) -> Self {
        let now = snapshot.taken_at;
        Self {
            status_version: STATUS_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            director: director.map(ToString::to_string),
            started_unix_ms: milliseconds(snapshot.epoch),
            uptime_ms: after_start(now),
            age_ms: 0,
            policy_generation: snapshot.policy_generation,
            ready: snapshot.readiness.is_ok(),
            awaits: snapshot.readiness.clone().err(),
            observing: snapshot.observing.is_some(),
            differences_total: snapshot.observing.iter().flat_map(|seen| seen.differences.values()).sum(),
            differences: snapshot
                .observing
                .iter()
                .flat_map(|seen| &seen.told)
                .map(DifferenceStatus::of)
                .collect(),
            safe_to_fail_over: match snapshot.observing {
                None => SafeToFailOver::of(picture, snapshot),
                Some(_) => SafeToFailOver::observing(),
            },
            routers: picture.routers.iter().map(|router| RouterStatus::of(router, now)).collect(),
            addresses: snapshot.addresses.iter().map(AddressStatus::of).collect(),
            peers: PeerStatus::all(picture, &snapshot.peers, now),
            pools: snapshot.pools.iter().map(PoolStatus::of).collect(),
            overrides: snapshot.overrides.iter().map(OverrideRecord::from).collect(),
        }
    }

    /// The same with the addresses of its routers.
    #[must_use]
    pub fn with_addresses(mut self, pair: &Pair) -> Self {
        for router in &mut self.routers {
            let known = pair.routers.get(router.name.as_str());
            router.addresses =
                known.into_iter().flat_map(|known| &known.addresses).map(ToString::to_string).collect();
        }
        self
    }

    /// A router by name.
    #[must_use]
    pub fn router(&self, name: &str) -> Option<&RouterStatus> {
        self.routers.iter().find(|router| router.name == name)
    }
}

impl DifferenceStatus {
    fn of((since, table, what): &(Instant, Table, Arc<str>)) -> Self {
        Self { table: table.name().to_owned(), what: what.to_string(), since_ms: after_start(*since) }
    }
}

impl AddressStatus {
    fn of(held: &AddressSnapshot) -> Self {
        Self {
            address: held.address.to_string(),
            interface: held.interface.clone(),
            held: held.held,
            since_ms: after_start(held.since),
            because: held.refusal.clone(),
        }
    }
}

impl RouterStatus {
    fn of(router: &RouterPicture, now: Instant) -> Self {
        let counts = &router.counts;
        let heard = counts.last_master.zip(counts.last_received);
        let tracker = |(name, good): &(Arc<str>, bool)| TrackerStatus { name: name.to_string(), good: *good };
        Self {
            name: router.name.to_string(),
            addresses: Vec::new(),
            role: router.role.name().to_owned(),
            since_ms: after_start(router.since),
            reason: router.cause.as_ref().map(|cause| cause.name().to_owned()),
            because: router.cause.as_ref().map(ToString::to_string),
            priority: router.priority,
            released: router.released,
            addresses_wanted: router.addresses_wanted,
            addresses_held: router.addresses_held,
            other_master: heard.map(|(address, at)| OtherMaster { address, heard_ms_ago: ago(at, now) }),
            trackers: router.trackers.iter().map(tracker).collect(),
            complaints: complaints(router, now),
        }
    }
}

fn complaints(router: &RouterPicture, now: Instant) -> Vec<ComplaintStatus> {
    let lately = router.complaints.iter().filter(|(_, (_, at))| now.saturating_since(*at) < LATELY);
    let status = |(kind, (source, at)): (&&str, &(IpAddr, Instant))| ComplaintStatus {
        kind: (*kind).to_owned(),
        source: *source,
        heard_ms_ago: ago(*at, now),
        advice: complaint::words(kind).map(str::to_owned),
    };
    lately.map(status).collect()
}

pub(super) fn after_start(instant: Instant) -> u64 {
    milliseconds(instant.saturating_since(Instant::ZERO))
}

pub(super) fn ago(earlier: Instant, now: Instant) -> u64 {
    milliseconds(now.saturating_since(earlier))
}
