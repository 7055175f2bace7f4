//! The families of node_exporter's collector `ipvs`, by its names, labels and values. Pure.
//!
//! Differences: the sums are over the virtual services of the policy, not over everything in the kernel's table; they start
//! anew with a service that comes and goes. Beside a node_exporter that has its own collector switched on (which is its default),
//! a sum over both targets counts everything twice: scrape one of them, or switch the other off (`--no-collector.ipvs`).
//!
//! Source: node_exporter 1.5, `collector/ipvs_linux.go`; `ip_vs_info_seq_show` of the kernel for the words of `proto` and the
//! form of a mark.

use super::metrics::Families;
use crate::director::snapshot::{DestinationSnapshot, Snapshot};
use crate::model::{Counters, ServiceKey};
use std::collections::BTreeMap;
use std::fmt;

/// All of them.
pub(super) fn write(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    totals(families, snapshot)?;
    if snapshot.per_server { backends(families, snapshot) } else { Ok(()) }
}

/// The end of the name, what it counts, and the value.
type Total = (&'static str, &'static str, fn(&Counters) -> u64);

const TOTALS: [Total; 5] = [
    ("connections", "Connections scheduled", |counters| counters.connections),
    ("incoming_packets", "Packets from clients", |counters| counters.incoming_packets),
    ("outgoing_packets", "Packets to clients (NAT and full-NAT)", |counters| counters.outgoing_packets),
    ("incoming_bytes", "Bytes from clients", |counters| counters.incoming_bytes),
    ("outgoing_bytes", "Bytes to clients (NAT and full-NAT)", |counters| counters.outgoing_bytes),
];

fn totals(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let services = || snapshot.pools.iter().flat_map(|pool| &pool.services);
    for (what, counted, value) in TOTALS {
        let sum = services()
            .filter_map(|service| service.counters.as_ref())
            .fold(0_u64, |sum, counters| sum.saturating_add(value(counters)));
        let help = format!("{counted}, over the virtual services of Tandem's policy");
        families.counter(&format!("node_ipvs_{what}"), &help, Some(sum))?;
    }
    Ok(())
}

/// In the exporter's order.
type Labels = [(&'static str, String); 6];
/// Active connections, inactive ones, weight.
type Values = [u64; 3];

fn backends(families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
    let mut sums = BTreeMap::<Labels, Values>::new();
    for service in snapshot.pools.iter().flat_map(|pool| &pool.services) {
        for destination in service.destinations() {
            let sum = sums.entry(labels(service.key, &destination)).or_default();
            let connections = &destination.counts.connections;
            let more = [connections.active, connections.inactive, destination.weight].map(u64::from);
            sum.iter_mut().zip(more).for_each(|(sum, more)| *sum = sum.saturating_add(more));
        }
    }
    for (place, name, help) in [
        (0, "node_ipvs_backend_connections_active", "Active connections of the real server in the service"),
        (
            1,
            "node_ipvs_backend_connections_inactive",
            "Inactive connections of the real server in the service",
        ),
        (2, "node_ipvs_backend_weight", "Weight of the real server in the kernel's table"),
    ] {
        let samples =
            sums.iter().filter_map(|(labels, values)| Some((labels.as_slice(), *values.get(place)?)));
        families.gauges(name, help, samples)?;
    }
    Ok(())
}

/// A service by mark has no address, port 0, and its mark in eight hexadecimal digits.
fn labels(service: ServiceKey, destination: &DestinationSnapshot) -> Labels {
    let (address, port, protocol, mark) = match service {
        ServiceKey::Address { protocol, address, port } => {
            (address.to_string(), port, protocol.name().to_ascii_uppercase(), String::new())
        }
        ServiceKey::FirewallMark { mark, .. } => (String::new(), 0, "FWM".to_owned(), format!("{mark:08X}")),
    };
    [
        ("local_address", address),
        ("local_port", port.to_string()),
        ("remote_address", destination.key.address.to_string()),
        ("remote_port", destination.key.port.to_string()),
        ("proto", protocol),
        ("local_mark", mark),
    ]
}
