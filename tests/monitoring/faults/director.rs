//! Faults of a director itself, and of the programs that it runs.

use super::{OTHER, PREFERRED, fire, fire_within};
use crate::alerts::{SEEN, order};
use crate::memory::Fault;
use crate::site::Site;
use nix::sys::signal::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// A hook and a program of a check are missing.
pub(super) const PROGRAMS: &[&str] = &["TandemHooksFailing", "TandemProbesNotMade"];
/// The kernel gives no answer for more than 10 s.
pub(super) const HUNG_KERNEL: &[&str] = &["TandemDirectorNotReady"];
/// The whole process is stopped.
pub(super) const STOPPED: &[&str] = &["TandemLoopSilent", "TandemProbesLate"];
/// For a moment, over and over.
pub(super) const STUTTERS: &[&str] = &["TandemAdvertisementsLate"];
pub(super) const PANICKED: &[&str] = &["TandemPanicked"];
pub(super) const RESTARTED: &[&str] = &["TandemDirectorRestarted"];

/// Looks for what comes of a silence, before there is another one.
const LOOKS: u32 = 60;
/// Longer than a loop may be silent.
const SILENCE: Duration = Duration::from_secs(7);
/// Less than the three intervals after which the other would take over.
const MOMENT: Duration = Duration::from_millis(150);
const KERNEL_HANGS: Duration = Duration::from_secs(40);

/// They are run by root and as nobody: nobody else may write them, and everybody may see them.
pub(super) fn put_programs_there(folder: &Path) {
    let executable = || Permissions::from_mode(0o755);
    fs::set_permissions(folder, executable()).expect("a folder");
    for name in ["hook", "probe"] {
        let path = folder.join(name);
        fs::write(&path, "#!/bin/sh\nexit 0\n").expect("a program");
        fs::set_permissions(path, executable()).expect("a program");
    }
}

pub(super) fn programs(site: &mut Site) {
    for name in ["hook", "probe"] {
        fs::remove_file(site.folder().join(name)).expect("a program");
    }
    // Something that hooks are told.
    order(site, OTHER, &["drain", "--pool", "web", "--server", "web1", "--force"]);
    order(site, OTHER, &["clear", "--overrides"]);
    fire(site, PROGRAMS);
    put_programs_there(site.folder());
}

pub(super) fn frozen(site: &mut Site) {
    let process = site.directors[PREFERRED].as_ref().expect("it runs");
    let stop = |time| {
        process.signal(Signal::SIGSTOP);
        sleep(time);
        process.signal(Signal::SIGCONT);
    };
    let mut looks = 0_u32;
    // Once is enough where Prometheus looks at the right moment.
    fire_within(site, STOPPED, SEEN * 3, || {
        if looks.is_multiple_of(LOOKS) {
            stop(SILENCE)
        } else {
            sleep(MOMENT)
        };
        looks += 1;
    });
    fire_within(site, STUTTERS, SEEN, || stop(MOMENT));
    Fault::Hangs.begin(&site.folder_of(OTHER));
    fire_within(site, HUNG_KERNEL, KERNEL_HANGS, || {});
    Fault::end(&site.folder_of(OTHER));
}

/// A part of it panics, and it is started anew.
pub(super) fn dies(site: &mut Site) {
    Fault::Panics.begin(&site.folder_of(OTHER));
    fire(site, PANICKED);
    site.directors[OTHER] = None;
    site.start_again(OTHER);
    fire(site, RESTARTED);
}
