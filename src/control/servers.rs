//! The servers of pools as JSON: `GET /v1/servers?pool=&server=`. Pure; made when it is asked for, of the published view: a
//! status of fifty thousand servers would be tens of megabytes that nobody reads.

use crate::director::snapshot::{PoolSnapshot, ServerSnapshot, Snapshot};
use crate::model::{Counters, DestinationCounts, OverrideKind, is_named};
use crate::time::Instant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Servers in one answer.
pub const MOST_SERVERS: usize = 100_000;

/// What is asked for: everything that is not named is all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerQuery {
    /// The name of a pool.
    #[serde(default)]
    pub pool: Option<String>,
    /// A server's name, its RIP, or `RIP:port`.
    #[serde(default)]
    pub server: Option<String>,
}

impl ServerQuery {
    /// Path and query of the request. What is not a letter, a digit or one of `-._~` is written as its bytes.
    #[must_use]
    pub fn path(&self) -> String {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        let escaped = |text: &str| {
            let byte = |byte: u8| match plain(&byte) {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            };
            text.bytes().map(byte).collect::<String>()
        };
        let named = [("pool", &self.pool), ("server", &self.server)];
        let given =
            named.iter().filter_map(|(key, value)| Some(format!("{key}={}", escaped(value.as_ref()?))));
        format!("/v1/servers?{}", given.collect::<Vec<_>>().join("&"))
    }
}

/// Answer of `GET /v1/servers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerList {
    /// From the director's start to this view, in milliseconds.
    pub uptime_ms: u64,
    /// By pool, then in the order of the policy.
    pub servers: Vec<ServerStatus>,
}

/// One real server of one pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerStatus {
    pub pool: String,
    /// Its name, or `RIP:port` where the policy gives none.
    pub name: String,
    /// Its RIP, with its port where it has one of its own.
    pub address: String,
    /// The verdict of its checks; one without a check is up.
    pub up: bool,
    pub checked: bool,
    /// Whether it gets new connections.
    pub in_rotation: bool,
    /// The rule that decided where it stands: verdict, advised, slow_start, drain, backup, sorry, panic, override.
    pub decided_by: String,
    /// What an operator ordered of it: drain, disable, weight, force_up; null: nothing.
    pub ordered: Option<String>,
    /// The policy's weight, 0..=65535.
    pub weight_configured: u32,
    /// The weight that the kernel shall have; 0 when it shall not be in the table.
    pub weight_effective: u32,
    /// The largest weight that the kernel holds over the pool's services; null: it is in none.
    pub weight_in_kernel: Option<u32>,
    /// Over all services of the pool.
    pub active_connections: u64,
    pub inactive_connections: u64,
    /// New connections, packets and bytes since the kernel has the destination, over all services of the pool.
    pub connections_total: u64,
    pub incoming_packets_total: u64,
    pub outgoing_packets_total: u64,
    pub incoming_bytes_total: u64,
    pub outgoing_bytes_total: u64,
    /// When the verdict last changed, in milliseconds after the director's start; null: not since.
    pub last_change_ms: Option<u64>,
    /// Why the verdict is what it is, in words; null without a check.
    pub reason: Option<String>,
    /// What the last probe said, where it failed.
    pub last_failure: Option<String>,
    /// How long the last probe took, in microseconds.
    pub last_check_us: Option<u64>,
}

impl ServerList {
    /// What `query` asks for, of `snapshot`.
    #[must_use]
    pub fn of(snapshot: &Snapshot, query: &ServerQuery) -> Self {
        let pools = snapshot.pools.iter();
        let pools = pools.filter(|pool| query.pool.as_ref().is_none_or(|wanted| **wanted == *pool.name));
        let servers = pools.flat_map(|pool| of_pool(pool, query.server.as_deref()));
        Self { uptime_ms: milliseconds(snapshot.taken_at), servers: servers.take(MOST_SERVERS).collect() }
    }
}

fn of_pool<'a>(pool: &'a PoolSnapshot, wanted: Option<&'a str>) -> impl Iterator<Item = ServerStatus> + 'a {
    let mut held = vec![Held::default(); pool.servers.len()];
    for destination in pool.services.iter().flat_map(|service| &service.destinations) {
        if let Some(held) = held.get_mut(destination.server) {
            held.add(destination.weight, &destination.counts);
        }
    }
    let servers = pool.servers.iter().zip(held);
    let is_wanted = move |server: &ServerSnapshot| {
        wanted.is_none_or(|word| is_named(word, &server.name, server.address, server.port))
    };
    let servers = servers.filter(move |(server, _)| is_wanted(server));
    servers.map(|(server, held)| held.status(pool, server))
}

/// A server in the kernel's table, over all services of its pool.
#[derive(Clone, Debug, Default)]
struct Held {
    weight: Option<u32>,
    counters: Counters,
    active: u64,
    inactive: u64,
}

impl Held {
    fn add(&mut self, weight: u32, counts: &DestinationCounts) {
        self.weight = self.weight.max(Some(weight));
        self.counters = self.counters.plus(counts.counters);
        self.active += u64::from(counts.connections.active);
        self.inactive += u64::from(counts.connections.inactive);
    }

    fn status(self, pool: &PoolSnapshot, server: &ServerSnapshot) -> ServerStatus {
        let Self { counters, active, inactive, .. } = self;
        ServerStatus {
            pool: pool.name.to_string(),
            name: server.name.to_string(),
            address: match server.port {
                Some(port) => SocketAddr::new(server.address, port).to_string(),
                None => server.address.to_string(),
            },
            up: server.up,
            checked: server.checked,
            in_rotation: server.in_rotation,
            decided_by: server.why.name().to_owned(),
            ordered: server.ordered.map(|order| OverrideKind::Server(order).name().to_owned()),
            weight_configured: server.configured_weight,
            weight_effective: server.effective_weight,
            weight_in_kernel: self.weight,
            active_connections: active,
            inactive_connections: inactive,
            connections_total: counters.connections,
            incoming_packets_total: counters.incoming_packets,
            outgoing_packets_total: counters.outgoing_packets,
            incoming_bytes_total: counters.incoming_bytes,
            outgoing_bytes_total: counters.outgoing_bytes,
            last_change_ms: server.last_change.map(milliseconds),
            reason: server.reason.as_ref().map(ToString::to_string),
            last_failure: server.last_failure.as_ref().map(ToString::to_string),
            last_check_us: server
                .last_check_duration
                .map(|took| took.as_micros().try_into().unwrap_or(u64::MAX)),
        }
    }
}

fn milliseconds(instant: Instant) -> u64 {
    let since = instant.saturating_since(Instant::ZERO).as_millis();
    u64::try_from(since).unwrap_or(u64::MAX)
}
