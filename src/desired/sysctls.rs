//! Kernel settings that the pools' forwarding methods need.
//!
//! Sources: Documentation/networking/ipvs-sysctl.rst, ip-sysctl.rst; the LVS HOWTO for `send_redirects`.

use crate::model::{Family, Forwarding, HostFacts, Policy, RealServer, Sysctl};
use std::collections::BTreeMap;

/// The settings, by name, with the value that each must have.
pub(super) fn sysctls(policy: &Policy, host: &HostFacts) -> BTreeMap<Sysctl, String> {
    let mut wanted = BTreeMap::new();
    if !policy.pools.is_empty() {
        let expire = u8::from(policy.kernel.expire_nodest_conn);
        wanted.insert(Sysctl::from_path("net/ipv4/vs/expire_nodest_conn"), expire.to_string());
    }
    for server in policy.pools.values().flat_map(|pool| &pool.servers) {
        add_forwarding(&mut wanted, server);
        add_no_redirects(&mut wanted, server, host);
        add_port_reuse(&mut wanted, server);
    }
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

/// In DR and TUN the kernel sees no answer, so a finished connection stays in `FIN_WAIT` for two minutes. A client that uses
/// its port again within them (a busy proxy does) shall be balanced anew, and not sent to a server that has left the table,
/// where its SYN is dropped. Bit 0 is the kernel's default; bit 1 adds `FIN_WAIT`.
fn add_port_reuse(wanted: &mut BTreeMap<Sysctl, String>, server: &RealServer) {
    if matches!(server.forwarding, Forwarding::DirectRouting | Forwarding::Tunnelling(_)) {
        wanted.insert(Sysctl::from_path("net/ipv4/vs/conn_reuse_mode"), "3".to_owned());
    }
}
