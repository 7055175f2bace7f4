//! Services and destinations of one pool.

use crate::model::{Destination, DestinationKey, Pool, RealServer, Service, ServiceKey, Tables};
use crate::rotation::Placement;

/// Adds the services of `pool` to the tables, each with the servers that its placement puts there.
pub(super) fn add_pool(tables: &mut Tables, pool: &Pool, placement: &Placement) {
    for service in &pool.services {
        let entry = Service { config: service.config.clone(), destinations: Default::default() };
        tables.services.insert(service.key, entry);
        for (index, server) in pool.servers_of(&service.key) {
            if let Some(weight) = placement.of(index).weight {
                add_destination(tables, pool, service.key, server, weight);
            }
        }
        let sorry = pool.sorry_server_of(&service.key).filter(|_| placement.sorry);
        if let Some(server) = sorry {
            add_destination(tables, pool, service.key, server, server.weight);
        }
    }
}

/// Adds `server` to one service; weight 0: quiesced.
fn add_destination(tables: &mut Tables, pool: &Pool, service: ServiceKey, server: &RealServer, weight: u32) {
    let key = destination_key(service, server);
    if weight == 0 && server.weight > 0 && builds_table_at_entry(pool, service) {
        tables.entry_weights.insert((service, key), server.weight);
    }
    let destination =
        Destination { method: server.forwarding.method(), weight, thresholds: server.thresholds };
    if let Some(entry) = tables.services.get_mut(&service) {
        entry.destinations_mut().insert(key, destination);
    }
}

/// Whether the service's scheduler gives out its slots by the weight that a destination had last above 0 (`mh`): there one
/// that enters at weight 0 would own none.
fn builds_table_at_entry(pool: &Pool, key: ServiceKey) -> bool {
    let service = pool.services.iter().find(|service| service.key == key);
    service.is_some_and(|service| service.config.scheduler.0 == "mh")
}

/// Identity of `server` inside `service`. Without a port of its own it has the service's, and behind a mark or "every
/// port" it has 0: the kernel keeps the port that the client asked for.
#[must_use]
pub fn destination_key(service: ServiceKey, server: &RealServer) -> DestinationKey {
    let port = server.port.or(service.port()).unwrap_or(0);
    DestinationKey { address: server.address, port }
}
