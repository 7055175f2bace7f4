//! FRR's vrrpd on stage, with the zebra that it asks for interfaces. The operator makes the macvlan that bears the virtual
//! MAC and the VIP, for ever; vrrpd only lets its carrier come and go (protodown). Version 3 and multicast only.
//!
//! Source: docs.frrouting.org, "VRRP". Its base interface must not answer for the macvlan's addresses (`arp_ignore`).

use super::setting::{PRIORITIES, Setting, Transport, VRID, Version};
use super::{INTERFACE, LINK_LOCAL_VIP, Stage, vip};
use crate::world::addresses::Family;
use crate::world::process::Process;
use crate::world::wait::until_true;
use nix::unistd::{Group, User, chown};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The name of the interface with the virtual MAC.
pub(crate) const MACVLAN: &str = "vrrp51";
const ZEBRA: &str = "/usr/lib/frr/zebra";
const VRRPD: &str = "/usr/lib/frr/vrrpd";
/// Both give up root for this user, and want to be in the group of its terminal.
const USER: &str = "frr";
/// The addresses of the interface, to be given again at each start.
const ADDRESSES: &str = "addresses";
const START_LIMIT: Duration = Duration::from_secs(20);

/// The virtual MAC of RFC 9568, section 7.3.
pub(crate) fn virtual_mac(family: Family) -> String {
    let kind = if family == Family::Ipv4 { 1 } else { 2 };
    format!("00:00:5e:00:{kind:02x}:{VRID:02x}")
}

pub(super) fn prepare(stage: &Stage, folder: &Path, director: usize, setting: &Setting) {
    assert!(setting.version == Version::V3 && !setting.is_default, "FRR is told version 3");
    assert!(setting.transport == Transport::Multicast && !setting.password, "FRR 8.4 has neither");
    let namespace = &stage.directors[director];
    namespace.sysctl(&[
        ("net.ipv4.conf.all.arp_ignore", "1"),
        ("net.ipv4.conf.all.arp_announce", "2"),
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.default.rp_filter", "0"),
    ]);
    namespace.ip(&format!(
        "link add {MACVLAN} link {INTERFACE} type macvlan mode bridge\n\
         link set {MACVLAN} addrgenmode none\nlink set {MACVLAN} address {}\n",
        virtual_mac(setting.family)
    ));
    fs::write(folder.join(ADDRESSES), addresses(setting.family)).expect("a file of the addresses");
    fs::write(folder.join("zebra.conf"), "log stdout\n").expect("zebra's file");
    fs::write(folder.join("vrrpd.conf"), configuration(director, setting)).expect("vrrpd's file");
    let [user, group] = [
        User::from_name(USER).expect("the users").map(|user| user.uid.as_raw()),
        Group::from_name(USER).expect("the groups").map(|group| group.gid.as_raw()),
    ];
    chown(folder, user.map(Into::into), group.map(Into::into)).expect("a folder of FRR's own");
}

pub(super) fn spawn(stage: &Stage, folder: &Path, director: usize) -> Vec<Process> {
    // A killed one left it as it was. Whoever takes an interface down takes its IPv6 addresses away.
    let addresses = fs::read_to_string(folder.join(ADDRESSES)).expect("the file of the addresses");
    let lines = format!("link set {MACVLAN} down\nlink set {MACVLAN} up\n{addresses}");
    stage.directors[director].ip(&lines);
    let _ = fs::remove_file(folder.join("zserv.api"));
    let zebra = spawn_daemon(stage, folder, director, ZEBRA, "zebra");
    until_true("zebra's socket", START_LIMIT, || folder.join("zserv.api").exists());
    vec![zebra, spawn_daemon(stage, folder, director, VRRPD, "vrrpd")]
}

/// Lines of `ip` that give the interface its addresses.
fn addresses(family: Family) -> String {
    match family {
        Family::Ipv4 => format!("addr replace {}/32 dev {MACVLAN}\n", vip().ipv4),
        Family::Ipv6 => format!(
            "addr replace {LINK_LOCAL_VIP}/64 dev {MACVLAN} nodad\n\
             addr replace {}/128 dev {MACVLAN} nodad\n",
            vip().ipv6
        ),
    }
}

fn spawn_daemon(stage: &Stage, folder: &Path, director: usize, program: &str, name: &str) -> Process {
    let path = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    let arguments = [
        "--config_file",
        &path(&format!("{name}.conf")),
        "--pid_file",
        &path(&format!("{name}.pid")),
        "--socket",
        &path("zserv.api"),
        "--vty_socket",
        &path(""),
        "--vty_port",
        "0",
        "--user",
        USER,
        "--group",
        USER,
        "--log",
        "stdout",
    ];
    Process::start(&stage.directors[director], program, &arguments, &folder.join(format!("{name}.log")))
}

fn configuration(director: usize, setting: &Setting) -> String {
    let interval = setting.interval.as_millis();
    let mut text = format!(
        "log stdout\ninterface {INTERFACE}\n vrrp {VRID} version 3\n vrrp {VRID} priority {}\n \
         vrrp {VRID} advertisement-interval {interval}\n",
        PRIORITIES[director]
    );
    text += &match setting.family {
        Family::Ipv4 => format!(" vrrp {VRID} ip {}\n", vip().ipv4),
        Family::Ipv6 => {
            format!(" vrrp {VRID} ipv6 {LINK_LOCAL_VIP}\n vrrp {VRID} ipv6 {}\n", vip().ipv6)
        }
    };
    text
}

/// What a dead one leaves is taken away by hand: the interface with the address, until it is started again.
pub(crate) fn take_away(stage: &Stage, director: usize) {
    stage.directors[director].ip(&format!("link set {MACVLAN} down\n"));
}
