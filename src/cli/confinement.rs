//! Confines `run` to what a director does with files (shell): it writes its state, its socket and settings below `/proc`, starts
//! programs of the system, and nothing that it could have written itself. Reading stays free: a policy may name any file, and
//! a reload another one.
//!
//! The systemd unit closes the same files by mounts. This holds in a container too, and in the unit it adds what mounts cannot
//! say: whoever gets the director to write a file cannot get it to run that file.
//!
//! A director that may run programs of a policy is not confined: they would be so with it, whatever they do. The unit keeps
//! the capabilities for that from a director whose policy runs none.
//!
//! Source: landlock(7); Documentation/userspace-api/landlock.rst of the kernel.

use crate::director::permissions::runs_programs_here;
use landlock::{
    ABI, AccessFs, BitFlags, PathBeneath, PathFd, PathFdError, RestrictSelfError, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What is asked of the kernel is what this version knows; an older one is asked for less.
const VERSION: ABI = ABI::V5;
/// Programs of the system, and what loads them; where the system has none of a folder, it is left out.
const PROGRAMS: [&str; 5] = ["/usr", "/bin", "/sbin", "/lib", "/lib64"];
/// All of `/proc`, though only settings of the network are written: an entry below it has another inode each time that the
/// kernel has forgotten it, and a rule holds for an inode. The root's stays. (What else there is, mounts close in the unit.)
const SETTINGS: &str = "/proc";
/// What a program that is started gets for its input and output.
const NOWHERE: &str = "/dev/null";

/// Whether this process is confined; to be told once the log is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Confinement {
    Entered,
    /// The policy's programs may do anything.
    RunsPrograms,
    /// Of the kernel.
    Unknown,
    /// A folder is not there yet.
    Missing(PathBuf),
    Failed(String),
}

/// Confines this thread and all that it starts from now on.
pub(super) fn enter(state: &Path, socket: &Path) -> Confinement {
    match runs_programs_here() {
        true => Confinement::RunsPrograms,
        false => confine(state, socket),
    }
}

impl Confinement {
    pub(super) fn tell(&self) {
        match self {
            Self::Entered => tracing::info!(
                "confined (Landlock): files are written below the state directory, the socket's folder and /proc alone, and \
                 only programs of the system are started"
            ),
            Self::RunsPrograms => {
                tracing::debug!("not confined: this director may run programs of its policy")
            }
            Self::Unknown => {
                tracing::info!(
                    "not confined: this kernel has no Landlock, it is off (`lsm=`), or the unit's SystemCallFilter refuses it"
                )
            }
            Self::Missing(path) => {
                tracing::info!("not confined: {} is not there yet; the next start will be", path.display())
            }
            Self::Failed(error) => tracing::warn!("not confined: {error}"),
        }
    }
}

fn confine(state: &Path, socket: &Path) -> Confinement {
    match restrict(state, socket) {
        Ok(RulesetStatus::NotEnforced) => Confinement::Unknown,
        Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => Confinement::Entered,
        Err(error) => match missing(&error) {
            Some(path) => Confinement::Missing(path),
            None if is_confined_enough(&error) => Confinement::Entered,
            None => Confinement::Failed(error.to_string()),
        },
    }
}

fn missing(error: &RestrictError) -> Option<PathBuf> {
    let RestrictError::Path(PathFdError::OpenCall { source, path, .. }) = error else { return None };
    (source.kind() == ErrorKind::NotFound).then(|| path.clone())
}

/// Each director that takes over from the one before has its rules beside its own; the kernel holds 16 of them, all the same.
fn is_confined_enough(error: &RestrictError) -> bool {
    let RestrictError::Rules(RulesetError::RestrictSelf(RestrictSelfError::RestrictSelfCall {
        source, ..
    })) = error
    else {
        return false;
    };
    source.raw_os_error() == Some(libc::E2BIG)
}

#[derive(Debug, thiserror::Error)]
enum RestrictError {
    #[error(transparent)]
    Path(#[from] PathFdError),
    #[error(transparent)]
    Rules(#[from] RulesetError),
}

fn restrict(state: &Path, socket: &Path) -> Result<RulesetStatus, RestrictError> {
    let writing = AccessFs::from_write(VERSION);
    let mut rules = Ruleset::default().handle_access(writing | AccessFs::Execute)?.create()?;
    let mut allow = |path: &Path, access: BitFlags<AccessFs>| -> Result<(), RestrictError> {
        (&mut rules).add_rule(PathBeneath::new(PathFd::new(path)?, access))?;
        Ok(())
    };
    for folder in [Some(state), socket.parent()].into_iter().flatten().filter(|path| !is_nowhere(path)) {
        allow(folder, own_files())?;
    }
    allow(Path::new(SETTINGS), AccessFs::WriteFile | AccessFs::Truncate)?;
    allow(Path::new(NOWHERE), AccessFs::WriteFile.into())?;
    let own = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_owned));
    for folder in PROGRAMS.iter().map(PathBuf::from).chain(own).filter(|folder| folder.is_dir()) {
        allow(&folder, AccessFs::Execute.into())?;
    }
    Ok(rules.restrict_self()?.ruleset)
}

/// The folder of a socket that is `none`, or lies where the director was started.
fn is_nowhere(folder: &Path) -> bool {
    folder.as_os_str().is_empty()
}

/// Files, folders and the socket come, change their names and go; no devices, pipes or links.
fn own_files() -> BitFlags<AccessFs> {
    AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeSock
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, OpenOptions};
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    /// What `act` says once its thread is confined to `state` below a folder; `None` where the kernel has no Landlock.
    fn confined<T: Send + 'static>(act: impl FnOnce(&Path) -> T + Send + 'static) -> Option<T> {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state");
        fs::create_dir(&state).expect("a folder");
        fs::copy("/bin/true", state.join("program")).expect("a program");
        fs::write(folder.path().join("precious"), "").expect("a file");
        let path = folder.path().to_owned();
        let thread = std::thread::spawn(move || match confine(&state, &state.join("tandem.sock")) {
            Confinement::Unknown => None,
            entered => {
                assert_eq!(entered, Confinement::Entered);
                Some(act(&path))
            }
        });
        thread.join().expect("it ends")
    }

    fn kind_of<T>(result: std::io::Result<T>) -> Option<ErrorKind> {
        result.err().map(|error| error.kind())
    }

    const DENIED: Option<ErrorKind> = Some(ErrorKind::PermissionDenied);

    #[test]
    fn files_are_written_in_its_own_folders_and_nowhere_else() {
        let works = |path: &Path| {
            let state = path.join("state");
            fs::create_dir(state.join("history")).expect("a folder");
            fs::write(state.join("new"), "text").expect("written");
            fs::rename(state.join("new"), state.join("history/1.json")).expect("its name changed");
            fs::remove_dir_all(state.join("history")).expect("removed");
            drop(UnixListener::bind(state.join("tandem.sock")).expect("a socket"));
            [
                kind_of(fs::write(path.join("new"), "")),
                kind_of(fs::write(path.join("precious"), "")),
                kind_of(fs::remove_file(path.join("precious"))),
                kind_of(fs::rename(path.join("precious"), state.join("precious"))),
                kind_of(fs::create_dir(path.join("folder"))),
                kind_of(std::os::unix::fs::symlink("/etc/passwd", state.join("link"))),
            ]
        };
        let Some(refused) = confined(works) else { return };
        assert_eq!(refused[..3], [DENIED; 3]);
        assert!(refused[3..].iter().all(Option::is_some), "{refused:?}");
    }

    #[test]
    fn everything_can_be_read_and_settings_be_set() {
        let works = |path: &Path| {
            fs::read(path.join("precious")).expect("it is read");
            let setting = OpenOptions::new().write(true).truncate(true).open("/proc/self/oom_score_adj");
            setting.map(drop).expect("it can be set");
        };
        confined(works);
    }

    #[test]
    fn programs_of_the_system_start_and_none_that_it_could_have_written() {
        let starts = |path: &Path| {
            let found = |program: &Path| kind_of(Command::new(program).status());
            (found(Path::new("/bin/true")), found(&path.join("state/program")))
        };
        assert!(matches!(confined(starts), None | Some((None, DENIED))));
    }

    #[test]
    fn a_program_that_is_started_is_confined_too() {
        let writes = |path: &Path| {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", "echo > \"$0\""]).arg(path.join("new")).stderr(std::process::Stdio::null());
            shell.status().expect("it starts").success()
        };
        assert_ne!(confined(writes), Some(true));
    }

    #[test]
    fn any_number_of_directors_take_over_one_after_the_other() {
        let again = |path: &Path| {
            (0..20).all(|_| confine(&path.join("state"), Path::new("none")) == Confinement::Entered)
        };
        assert_ne!(confined(again), Some(false));
    }

    #[test]
    fn a_folder_that_is_not_there_yet_leaves_all_open() {
        let thread = std::thread::spawn(|| {
            let confinement = confine(Path::new("/nowhere/tandem"), Path::new("/run/tandem.sock"));
            (confinement, fs::write("/proc/self/comm", "open"))
        });
        let (confinement, written) = thread.join().expect("it ends");
        assert!(matches!(confinement, Confinement::Missing(_) | Confinement::Unknown), "{confinement:?}");
        written.expect("it is not confined");
    }
}
