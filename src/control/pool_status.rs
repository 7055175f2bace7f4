//! A pool in the status: its real servers and virtual services. Pure.

use super::status::after_start;
use crate::director::snapshot::{DestinationSnapshot, PoolSnapshot, ServerSnapshot, ServiceSnapshot};
use crate::model::OverrideKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Real servers of one pool that are listed, in the order of the policy; how many there are is in [`PoolStatus::servers`].
pub const MOST_SERVERS: usize = 1_000;
/// Virtual services of one pool that are listed.
pub const MOST_SERVICES: usize = 1_000;

/// One pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PoolStatus {
    pub name: String,
    /// Whether it can serve.
    pub up: bool,
    /// Real servers that the policy gives to it.
    pub servers: usize,
    /// Those that are up.
    pub servers_up: usize,
    /// Sum of the configured weights.
    pub weight: u64,
    /// Sum of the configured weights of the servers that are up.
    pub weight_up: u64,
    /// Servers that get new connections.
    pub in_rotation: usize,
    /// Whether it is in a panic, acted upon or in shadow.
    pub panic: bool,
    /// Whether the sorry server answers.
    pub sorry: bool,
    /// Whether an operator froze it: its checks change nothing.
    pub frozen: bool,
    /// In the order of the policy, a thousand at most.
    #[serde(default)]
    pub virtual_services: Vec<ServiceStatus>,
    /// In the order of the policy, a thousand at most.
    #[serde(default)]
    pub real_servers: Vec<ServerStatus>,
}

/// One virtual service of a pool. Its counters begin anew when the kernel makes it anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceStatus {
    /// `tcp://VIP:port`.
    pub name: String,
    /// Whether the kernel has it.
    pub in_kernel: bool,
    /// Connections since it was made.
    pub connections: u64,
    /// Bytes from clients since it was made.
    pub incoming_bytes: u64,
    /// Bytes to clients since it was made; stays 0 in DR and TUN.
    pub outgoing_bytes: u64,
}

/// One real server of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerStatus {
    /// Its name, or `RIP:port` where the policy gives none.
    pub name: String,
    /// Its RIP, with its port where it has one of its own.
    pub address: String,
    /// The verdict; a server without a check is up.
    pub up: bool,
    /// Whether a check decides on it.
    pub checked: bool,
    /// Whether it gets new connections.
    pub in_rotation: bool,
    /// The rule that decided where it stands: verdict, disputed, advised, slow_start, drain, backup, sorry, panic, override.
    pub decided_by: String,
    /// What an operator ordered of it: drain, disable, weight, force_up; null: nothing.
    pub ordered: Option<String>,
    /// The policy's weight, 0..=65535.
    pub weight_configured: u32,
    /// The weight that the kernel shall have.
    pub weight_effective: u32,
    /// The weight that it has; the largest where the pool's services differ, null where it is in none of them.
    pub weight_in_kernel: Option<u32>,
    /// Connections that it holds now, over the pool's services.
    pub active_connections: u64,
    /// The same of those that are about to end.
    pub inactive_connections: u64,
    /// Connections with which it left the table at the end of its drain, 0 unless the deadline came first; null: it is not drained.
    #[serde(default)]
    pub left_with: Option<u64>,
    /// Connections since it is in the kernel's table, over the pool's services.
    pub connections: u64,
    /// Bytes from clients since then.
    pub incoming_bytes: u64,
    /// Bytes to clients since then; stays 0 in DR and TUN.
    pub outgoing_bytes: u64,
    /// Why it is up or down, in words; null without a check.
    pub reason: Option<String>,
    /// What the last probe said, while the last probe failed.
    pub last_failure: Option<String>,
    /// When the verdict last changed, in milliseconds after the start of the director; null: not since then.
    pub last_change_ms: Option<u64>,
}

impl PoolStatus {
    pub(super) fn of(pool: &PoolSnapshot) -> Self {
        let held = Held::of(pool);
        let servers = pool.servers.iter().zip(&held).take(MOST_SERVERS);
        Self {
            name: pool.name.to_string(),
            up: pool.up,
            servers: pool.servers.len(),
            servers_up: pool.servers_up(),
            weight: pool.weight(),
            weight_up: pool.weight_up(),
            in_rotation: pool.servers.iter().filter(|server| server.in_rotation).count(),
            panic: pool.panic,
            sorry: pool.sorry,
            frozen: pool.frozen,
            virtual_services: pool.services.iter().take(MOST_SERVICES).map(ServiceStatus::of).collect(),
            real_servers: servers.map(|(server, held)| ServerStatus::of(server, held)).collect(),
        }
    }
}

impl ServiceStatus {
    fn of(service: &ServiceSnapshot) -> Self {
        let counters = service.counters.unwrap_or_default();
        Self {
            name: service.name.to_string(),
            in_kernel: service.counters.is_some(),
            connections: counters.connections,
            incoming_bytes: counters.incoming_bytes,
            outgoing_bytes: counters.outgoing_bytes,
        }
    }
}

/// What the kernel holds of one server, over the services of its pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Held {
    weight: Option<u32>,
    active: u64,
    inactive: u64,
    connections: u64,
    incoming_bytes: u64,
    outgoing_bytes: u64,
}

impl Held {
    /// Of each server of the pool.
    pub(super) fn of(pool: &PoolSnapshot) -> Vec<Self> {
        let mut held = vec![Self::default(); pool.servers.len()];
        for found in pool.services.iter().flat_map(ServiceSnapshot::destinations) {
            if let Some(held) = held.get_mut(found.server) {
                held.add(&found);
            }
        }
        held
    }

    fn add(&mut self, found: &DestinationSnapshot) {
        let (counters, connections) = (&found.counts.counters, &found.counts.connections);
        self.weight = self.weight.max(Some(found.weight));
        self.active += u64::from(connections.active);
        self.inactive += u64::from(connections.inactive);
        self.connections = self.connections.saturating_add(counters.connections);
        self.incoming_bytes = self.incoming_bytes.saturating_add(counters.incoming_bytes);
        self.outgoing_bytes = self.outgoing_bytes.saturating_add(counters.outgoing_bytes);
    }
}

impl ServerStatus {
    pub(super) fn of(server: &ServerSnapshot, held: &Held) -> Self {
        Self {
            name: server.name.to_string(),
            address: match server.port {
                Some(port) => SocketAddr::new(server.address, port).to_string(),
                None => server.address.to_string(),
            },
            up: server.up,
            checked: server.checked,
            in_rotation: server.in_rotation,
            decided_by: server.basis.place.why.name().to_owned(),
            ordered: server.ordered.map(|order| OverrideKind::Server(order).name().to_owned()),
            weight_configured: server.configured_weight,
            weight_effective: server.effective_weight,
            weight_in_kernel: held.weight,
            active_connections: held.active,
            inactive_connections: held.inactive,
            left_with: server.basis.left_with,
            connections: held.connections,
            incoming_bytes: held.incoming_bytes,
            outgoing_bytes: held.outgoing_bytes,
            reason: server.reason.as_ref().map(ToString::to_string),
            last_failure: server.last_failure.as_ref().map(ToString::to_string),
            last_change_ms: server.last_change.map(after_start),
        }
    }
}
