//! Why a director ends without being asked.

use super::state_directory::StateError;
use crate::control::SocketError;
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
    Control(#[from] SocketError),
}
