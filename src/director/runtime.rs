//! The thread of the pools (shell): tokio's runtime, set up so that a probe costs little.

use tokio::runtime::{Builder, Runtime};

/// What a director runs on: one thread for its loop, its probes and those who ask at the control socket. A probe is a handful
/// of system calls, and a switch between two threads costs as much as several of them. What keeps a processor busy goes to
/// threads of its own: the pair's, the kernel's, the workers of [`crate::probe::Pool`], and whatever the network asks over TCP
/// ([`crate::control::Visitors`]).
///
/// # Errors
/// When the system gives no event queue (too many open files).
pub fn start() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Runs `work` to its end, as a task of the runtime: one that is woken by its own thread costs no system call, and the future
/// that the runtime blocks on costs three.
pub fn drive<T: Send + 'static>(runtime: &Runtime, work: impl Future<Output = T> + Send + 'static) -> T {
    match runtime.block_on(async { tokio::spawn(work).await }) {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
