//! Another director in the status: what the beats say of it, and what it says of itself on the channel. Pure.

use super::status::{after_start, ago};
use crate::model::DirectorName;
use crate::peer::report::RouterReport;
use crate::peer::view::Names;
use crate::peer::{ChannelView, PeersView};
use crate::time::Instant;
use crate::vrrp::picture::{PeerPicture, Picture};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Another director.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerStatus {
    pub name: String,
    /// Whether its beats are fresh.
    pub up: bool,
    /// How long ago the last beat came, in milliseconds; null: none came.
    pub last_heard_ms_ago: Option<u64>,
    /// What it says on the channel; null where the policy has no key for one.
    pub channel: Option<ChannelStatus>,
}

/// The channel to another director, and what came over it. What was reported last stays when the channel is down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChannelStatus {
    pub up: bool,
    /// Since when it is up, or down, in milliseconds after the start of the director.
    pub since_ms: u64,
    /// Why it is down; null while it is up.
    pub fault: Option<String>,
    /// How long ago the last report came, in milliseconds; null: none came.
    pub last_heard_ms_ago: Option<u64>,
    /// Version of the program there.
    pub version: Option<String>,
    /// Whether it runs the same policy; null while that is not known. A difference counts after ten seconds.
    pub policy_match: Option<bool>,
    /// Whether the IPVS tables of all pools are the same; null while that is not known.
    pub table_match: Option<bool>,
    /// Some of the pools whose tables differ.
    pub differing_pools: Vec<String>,
    /// Some of the pools that are up here and not there.
    pub pools_down_there: Vec<String>,
    /// Some of the pools that are up there and not here.
    pub pools_down_here: Vec<String>,
    /// How many events it told of itself: `GET /v1/events` has the newest of them.
    #[serde(default)]
    pub events_heard: u64,
    /// What it said of itself; null until it did.
    pub report: Option<PeerReport>,
}

/// What another director said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerReport {
    /// Whether its tables are applied and each pool has a first verdict.
    pub ready: bool,
    /// What it awaits until then.
    pub awaits: Option<String>,
    /// Its own count of policies.
    pub policy_generation: u64,
    pub routers: Vec<RouterReport>,
    pub pools: usize,
    pub pools_up: usize,
}

impl PeerStatus {
    /// Every other director, by name.
    pub(super) fn all(picture: &Picture, peers: &PeersView, now: Instant) -> Vec<Self> {
        let heard = picture.peers.iter().map(|peer| &peer.name);
        let names: BTreeSet<&DirectorName> =
            heard.chain(peers.channels.iter().map(|channel| &channel.name)).collect();
        let found = |name: &DirectorName| picture.peers.iter().find(|peer| peer.name == *name);
        names.into_iter().map(|name| Self::of(name, found(name), peers.channel(name), now)).collect()
    }

    fn of(
        name: &DirectorName,
        beats: Option<&PeerPicture>,
        channel: Option<&ChannelView>,
        now: Instant,
    ) -> Self {
        Self {
            name: name.to_string(),
            up: beats.map_or_else(|| channel.is_some_and(|channel| channel.up), |beats| beats.up),
            last_heard_ms_ago: beats.and_then(|beats| beats.last_heard).map(|heard| ago(heard, now)),
            channel: channel.map(|channel| ChannelStatus::of(channel, now)),
        }
    }
}

impl ChannelStatus {
    fn of(channel: &ChannelView, now: Instant) -> Self {
        let names = |names: &Names| names.first.clone();
        let report = channel.report.as_ref().map(|report| PeerReport {
            ready: report.ready,
            awaits: report.awaits.clone(),
            policy_generation: report.policy_generation,
            routers: report.routers.clone(),
            pools: report.pools,
            pools_up: report.pools_up,
        });
        Self {
            up: channel.up,
            since_ms: after_start(channel.since),
            fault: channel.fault.clone(),
            last_heard_ms_ago: channel.last_heard.map(|heard| ago(heard, now)),
            version: channel.version.clone(),
            policy_match: channel.policy_match,
            table_match: channel.table_match,
            differing_pools: names(&channel.differing),
            pools_down_there: names(&channel.down_there),
            pools_down_here: names(&channel.down_here),
            events_heard: channel.happened.heard(),
            report,
        }
    }
}
