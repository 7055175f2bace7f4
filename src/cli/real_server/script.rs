//! The script that sets a real server up, for a POSIX shell with iproute2. Pure.
//!
//! Run again it changes nothing; `down` takes back what it did, and only that. How things are claimed and given back stands
//! in `functions.sh`.

use super::setup::{Device, Setup, overhead};
use crate::model::{Encapsulation, Family, Forwarding, TunnelChecksum};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

const FUNCTIONS: &str = include_str!("functions.sh");
const TUNNEL: &str = include_str!("tunnel.sh");
const GUE: &str = include_str!("gue.sh");

/// The script for one pool.
pub(super) fn script(setup: &Setup) -> String {
    match &setup.forwarding {
        Forwarding::FullNat(_) => nothing_needed(setup),
        Forwarding::Nat => way_back(setup),
        Forwarding::DirectRouting | Forwarding::Tunnelling(_) => vips(setup),
    }
}

fn title(setup: &Setup, what: &str) -> String {
    format!(
        "#!/bin/sh\n# The real server's side of pool {pool}: {what}. Printed by `tandem real-server {pool}`.\n",
        pool = setup.pool
    )
}

fn nothing_needed(setup: &Setup) -> String {
    title(setup, "full-NAT")
        + "#\n# Nothing is needed here: this server sees an address of the director, and answers it by its usual routes.\n"
}

/// NAT: the director must see the answers.
fn way_back(setup: &Setup) -> String {
    let mut text = title(setup, "NAT");
    text += "#\n# Nothing is needed here but the way back: answers must leave through the director, which gives them the VIP as their\n\
             # source again. So the director is the default gateway. It lasts until the next boot; set it where this host keeps its\n\
             # routes.\nset -eu\n\n";
    for (family, addresses) in &setup.gateways {
        let option = if *family == Family::Ipv6 { " -6" } else { "" };
        match addresses.first() {
            Some(gateway) => writeln!(text, "ip{option} route replace default via {gateway}"),
            None => writeln!(
                text,
                "# {family}: the policy names no address of a director in the network of this server. With the director's own\n\
                 # address there (in a pair: add a virtual router with a floating one):\n\
                 # ip{option} route replace default via ADDRESS"
            ),
        }
        .ok();
    }
    text
}

/// DR and TUN: the VIP is here, and nobody is told.
fn vips(setup: &Setup) -> String {
    let is_tun = setup.gue_port().is_some() || !setup.devices().is_empty();
    let mut text = title(setup, if is_tun { "TUN (tunnelling)" } else { "DR (direct routing)" });
    text += "#\n#   sh FILE         sets this host up; run again, it changes nothing\n\
             #   sh FILE down    takes back what it did: addresses, devices, settings as they were found\n#\n\
             # It needs root and iproute2, and lasts until the next boot: run it at each one, before the service starts.\n\
             # `tandem real-server --check` says on this host whether all of it is there.\n";
    text += &segments(setup);
    write!(text, "set -eu\npool={}\n\n{FUNCTIONS}", setup.pool).ok();
    if is_tun {
        text += TUNNEL;
    }
    if setup.gue_port().is_some() {
        text += GUE;
    }
    let (up, down) = steps(setup);
    write!(text, "\nup() {{\n{}}}\n\ndown() {{\n{}", body(&up), body(&down)).ok();
    text += "    rmdir \"$state\" 2>/dev/null || true\n}\n\n\
             case ${1-up} in\n    up | down) \"${1-up}\" ;;\n    *) echo \"usage: sh $0 [up|down]\" >&2; exit 2 ;;\nesac\n";
    text
}

/// What wrapping takes away from the packets' room.
fn segments(setup: &Setup) -> String {
    let Forwarding::Tunnelling(encapsulation) = setup.forwarding else { return String::new() };
    let mut text = String::new();
    for (device, vips) in setup.devices() {
        let takes = overhead(encapsulation, device.outer);
        let headers = if vips.iter().any(IpAddr::is_ipv6) { 60 } else { 40 };
        let option = if headers == 60 { " -6" } else { "" };
        writeln!(
            text,
            "#\n# Wrapping for {} takes {takes} bytes, so a client's packet of 1500 no longer fits a link of 1500 to this server. Either\n\
             # let the links from the directors carry {}, or let this server ask its clients for smaller segments, in the route\n\
             # by which it answers (put its own gateway here):\n\
             #   ip{option} route change default via GATEWAY advmss {}",
            device.kind,
            1500 + takes,
            1500 - headers - takes
        )
        .ok();
    }
    let directors: Vec<String> = setup.directors.iter().map(ToString::to_string).collect();
    if !directors.is_empty() {
        writeln!(
            text,
            "#\n# Whoever may send wrapped packets here can forge any client: let a firewall accept them only from {}.",
            directors.join(", ")
        )
        .ok();
    }
    text
}

/// Comments and commands, in order.
type Steps = Vec<String>;

fn body(steps: &Steps) -> String {
    steps.iter().fold(String::new(), |text, step| text + "    " + step + "\n")
}

/// What to do, and how to take it back, in the opposite order.
fn steps(setup: &Setup) -> (Steps, Steps) {
    let (mut up, mut undo): (Steps, Vec<String>) = (own_address(setup), Vec::new());
    if setup.has_ipv4_vips() {
        quiet(&mut up, &mut undo);
    }
    let devices = setup.devices();
    if devices.is_empty() {
        up.push("# The VIPs, on the loopback interface. IPv6 answers for an interface's own addresses only, so lo is enough there.".to_owned());
        let vips: Vec<IpAddr> = setup.vips.iter().map(|(vip, _)| *vip).collect();
        hold(&vips, "lo", &mut up, &mut undo);
    } else {
        unwrap(setup, &devices, &mut up, &mut undo);
    }
    undo.reverse();
    (up, undo)
}

fn own_address(setup: &Setup) -> Steps {
    let mut steps =
        vec!["# Which of the pool's real servers this is; the wrong machine is refused.".to_owned()];
    let wrapped: Vec<Family> = setup.devices().keys().map(|device| device.outer).collect();
    for (family, name) in [(Family::Ipv4, "rip4"), (Family::Ipv6, "rip6")] {
        let rips: Vec<String> = setup.rips_of(family).map(|rip| rip.to_string()).collect();
        if wrapped.contains(&family) {
            steps.push(format!("{name}=$(own_address {})", rips.join(" ")));
        }
    }
    if wrapped.is_empty() {
        let rips: Vec<String> = setup.rips.iter().map(ToString::to_string).collect();
        steps.push(format!("own_address {} >/dev/null", rips.join(" ")));
    }
    steps
}

/// The kernel takes the larger of `all` and the interface's own value, so `all` holds for every interface.
fn quiet(up: &mut Steps, undo: &mut Steps) {
    up.push("# Only the director may answer ARP for the VIP: answer for an interface's own addresses alone, and ask with such a one.".to_owned());
    for (name, least) in [("arp_ignore", 1), ("arp_announce", 2)] {
        up.push(format!("setting net/ipv4/conf/all/{name} -ge {least}"));
        undo.push(format!("restore net/ipv4/conf/all/{name}"));
    }
}

fn unwrap(setup: &Setup, devices: &BTreeMap<Device, Vec<IpAddr>>, up: &mut Steps, undo: &mut Steps) {
    if setup.has_ipv4_vips() {
        up.push("# The larger value counts here too: what is strict (1) in `all` is strict for the device. Loose (2) may stay.".to_owned());
        up.push("setting net/ipv4/conf/all/rp_filter -ne 1 0".to_owned());
        undo.push("restore net/ipv4/conf/all/rp_filter".to_owned());
    }
    if let Some(port) = setup.gue_port() {
        let outer: BTreeSet<Family> = devices.keys().map(|device| device.outer).collect();
        for family in outer {
            let option = if family == Family::Ipv6 { "-6" } else { "-4" };
            up.push(format!("open_port {option} {port}"));
            undo.push(format!("close_port {option} {port}"));
        }
    }
    for (device, vips) in devices {
        let (name, rip) = (device.name(), if device.outer == Family::Ipv4 { "$rip4" } else { "$rip6" });
        up.push(format!(
            "unwrap {name} type {}{} local \"{rip}\" remote any",
            device.kind,
            options(setup, device)
        ));
        undo.push(format!("remove {name}"));
        hold(vips, &name, up, undo);
    }
}

fn options(setup: &Setup, device: &Device) -> &'static str {
    let full = Forwarding::Tunnelling(Encapsulation::Gre { checksum: TunnelChecksum::Full });
    match device.kind {
        // Both families inside.
        "ip6tnl" => " mode any",
        // One that does not expect checksums drops packets that have them.
        "gre" | "ip6gre" if setup.forwarding == full => " icsum",
        _ => "",
    }
}

/// Never a source that this host chooses by itself: of host scope, or deprecated.
fn hold(vips: &[IpAddr], device: &str, up: &mut Steps, undo: &mut Steps) {
    for vip in vips {
        let (address, options) = match vip {
            IpAddr::V4(vip) => (format!("{vip}/32"), "scope host"),
            IpAddr::V6(vip) => (format!("{vip}/128"), "nodad noprefixroute preferred_lft 0"),
        };
        up.push(format!("hold {address} {device} {options}"));
        undo.push(format!("let_go {address} {device}"));
    }
}
