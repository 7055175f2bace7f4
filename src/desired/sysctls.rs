//! Kernel settings that the pools' forwarding methods need.
//!
//! Sources: Documentation/networking/ipvs-sysctl.rst, ip-sysctl.rst; the LVS HOWTO for `send_redirects`.

use super::{Situation, real_path, synchronisation};
use crate::model::{Family, Forwarding, HostFacts, Policy, Pool, RealServer, Sysctl};
use std::collections::{BTreeMap, BTreeSet};

/// The settings, by name, with the value that each must have.
pub(super) fn sysctls(policy: &Policy, situation: Situation<'_>) -> BTreeMap<Sysctl, String> {
    let mut wanted = BTreeMap::new();
    add_expiry(&mut wanted, policy, situation.host);
    let servers = policy.pools.values().flat_map(Pool::every_server);
    // Tens of thousands of servers need the same few.
    let needs: BTreeSet<Need<'_>> = servers.map(|server| Need::of(server, situation.host)).collect();
    for need in needs {
        add_forwarding(&mut wanted, need);
        add_no_redirects(&mut wanted, need);
        real_path::add_sysctls(&mut wanted, need);
    }
    synchronisation::add(&mut wanted, policy, situation);
    wanted
}

/// What a server's settings depend on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need<'a> {
    family: Family,
    maps_ports: bool,
    full_nat: bool,
    /// Whether probes of an IPv4 VIP are led to it.
    pub(super) led: bool,
    /// By which it is reached.
    pub(super) device: Option<&'a str>,
}

impl<'a> Need<'a> {
    fn of(server: &RealServer, host: &'a HostFacts) -> Self {
        Self {
            family: Family::of(server.address),
            maps_ports: server.forwarding.maps_ports(),
            full_nat: matches!(server.forwarding, Forwarding::FullNat(_)),
            led: server.real_paths().any(|(_, vip)| vip.is_ipv4()),
            device: host.interface(server.address),
        }
    }
}

/// NAT and full-NAT route the real servers' answers; full-NAT also needs IPVS to keep connection tracking informed.
fn add_forwarding(wanted: &mut BTreeMap<Sysctl, String>, need: Need<'_>) {
    let mut switch_on = |path: &str| wanted.insert(Sysctl::from_path(path), "1".to_owned());
    if need.maps_ports {
        switch_on(match need.family {
            Family::Ipv4 => "net/ipv4/ip_forward",
            Family::Ipv6 => "net/ipv6/conf/all/forwarding",
        });
    }
    if need.full_nat {
        switch_on("net/ipv4/vs/conntrack");
    }
}

/// A director on the same link as its real servers must not tell a host of a shorter way. The kernel takes `all` or the
/// device, whichever is on, so both are switched off. IPv6 has no such setting.
fn add_no_redirects(wanted: &mut BTreeMap<Sysctl, String>, need: Need<'_>) {
    if need.family == Family::Ipv6 {
        return;
    }
    let devices = std::iter::once("all").chain(need.device);
    for device in devices {
        let path = format!("net/ipv4/conf/{device}/send_redirects");
        wanted.insert(Sysctl::from_path(path), "0".to_owned());
    }
}

/// What the kernel remembers of a client must not lead to a server that is out, unless the policy says otherwise. A busy
/// client (a proxy) soon uses a port again: entries of a server that has left end with their next packet, and a SYN is
/// scheduled anew once the connection before it is over. A persistent client leaves a server of weight 0 or stays there.
fn add_expiry(wanted: &mut BTreeMap<Sysctl, String>, policy: &Policy, host: &HostFacts) {
    if policy.pools.is_empty() {
        return;
    }
    let mut set = |name: &str, value: u8| {
        wanted.insert(Sysctl::from_path(format!("net/ipv4/vs/{name}")), value.to_string());
    };
    set("expire_nodest_conn", policy.kernel.expire_nodest_conn.into());
    set("conn_reuse_mode", policy.conn_reuse_mode(host.kernel));
    let mut services = policy.pools.values().flat_map(|pool| &pool.services);
    if services.any(|service| service.config.persistence.is_some()) {
        set("expire_quiescent_template", policy.kernel.expire_quiescent_template.into());
    }
}
