//! `tandem run`: the director in the foreground.

use super::arguments::STATE;
use super::loader::Loader;
use super::{ExitStatus, sentence};
use crate::control::SocketError;
use crate::director::error::RunError;
use crate::director::history::History;
use crate::director::loading::{Candidate, PolicyLoader as _};
use crate::director::run::{Observe, Parts, run as run_director};
use crate::director::runtime;
use crate::director::state_directory::{StateDirectory, StateError};
use crate::director::succession::dialogue::Greeting;
use crate::director::succession::successor::{Predecessor, TakeoverError};
use crate::director::targets::MOST_AT_ONCE;
use crate::hash::fnv1a;
use crate::kernel::sys::keep_little_memory;
use crate::kernel::{LinuxKernel, epoch, host_facts};
use crate::panics;
use crate::probe::cell;
use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The option of one that takes over.
const TAKEOVER: &str = "--takeover";
/// Proposed where the running director has the usual one.
const OBSERVED_SOCKET: &str = "/run/tandem/observe.sock";
/// Descriptors for everything but probes: listener, netlink, state, log.
const OTHER_FILES: usize = 256;

/// Where a director lives, and how strict it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places<'a> {
    pub(super) state: &'a Path,
    pub(super) socket: &'a Path,
    /// Whether only the files count.
    pub(super) strict: bool,
    /// Whether it changes nothing.
    pub(super) observe: bool,
    /// Whether it goes on in the place of one that runs.
    pub(super) takeover: bool,
}

/// Runs a director until SIGTERM or SIGINT; SIGHUP has it reload.
///
/// # Errors
/// When it cannot begin, each in one sentence that says what to do; nothing was changed then.
pub(super) fn run(loader: Loader, places: Places<'_>, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    keep_little_memory();
    // Where one page of two megabytes holds what is little used, it all counts, and what was given back is taken again. The
    // programs that it starts inherit that.
    nix::sys::prctl::set_thp_disable(true).ok();
    // Before an upgrade puts another program in its place.
    let successor = successor();
    cell::prepare();
    let runtime = runtime::start().context("cannot start the threads of the director")?;
    let mut predecessor = match places.takeover {
        true => runtime.block_on(Predecessor::find(places.socket))?,
        false => None,
    };
    if places.takeover && predecessor.is_none() {
        tracing::info!("no director runs here to take over from: starting as usual");
    }
    // Only read so far: a policy that is refused leaves not even a state directory behind.
    let history = History::open(places.state, &mut |warning| tracing::warn!("{warning}"));
    let candidate = match &predecessor {
        Some(predecessor) => in_force(&loader, &history, predecessor.greeting()).map(Some),
        None => first(&loader, &history, places.strict, err),
    };
    let candidate = match candidate {
        Ok(Some(candidate)) => candidate,
        Ok(None) => return Ok(ExitStatus::Failed),
        Err(error) => {
            if let Some(predecessor) = predecessor.take() {
                runtime.block_on(predecessor.failed(&sentence(&error)));
            }
            return Err(error);
        }
    };
    let state = match &predecessor {
        // The other process holds its lock.
        Some(_) => StateDirectory::peek(places.state),
        None => StateDirectory::lock(places.state).map_err(|error| of_observer(error.into(), places))?,
    };
    let socket = places.socket.to_owned();
    panics::watch();
    make_room_for_sockets();
    let epoch = epoch()?;
    // What a director that runs here has made is its own: only its record tells.
    let record = || StateDirectory::peek(Path::new(STATE)).load(&epoch, &mut |_| {});
    let observe = places.observe.then(|| Observe { found: record() });
    let seed = seed(&epoch);
    let result = runtime::drive(&runtime, async move {
        let stop = stop_requested()?;
        let parts = Parts {
            candidate,
            loader: Arc::new(loader),
            history,
            hangups: hangups()?,
            kernel: LinuxKernel::new(),
            state,
            ask_host: host_facts,
            epoch,
            seed,
            socket,
            observe,
            predecessor,
            successor,
        };
        run_director(parts, stop).await?;
        anyhow::Ok(ExitStatus::Done)
    });
    // A probe that hangs in the resolver or in a blocking read must not hold up the end.
    runtime.shutdown_background();
    result.map_err(|error| of_observer(error, places))
}

/// What starts a process that takes over from this one: the same program with the same arguments. Empty where it is unknown.
fn successor() -> Vec<OsString> {
    let Ok(program) = std::env::current_exe() else { return Vec::new() };
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != TAKEOVER);
    std::iter::once(program.into()).chain(arguments).chain([TAKEOVER.into()]).collect()
}

/// The policy that the running director has in force: its files may have changed since, and are no affair of an upgrade.
fn in_force(loader: &Loader, history: &History, greeting: &Greeting) -> anyhow::Result<Candidate> {
    let kept = history.of(greeting.generation).filter(|entry| entry.text.number() == greeting.text);
    let kept = kept.ok_or(TakeoverError::NotKept(greeting.generation))?;
    loader.read_text(&kept.text).map_err(|problems| {
        anyhow::anyhow!(
            "policy {}, which the running director has in force, is not good for this program:\n{problems}",
            greeting.generation
        )
    })
}

/// One that observes beside a running director does not stop that one first.
fn of_observer(error: anyhow::Error, places: Places<'_>) -> anyhow::Error {
    let locked = matches!(error.downcast_ref(), Some(StateError::Locked { .. }));
    let in_use = matches!(error.downcast_ref(), Some(RunError::Socket(SocketError::InUse { .. })));
    match (places.observe, locked, in_use) {
        (true, true, _) => error.context("an observing director has a state directory of its own: leave out --state-directory, or name another"),
        (true, _, true) => error.context(format!(
            "an observing director has a control socket of its own: give it one with --socket {OBSERVED_SOCKET}, and `tandem status` the same"
        )),
        _ => error,
    }
}

/// What to start with. A bad file on disk does not keep the site down: the last
/// good policy runs then; and one that was never confirmed does not come back.
fn first(
    loader: &Loader,
    history: &History,
    strict: bool,
    err: &mut dyn Write,
) -> anyhow::Result<Option<Candidate>> {
    let kept = |why: &str| {
        let entry = history.last_good().filter(|_| !strict)?;
        let candidate = loader.read_text(&entry.text).ok()?;
        tracing::error!("{why}: policy {}, the last good one, runs instead", entry.generation);
        Some(candidate)
    };
    match loader.read_files() {
        Ok(candidate) => {
            if history.was_not_confirmed(&candidate.text)
                && let Some(kept) = kept("the policy's files were never confirmed")
            {
                return Ok(Some(kept));
            }
            candidate.warnings.iter().try_for_each(|warning| write!(err, "{warning}"))?;
            Ok(Some(candidate))
        }
        Err(problems) => {
            write!(err, "{problems}")?;
            Ok(kept("the policy's files are not good"))
        }
    }
}

/// Takes the soft limit of open files up to the hard one: 1,024, the usual soft limit, is less than the probes that may be
/// in flight.
fn make_room_for_sockets() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        Ok((soft, hard))
    });
    let enough = u64::try_from(MOST_AT_ONCE + OTHER_FILES).unwrap_or(u64::MAX);
    match raised {
        Ok((_, hard)) if hard >= enough => {}
        Ok((_, limit)) => tracing::warn!(
            limit,
            enough,
            "few files may be open, so many probes at once will fail here; raise LimitNOFILE or ulimit -Hn"
        ),
        Err(error) => tracing::warn!("cannot raise the limit of open files: {error}"),
    }
}

/// Two directors that boot together must not probe in step: the boot id differs.
fn seed(epoch: &crate::reconcile::Epoch) -> u64 {
    fnv1a(epoch.boot_id.bytes().chain(epoch.namespace.bytes()))
}

/// Resolves at SIGTERM or SIGINT.
fn stop_requested() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Something at each SIGHUP.
fn hangups() -> anyhow::Result<mpsc::Receiver<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // One that waits is enough: it reads the files as they are then.
            sender.try_send(()).ok();
        }
    });
    Ok(receiver)
}
