//! What the advert thread must not do itself, because it takes the kernel's rtnl lock, which another program may hold for
//! long (shell): a thread of ordinary priority does it, one errand after the other, and a descriptor says when one is done.
//!
//! It decides nothing and repeats nothing; who wants an errand again orders it again.

use super::links::{self, Link};
use super::path::{PathId, Paths};
use super::socket::{OpenError, PathSocket, look_up_source};
use crate::kernel::KernelError;
use arc_swap::ArcSwap;
use ipnet::IpNet;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Errands that wait, and results that wait; an errand beyond is refused.
const WAITING_MAX: usize = 256;

/// One thing to do.
#[derive(Debug)]
pub enum Errand {
    /// Open the path's socket, with its source.
    Open(PathId),
    /// Look up the path's source.
    Source(PathId),
    /// List all links.
    Links,
    /// Close a socket.
    Close(PathSocket),
}

/// One thing done; closing is not told.
#[derive(Debug)]
pub enum Done {
    Opened(PathId, Result<PathSocket, OpenError>),
    /// `Err`: the kernel did not tell.
    Source(PathId, Result<Option<IpNet>, KernelError>),
    Links(Result<Vec<Link>, KernelError>),
}

/// The thread, seen from the one that orders. It ends by itself when this is dropped, and is not waited for.
#[derive(Debug)]
pub struct Errands {
    orders: SyncSender<Errand>,
    results: Receiver<Done>,
    wake: Arc<EventFd>,
    paths: Arc<ArcSwap<Paths>>,
}

/// Readable when something is done.
impl AsFd for Errands {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Errands {
    /// Starts the thread in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the host gives no descriptor or no thread.
    pub fn start(paths: Arc<Paths>) -> io::Result<Self> {
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let (orders, ordered) = sync_channel(WAITING_MAX);
        let (done, results) = sync_channel(WAITING_MAX);
        let signal = Arc::clone(&wake);
        let paths = Arc::new(ArcSwap::new(paths));
        let current = Arc::clone(&paths);
        thread::Builder::new().name("advert-errands".to_owned()).spawn(move || {
            while let Ok(errand) = ordered.recv() {
                let Some(result) = caught(&current.load(), errand) else { continue };
                if done.send(result).is_err() {
                    return;
                }
                // It can only fail when the counter is full, and then the descriptor is readable anyway.
                let _ = signal.write(1);
            }
        })?;
        Ok(Self { orders, results, wake, paths })
    }

    /// The same paths under another policy: which addresses float may differ.
    pub fn renew(&self, paths: Arc<Paths>) {
        self.paths.store(paths);
    }

    /// Orders an errand without waiting; handed back when too many wait already (or the thread has died).
    ///
    /// # Errors
    /// The errand that was refused.
    pub fn order(&self, errand: Errand) -> Result<(), Errand> {
        self.orders.try_send(errand).map_err(|error| match error {
            std::sync::mpsc::TrySendError::Full(errand)
            | std::sync::mpsc::TrySendError::Disconnected(errand) => errand,
        })
    }

    /// The next result; `None` when there is none now.
    pub fn take(&self) -> Option<Done> {
        if let Ok(done) = self.results.try_recv() {
            return Some(done);
        }
        // Quieten the descriptor first and look again: what is done in between is found, or wakes again.
        let _ = self.wake.read();
        self.results.try_recv().ok()
    }
}

/// An errand that panics is one that failed, and no reason not to do the next.
fn caught(paths: &Paths, errand: Errand) -> Option<Done> {
    let failed = unanswered(&errand);
    // It is given away whole, and the paths are only read: nothing half done can be seen.
    catch_unwind(AssertUnwindSafe(|| run(paths, errand))).unwrap_or(failed)
}

/// What is told of an errand that came to no end.
fn unanswered(errand: &Errand) -> Option<Done> {
    let message = "a panic, which is a bug: please report it with the log".to_owned();
    let no_answer = || KernelError::new(message.clone());
    match errand {
        Errand::Open(path) => {
            let error = OpenError { path: *path, errno: None, message };
            Some(Done::Opened(*path, Err(error)))
        }
        Errand::Source(path) => Some(Done::Source(*path, Err(no_answer()))),
        Errand::Links => Some(Done::Links(Err(no_answer()))),
        Errand::Close(_) => None,
    }
}

fn run(paths: &Paths, errand: Errand) -> Option<Done> {
    match errand {
        Errand::Open(path) => Some(Done::Opened(path, PathSocket::open(paths, path))),
        Errand::Source(path) => Some(Done::Source(path, look_up_source(paths, path))),
        Errand::Links => Some(Done::Links(links::list())),
        Errand::Close(socket) => {
            drop(socket);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever waits for an errand waits for its answer: a path that nobody answers for would never be opened again.
    #[test]
    fn each_errand_that_panics_is_answered_as_one_that_failed() {
        let path = PathId(3);
        assert!(matches!(unanswered(&Errand::Open(path)), Some(Done::Opened(PathId(3), Err(_)))));
        assert!(matches!(unanswered(&Errand::Source(path)), Some(Done::Source(PathId(3), Err(_)))));
        assert!(matches!(unanswered(&Errand::Links), Some(Done::Links(Err(_)))));
    }
}
