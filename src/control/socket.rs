//! The socket file of a running director (shell): made, protected, and taken away at the end.
//!
//! A lock file beside it says whether a director lives: it is held as long as the director runs and stays behind unlocked.
//! The socket is made under another name, given its mode and group, and only then renamed to its own: nobody finds it
//! half made, and the one of a dead director is replaced in one step.

use nix::unistd::Group;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown,
};
use std::path::{Path, PathBuf};
use tokio::net::UnixListener;

/// Members of this group may ask and act, where the host has such a group.
const GROUP: &str = "tandem";
/// The owner and the group may write, which is what a connection needs.
const SOCKET_MODE: u32 = 0o660;
/// Everybody may look at the directory.
const DIRECTORY_MODE: u32 = 0o755;

/// Why there is no socket. The sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error(
        "control socket {path}: another director is running with it; stop that one, or give this one its own with --socket"
    )]
    InUse { path: PathBuf },
    #[error(
        "control socket {path}: there is something else than a socket in its place; move it away, or name another place with --socket"
    )]
    NotASocket { path: PathBuf },
    #[error(
        "control socket {path}: {source}; name a place that this user can write with --socket, or run without it: --socket none"
    )]
    Unusable { path: PathBuf, source: io::Error },
}

/// A socket that is taken, not yet served: so that a second director ends before anything is changed.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

/// The file of a socket: removed when this is dropped.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    _lock: File,
}

/// The value of `--socket` for a director without one.
const NONE: &str = "none";

impl Socket {
    /// The socket that `--socket` asks for: `none` is none. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// As [`Socket::bind`].
    pub fn chosen(path: &Path) -> Result<Option<Self>, SocketError> {
        if path == Path::new(NONE) {
            return Ok(None);
        }
        Self::bind(path).map(Some)
    }

    /// Makes the socket at `path`, and its directory where it is missing. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When another director has it, or the place cannot be written.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let unusable = |source| SocketError::Unusable { path: path.to_owned(), source };
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory).map_err(unusable)?;
        }
        let lock = lock(path)?;
        if fs::symlink_metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        let listener = listen(path).map_err(unusable)?;
        Ok(Self { listener, file: SocketFile { path: path.to_owned(), _lock: lock } })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The lock is still held, so it is ours; a person who removed it already has done no harm.
        let _ = fs::remove_file(&self.path);
    }
}

fn lock(path: &Path) -> Result<File, SocketError> {
    let unusable = |source| SocketError::Unusable { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    let lock = options.create(true).truncate(false).write(true).mode(0o600).open(beside(path, ".lock"));
    let lock = lock.map_err(unusable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SocketError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let new = beside(path, ".new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&new)?;
    fs::set_permissions(&new, Permissions::from_mode(SOCKET_MODE))?;
    if let Err(error) = give_to_group(&new) {
        tracing::warn!(
            "control socket {}: cannot give it to the group {GROUP} ({error}); only its owner may use it",
            path.display()
        );
    }
    fs::rename(&new, path)?;
    Ok(listener)
}

fn give_to_group(path: &Path) -> io::Result<()> {
    match Group::from_name(GROUP)?.map(|group| group.gid.as_raw()) {
        // Under the unit it is the process's own, and the system call that gives files away is closed.
        Some(group) if fs::metadata(path)?.gid() != group => chown(path, None, Some(group)),
        Some(_) | None => Ok(()),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[tokio::test]
    async fn the_socket_is_for_owner_and_group_and_goes_with_its_director() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("run/tandem/tandem.sock");
        let socket = Socket::bind(&path).expect("a socket");
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        assert!(UnixStream::connect(&path).is_ok());
        drop(socket);
        assert!(!path.exists());
        assert!(!beside(&path, ".new").exists());
    }

    #[tokio::test]
    async fn a_live_director_is_an_error_and_its_socket_stays() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("tandem.sock");
        let _first = Socket::bind(&path).expect("a socket");
        let error = Socket::bind(&path).expect_err("it is taken").to_string();
        assert!(error.contains("another director is running"), "{error}");
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[tokio::test]
    async fn what_a_dead_director_left_is_replaced() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("tandem.sock");
        for left in [path.clone(), beside(&path, ".new")] {
            drop(std::os::unix::net::UnixListener::bind(&left).expect("a socket"));
            assert!(UnixStream::connect(&left).is_err(), "nobody listens");
        }
        let _socket = Socket::bind(&path).expect("a new one");
        assert!(UnixStream::connect(&path).is_ok());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("tandem.sock");
        fs::write(&path, "precious").expect("written");
        let error = Socket::bind(&path).expect_err("no socket").to_string();
        assert!(error.contains("something else than a socket"), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("still there"), "precious");
    }

    #[tokio::test]
    async fn none_is_no_socket() {
        assert!(Socket::chosen(Path::new("none")).expect("nothing to do").is_none());
    }

    #[tokio::test]
    async fn a_place_that_cannot_be_is_named_with_the_way_out() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("x".repeat(200));
        let error = Socket::bind(&path).expect_err("too long for a socket").to_string();
        assert!(error.contains("--socket none"), "{error}");
    }
}
