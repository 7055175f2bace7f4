//! `tandem run`: the director in the foreground.

use super::ExitStatus;
use crate::director::run::{Parts, run as run_director};
use crate::director::runtime;
use crate::director::state_directory::StateDirectory;
use crate::director::targets::MOST_AT_ONCE;
use crate::hash::fnv1a;
use crate::kernel::{LinuxKernel, epoch, host_facts};
use crate::model::Policy;
use anyhow::Context as _;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

/// Descriptors for everything but probes: listener, netlink, state, log.
const OTHER_FILES: usize = 256;

/// Runs a director with `policy` until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot begin, each in one sentence that says what to do; nothing was changed then.
pub(super) fn run(policy: Policy, state: &Path, socket: &Path) -> anyhow::Result<ExitStatus> {
    let state = StateDirectory::lock(state)?;
    let socket = socket.to_owned();
    make_room_for_sockets();
    let runtime = runtime::start().context("cannot start the threads of the director")?;
    let epoch = epoch()?;
    let kernel = LinuxKernel::new();
    let seed = seed(&epoch);
    let result = runtime::drive(&runtime, async move {
        let stop = stop_requested()?;
        run_director(Parts { policy, kernel, state, ask_host: host_facts, epoch, seed, socket }, stop)
            .await?;
        anyhow::Ok(ExitStatus::Done)
    });
    // A probe that hangs in the resolver or in a blocking read must not hold up the end.
    runtime.shutdown_background();
    result
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

/// Resolves at SIGTERM or SIGINT. SIGHUP must not end a director whose operator is used to reloading by it.
fn stop_requested() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hangup.recv() => tracing::warn!(
                    "SIGHUP: this version cannot reload; restart it (the table and its connections stay)"
                ),
            }
        }
    })
}
