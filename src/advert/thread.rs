//! The advert thread, seen from outside: started once, told by commands, heard by notices (shell).
//!
//! Nothing that the caller does can hold it up: commands wait in a bounded queue, notices that nobody takes are dropped and
//! counted, and what it publishes is swapped whole.

use super::driver::{Driver, Ports};
use super::errands::Errands;
use super::lateness::Lateness;
use super::links::LinkListener;
use super::path::Paths;
use super::realtime::{ADVERT_PRIORITY, Clock, prefer_this_thread};
use super::socket::OpenError;
use super::transport::{Dropped, Transport};
use crate::floating::{Order, Report};
use crate::kernel::KernelError;
use crate::model::{Hook, RouterName, Tracked};
use crate::time::Instant;
use crate::vrrp::RouterId;
use crate::vrrp::authentication::{Mark, Sender as Sender_};
use crate::vrrp::event::Event;
use crate::vrrp::handed::HandedStation;
use crate::vrrp::picture::Picture;
use crate::vrrp::station::Station;
use arc_swap::ArcSwap;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use tokio::sync::{mpsc, oneshot};

/// Commands and notices that wait.
const WAITING_MAX: usize = 1024;

/// What the thread is told.
#[derive(Debug)]
pub enum Command {
    Tracked {
        what: Tracked,
        good: bool,
    },
    /// The tables are applied, and each verdict of the pools is of what there is since then.
    Warm {
        since: Instant,
    },
    Keeper(Report),
    StatePassed,
    /// Another policy with the same sessions: what a station of it would begin with.
    Renew(Box<Renewal>),
    HookDone {
        unit: usize,
    },
    /// Fall silent just after an advertisement: another process goes on.
    HandOn {
        reply: HandOnReply,
    },
    /// The other process could not: go on, as a run of this number.
    TakeBack {
        epoch: u64,
    },
    /// The other process serves: end without a word.
    End,
    Release {
        router: Option<RouterName>,
        until: Option<Instant>,
    },
    Clear {
        router: Option<RouterName>,
    },
    Stop,
}

/// Who waits for the thread to fall silent; the error is what is under way.
pub type HandOnReply = oneshot::Sender<Result<Silence, String>>;

/// What another process goes on with.
#[derive(Debug)]
pub struct Silence {
    /// Where it has not by then, this one does.
    pub start_by: Instant,
    /// `None`: there is no election.
    pub station: Option<HandedStation>,
}

/// What another policy brings.
#[derive(Debug)]
pub struct Renewal {
    pub station: Station,
    pub paths: Arc<Paths>,
}

/// What the thread tells.
#[derive(Debug)]
pub enum Notice {
    Role {
        router: RouterId,
        is_master: bool,
        /// Whether another director hands the addresses over.
        handed_over: bool,
    },
    Tell(Event),
    /// Have the connection table sent, then say [`Command::StatePassed`]; not `whole`: what has come since the last time.
    PassState {
        whole: bool,
    },
    /// Say [`Command::Warm`] when the pools know their servers as they are since then.
    WarmUp {
        since: Instant,
    },
    RunHook {
        unit: usize,
        hooks: Vec<Hook>,
    },
    /// To be kept over a restart, against replays.
    Marks(BTreeMap<Sender_, Mark>),
    /// This run has another number now, to be kept over a restart.
    Run {
        epoch: u64,
    },
    /// Something could not be done, and what to do.
    Trouble(String),
    /// Everything is handed over or given up. `lengthen`: addresses are left that nobody took.
    Stopped {
        lengthen: bool,
    },
}

/// What the thread publishes a few times a second.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Published {
    pub picture: Picture,
    pub lateness: Lateness,
    pub dropped: Dropped,
    /// Notices that nobody took in time.
    pub notices_lost: u64,
}

/// The thread.
#[derive(Debug)]
pub struct AdvertThread {
    commander: Commander,
    published: Arc<ArcSwap<Published>>,
    thread: JoinHandle<()>,
}

/// Gives commands; copies give them to the same thread.
#[derive(Clone, Debug)]
pub struct Commander {
    commands: SyncSender<Command>,
    wake: Arc<EventFd>,
}

impl Commander {
    /// A commander and the end that its thread reads. The address thread wants the one before the other is started.
    ///
    /// # Errors
    /// When the host gives no descriptor.
    pub fn new() -> std::io::Result<(Self, Commands)> {
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let (commands, queue) = sync_channel(WAITING_MAX);
        Ok((Self { commands, wake: Arc::clone(&wake) }, Commands { queue, wake }))
    }

    /// Gives a command without waiting; `false`: too many wait already, or the thread has ended.
    pub fn give(&self, command: Command) -> bool {
        let given = self.commands.try_send(command).is_ok();
        // It can only fail when the counter is full, and then the descriptor is readable anyway.
        let _ = self.wake.write(1);
        given
    }
}

/// The end of the queue that the thread reads.
#[derive(Debug)]
pub struct Commands {
    pub(super) queue: Receiver<Command>,
    pub(super) wake: Arc<EventFd>,
}

/// What the thread runs with.
pub struct Parts {
    pub station: Station,
    pub paths: Arc<Paths>,
    pub clock: Clock,
    pub commander: Commander,
    pub commands: Commands,
    /// Hands an order to the address thread; never waits.
    pub order: Box<dyn FnMut(Order) + Send>,
    /// Microseconds of the clock at the last sign of life.
    pub alive: Arc<AtomicU64>,
    /// The last sign of life of the address thread.
    pub keeper_pulse: Box<dyn Fn() -> Instant + Send>,
    /// A number that changes while the loop of the pools lives.
    pub pools_turns: Box<dyn Fn() -> u64 + Send>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Parts").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// Everything that the thread needs of the host: opened beforehand where each millisecond counts later.
#[derive(Debug)]
pub struct Sockets {
    links: LinkListener,
    transport: Transport,
    errors: Vec<OpenError>,
    errands: Errands,
}

impl Sockets {
    /// Opens them in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the host gives no descriptor, no netlink socket or no thread.
    pub fn open(paths: &Arc<Paths>) -> Result<Self, KernelError> {
        let links = LinkListener::open()?;
        let (transport, errors) = Transport::open(paths).map_err(failed)?;
        let errands = Errands::start(Arc::clone(paths)).map_err(failed)?;
        Ok(Self { links, transport, errors, errands })
    }
}

fn failed(error: std::io::Error) -> KernelError {
    let (errno, message) = (error.raw_os_error(), format!("cannot start the advert thread: {error}"));
    KernelError { errno, message }
}

impl AdvertThread {
    /// Starts with the sockets of its paths; what could not be opened is tried again later, and told.
    ///
    /// # Errors
    /// When the host gives no thread.
    pub fn start(parts: Parts, sockets: Sockets) -> Result<(Self, mpsc::Receiver<Notice>), KernelError> {
        let Sockets { links, transport, errors, errands } = sockets;
        let (notices, heard) = mpsc::channel(WAITING_MAX);
        for error in errors {
            let _ = notices.try_send(Notice::Trouble(error.message));
        }
        // One that goes on in another process's place is asked before its first turn.
        let first = Published { picture: parts.station.picture(), ..Published::default() };
        let published = Arc::new(ArcSwap::from_pointee(first));
        let ports =
            Ports { transport, links, errands, notices: notices.clone(), published: Arc::clone(&published) };
        let commander = parts.commander.clone();
        parts.alive.store(parts.clock.now().as_micros(), Ordering::Release);
        let run = move || {
            for warning in prefer_this_thread(ADVERT_PRIORITY) {
                let _ = notices.try_send(Notice::Trouble(warning));
            }
            drop(notices);
            Driver::new(parts, ports).run();
        };
        let thread = thread::Builder::new().name("adverts".to_owned()).spawn(run).map_err(failed)?;
        Ok((Self { commander, published, thread }, heard))
    }

    /// Gives commands to it.
    #[must_use]
    pub fn commander(&self) -> &Commander {
        &self.commander
    }

    /// What it published last.
    #[must_use]
    pub fn published(&self) -> Arc<Published> {
        self.published.load_full()
    }

    /// Whether it has ended, which it does only after it was stopped, or by a panic.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }
}
