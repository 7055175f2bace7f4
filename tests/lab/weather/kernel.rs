//! The kernel refuses something, or lacks it: it is explained once, the rest is applied, and it heals when it can.

use super::{HEAL_LIMIT, has, logged, policy, web_is_there};
use crate::lone::{Lone, complaint};
use crate::world::wait::{stays, until, until_true};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const SETTING: &str = "/proc/sys/kernel/modprobe";

/// The kernel finds no program that loads modules, until this ends.
struct NoModules(String);

impl NoModules {
    fn new() -> Self {
        let before = fs::read_to_string(SETTING).expect("the setting");
        fs::write(SETTING, "/bin/false").expect("we are root");
        Self(before.trim().to_owned())
    }
}

impl Drop for NoModules {
    fn drop(&mut self) {
        fs::write(SETTING, &self.0).expect("we are root");
    }
}

/// Modules are the whole machine's: only a virtual machine is ours to take them from.
fn on_a_kernel_of_our_own() -> bool {
    std::env::var("TANDEM_LAB_PLACE").is_ok_and(|place| place == "vm")
}

/// Unloads modules whose name begins so. They may be in use for a moment by namespaces of other cases that are going.
#[track_caller]
fn unload(prefix: &str) {
    until("modules without users", HEAL_LIMIT, || {
        let modules = fs::read_to_string("/proc/modules").expect("modules");
        let names: Vec<&str> = modules
            .lines()
            .filter_map(|line| line.split(' ').next())
            .filter(|name| name.starts_with(prefix))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let output = Command::new("modprobe").arg("-r").args(&names).output().expect("modprobe");
        Err(complaint(&output))
    });
}

#[test]
fn a_kernel_without_ipvs() {
    if !on_a_kernel_of_our_own() {
        return println!("left out: this needs a kernel of our own");
    }
    let host = Lone::new();
    let before = host.machine.run("ip -o addr show dev eth0");
    let output = {
        let _none = NoModules::new();
        unload("ip_vs");
        host.try_run(&policy("", ""))
    };
    let said = complaint(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in ["tandem: this kernel has no IPVS", "modprobe ip_vs", "install the package"] {
        assert!(said.contains(words), "{words:?} is missing in: {said}");
    }
    assert_eq!(host.machine.run("ip -o addr show dev eth0"), before);
    // The module is loaded on demand by the next who asks.
    let _director = host.start(&policy("", ""));
    assert!(web_is_there(&host));
}

#[test]
fn a_missing_scheduler_holds_up_nothing_else_and_heals() {
    if !on_a_kernel_of_our_own() {
        return println!("left out: this needs a kernel of our own");
    }
    let host = Lone::new();
    host.machine.run("modprobe -a ip_vs ip_vs_rr");
    unload("ip_vs_dh");
    let none = NoModules::new();
    let pool = "  odd: {virtual_services: [tcp://192.168.101.100:81], scheduler: dh, real_servers: [192.168.101.110]}\n";
    let director = host.start(&policy("", pool));
    assert!(web_is_there(&host));
    let line = logged(&director, "cannot add service tcp://192.168.101.100:81");
    assert!(line.contains("No such file or directory") && line.contains("modprobe ip_vs_dh"), "{line}");
    stays("one complaint", Duration::from_secs(4), || {
        let complaints = director.log().matches("ERROR").count();
        if complaints == 1 { Ok(()) } else { Err(format!("{complaints} complaints: {}", director.log())) }
    });
    assert!(director.metric("tandem_reconcile_pending_changes").expect("a gauge") > 0.0);
    drop(none);
    until_true("healed service", HEAL_LIMIT, || {
        has(&host, "-a -t 192.168.101.100:81 -r 192.168.101.110:81 -g -w 1")
    });
    logged(&director, "accepted after it had been refused");
}

#[test]
fn a_missing_interface_holds_up_nothing_else_and_heals() {
    let host = Lone::new();
    let director = host.start(&policy(", {address: 192.168.103.100/24, interface: eth7}", ""));
    assert!(web_is_there(&host));
    let line = logged(&director, "there is no interface eth7");
    assert!(line.contains("192.168.103.100/24") && line.contains("there are"), "{line}");
    assert!(host.machine.has_address("192.168.101.100".parse().expect("an address")));
    host.machine.ip("link add eth7 type dummy\nlink set eth7 up");
    until_true("healed address", HEAL_LIMIT, || {
        host.machine.has_address("192.168.103.100".parse().expect("an address"))
    });
}

/// The odd destination is the broadcast address of a network, until that network is another.
#[test]
fn a_refused_destination_is_explained_and_holds_up_nothing_else() {
    let host = Lone::new();
    host.machine.ip("link add eth1 type dummy\naddr add 10.9.0.1/24 dev eth1\nlink set eth1 up");
    let pool = "  odd: {virtual_services: [tcp://192.168.101.100:81], real_servers: [10.9.0.255, 192.168.101.111]}\n";
    let director = host.start(&policy("", pool));
    assert!(web_is_there(&host));
    assert!(has(&host, "-a -t 192.168.101.100:81 -r 192.168.101.111:81 -g -w 1"));
    let line = logged(&director, "cannot add destination 10.9.0.255:81");
    assert!(line.contains("Invalid argument") && line.contains("broadcast"), "{line}");
    host.machine.ipvsadm("-D -t 192.168.101.100:80");
    until_true("repair of what is accepted", Duration::from_secs(5), || web_is_there(&host));
    logged(&director, "drift, repaired by: + service tcp://192.168.101.100:80");
    host.machine.ip("addr del 10.9.0.1/24 dev eth1\naddr add 10.9.0.1/16 dev eth1");
    until_true("healed destination", HEAL_LIMIT, || {
        has(&host, "-a -t 192.168.101.100:81 -r 10.9.0.255:81 -g -w 1")
    });
}

/// A folder that has become read-only for all who come by its path.
struct ReadOnly<'path>(&'path Path);

impl<'path> ReadOnly<'path> {
    /// The folder is mounted over itself: a file system with open files could not be made read-only.
    fn new(path: &'path Path) -> Self {
        let none: Option<&str> = None;
        mount(Some(path), path, none, MsFlags::MS_BIND, none).expect("a mount");
        let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
        mount(none, path, none, flags, none).expect("a read-only one");
        Self(path)
    }
}

impl Drop for ReadOnly<'_> {
    fn drop(&mut self) {
        umount2(self.0, MntFlags::MNT_DETACH).expect("it is mounted");
    }
}

/// What is recorded is about to change (a table of rules is made anew), and cannot be written: the repair is made all the
/// same, and the complaint is one.
#[test]
fn a_read_only_state_directory_stops_no_repair() {
    let host = Lone::new();
    let pool = "  api: {virtual_services: [tcp://192.168.101.100:81], forwarding: full-nat, real_servers: [192.168.101.110]}\n";
    let mut director = host.start(&policy("", pool));
    let state = director.state_directory();
    until_true("record", HEAL_LIMIT, || state.join("ownership.json").exists());
    let before = host.picture();
    let read_only = ReadOnly::new(&state);
    host.machine.nft("delete table inet tandem");
    until_true("repair", HEAL_LIMIT, || host.picture() == before);
    let line = logged(&director, "Read-only file system");
    assert!(line.contains("not recorded until this is mended"), "{line}");
    assert_eq!(director.log().matches("Read-only file system").count(), 1, "{}", director.log());
    drop(read_only);
    assert!(director.stop().success());
    assert_eq!(director.plan().status.code(), Some(0));
}
