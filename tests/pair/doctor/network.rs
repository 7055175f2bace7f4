//! Interfaces, addresses, and the ways to the real servers and back.

use super::{INTERFACE, Namespace, POLICY, PREFERRED, Visit};

/// A second interface, to servers of their own.
const SECOND: &str = "link add eth1 type veth peer name far1
link set far1 up
link set eth1 up
address add 10.20.0.200/24 dev eth1
";
const NEAR: &str = "192.168.101.110:8080";

#[test]
fn interfaces_and_addresses_that_are_missing_are_found() {
    let visit = Visit::new();
    let unreachable = ("server-unreachable", "no route leads to them: 192.168.101.110", "add the route");
    let is_down =
        ("interface-down", "it is down (the interface of virtual router outside)", "ip link set eth0 up");
    let down = |host: &Namespace| host.ip(&format!("link set {INTERFACE} down"));
    let up = |host: &Namespace| host.ip(&format!("link set {INTERFACE} up"));
    visit.broken(&[is_down, unreachable], down, up);
    let pull = |_: &Namespace| visit.stage.set_cable(PREFERRED, false);
    let plug = |_: &Namespace| visit.stage.set_cable(PREFERRED, true);
    visit.broken(&[("interface-no-carrier", "it has no carrier", "look at its cable")], pull, plug);
    let rename =
        |from: &str, to: &str| format!("link set {from} down\nlink set {from} name {to}\nlink set {to} up\n");
    let missing = (
        "interface-missing",
        "has none of that name (the interface of virtual router outside)",
        "as `ip link` shows it",
    );
    visit.broken(
        &[missing],
        |host| host.ip(&rename(INTERFACE, "ens3")),
        |host| host.ip(&rename("ens3", INTERFACE)),
    );
    let address = ("own-address", "no interface of this host has it", "correct `directors`");
    let give = |host: &Namespace| host.ip(&format!("address add 192.168.101.200/24 dev {INTERFACE}"));
    visit.broken(&[address, unreachable], |host| host.ip(&format!("address flush dev {INTERFACE}")), give);
}

#[test]
fn real_servers_behind_a_gateway_are_found_where_their_forwarding_does_not_allow_it() {
    let visit = Visit::new();
    let far = POLICY.replace(NEAR, "10.20.0.11:8080");
    visit.host().ip("route add 10.20.0.0/24 via 192.168.101.201");
    let gateway = "their answers may not come back through this director: 10.20.0.11";
    visit.broken_by(&[("server-gateway", gateway, "make the director their gateway")], &far, POLICY);
    let direct = |policy: &str| policy.replace("forwarding: nat", "forwarding: dr").replace("8080", "80");
    let link = ("server-link", "DR reaches only its own link: 10.20.0.11", "forward with tun");
    visit.broken_by(&[link], &direct(&far), &direct(POLICY));
}

#[test]
fn a_tunnel_without_room_and_a_strict_return_path_are_noted() {
    let visit = Visit::new();
    visit.host().ip(SECOND);
    visit.write(&POLICY.replace("forwarding: nat", "forwarding: tun").replace(NEAR, "10.20.0.11"));
    visit.findings("", &["--fix"]);
    let mtu = |mtu: u32| move |host: &Namespace| host.ip(&format!("link set eth1 mtu {mtu}"));
    let room = "wrapping takes 20 bytes, so a client's packet above 1480 does not fit its MTU of 1500";
    visit.broken(&[("tunnel-mtu", room, "raise the MTU to 1520")], mtu(1500), mtu(1520));
    visit.host().ip("route add default via 10.20.0.1");
    let strict = |value| move |host: &Namespace| host.sysctl(&[("net.ipv4.conf.eth0.rp_filter", value)]);
    let dropped = "are dropped there, since the default route leaves by eth1";
    visit.broken(&[("rp-filter", dropped, "net.ipv4.conf.eth0.rp_filter=2")], strict("1"), strict("2"));
    assert!(visit.complaints("").iter().all(|complaint| complaint.is_note || complaint.code != "rp-filter"));
}

#[test]
fn what_the_kernel_drops_of_probes_and_of_tracked_connections_is_found() {
    let visit = Visit::new();
    let real_path = POLICY
        .replace("forwarding: nat", "forwarding: dr")
        .replace("8080", "80")
        .replace("check: none", "check: {tcp: {}, interval: 1s, timeout: 500ms, through: real_path}");
    visit.write(&real_path);
    visit.findings("", &["--fix"]);
    let by_fix = "`tandem doctor --fix` does so now";
    let set = |name: &'static str, value| move |host: &Namespace| host.sysctl(&[(name, value)]);
    let accept = "net.ipv4.conf.eth0.accept_local";
    let dropped = ("accept-local", "answers to probes through the real path are dropped", by_fix);
    visit.broken(&[dropped], set(accept, "0"), set(accept, "1"));

    let local = "forwarding: {full-nat: {local_addresses: {router: outside, addresses: [192.168.101.120]}}}";
    visit.write(&POLICY.replace("forwarding: nat", local));
    visit.findings("", &["--fix"]);
    let liberal = "net.netfilter.nf_conntrack_tcp_be_liberal";
    let dropped = ("conntrack-liberal", "connections are dropped when they come back in a failover", by_fix);
    visit.broken(&[dropped], set(liberal, "0"), set(liberal, "1"));
}
