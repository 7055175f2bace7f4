//! Control groups of programs (shell): each program that is run, with all that it starts, is in a group of its own, which has
//! limits and is killed whole, whatever left its process group. Only where systemd delegates the unit's group (`Delegate=`): who
//! does not own a group makes none below it. The director's own processes move into one beside them, since a group with limits
//! for those below it may hold no process itself.
//!
//! ```text
//!   tandem.service          delegated by systemd
//!     director              the director
//!     programs              all programs together: memory
//!       1, 2, …             one program: memory and processes
//! ```
//!
//! The processor is not divided: where the kernel has groups of real-time threads (`CONFIG_RT_GROUP_SCHED`), the thread of the
//! advertisements could not be one any more. It goes before every program by its priority.
//!
//! Source: Documentation/admin-guide/cgroup-v2.rst of the kernel; systemd's CGROUP_DELEGATION.md.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Set by the unit where its group is the director's to divide.
const DELEGATED: &str = "TANDEM_CGROUP_DELEGATED";
const MOUNT: &str = "/sys/fs/cgroup";
const DIRECTOR: &str = "director";
const PROGRAMS: &str = "programs";
/// A program that needs more than this is no check: it is killed. Of all together, and of one.
const LIMITS_OF_ALL: [(&str, &str); 2] = [("memory.max", "1G"), ("memory.swap.max", "0")];
const LIMITS_OF_ONE: [(&str, &str); 4] =
    [("memory.max", "256M"), ("memory.swap.max", "0"), ("memory.oom.group", "1"), ("pids.max", "128")];
const CONTROLLERS: [&str; 2] = ["+memory", "+pids"];

static CELLS: OnceLock<Cells> = OnceLock::new();

/// Where the groups of programs are.
#[derive(Debug)]
struct Cells {
    programs: PathBuf,
    next: AtomicU64,
}

/// The group of one program: dropped, it is killed whole.
#[derive(Debug)]
pub(super) struct Cell {
    folder: PathBuf,
}

/// Makes ready for programs, where the unit says that the group is delegated; tells what came of it.
pub(crate) fn prepare() {
    if std::env::var_os(DELEGATED).is_none() {
        return;
    }
    match divide() {
        Ok(()) => tracing::info!("programs of checks and hooks have control groups of their own"),
        Err(why) => tracing::warn!("programs of checks and hooks have no control groups of their own: {why}"),
    }
}

fn divide() -> Result<(), String> {
    let lines =
        fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("/proc/self/cgroup: {error}"))?;
    let own = own(&lines).ok_or("this system has no control groups of the second version")?;
    let cells = Cells::divide(&Path::new(MOUNT).join(own))?;
    // Another one is there already: it is the same.
    let _ = CELLS.set(cells);
    Ok(())
}

/// The delegated group of a process, below the mount, by `/proc/self/cgroup`: another process of the director may have
/// divided it already.
fn own(lines: &str) -> Option<&Path> {
    let path = Path::new(lines.lines().find_map(|line| line.strip_prefix("0::/"))?);
    if path.file_name().is_some_and(|name| name == DIRECTOR) { path.parent() } else { Some(path) }
}

impl Cells {
    fn divide(group: &Path) -> Result<Self, String> {
        let cannot =
            |what: &str, error: &io::Error| format!("control group {}: {what}: {error}", group.display());
        let (director, programs) = (group.join(DIRECTOR), group.join(PROGRAMS));
        for folder in [&director, &programs] {
            make(folder).map_err(|error| cannot("cannot be divided", &error))?;
        }
        // 0 is who writes: with all its threads.
        fs::write(director.join("cgroup.procs"), "0")
            .map_err(|error| cannot("the director stays", &error))?;
        let cells = Self { programs, next: AtomicU64::new(1) };
        cells.sweep();
        for folder in [group, &cells.programs] {
            for controller in CONTROLLERS {
                // Without one of them the other still holds, and groups are killed whole.
                if let Err(error) = fs::write(folder.join("cgroup.subtree_control"), controller) {
                    tracing::warn!("control group {}: no {controller}: {error}", folder.display());
                }
            }
        }
        limit(&cells.programs, &LIMITS_OF_ALL);
        Ok(cells)
    }

    /// Ends what an earlier director has left.
    fn sweep(&self) {
        for entry in fs::read_dir(&self.programs).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                drop(Cell { folder: entry.path() });
            }
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn limit(folder: &Path, limits: &[(&str, &str)]) {
    for (name, value) in limits {
        // A kernel without this controller has no such file.
        if let Err(error) = fs::write(folder.join(name), value) {
            tracing::debug!("control group {}: {name}: {error}", folder.display());
        }
    }
}

impl Cell {
    /// A new one, and the door through which a program comes in; `None` where programs have no groups.
    ///
    /// # Errors
    /// When the kernel makes no more.
    pub(super) fn new() -> io::Result<Option<(Self, File)>> {
        let Some(cells) = CELLS.get() else { return Ok(None) };
        let cell = loop {
            let folder = cells.programs.join(cells.next.fetch_add(1, Ordering::Relaxed).to_string());
            match fs::create_dir(&folder) {
                // One that has not gone yet, of an earlier director.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => break made.map(|()| Self { folder })?,
            }
        };
        limit(&cell.folder, &LIMITS_OF_ONE);
        let door = OpenOptions::new().write(true).open(cell.folder.join("cgroup.procs"))?;
        Ok(Some((cell, door)))
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        // Kernels before 5.14 cannot: the process group is killed all the same.
        let _ = fs::write(self.folder.join("cgroup.kill"), "1");
        // What was killed takes a moment to go; what is left then goes with the next director.
        if fs::remove_dir(&self.folder).is_err() {
            later(self.folder.clone());
        }
    }
}

/// Tries again until the processes have gone.
fn later(folder: PathBuf) {
    const TRIES: u32 = 50;
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    runtime.spawn(async move {
        for _ in 0..TRIES {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            match fs::remove_dir(&folder) {
                Err(error) if error.kind() == ErrorKind::ResourceBusy => {}
                _ => return,
            }
        }
        tracing::warn!("control group {}: its processes do not end", folder.display());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delegated_group_is_found_before_and_after_it_was_divided() {
        let found = |lines| own(lines).map(Path::to_owned);
        let unit = Some(PathBuf::from("system.slice/tandem.service"));
        assert_eq!(found("0::/system.slice/tandem.service\n"), unit);
        assert_eq!(found("4:memory:/x\n0::/system.slice/tandem.service/director\n"), unit);
        assert_eq!(found("4:memory:/x\n"), None);
    }

    #[test]
    fn what_cannot_be_divided_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = Cells::divide(&folder.path().join("missing")).expect_err("it is missing");
        assert!(told.contains("missing: cannot be divided"), "{told}");
    }
}
