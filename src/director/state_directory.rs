//! The state directory (shell): what a director must know after it has been away, written so that it is never half there.
//!
//! One file, `ownership.json`: what we made in the kernel and what we found there before. Written to a temporary file,
//! flushed, renamed, and the directory flushed. `lock` keeps a second director off the same tables.

use crate::reconcile::{Epoch, Ownership};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const RECORD: &str = "ownership.json";
/// Version of the file's form; a newer one is not read.
const VERSION: u32 = 1;
/// A record larger than this is not ours: ten thousand services take about one megabyte.
const LARGEST_RECORD: u64 = 64 * 1024 * 1024;

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error(
        "state directory {path}: {source}; it must be a directory that this user can write; or name another with --state-directory"
    )]
    Unusable { path: PathBuf, source: io::Error },
    #[error("state directory {path}: another tandem holds it; stop that one first (one director a host)")]
    Locked { path: PathBuf },
}

#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    #[serde(flatten)]
    ownership: Ownership,
}

/// An open state directory; the lock is held while it lives.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    lock: Option<File>,
    written: Option<Ownership>,
}

impl StateDirectory {
    /// Opens (and creates, mode 0700) the directory and takes its lock.
    ///
    /// # Errors
    /// When it cannot be written, or another director holds it.
    pub fn lock(path: &Path) -> Result<Self, StateError> {
        let unusable = |source| StateError::Unusable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock: Some(lock), written: None }),
            Err(TryLockError::WouldBlock) => Err(StateError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Lets go of the lock: another process goes on here.
    pub fn let_go(&mut self) {
        // It can only fail where the file system has no locks, and then the other one has none to wait for.
        self.lock.iter().for_each(|lock| drop(lock.unlock()));
    }

    /// Takes the lock of a directory that was only looked at, or let go of.
    ///
    /// # Errors
    /// When it cannot be written, or another director holds it.
    pub fn take(&mut self) -> Result<(), StateError> {
        let locked = Self::lock(&self.path)?;
        (self.lock, self.written) = (locked.lock, None);
        Ok(())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For reading only: `plan` looks at the record of a director that may be running.
    #[must_use]
    pub fn peek(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None, written: None }
    }

    /// The record of this epoch; empty where there is none. A file that cannot be understood is set aside, never
    /// overwritten: what it said is told by `warn`.
    pub fn load(&self, epoch: &Epoch, warn: &mut dyn FnMut(String)) -> Ownership {
        let empty = || Ownership { epoch: epoch.clone(), ..Ownership::default() };
        match self.read() {
            Ok(Some(record)) => record.valid_in(epoch.clone()),
            Ok(None) => empty(),
            Err(reason) => {
                warn(format!(
                    "{}: {reason}; starting without it: what an earlier run made and the policy no longer names stays",
                    self.path.join(RECORD).display()
                ));
                self.set_aside();
                empty()
            }
        }
    }

    /// Writes the record if it differs from the one written last.
    ///
    /// # Errors
    /// When the disk is full or the directory is gone; the old file is then still whole.
    pub fn save(&mut self, ownership: &Ownership) -> Result<(), StateError> {
        if self.written.as_ref() == Some(ownership) {
            return Ok(());
        }
        self.write(ownership).map_err(|source| StateError::Unusable { path: self.path.clone(), source })?;
        self.written = Some(ownership.clone());
        Ok(())
    }

    fn read(&self) -> Result<Option<Ownership>, String> {
        let record: Option<Record> = read_whole(&self.path.join(RECORD), LARGEST_RECORD)?;
        record.map(|record| known(record.version, VERSION).map(|()| record.ownership)).transpose()
    }

    fn write(&self, ownership: &Ownership) -> io::Result<()> {
        let record = Record { version: VERSION, ownership: ownership.clone() };
        write_whole(&self.path, RECORD, &serde_json::to_vec(&record)?)
    }

    fn set_aside(&self) {
        let path = self.path.join(RECORD);
        // Only a director that holds the lock moves files; a failure here changes nothing for the better.
        if self.lock.is_some() {
            fs::rename(&path, self.path.join(format!("{RECORD}.unreadable"))).ok();
        }
    }
}

/// Reads a file of the state directory; `None`: there is none.
pub(super) fn read_whole<T: DeserializeOwned>(path: &Path, largest: u64) -> Result<Option<T>, String> {
    let length = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if length > largest {
        return Err(format!("{length} bytes are more than any record of ours has"));
    }
    let content = fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&content).map(Some).map_err(|error| error.to_string())
}

/// Whether a file's form is one that this program knows.
pub(super) fn known(version: u32, newest: u32) -> Result<(), String> {
    (version <= newest).then_some(()).ok_or(format!("version {version} is newer than this program knows"))
}

/// Writes a file of the state directory so that it is never half there: beside it, flushed, renamed, and the folder flushed.
pub(super) fn write_whole(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!("{name}.new"));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::fixtures::tcp;

    fn epoch() -> Epoch {
        Epoch { boot_id: "boot".into(), namespace: "net:[1]".into() }
    }

    fn record() -> Ownership {
        Ownership { epoch: epoch(), services: [tcp("192.0.2.1", 80)].into(), ..Ownership::default() }
    }

    fn silent(message: String) {
        panic!("unexpected warning: {message}");
    }

    #[test]
    fn what_was_saved_is_loaded_in_the_same_epoch_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut state = StateDirectory::lock(folder.path()).expect("a new directory");
        assert_eq!(state.load(&epoch(), &mut silent).services.len(), 0);
        state.save(&record()).expect("saved");
        assert_eq!(StateDirectory::peek(folder.path()).load(&epoch(), &mut silent), record());
        let other = Epoch { boot_id: "next boot".into(), ..epoch() };
        assert_eq!(state.load(&other, &mut silent).services.len(), 0);
    }

    #[test]
    fn a_record_of_an_earlier_version_is_understood() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut state = StateDirectory::lock(folder.path()).expect("a new directory");
        state.save(&record()).expect("saved");
        let path = folder.path().join(RECORD);
        let mut said: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).expect("the record")).expect("JSON");
        assert!(said.as_object_mut().expect("an object").remove("sync_daemons").is_some());
        fs::write(&path, said.to_string()).expect("written");
        assert_eq!(state.load(&epoch(), &mut silent), record());
    }

    #[test]
    fn a_second_director_is_kept_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = StateDirectory::lock(folder.path()).expect("the first");
        assert!(matches!(StateDirectory::lock(folder.path()), Err(StateError::Locked { .. })));
        drop(first);
        StateDirectory::lock(folder.path()).expect("free again");
    }

    #[test]
    fn one_that_lets_go_can_be_followed_and_can_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut first = StateDirectory::lock(folder.path()).expect("the first");
        let mut second = StateDirectory::peek(folder.path());
        assert!(matches!(second.take(), Err(StateError::Locked { .. })));
        first.let_go();
        second.take().expect("free");
        assert!(matches!(first.take(), Err(StateError::Locked { .. })));
        drop(second);
        first.take().expect("free again");
    }

    #[test]
    fn a_broken_record_is_set_aside_and_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateDirectory::lock(folder.path()).expect("the directory");
        for broken in ["{\"version\":1,", "{\"version\":99}", "[]"] {
            fs::write(folder.path().join(RECORD), broken).expect("written");
            let mut told = Vec::new();
            let loaded = state.load(&epoch(), &mut |message| told.push(message));
            assert_eq!(loaded.services.len(), 0);
            assert_eq!(told.len(), 1, "{broken}");
            assert!(folder.path().join("ownership.json.unreadable").exists());
        }
    }

    #[test]
    fn a_failed_write_leaves_the_old_record_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut state = StateDirectory::lock(folder.path()).expect("the directory");
        state.save(&record()).expect("saved");
        // A directory where the temporary file should be: the write fails before the rename.
        fs::create_dir(folder.path().join("ownership.json.new")).expect("in the way");
        state.save(&Ownership { epoch: epoch(), ..Ownership::default() }).expect_err("cannot be written");
        assert_eq!(state.load(&epoch(), &mut silent), record());
    }
}
