//! The chronicle on disk (shell): `events.jsonl` in the state directory, an event a line, and `events.old.jsonl` before it.
//! What was before a crash is what somebody wants to know after it.
//!
//! Written by a thread of its own, so that nobody waits for a disk; not flushed to the medium: events are told, not promised.
//! Bounded: the waiting ones, and the lines of the two files.

use crate::control::{EventRecord, MOST_EVENTS};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

const NEW: &str = "events.jsonl";
const OLD: &str = "events.old.jsonl";
/// Events that wait to be written; further ones are not kept on disk, and counted.
const MOST_WAITING: usize = 4_096;
/// Lines after which the file becomes the old one.
const MOST_LINES: usize = MOST_EVENTS;
/// A file that is larger is none of ours: a line has two kilobytes at most.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Keeps events; its thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    waiting: SyncSender<Arc<EventRecord>>,
    lost: AtomicU64,
}

impl Keeper {
    /// Starts the thread; without it nothing is kept, which `warn` tells.
    pub(super) fn start(state: &Path, warn: &mut dyn FnMut(String)) -> Option<Self> {
        let (waiting, events) = sync_channel(MOST_WAITING);
        let state = state.to_owned();
        match std::thread::Builder::new().name("events".to_owned()).spawn(move || write(&state, &events)) {
            Ok(_) => Some(Self { waiting, lost: AtomicU64::new(0) }),
            Err(error) => {
                warn(format!("no thread to keep events on disk: {error}; they are kept in memory only"));
                None
            }
        }
    }

    /// Never waits.
    pub(super) fn keep(&self, event: Arc<EventRecord>) {
        if self.waiting.try_send(event).is_err() && self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "the disk of the state directory is too slow for events: some are kept in memory only"
            );
        }
    }
}

fn write(state: &Path, events: &Receiver<Arc<EventRecord>>) {
    let mut file: Option<Journal> = None;
    let mut complained = false;
    while let Ok(first) = events.recv() {
        // What has come meanwhile goes into one write.
        let batch: Vec<_> = std::iter::once(first).chain(events.try_iter().take(MOST_WAITING)).collect();
        let written = match &mut file {
            Some(open) => open.append(&batch),
            None => Journal::open(state).and_then(|open| file.insert(open).append(&batch)),
        };
        match written {
            Ok(()) => complained = false,
            Err(error) => {
                file = None;
                if !std::mem::replace(&mut complained, true) {
                    tracing::error!("events cannot be kept in {}: {error}", state.join(NEW).display());
                }
            }
        }
    }
}

/// The file that grows.
#[derive(Debug)]
struct Journal {
    new: PathBuf,
    old: PathBuf,
    file: File,
    lines: usize,
}

impl Journal {
    fn open(state: &Path) -> io::Result<Self> {
        let (new, old) = (state.join(NEW), state.join(OLD));
        let before = read_bounded(&new)?.unwrap_or_default();
        let mut file = appended(&new)?;
        if !before.is_empty() && !before.ends_with(b"\n") {
            // The last line was cut off: what follows must not be lost with it.
            file.write_all(b"\n")?;
        }
        let lines = before.split(|byte| *byte == b'\n').count();
        Ok(Self { new, old, file, lines })
    }

    fn append(&mut self, events: &[Arc<EventRecord>]) -> io::Result<()> {
        let mut text = Vec::new();
        for event in events {
            serde_json::to_writer(&mut text, &**event)?;
            text.push(b'\n');
        }
        self.file.write_all(&text)?;
        self.lines += events.len();
        if self.lines >= MOST_LINES {
            fs::rename(&self.new, &self.old)?;
            self.file = appended(&self.new)?;
            self.lines = 0;
        }
        Ok(())
    }
}

fn appended(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn read_bounded(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.len() > LARGEST {
        return Err(io::Error::other("it is larger than any that we write; move it away"));
    }
    let mut content = Vec::new();
    file.take(LARGEST).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// What an earlier run left, the oldest first, [`MOST_EVENTS`] at most.
pub(super) fn read(state: &Path, warn: &mut dyn FnMut(String)) -> Vec<EventRecord> {
    let mut events: Vec<EventRecord> = Vec::new();
    for name in [OLD, NEW] {
        let path = state.join(name);
        match read_bounded(&path) {
            Ok(content) => {
                let content = content.unwrap_or_default();
                let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
                let parsed: Vec<_> = lines.map(serde_json::from_slice::<EventRecord>).collect();
                let broken = parsed.iter().filter(|event| event.is_err()).count();
                if broken > 0 {
                    warn(format!("{}: {broken} lines are no events; left out", path.display()));
                }
                events.extend(parsed.into_iter().flatten());
            }
            Err(error) => warn(format!("{}: {error}; left out", path.display())),
        }
    }
    let surplus = events.len().saturating_sub(MOST_EVENTS);
    events.drain(..surplus);
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::event_record;

    fn silent(message: String) {
        panic!("unexpected warning: {message}");
    }

    fn kept(state: &Path, ids: impl Iterator<Item = u64>) {
        let mut journal = Journal::open(state).expect("a file");
        ids.for_each(|id| journal.append(&[Arc::new(event_record(id))]).expect("written"));
    }

    #[test]
    fn what_was_written_is_there_after_a_restart_and_the_files_are_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        kept(folder.path(), 1..=3);
        kept(folder.path(), 4..=5);
        let ids: Vec<u64> = read(folder.path(), &mut silent).iter().map(|event| event.id).collect();
        assert_eq!(ids, [1, 2, 3, 4, 5]);
        let more = MOST_LINES as u64 * 2 + 77;
        kept(folder.path(), 6..=more);
        let events = read(folder.path(), &mut silent);
        assert_eq!(events.len(), MOST_EVENTS);
        assert_eq!(events.last().map(|event| event.id), Some(more));
        let lines = |name| fs::read_to_string(folder.path().join(name)).expect("a file").lines().count();
        assert!(lines(NEW) < MOST_LINES && lines(OLD) <= MOST_LINES, "{} and {}", lines(NEW), lines(OLD));
    }

    #[test]
    fn a_line_that_was_cut_off_costs_itself_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        kept(folder.path(), 1..=2);
        let path = folder.path().join(NEW);
        let text = fs::read_to_string(&path).expect("a file");
        fs::write(&path, &text[..text.len() - 20]).expect("cut");
        kept(folder.path(), 3..=3);
        let mut warnings = Vec::new();
        let events = read(folder.path(), &mut |warning| warnings.push(warning));
        assert_eq!(events.iter().map(|event| event.id).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }

    #[test]
    fn the_thread_writes_what_it_is_given() {
        let folder = tempfile::tempdir().expect("a folder");
        let (sender, events) = sync_channel(10);
        (1..=5).for_each(|id| sender.send(Arc::new(event_record(id))).expect("room"));
        drop(sender);
        write(folder.path(), &events);
        assert_eq!(read(folder.path(), &mut silent).len(), 5);
    }
}
