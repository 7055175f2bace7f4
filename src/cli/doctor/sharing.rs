//! Virtual services of NAT or full-NAT that lead to one port of a real server. Pure.
//!
//! IPVS finds the connection of an answer by protocol, the real server's address and port, and the client's
//! (`ip_vs_conn_out_get` of `net/netfilter/ipvs/ip_vs_conn.c`): the virtual service is no part of it. Where a client uses one
//! port for two such services, and both lead it to that server, the answers of the one come under the address of the other.
//! It is rare: a client chooses among 28,000 ports for each service. But many clients behind one address use all of them.

use crate::cli::finding::Finding;
use crate::model::{ForwardingMethod, Policy, Pool, Protocol, ServiceKey, VirtualService};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What a real server's answers come from.
type Endpoint = (Protocol, SocketAddr);

/// One note for all that are shared.
pub(super) fn judge(policy: &Policy) -> Option<Finding> {
    let mut first: BTreeMap<Endpoint, ServiceKey> = BTreeMap::new();
    let mut shared = Vec::new();
    for (endpoint, service) in policy.pools.values().flat_map(endpoints) {
        let before = *first.entry(endpoint).or_insert(service);
        if before != service {
            shared.push((before, service, endpoint.1));
        }
    }
    let (one, other, server) = shared.first()?;
    let others = match shared.len() - 1 {
        0 => String::new(),
        others => format!(" (and {others} more)"),
    };
    Some(Finding::note(
        "shared-destination",
        format!("{one} and {other} share {server}{others}"),
        "where a client uses one port for both, the answers of one come under the address of the other: the kernel tells answers apart by the real server's port alone",
        "let the real server listen on a port for each service; or forward by DR or TUN",
    ))
}

/// The endpoints of a pool under NAT or full-NAT, but for what a mark or every port leads to, which cannot be told beforehand;
/// and but for sorry servers, who answer while a pool has nothing else.
fn endpoints(pool: &Pool) -> impl Iterator<Item = (Endpoint, ServiceKey)> {
    pool.services.iter().flat_map(VirtualService::said).flat_map(move |key| {
        let servers = pool.servers_of(key).map(|(_, server)| server);
        let translated = servers.filter(|server| server.forwarding.method() == ForwardingMethod::Masquerade);
        translated.filter_map(move |server| {
            let ServiceKey::Address { protocol, .. } = key else { return None };
            let port = server.port.or(key.port())?;
            Some(((*protocol, SocketAddr::new(server.address, port)), *key))
        })
    })
}
