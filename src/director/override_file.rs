//! What operators ordered, over a restart (shell): overrides and releases, `overrides.json` in the state directory, never half
//! written.
//!
//! Written on a thread of its own, in the order of the changes; who asked is answered when it is on the disk.

use super::mirroring::to_record;
use super::state_directory::{known, read_whole, write_whole};
use crate::control::{Answer, OverrideRecord, Refused};
use crate::model::{Override, RouterName};
use crate::peer::Record as Word;
use crate::time::Instant;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;

const FILE: &str = "overrides.json";
/// Version of the form; a newer one is not read.
const VERSION: u32 = 1;
/// A record that is larger is none of ours.
const LARGEST: u64 = 32 * 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    version: u32,
    overrides: Vec<OverrideRecord>,
    #[serde(default)]
    releases: Vec<Release>,
    /// Overrides that were taken back: another director may not know it yet.
    #[serde(default)]
    taken_back: Vec<Word>,
}

/// A router that an operator released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub router: String,
    /// Unix time in milliseconds; `None`: until it is cleared.
    pub until_unix_ms: Option<u64>,
}

impl Release {
    /// The same as the loop has it; `epoch` is the Unix time of [`Instant::ZERO`].
    pub(super) fn since_start(&self, epoch: Duration) -> (RouterName, Option<Instant>) {
        let until = |until| Instant::ZERO + Duration::from_millis(until).saturating_sub(epoch);
        (self.router.as_str().into(), self.until_unix_ms.map(until))
    }

    /// The other way round.
    pub(super) fn to_keep(router: &RouterName, until: Option<Instant>, epoch: Duration) -> Self {
        let unix = |until: Instant| (epoch + until.saturating_since(Instant::ZERO)).as_millis();
        let until_unix_ms = until.map(|until| u64::try_from(unix(until)).unwrap_or(u64::MAX));
        Self { router: router.to_string(), until_unix_ms }
    }
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orders {
    pub overrides: Vec<Override>,
    pub releases: Vec<Release>,
    /// Words without a body.
    pub taken_back: Vec<Word>,
}

/// Who waits for the disk, and what is to be answered.
pub(super) type Waiting = (oneshot::Sender<Result<Answer, Refused>>, Answer);

/// Something to write, and who is answered when it is written.
type Job = (Orders, Vec<Waiting>);

/// Where overrides are kept.
#[derive(Debug)]
pub(super) struct OverrideFile {
    folder: PathBuf,
    writer: Option<mpsc::Sender<Job>>,
    /// What is kept.
    orders: Orders,
    /// Answers that wait for the next writing.
    pub(super) waiting: Vec<Waiting>,
}

/// Reads what is kept in a state directory. What cannot be understood is told by `warn`, and left out.
#[must_use]
pub fn read(state: &Path, warn: &mut dyn FnMut(String)) -> Orders {
    let path = state.join(FILE);
    let record = read_whole::<Record>(&path, LARGEST).and_then(|record| match record {
        Some(record) => {
            known(record.version, VERSION).map(|()| (record.overrides, record.releases, record.taken_back))
        }
        None => Ok(Default::default()),
    });
    let mut complain = |reason: String| {
        warn(format!(
            "{}: {reason}; starting without it: what operators ordered is not in force",
            path.display()
        ));
    };
    let (records, releases, taken_back) = record.unwrap_or_else(|reason| {
        complain(reason);
        Default::default()
    });
    let understood = records.into_iter().filter_map(|record| {
        let id = record.id.clone();
        Override::try_from(record).map_err(|refused| complain(format!("{id}: {refused}"))).ok()
    });
    Orders { overrides: understood.collect(), releases, taken_back }
}

impl OverrideFile {
    /// The file in `state`, with its thread.
    pub(super) fn new(state: &Path, orders: Orders) -> Self {
        let (writer, jobs) = mpsc::channel::<Job>();
        let folder = state.to_owned();
        let work = move || {
            for (all, waiting) in jobs {
                answer(waiting, write(&folder, &all));
            }
        };
        let started = thread::Builder::new().name("overrides".to_owned()).spawn(work);
        let writer = started.is_ok().then_some(writer);
        Self { folder: state.to_owned(), writer, orders, waiting: Vec::new() }
    }

    /// Has these written, and answers all that wait for it.
    pub(super) fn keep(&mut self, all: Vec<Override>, taken_back: Vec<Word>) {
        (self.orders.overrides, self.orders.taken_back) = (all, taken_back);
        self.write();
    }

    /// Resolves when all that was to be kept is on the disk.
    pub(super) fn settled(&mut self) -> impl Future<Output = ()> + Send + 'static {
        let (reply, written) = oneshot::channel();
        self.waiting.push((reply, Answer::of_policy(0, String::new(), Vec::new())));
        self.write();
        async move { drop(written.await) }
    }

    /// Every word that is kept.
    pub(super) fn words(&self) -> impl Iterator<Item = Word> {
        self.orders.overrides.iter().map(to_record).chain(self.orders.taken_back.iter().cloned())
    }

    /// Has these written.
    pub(super) fn keep_releases(&mut self, releases: Vec<Release>) {
        if self.orders.releases != releases {
            self.orders.releases = releases;
            self.write();
        }
    }

    fn write(&mut self) {
        let job = (self.orders.clone(), std::mem::take(&mut self.waiting));
        let job = match &self.writer {
            Some(writer) => writer.send(job).err().map(|lost| lost.0),
            None => Some(job),
        };
        if let Some((all, waiting)) = job {
            answer(waiting, write(&self.folder, &all));
        }
    }
}

fn write(folder: &Path, orders: &Orders) -> io::Result<()> {
    let overrides = orders.overrides.iter().map(OverrideRecord::from).collect();
    let record = Record {
        version: VERSION,
        overrides,
        releases: orders.releases.clone(),
        taken_back: orders.taken_back.clone(),
    };
    write_whole(folder, FILE, &serde_json::to_vec_pretty(&record)?)
}

/// What could not be kept is in force all the same.
fn answer(waiting: Vec<Waiting>, written: io::Result<()>) {
    let lost = written.err().map(|error| {
        format!("it is in force, but could not be kept ({error}): a restart of the director forgets it")
    });
    if let Some(lost) = &lost {
        tracing::error!("{FILE}: {lost}");
    }
    for (reply, mut answer) in waiting {
        answer.notes.extend(lost.clone());
        // Who asked may have gone away.
        let _ = reply.send(Ok(answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Order, OverrideKind, OverrideTarget};
    use std::fs;

    fn given(server: &str) -> Override {
        Override {
            kind: OverrideKind::Server(Order::Drain),
            target: OverrideTarget::Server { server: server.into(), pool: None },
            by: "alice".to_owned(),
            reason: None,
            director: None,
            set_unix_ms: 1,
            until_unix_ms: None,
        }
    }

    fn silent(message: String) {
        panic!("unexpected warning: {message}");
    }

    fn answered(file: &mut OverrideFile, all: Vec<Override>) -> Answer {
        let (reply, answer) = oneshot::channel();
        file.waiting.push((reply, Answer::of_policy(1, "done".to_owned(), Vec::new())));
        file.keep(all, Vec::new());
        answer.blocking_recv().expect("an answer").expect("not refused")
    }

    #[test]
    fn what_is_answered_for_is_on_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read(folder.path(), &mut silent), Orders::default());
        let mut file = OverrideFile::new(folder.path(), Orders::default());
        let releases = vec![Release { router: "outside".to_owned(), until_unix_ms: Some(9) }];
        file.keep_releases(releases.clone());
        assert_eq!(answered(&mut file, vec![given("a"), given("b")]).notes, [""; 0]);
        let overrides = vec![given("a"), given("b")];
        assert_eq!(
            read(folder.path(), &mut silent),
            Orders { overrides, releases: releases.clone(), taken_back: vec![] }
        );
        answered(&mut file, vec![]);
        assert_eq!(
            read(folder.path(), &mut silent),
            Orders { overrides: vec![], releases, taken_back: vec![] }
        );
    }

    #[test]
    fn what_cannot_be_written_is_in_force_and_the_answer_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("overrides.json.new")).expect("in the way");
        let mut file = OverrideFile::new(folder.path(), Orders::default());
        let notes = answered(&mut file, vec![given("a")]).notes;
        assert!(notes[0].contains("could not be kept"), "{notes:?}");
    }

    #[test]
    fn what_cannot_be_understood_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        for broken in ["{", r#"{"version": 99, "overrides": []}"#] {
            fs::write(folder.path().join(FILE), broken).expect("written");
            let mut told = Vec::new();
            assert_eq!(read(folder.path(), &mut |message| told.push(message)), Orders::default());
            assert_eq!(told.len(), 1, "{broken}");
        }
    }
}
