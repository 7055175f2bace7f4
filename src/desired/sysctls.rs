//! Kernel settings that the pools' forwarding methods need.
//!
//! Sources: Documentation/networking/ipvs-sysctl.rst, ip-sysctl.rst; the LVS HOWTO for `send_redirects`.

use super::{Situation, real_path, synchronisation};
use crate::model::{Family, Forwarding, HostFacts, Policy, Pool, RealServer, Sysctl};
use std::collections::BTreeMap;

/// The settings, by name, with the value that each must have.
pub(super) fn sysctls(policy: &Policy, situation: Situation<'_>) -> BTreeMap<Sysctl, String> {
    let mut wanted = BTreeMap::new();
    add_expiry(&mut wanted, policy);
    for server in policy.pools.values().flat_map(Pool::every_server) {
        add_forwarding(&mut wanted, server);
        add_no_redirects(&mut wanted, server, situation.host);
        real_path::add_sysctls(&mut wanted, server, situation.host);
    }
    synchronisation::add(&mut wanted, policy, situation);
    wanted
}

/// NAT and full-NAT route the real servers' answers; full-NAT also needs IPVS to keep connection tracking informed.
fn add_forwarding(wanted: &mut BTreeMap<Sysctl, String>, server: &RealServer) {
    let mut switch_on = |path: &str| wanted.insert(Sysctl::from_path(path), "1".to_owned());
    if server.forwarding.maps_ports() {
        switch_on(match Family::of(server.address) {
            Family::Ipv4 => "net/ipv4/ip_forward",
            Family::Ipv6 => "net/ipv6/conf/all/forwarding",
        });
    }
    if matches!(server.forwarding, Forwarding::FullNat(_)) {
        switch_on("net/ipv4/vs/conntrack");
    }
}

/// A director on the same link as its real servers must not tell a host of a shorter way. The kernel takes `all` or the
/// device, whichever is on, so both are switched off. IPv6 has no such setting.
fn add_no_redirects(wanted: &mut BTreeMap<Sysctl, String>, server: &RealServer, host: &HostFacts) {
    if Family::of(server.address) == Family::Ipv6 {
        return;
    }
    let devices = std::iter::once("all").chain(host.interface(server.address));
    for device in devices {
        let path = format!("net/ipv4/conf/{device}/send_redirects");
        wanted.insert(Sysctl::from_path(path), "0".to_owned());
    }
}

/// What the kernel remembers of a client must not lead to a server that is out, unless the policy says otherwise. A busy
/// client (a proxy) soon uses a port again: entries of a server that has left end with their next packet, and a SYN is
/// scheduled anew once the connection before it is over. A persistent client leaves a server of weight 0 or stays there.
fn add_expiry(wanted: &mut BTreeMap<Sysctl, String>, policy: &Policy) {
    if policy.pools.is_empty() {
        return;
    }
    let mut set = |name: &str, value: u8| {
        wanted.insert(Sysctl::from_path(format!("net/ipv4/vs/{name}")), value.to_string());
    };
    set("expire_nodest_conn", policy.kernel.expire_nodest_conn.into());
    set("conn_reuse_mode", policy.kernel.conn_reuse_mode);
    let mut services = policy.pools.values().flat_map(|pool| &pool.services);
    if services.any(|service| service.config.persistence.is_some()) {
        set("expire_quiescent_template", policy.kernel.expire_quiescent_template.into());
    }
}
