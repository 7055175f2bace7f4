//! Why a director ends without being asked.

use super::pair::SecretError;
use super::state_directory::StateError;
use super::succession::successor::TakeoverError;
use crate::control::{ApiError, SocketError};
use crate::hook::HookError;
use crate::kernel::KernelError;
use crate::observe::ListenError;
use crate::probe::PrepareError;

/// Why a director ended, or could not begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Kernel(#[from] KernelError),
    #[error(transparent)]
    Check(#[from] PrepareError),
    #[error("cannot start a thread: {0}; raise the limit of processes of this service (TasksMax, ulimit -u)")]
    Thread(#[source] std::io::Error),
    #[error("the kernel thread has ended, which it never does: a bug; please report it with the log")]
    KernelThreadEnded,
    #[error(transparent)]
    Listener(#[from] ListenError),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Hook(#[from] HookError),
    #[error(
        "cannot write vrrp.json into the state directory: {0}; without it this run has no number of its own"
    )]
    Memory(#[source] std::io::Error),
    #[error(transparent)]
    Takeover(#[from] TakeoverError),
    #[error("the advert thread has ended, which it never does: a bug; please report it with the log")]
    AdvertThreadEnded,
    #[error("the address thread has ended, which it never does: a bug; please report it with the log")]
    AddressThreadEnded,
    #[error(
        "the thread `{thread}` has given no sign of life for {seconds} s: giving up, so that the director is started anew; its \
         table goes on serving, and the kernel takes its floating addresses away"
    )]
    Hangs { thread: &'static str, seconds: u64 },
}
