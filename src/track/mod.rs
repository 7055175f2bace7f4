//! Watches the processes and files that routers follow (shell), and reports when one turns good or bad.
//!
//! One task for each thing watched, so that a file on a dead network file system holds up no other. The looking itself is
//! done on tokio's blocking threads. Interfaces, checks and pools are not looked at here: the advert thread and the director
//! know them.
//!
//! - A process is good while one of that name (`comm`) runs. Its end is told by the kernel at once (pidfd); while it is
//!   absent `/proc` is searched again each [`LOOK_INTERVAL`], and while it is there its name is read again as often.
//! - A file is good while it can be read and does not begin with a negative number, as looked at each [`LOOK_INTERVAL`].
//! - A first look that takes longer than [`LOOK_TIMEOUT`] reports bad; a later one keeps what is known no longer than that.

mod file;
mod process;

use crate::kernel::sys;
use crate::model::Tracked;
use process::Running;
use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

/// From one look to the next.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// After so long without an answer a thing counts as bad.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// Reports of things watched: the first of each at the start, then each change.
pub type Reports = mpsc::Sender<(Tracked, bool)>;

/// The watching; it ends when this is dropped.
#[derive(Debug)]
pub struct Watches {
    _tasks: JoinSet<()>,
}

/// Watches the processes and files among `tracked`. When the receiver falls behind, changes wait, and only the state at that
/// moment is told.
#[must_use]
pub fn watch(tracked: &BTreeSet<Tracked>, reports: &Reports) -> Watches {
    let mut tasks = JoinSet::new();
    for thing in tracked {
        let teller = Teller { thing: thing.clone(), reports: reports.clone(), told: None };
        match thing {
            Tracked::Process(name) => drop(tasks.spawn(watch_process(name.clone(), teller))),
            Tracked::File(path) => drop(tasks.spawn(watch_file(path.clone(), teller))),
            Tracked::Interface(_) | Tracked::Check(_) | Tracked::Pool(_) | Tracked::Sight(_) => {}
        }
    }
    Watches { _tasks: tasks }
}

/// Tells changes of one thing.
struct Teller {
    thing: Tracked,
    reports: Reports,
    told: Option<bool>,
}

impl Teller {
    async fn tell(&mut self, good: bool) {
        if self.told != Some(good) {
            self.told = Some(good);
            // Nobody listens any more: the watching is about to be dropped.
            let _ = self.reports.send((self.thing.clone(), good)).await;
        }
    }

    /// The outcome of a look, which is waited for however long it takes, and counts as bad meanwhile.
    async fn patiently<T: Default>(&mut self, look: impl Future<Output = Option<T>>) -> T {
        let mut look = std::pin::pin!(look);
        match timeout(LOOK_TIMEOUT, &mut look).await {
            Ok(found) => found.unwrap_or_default(),
            Err(_) => {
                self.tell(false).await;
                look.await.unwrap_or_default()
            }
        }
    }
}

/// Off the runtime's own threads; what can't be done (the runtime ends) counts as nothing found.
async fn off_thread<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    spawn_blocking(look).await.ok()
}

async fn watch_file(path: std::path::PathBuf, mut teller: Teller) {
    loop {
        let path = path.clone();
        let good = teller.patiently(off_thread(move || file::is_good(&path))).await;
        teller.tell(good).await;
        sleep(LOOK_INTERVAL).await;
    }
}

async fn watch_process(name: String, mut teller: Teller) {
    loop {
        let wanted = name.clone();
        let found = teller
            .patiently(async { Some(off_thread(move || process::find(&wanted)).await.flatten()) })
            .await;
        teller.tell(found.is_some()).await;
        match found {
            Some(running) => until_gone(running, &name).await,
            None => sleep(LOOK_INTERVAL).await,
        }
    }
}

/// Until the process has ended or bears another name. Where its end can't be waited for, its name is looked at alone.
async fn until_gone(running: Running, name: &str) {
    let id = running.id;
    let end = sys::watched(running.end).ok();
    loop {
        let ended = async {
            match &end {
                Some(end) => drop(end.readable().await),
                None => std::future::pending().await,
            }
        };
        if timeout(LOOK_INTERVAL, ended).await.is_ok() || !process::is_named(id, name) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
