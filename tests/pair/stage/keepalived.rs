//! keepalived on stage, in the foreground, with process files of its own so that several run at once. Everything that is
//! not said is its default.

use super::setting::{PASSWORD, PRIORITIES, Setting, Transport, VRID, Version};
use super::{INTERFACE, NAMES, Stage, dip, vip};
use crate::world::addresses::Family;
use crate::world::process::Process;
use std::fs;
use std::path::Path;

const FILE: &str = "keepalived.conf";
const PROCESS_FILES: [&str; 2] = ["parent.pid", "vrrp.pid"];

pub(super) fn prepare(folder: &Path, director: usize, setting: &Setting, more: &str) {
    fs::write(folder.join(FILE), configuration(director, setting, more)).expect("keepalived's file");
}

pub(super) fn spawn(stage: &Stage, folder: &Path, director: usize) -> Process {
    let path_of = |name: &str| folder.join(name).to_str().expect("a plain path").to_owned();
    // A killed one leaves them behind, and the number in them may be somebody else's by now.
    for name in PROCESS_FILES {
        let _ = fs::remove_file(folder.join(name));
    }
    let [parent, child] = PROCESS_FILES.map(path_of);
    let arguments = [
        "--dont-fork",
        "--log-console",
        "--log-detail",
        "--no-syslog",
        "--vrrp",
        "--use-file",
        &path_of(FILE),
        "--pid",
        &parent,
        "--vrrp_pid",
        &child,
    ];
    Process::start(&stage.directors[director], "keepalived", &arguments, &folder.join("keepalived.log"))
}

fn configuration(director: usize, setting: &Setting, more: &str) -> String {
    let mut text = format!("global_defs {{\n    router_id {}\n}}\n", NAMES[director]);
    text += &format!(
        "vrrp_instance outside {{\n    state BACKUP\n    interface {INTERFACE}\n    virtual_router_id {VRID}\n    \
         priority {}\n",
        PRIORITIES[director]
    );
    if !setting.is_default {
        let version = if setting.version == Version::V2 { 2 } else { 3 };
        text += &format!("    version {version}\n    advert_int {}\n", setting.interval.as_secs_f64());
    }
    if setting.password {
        text +=
            &format!("    authentication {{\n        auth_type PASS\n        auth_pass {PASSWORD}\n    }}\n");
    }
    if setting.transport == Transport::Unicast {
        let [own, peer] = [director, 1 - director].map(|number| dip(number).of(setting.family));
        text += &format!("    unicast_src_ip {own}\n    unicast_peer {{\n        {peer}\n    }}\n");
    }
    text += &format!("    virtual_ipaddress {{\n{}    }}\n{more}}}\n", addresses(setting.family));
    text
}

/// IPv6 wants a link-local address first (RFC 9568, section 5.2.9).
fn addresses(family: Family) -> String {
    match family {
        Family::Ipv4 => format!("        {}/24\n", vip().ipv4),
        Family::Ipv6 => format!("        {}/64\n        {}/64\n", super::LINK_LOCAL_VIP, vip().ipv6),
    }
}
