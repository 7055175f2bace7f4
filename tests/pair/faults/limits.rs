//! Nothing is left of what a director lives on: no descriptor, no memory. It goes on with what it has, or dies as if killed.

use super::{GAP_MAX, GONE_MAX, Pair, RIGHT_MAX, assert_gap};
use crate::stage::{NAMES, OTHER, PREFERRED};
use crate::world::wait::{stays, until, until_true};
use nix::mount::{MsFlags, mount};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// Enough for each part of a director to want a descriptor or memory: probes of sources, status, events on disk.
const SIEGE: Duration = Duration::from_secs(6);

/// The soft limit, which can be raised again.
#[track_caller]
fn limit(process: u32, what: &str) {
    let status = Command::new("prlimit").args([&format!("--pid={process}"), what]).status().expect("prlimit");
    assert!(status.success(), "prlimit {what}");
}

/// No descriptor above those that are open: whatever a director opens from now on is refused.
fn without_descriptors(pair: &Pair, director: usize) {
    let process = pair.members[director].pid();
    let open = fs::read_dir(format!("/proc/{process}/fd")).expect("a process").flatten();
    let highest = open.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok()).max();
    // The number is one above the highest that may be had; a few holes below it are left.
    limit(process, &format!("--nofile={}:", highest.expect("descriptors") + 1));
}

#[test]
fn directors_without_a_descriptor_left_keep_their_roles_and_take_over() {
    let mut pair = Pair::new();
    [PREFERRED, OTHER].iter().for_each(|director| without_descriptors(&pair, *director));
    // Connections that nobody takes in fill the holes that are left.
    let begging = [PREFERRED, OTHER].map(|director| {
        let connect = || std::net::TcpStream::connect(("127.0.0.1", 9752)).ok();
        pair.stage.directors[director].inside(|| (0..64).filter_map(|_| connect()).collect::<Vec<_>>())
    });
    let pinger = pair.ping();
    stays("the Master", SIEGE, || match pair.holders.only_holder() {
        Some(PREFERRED) => Ok(()),
        holder => Err(format!("the holder is {holder:?}")),
    });
    pair.members[PREFERRED].kill();
    pair.members[PREFERRED].wait_until_ended();
    pair.wait_for_holder(OTHER, GONE_MAX);
    assert_gap(&pinger.finish(), GAP_MAX, "no descriptors");
    drop(begging);
    limit(pair.members[OTHER].pid(), "--nofile=4096:");
    until_true("an answer", RIGHT_MAX, || pair.router(OTHER).is_some());
    assert!(!pair.log(OTHER).contains("a panic"), "{}", pair.log(OTHER));
    pair.members[PREFERRED].start_again(&pair.stage);
    pair.wait_until_right(RIGHT_MAX);
}

/// A group of processes that may hold no more memory than this; `None` where the kernel has none for us.
struct Group(PathBuf);

impl Group {
    fn new(bytes: u64) -> Option<Self> {
        let (root, limit) = unified().or_else(apart)?;
        let group = root.join(format!("tandem-lab-{}", std::process::id()));
        fs::create_dir_all(&group).ok()?;
        fs::write(group.join(limit), bytes.to_string()).ok()?;
        Some(Self(group))
    }
}

/// The one hierarchy of cgroup2, where it has memory.
fn unified() -> Option<(PathBuf, &'static str)> {
    let root = PathBuf::from("/sys/fs/cgroup");
    fs::write(root.join("cgroup.subtree_control"), "+memory").ok()?;
    Some((root, "memory.max"))
}

/// That of the first version, in which memory has one of its own.
fn apart() -> Option<(PathBuf, &'static str)> {
    let root = PathBuf::from("/run/memory");
    fs::create_dir_all(&root).ok()?;
    mount(Some("none"), &root, Some("cgroup"), MsFlags::empty(), Some("memory")).ok()?;
    Some((root, "memory.limit_in_bytes"))
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// What it wants beyond the limit has it killed by the kernel, as any program.
#[test]
fn a_master_that_is_out_of_memory_dies_and_the_other_serves() {
    let Some(group) = Group::new(256 * 1024) else {
        return println!("left out: there is no cgroup for memory here");
    };
    let mut pair = Pair::new();
    let pinger = pair.ping();
    let process = pair.members[PREFERRED].pid();
    fs::write(group.0.join("cgroup.procs"), process.to_string()).expect("a process can be moved");
    until("the end of the starved director", Duration::from_secs(30), || {
        // Whoever asks for something large makes it want memory.
        let _ = pair.members[PREFERRED].tries_to_say(&pair.stage, &["reload"]);
        if pair.members[PREFERRED].is_running() { Err("it lives") } else { Ok(()) }
    });
    pair.wait_for_holder(OTHER, GONE_MAX);
    pair.members[PREFERRED].start_again(&pair.stage);
    pair.wait_until_right(RIGHT_MAX);
    assert_gap(&pinger.finish(), GAP_MAX, "out of memory");
}

/// Where the allocator itself is refused (`ulimit -v`), a director does as well as it can, or ends: it does not stay as one
/// who answers for addresses and does nothing.
#[test]
fn a_master_whose_allocator_is_refused_serves_or_ends() {
    let mut pair = Pair::new();
    let pinger = pair.ping();
    limit(pair.members[PREFERRED].pid(), "--as=1:");
    for _ in 0..20 {
        let _ = pair.members[PREFERRED].tries_to_say(&pair.stage, &["status", "--json"]);
        sleep(Duration::from_millis(100));
    }
    if pair.members[PREFERRED].is_running() {
        println!("it goes on");
        limit(pair.members[PREFERRED].pid(), "--as=unlimited:");
    } else {
        println!("it ended");
        pair.wait_for_holder(OTHER, GONE_MAX);
        pair.members[PREFERRED].start_again(&pair.stage);
    }
    pair.wait_until_right(RIGHT_MAX);
    assert_gap(&pinger.finish(), GAP_MAX, &format!("no address space on {}", NAMES[PREFERRED]));
}
