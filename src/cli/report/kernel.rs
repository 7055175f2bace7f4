//! The kernel's tables as JSON, for a report. Pure.

use crate::model::{HostFacts, NetworkFacts, Observed, Reach, Service, ServiceKey};
use serde_json::{Value, json};

/// Entries of one list; a larger one is cut, and says so.
const MOST: usize = 20_000;

/// The first entries, and how many there are.
fn bounded(entries: impl Iterator<Item = Value>) -> Value {
    let mut entries: Vec<Value> = entries.collect();
    let all = entries.len();
    entries.truncate(MOST);
    json!({ "all": all, "listed": entries })
}

/// Services with their destinations, daemons and timeouts.
pub(super) fn ipvs(observed: &Observed) -> Value {
    let daemons = observed.sync_daemons.iter().map(|daemon| {
        json!({ "role": daemon.role.name(), "interface": daemon.interface, "sync_id": daemon.sync_id })
    });
    json!({
        "services": bounded(observed.services.iter().map(|(key, found)| service(observed, key, found))),
        "sync_daemons": daemons.collect::<Vec<_>>(),
        "timeouts_s": {
            "tcp": observed.timeouts.tcp_s,
            "tcp_fin": observed.timeouts.tcp_fin_s,
            "udp": observed.timeouts.udp_s,
        },
    })
}

fn service(observed: &Observed, key: &ServiceKey, found: &Service) -> Value {
    let counters = observed.service_counters.get(key).copied().unwrap_or_default();
    let destinations = found.destinations.iter().map(|(place, destination)| {
        let counts = observed.counts_of(key, place);
        json!({
            "destination": place.to_string(),
            "forwarding": destination.method.to_string(),
            "weight": destination.weight,
            "thresholds": { "upper": destination.thresholds.upper, "lower": destination.thresholds.lower },
            "active": counts.connections.active,
            "inactive": counts.connections.inactive,
            "persistent": counts.connections.persistent,
            "connections": counts.counters.connections,
        })
    });
    let persistence = found.config.persistence;
    json!({
        "service": key.to_string(),
        "scheduler": found.config.scheduler.to_string(),
        "persistence": persistence.map(|found| json!({ "timeout_s": found.timeout_s, "prefix": found.prefix })),
        "persistence_engine": found.config.persistence_engine,
        "one_packet": found.config.flags.one_packet,
        "scheduler_flags": [
            found.config.flags.scheduler_1,
            found.config.flags.scheduler_2,
            found.config.flags.scheduler_3,
        ],
        "connections": counters.connections,
        "destinations": bounded(destinations),
    })
}

/// The settings that the policy needs, as they are.
pub(super) fn sysctls(observed: &Observed) -> Value {
    observed.sysctls.iter().map(|(name, value)| (name.to_string(), json!(value))).collect()
}

/// Interfaces, addresses, default routes, and how the policy's addresses are reached.
pub(super) fn network(facts: &NetworkFacts, host: &HostFacts) -> Value {
    let interfaces = facts.interfaces.iter().map(|found| {
        json!({
            "name": found.name, "up": found.up, "carrier": found.carrier, "mtu": found.mtu, "kind": found.kind,
        })
    });
    let addresses = facts.addresses.iter().map(|found| {
        json!({ "interface": found.interface, "address": found.address, "tentative": found.tentative })
    });
    let routes = facts.default_routes.iter().map(|found| {
        json!({ "family": found.family.to_string(), "gateway": found.gateway, "interface": found.interface })
    });
    let reach = host.reach.iter().map(|(address, reach)| {
        let (how, interface) = match reach {
            Reach::OnLink { interface } => ("on_link", Some(&**interface)),
            Reach::Gateway { interface } => ("gateway", Some(&**interface)),
            Reach::Local => ("local", None),
            Reach::Unreachable => ("unreachable", None),
        };
        json!({ "address": address, "reach": how, "interface": interface })
    });
    json!({
        "interfaces": bounded(interfaces),
        "addresses": bounded(addresses),
        "default_routes": bounded(routes),
        "reach": bounded(reach),
    })
}
