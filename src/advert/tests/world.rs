//! Two hosts in network namespaces of their own, for tests on a real kernel.

use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;

/// Two hosts, `near` and `far`, with `eth0` each, one cable between them.
pub(super) struct World {
    pub(super) near: File,
    pub(super) far: File,
}

impl World {
    /// Runs a test in a new world, on a thread of its own, which alone changes its namespace.
    pub(super) fn run(test: impl FnOnce(&Self) + Send + 'static) {
        let thread = std::thread::spawn(move || match Self::new() {
            Some(world) => test(&world),
            None => eprintln!("skipped: no network namespace can be made here"),
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    }

    fn new() -> Option<Self> {
        let namespace = || File::open("/proc/thread-self/ns/net").ok();
        unshare(CloneFlags::CLONE_NEWNET).ok()?;
        let far = namespace()?;
        ip("link set lo up");
        // The kernel tells the loss of a veth's carrier at once only when its two ends have different numbers.
        ip("link add spare0 type veth peer name spare1");
        unshare(CloneFlags::CLONE_NEWNET).ok()?;
        let world = Self { near: namespace()?, far };
        ip("link set lo up");
        let far_path = format!("/proc/{}/fd/{}", std::process::id(), world.far.as_raw_fd());
        ip(&format!("link add eth0 type veth peer name eth0 netns {far_path}"));
        world.each(|| std::fs::write("/proc/sys/net/ipv6/conf/eth0/accept_dad", "0").expect("a sysctl"));
        Some(world)
    }

    /// Both ends up, with these addresses.
    pub(super) fn with(&self, near: &[&str], far: &[&str]) {
        for (host, addresses) in [(&self.near, near), (&self.far, far)] {
            enter(host);
            addresses.iter().for_each(|address| ip(&format!("address add {address} dev eth0")));
            ip("link set eth0 up");
        }
        self.each(settle);
    }

    pub(super) fn each(&self, what: impl Fn()) {
        for host in [&self.far, &self.near] {
            enter(host);
            what();
        }
    }
}

/// Waits until the interface passes packets and its addresses can be used: on a busy machine the kernel notices the carrier
/// late, and drops what is sent before.
fn settle() {
    let shown = |what: &str| {
        let output = Command::new("ip").args(what.split(' ')).output().expect("ip runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    for _ in 0..500 {
        let up = shown("-o link show dev eth0").contains("state UP");
        if up && shown("-o address show dev eth0 tentative").is_empty() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

pub(super) fn enter(host: &File) {
    setns(host, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
}

pub(super) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().expect("ip runs");
    assert!(status.success(), "ip {arguments}");
}

/// A master of both families, version 3, ten advertisements a second.
pub(super) fn keepalived(folder: &std::path::Path) -> std::process::Child {
    let instance = |name: &str, vrid: u8, virtual_address: &str| {
        format!(
            "vrrp_instance {name} {{\n state MASTER\n interface eth0\n virtual_router_id {vrid}\n priority 100\n advert_int 0.1\n \
             virtual_ipaddress {{\n {virtual_address}\n }}\n}}\n"
        )
    };
    let text = format!(
        "global_defs {{\n vrrp_version 3\n}}\n{}{}",
        instance("four", 51, "192.0.2.100/32"),
        instance("six", 52, "fe80::100/64")
    );
    let file = |name: &str| folder.join(name).display().to_string();
    std::fs::write(file("conf"), text).expect("written");
    let arguments =
        ["-n", "-P", "-f", &file("conf"), "-p", &file("pid"), "-r", &file("vrrp"), "-i", "tandem-test"];
    Command::new("keepalived")
        .args(arguments)
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("keepalived")
}
