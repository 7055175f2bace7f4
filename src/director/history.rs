//! The policies that were taken over (shell): `policies/N.json` in the state directory, the newest [`KEPT`]. The last one that
//! was good runs where the file on disk is not, and a policy can be gone back to.

use super::loading::PolicyText;
use super::state_directory::{known, read_whole, write_whole};
use crate::control::{PolicyHistory, PolicyRecord};
use crate::time::milliseconds;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

const FOLDER: &str = "policies";
/// Policies that are kept.
pub const KEPT: usize = 10;
/// Version of the form; a newer one is not read.
const VERSION: u32 = 1;
/// A record that is larger is none of ours: a policy has a thousand files at most, and is read whole.
const LARGEST: u64 = 256 * 1024 * 1024;

/// A policy that was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    version: u32,
    /// From 1; one more than that of the policy before.
    pub generation: u64,
    /// Unix time in milliseconds.
    pub taken_unix_ms: u64,
    /// What made it be taken over, in words.
    pub by: String,
    /// Whether it may come back by itself: false while it waits to be confirmed, and for ever where it was rolled back.
    pub confirmed: bool,
    pub text: PolicyText,
}

/// All that are kept.
#[derive(Debug)]
pub struct History {
    folder: PathBuf,
    /// The oldest first.
    entries: Vec<Entry>,
    /// Where what is to be done to the files goes; `None`: it is done at once.
    writer: Option<mpsc::Sender<Job>>,
}

/// Something to do to the files.
#[derive(Debug)]
enum Job {
    Write(Box<Entry>),
    Remove { generation: u64 },
}

impl History {
    /// Reads what is kept in a state directory. What cannot be read is told by `warn`, and left out.
    pub fn open(state: &Path, warn: &mut dyn FnMut(String)) -> Self {
        let folder = state.join(FOLDER);
        let mut entries = Vec::new();
        for file in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                match read(&path) {
                    Ok(entry) => entries.push(entry),
                    Err(reason) => warn(format!("{}: {reason}; left out", path.display())),
                }
            }
        }
        entries.sort_by_key(|entry: &Entry| entry.generation);
        Self { folder, entries, writer: None }
    }

    /// From now on files are written on a thread of their own, one after the other: nobody waits for a disk.
    #[must_use]
    pub fn written_beside(mut self) -> Self {
        let (writer, jobs) = mpsc::channel::<Job>();
        let folder = self.folder.clone();
        let work = move || {
            for job in jobs {
                tell(perform(&folder, job));
            }
        };
        if std::thread::Builder::new().name("policies".to_owned()).spawn(work).is_ok() {
            self.writer = Some(writer);
        }
        self
    }

    /// The newest.
    #[must_use]
    pub fn newest(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// The one with this number.
    #[must_use]
    pub fn of(&self, generation: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.generation == generation)
    }

    /// The newest that may come back by itself.
    #[must_use]
    pub fn last_good(&self) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.confirmed)
    }

    /// Whether a policy was taken over to be confirmed, and never was.
    #[must_use]
    pub fn was_not_confirmed(&self, text: &PolicyText) -> bool {
        let mut same = self.entries.iter().filter(|entry| entry.text == *text).peekable();
        same.peek().is_some() && same.all(|entry| !entry.confirmed)
    }

    /// The one to go back to from `generation`.
    #[must_use]
    pub fn before(&self, generation: u64) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.generation < generation && entry.confirmed)
    }

    /// The number of the next one.
    #[must_use]
    pub fn next_generation(&self) -> u64 {
        self.newest().map_or(1, |entry| entry.generation + 1)
    }

    /// Keeps a policy, and forgets the oldest.
    ///
    /// # Errors
    /// When it cannot be written; it is known all the same until the end of this run.
    pub fn add(&mut self, generation: u64, by: &str, confirmed: bool, text: PolicyText) -> io::Result<()> {
        let entry =
            Entry { version: VERSION, generation, taken_unix_ms: now(), by: by.to_owned(), confirmed, text };
        let written = self.give(Job::Write(Box::new(entry.clone())));
        self.entries.push(entry);
        while self.entries.len() > KEPT {
            let last_good = self.last_good().map(|entry| entry.generation);
            let oldest = self.entries.iter().position(|entry| Some(entry.generation) != last_good);
            let Some(oldest) = oldest.map(|index| self.entries.remove(index)) else { break };
            self.give(Job::Remove { generation: oldest.generation }).ok();
        }
        written
    }

    /// This policy may come back by itself.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn confirm(&mut self, generation: u64) -> io::Result<()> {
        let found = self.entries.iter_mut().find(|entry| entry.generation == generation);
        let Some(entry) = found else { return Ok(()) };
        entry.confirmed = true;
        let entry = Box::new(entry.clone());
        self.give(Job::Write(entry))
    }

    /// For those who ask.
    #[must_use]
    pub fn told(&self, in_force: u64) -> PolicyHistory {
        let record = |entry: &Entry| PolicyRecord {
            generation: entry.generation,
            taken_unix_ms: entry.taken_unix_ms,
            by: entry.by.clone(),
            confirmed: entry.confirmed,
            in_force: entry.generation == in_force,
            files: entry.text.files.iter().map(|file| file.path.display().to_string()).collect(),
        };
        PolicyHistory { policies: self.entries.iter().rev().map(record).collect() }
    }

    fn give(&self, job: Job) -> io::Result<()> {
        match &self.writer {
            Some(writer) => writer.send(job).map_err(|_| io::Error::other("its thread has ended")),
            None => perform(&self.folder, job),
        }
    }
}

fn perform(folder: &Path, job: Job) -> io::Result<()> {
    match job {
        Job::Write(entry) => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            write_whole(folder, &name(entry.generation), &serde_json::to_vec(&entry)?)
        }
        Job::Remove { generation } => match fs::remove_file(folder.join(name(generation))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        },
    }
}

/// Tells where a policy cannot be kept; it is in force all the same.
pub(super) fn tell(kept: io::Result<()>) {
    if let Err(error) = kept {
        tracing::error!(
            "the policy cannot be kept in the state directory, so that after a restart only its files count: {error}"
        );
    }
}

fn name(generation: u64) -> String {
    format!("{generation}.json")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a shell reads the clock: when a policy was taken over, for people"
)]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    milliseconds(since)
}

fn read(path: &Path) -> Result<Entry, String> {
    let entry: Entry = read_whole(path, LARGEST)?.ok_or("it has just been removed")?;
    known(entry.version, VERSION)?;
    // The next one needs a number, too.
    let counts = entry.generation < u64::MAX;
    counts.then_some(entry).ok_or("its number is larger than any that was given".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::loading::TextFile;
    use super::*;

    fn text(words: &str) -> PolicyText {
        PolicyText { files: vec![TextFile { path: "tandem.yaml".into(), text: words.into() }] }
    }

    fn silent(message: String) {
        panic!("unexpected warning: {message}");
    }

    #[test]
    fn what_was_taken_over_is_there_after_a_restart_and_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut history = History::open(folder.path(), &mut silent);
        assert_eq!((history.next_generation(), history.last_good()), (1, None));
        for generation in 1..=12 {
            history.add(generation, "reload", generation != 12, text(&generation.to_string())).expect("kept");
        }
        let again = History::open(folder.path(), &mut silent);
        assert_eq!(again.entries, history.entries);
        assert_eq!((again.entries.len(), again.next_generation()), (KEPT, 13));
        assert_eq!(again.last_good().map(|entry| entry.generation), Some(11), "the last is not confirmed");
        assert_eq!(again.before(11).map(|entry| &entry.text), Some(&text("10")));
        assert_eq!(
            again.told(12).policies.first().map(|record| (record.in_force, record.confirmed)),
            Some((true, false))
        );
    }

    #[test]
    fn the_last_good_one_is_kept_however_many_are_tried_after_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut history = History::open(folder.path(), &mut silent);
        history.add(1, "start", true, text("good")).expect("kept");
        for generation in 2..=30 {
            history.add(generation, "reload", false, text("tried")).expect("kept");
        }
        let again = History::open(folder.path(), &mut silent);
        assert_eq!((again.entries.len(), again.last_good().map(|entry| entry.generation)), (KEPT, Some(1)));
    }

    #[test]
    fn a_policy_that_was_rolled_back_is_known_by_its_text_until_it_is_taken_over_for_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut history = History::open(folder.path(), &mut silent);
        history.add(1, "start", true, text("a")).expect("kept");
        history.add(2, "reload", false, text("b")).expect("kept");
        history.add(3, "rollback", true, text("a")).expect("kept");
        assert!(history.was_not_confirmed(&text("b")));
        assert!(!history.was_not_confirmed(&text("a")) && !history.was_not_confirmed(&text("c")));
        history.add(4, "reload", true, text("b")).expect("kept");
        assert!(!history.was_not_confirmed(&text("b")));
    }

    #[test]
    fn a_policy_that_is_confirmed_stays_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut history = History::open(folder.path(), &mut silent);
        history.add(1, "start", false, text("a")).expect("kept");
        history.confirm(1).expect("kept");
        assert_eq!(History::open(folder.path(), &mut silent).last_good(), history.newest());
    }

    #[test]
    fn a_broken_file_is_told_and_the_others_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut history = History::open(folder.path(), &mut silent);
        history.add(1, "start", true, text("a")).expect("kept");
        fs::write(folder.path().join(FOLDER).join("2.json"), "{").expect("written");
        let mut told = Vec::new();
        let again = History::open(folder.path(), &mut |message| told.push(message));
        assert_eq!((again.entries.len(), told.len()), (1, 1));
    }

    #[test]
    fn a_file_whose_number_has_no_next_one_is_told_and_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut history = History::open(folder.path(), &mut silent);
        history.add(u64::MAX, "reload", true, text("a")).expect("kept");
        let mut told = Vec::new();
        let again = History::open(folder.path(), &mut |message| told.push(message));
        assert_eq!((again.next_generation(), told.len()), (1, 1));
    }
}
