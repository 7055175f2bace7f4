//! What VRRP must know after a restart (shell): the number of this run, and the newest mark of each sender, against replays.
//!
//! `vrrp.json` in the state directory, written whole to a temporary file and renamed. Without it an old advertisement could be
//! replayed to a director that has just started, until its sender is heard; and a run without a higher number would not be
//! believed by the others.

use crate::director::state_directory::write_whole;
use crate::model::Family;
use crate::vrrp::authentication::{Mark, Sender, Session};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

const FILE: &str = "vrrp.json";
const LARGEST: u64 = 1024 * 1024;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    epoch: u64,
    senders: Vec<SenderRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SenderRecord {
    router: String,
    family: Family,
    source: IpAddr,
    epoch: u64,
    counter: u64,
}

/// The file.
#[derive(Debug)]
pub(super) struct Memory {
    path: PathBuf,
    epoch: u64,
    kept: BTreeMap<Sender, Mark>,
    /// Whether the last attempt to write failed.
    refused: bool,
}

impl Memory {
    /// Opens the file, and gives this run its number: higher than all before, and than those of a machine whose state was lost.
    ///
    /// `signs`: whether the others will judge this run by its number.
    ///
    /// # Errors
    /// When the number cannot be kept and is no higher than that of an earlier run: the others would not believe this one.
    pub(super) fn open(state: &Path, signs: bool) -> io::Result<(Self, u64, BTreeMap<Sender, Mark>)> {
        let path = state.join(FILE);
        let record = read(&path).unwrap_or_default();
        #[expect(
            clippy::disallowed_methods,
            reason = "a shell reads the clock, once: a floor for the number of this run"
        )]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let epoch = wall.max(record.epoch.saturating_add(1));
        let marks: BTreeMap<Sender, Mark> = record.senders.into_iter().map(SenderRecord::mark).collect();
        let memory = Self { path, epoch, kept: marks.clone(), refused: false };
        if let Err(error) = memory.write(&marks) {
            if signs && epoch != wall {
                return Err(error);
            }
            tracing::warn!("{}: {error}; going on without it", memory.path.display());
        }
        Ok((memory, epoch, marks))
    }

    /// This run has a higher number. Where it cannot be kept, the others tell the next run again.
    pub(super) fn renumber(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
        if let Err(error) = self.write(&self.kept) {
            tracing::warn!("{}: {error}; the number of this run is not kept", self.path.display());
        }
    }

    /// Keeps the newest marks. A disk that is full now is tried again with the next ones.
    pub(super) fn keep(&mut self, marks: BTreeMap<Sender, Mark>) {
        if marks == self.kept {
            return;
        }
        match self.write(&marks) {
            Ok(()) => (self.kept, self.refused) = (marks, false),
            Err(error) if self.refused => tracing::debug!("{}: {error}", self.path.display()),
            Err(error) => {
                self.refused = true;
                tracing::warn!(
                    "{}: {error}; after a restart old advertisements could be replayed",
                    self.path.display()
                );
            }
        }
    }

    /// The number of this run.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    fn write(&self, marks: &BTreeMap<Sender, Mark>) -> io::Result<()> {
        let senders = marks.iter().map(|(sender, mark)| SenderRecord {
            router: sender.session.router.to_string(),
            family: sender.session.family,
            source: sender.source,
            epoch: mark.epoch,
            counter: mark.counter,
        });
        let record = Record { epoch: self.epoch, senders: senders.collect() };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        write_whole(folder, FILE, &serde_json::to_vec(&record)?)
    }
}

impl SenderRecord {
    fn mark(self) -> (Sender, Mark) {
        let session = Session { router: self.router.as_str().into(), family: self.family };
        (Sender { session, source: self.source }, Mark { epoch: self.epoch, counter: self.counter })
    }
}

/// The file's content; what cannot be read counts as nothing, and says so.
fn read(path: &Path) -> Option<Record> {
    let length = fs::metadata(path).ok()?.len();
    let content = (length <= LARGEST).then(|| fs::read(path).ok()).flatten()?;
    let record = serde_json::from_slice(&content);
    if let Err(error) = &record {
        tracing::warn!("{}: {error}; starting without it", path.display());
    }
    record.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_has_a_higher_number_and_marks_come_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut memory, first, none) = Memory::open(folder.path(), true).expect("the first run");
        assert!(none.is_empty());
        let session = Session { router: "outside".into(), family: Family::Ipv4 };
        let sender = Sender { session, source: [192, 0, 2, 1].into() };
        let marks = BTreeMap::from([(sender, Mark { epoch: 7, counter: 9 })]);
        memory.keep(marks.clone());
        let (_, second, found) = Memory::open(folder.path(), true).expect("the second run");
        assert!(second > first);
        let ahead = second + 1_000_000_000;
        let (mut memory, ..) = Memory::open(folder.path(), true).expect("the third run");
        memory.renumber(ahead);
        let (_, next, found_again) = Memory::open(folder.path(), true).expect("the fourth run");
        assert_eq!((next, &found_again), (ahead + 1, &marks));
        assert_eq!(found, marks);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_reason_to_stay_away() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FILE), "{not json").expect("written");
        assert!(Memory::open(folder.path(), true).is_ok());
    }
}
