//! Services of one destination each, by which probes take the real path to single servers, and what their answers need.
//!
//! Source: `ip_vs_service_find` (a mark is looked for before an address), `fib_validate_source` (a packet from an address of
//! our own is dropped unless `accept_local` is set on the device that it comes by): on the Master the VIP is local.

use super::sysctls::Need;
use crate::model::{
    Destination, DestinationKey, Family, Pool, RealServer, SchedulerName, Service, ServiceConfig,
    ServiceFlags, ServiceKey, Sysctl, Tables, Thresholds,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Adds the services of the probes that go to the servers of `pool`. They are there whatever the verdicts: a server that is
/// out must be probed too.
pub(super) fn add_services(tables: &mut Tables, pool: &Pool) {
    for server in pool.every_server() {
        for (mark, vip) in server.real_paths() {
            let key = ServiceKey::FirewallMark { family: Family::of(vip), mark };
            tables.services.insert(key, service(server));
        }
    }
}

fn service(server: &RealServer) -> Service {
    let config = ServiceConfig {
        scheduler: SchedulerName("rr".to_owned()),
        flags: ServiceFlags::default(),
        persistence: None,
        persistence_engine: None,
    };
    let destination =
        Destination { method: server.forwarding.method(), weight: 1, thresholds: Thresholds::default() };
    // Port 0 keeps the port that the probe asks for, as DR and TUN do.
    let key = DestinationKey { address: server.address, port: 0 };
    Service { config, destinations: Arc::new([(key, destination)].into()) }
}

/// Lets answers in that come from the VIP while it is ours. IPv6 asks for no such permission.
pub(super) fn add_sysctls(wanted: &mut BTreeMap<Sysctl, String>, need: Need<'_>) {
    if let Some(device) = need.device.filter(|_| need.led) {
        let path = format!("net/ipv4/conf/{device}/accept_local");
        wanted.insert(Sysctl::from_path(path), "1".to_owned());
    }
}
