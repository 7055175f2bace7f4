//! The disk under the state directory is full, or cannot be written any more: what is ordered is done all the same and said to be
//! forgotten by a restart, and the pair goes on.

use super::{GAP_MAX, Pair, RIGHT_MAX, assert_gap};
use crate::stage::{NAMES, OTHER, PREFERRED, Stage};
use crate::world::wait::{until, until_true};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);
const ONE: &str = "/24]";
const TWO: &str = "/24, 192.168.101.177/24]";

/// The disk of a director's state: small, and ours to fill.
struct Disk(PathBuf);

impl Disk {
    fn new(stage: &Stage, director: usize) -> Self {
        let path = stage.folder().join(format!("Tandem-{}", NAMES[director])).join("state");
        fs::create_dir_all(&path).expect("a state directory");
        mount(Some("tmpfs"), &path, Some("tmpfs"), MsFlags::empty(), Some("size=256k")).expect("a disk");
        Self(path)
    }

    fn fill(&self) {
        let mut file = File::create(self.0.join("somebody-elses")).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("somebody-elses")).expect("the file");
    }

    /// Every file of ours is whole.
    #[track_caller]
    fn assert_whole(&self) {
        for entry in fs::read_dir(&self.0).expect("a state directory").flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "json") {
                let text = fs::read_to_string(entry.path()).expect("a file");
                let read: Result<Value, _> = serde_json::from_str(&text);
                assert!(read.is_ok(), "{}: {read:?}: {text:?}", entry.path().display());
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn second() -> IpAddr {
    "192.168.101.177".parse().expect("an address")
}

/// Both take in another policy, the other one takes over, and the preferred one comes back.
fn reload_release_and_return(pair: &Pair) {
    for member in &pair.members {
        member.reload(&pair.stage, ONE, TWO);
    }
    until_true("the second address", SOON, || pair.stage.directors[PREFERRED].has_address(second()));
    pair.members[PREFERRED].release(&pair.stage);
    pair.wait_for_holder(OTHER, SOON);
    pair.members[PREFERRED].clear_release(&pair.stage);
    pair.wait_until_right(RIGHT_MAX);
}

#[test]
fn a_full_disk_holds_up_no_reload_no_order_and_no_takeover() {
    let stage = Stage::new();
    let disks = [PREFERRED, OTHER].map(|director| Disk::new(&stage, director));
    let mut pair = Pair::on(stage);
    disks.iter().for_each(Disk::fill);
    let pinger = pair.ping();
    reload_release_and_return(&pair);
    disks.iter().for_each(Disk::assert_whole);

    // It starts from what it has, whole or not there.
    pair.members[PREFERRED].kill();
    pair.members[PREFERRED].start_again(&pair.stage);
    pair.wait_until_right(RIGHT_MAX);
    assert!(pair.log(PREFERRED).contains("No space left on device"), "{}", pair.log(PREFERRED));
    disks.iter().for_each(|disk| {
        disk.assert_whole();
        disk.empty();
    });
    pair.members[PREFERRED].said(&pair.stage, &["reload"]);
    assert_gap(&pinger.finish(), GAP_MAX, "a full disk");
    disks.iter().for_each(Disk::assert_whole);
}

/// For all who come by its path, as a file system is after an error (`errors=remount-ro`).
fn make_read_only(pair: &Pair, director: usize) {
    let path = pair.stage.folder().join(format!("Tandem-{}", NAMES[director])).join("state");
    let path = path.to_str().expect("a plain path");
    let line = format!("mount --bind {path} {path} && mount -o remount,bind,ro {path}");
    let process = pair.members[director].pid().to_string();
    let mut command = std::process::Command::new("nsenter");
    command.args(["--target", &process, "--mount", "sh", "-c", &line]);
    assert!(command.status().expect("nsenter").success(), "{line}");
}

#[test]
fn a_read_only_disk_holds_up_no_reload_and_no_order_and_says_what_is_forgotten() {
    let pair = Pair::new();
    make_read_only(&pair, PREFERRED);
    let pinger = pair.ping();
    reload_release_and_return(&pair);
    until("a complaint", SOON, || {
        let log = pair.log(PREFERRED);
        let words = ["Read-only file system", "a restart of the director forgets it"];
        words.iter().all(|word| log.contains(word)).then_some(()).ok_or(log)
    });
    assert_gap(&pinger.finish(), GAP_MAX, "a read-only disk");
}
