//! Sees at once when a file that a check reads changes (shell): inotify(7) on the folders of the files.
//!
//! A folder is watched and not the file, so that a file that is replaced by a rename, as it should be, is seen too. What is
//! not seen (a folder that is not there yet, a symbolic link whose other end changes, a network file system) is found by the
//! check's interval: nothing here is needed for a verdict, only for its speed. A file is looked at when its writer closes it,
//! and not while it is written.

use crate::kernel::sys;
use crate::model::{CheckName, Policy, ProbeSpec};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a folder is looked for that could not be watched.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// A file was written, put in place, or taken away; or its folder was.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF)
    .union(AddWatchFlags::IN_ONLYDIR);

/// The checks that read a file, by the file's name in one folder.
type Folder = BTreeMap<OsString, Vec<CheckName>>;

/// The files of all file checks of a policy.
#[derive(Debug)]
pub struct FileWatch {
    folders: BTreeMap<PathBuf, Folder>,
    watched: HashMap<WatchDescriptor, PathBuf>,
    /// `None`: there is nothing to watch, or the kernel gives no inotify.
    queue: Option<Queue>,
    retry: Interval,
}

#[derive(Debug)]
struct Queue {
    inotify: Inotify,
    /// The same queue, watched by the runtime.
    ready: AsyncFd<OwnedFd>,
}

impl FileWatch {
    /// Watches the files that the checks of `policy` read. To be called inside a tokio runtime.
    #[must_use]
    pub fn of(policy: &Policy) -> Self {
        let files = policy.checks.iter().filter_map(|(name, check)| match &check.probe {
            ProbeSpec::File(spec) => Some((name.clone(), spec.path.clone())),
            _ => None,
        });
        Self::new(files)
    }

    pub(super) fn new(files: impl IntoIterator<Item = (CheckName, PathBuf)>) -> Self {
        let mut folders: BTreeMap<PathBuf, Folder> = BTreeMap::new();
        for (check, path) in files {
            let Some(name) = path.file_name() else { continue };
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).to_owned();
            folders.entry(folder).or_default().entry(name.to_owned()).or_default().push(check);
        }
        let queue = if folders.is_empty() { None } else { opened() };
        let mut retry = interval(RETRY_EVERY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { folders, watched: HashMap::new(), queue, retry }
    }

    /// The checks whose files have changed since the last call; waits until there are any. Nothing is lost where it is given
    /// up.
    pub async fn changed(&mut self) -> Vec<CheckName> {
        if self.queue.is_none() {
            return std::future::pending().await;
        }
        loop {
            let found = tokio::select! {
                _ = self.retry.tick() => self.watch_more(),
                found = events(self.queue.as_ref()) => self.checks_of(&found),
            };
            if !found.is_empty() {
                return found.into_iter().collect();
            }
        }
    }

    /// Watches the folders that are not watched yet. What was written before is a change, too.
    fn watch_more(&mut self) -> BTreeSet<CheckName> {
        let Some(queue) = &self.queue else { return BTreeSet::new() };
        let known: BTreeSet<&PathBuf> = self.watched.values().collect();
        let missing = self.folders.iter().filter(|(folder, _)| !known.contains(folder));
        let added: Vec<_> = missing
            .filter_map(|(folder, files)| {
                let watch = queue.inotify.add_watch(folder, CHANGES).ok()?;
                Some((watch, folder.clone(), files.values().flatten().cloned().collect::<Vec<_>>()))
            })
            .collect();
        let mut checks = BTreeSet::new();
        for (watch, folder, of_folder) in added {
            self.watched.insert(watch, folder);
            checks.extend(of_folder);
        }
        checks
    }

    fn checks_of(&mut self, events: &[InotifyEvent]) -> BTreeSet<CheckName> {
        let mut checks = BTreeSet::new();
        for event in events {
            if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                checks.extend(self.folders.values().flat_map(BTreeMap::values).flatten().cloned());
                continue;
            }
            let Some(files) = self.watched.get(&event.wd).and_then(|folder| self.folders.get(folder)) else {
                continue;
            };
            match &event.name {
                Some(name) => checks.extend(files.get(name).into_iter().flatten().cloned()),
                // The folder itself is gone, or is elsewhere: its name may come to mean another one.
                None => {
                    checks.extend(files.values().flatten().cloned());
                    self.forget(event.wd);
                }
            }
        }
        checks
    }

    fn forget(&mut self, watch: WatchDescriptor) {
        self.watched.remove(&watch);
        if let Some(queue) = &self.queue {
            // The kernel may have done so itself.
            let _ = queue.inotify.rm_watch(watch);
        }
    }
}

/// Without inotify a change is seen by the check's interval.
fn opened() -> Option<Queue> {
    let opened = || -> io::Result<Queue> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let ready = sys::watched(inotify.as_fd().try_clone_to_owned()?)?;
        Ok(Queue { inotify, ready })
    };
    let told = |error| {
        tracing::warn!("changes of files are seen by the interval of their checks only: {error}");
    };
    opened().map_err(told).ok()
}

/// What has happened in the folders.
async fn events(queue: Option<&Queue>) -> Vec<InotifyEvent> {
    let Some(queue) = queue else { return std::future::pending().await };
    loop {
        let Ok(mut ready) = queue.ready.readable().await else { return std::future::pending().await };
        match queue.inotify.read_events() {
            Ok(events) => return events,
            Err(Errno::EINTR) => {}
            Err(_) => ready.clear_ready(),
        }
    }
}
