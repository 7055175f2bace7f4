//! The conversation about addresses, links and routes (rtnetlink), made blocking: every call ends within [`CALL_TIMEOUT`].
//!
//! The connection lives on a small runtime of its own, which runs only while a call waits. Calls must not come from inside
//! another runtime's task. A message of the kernel that the library stumbles over (it panics where an attribute of some kinds of
//! links has another length than it knows) ends the connection and fails the call, and the next call begins another one: half a
//! list is never taken for a whole one.

use super::KernelError;
use super::error::words_of;
use crate::panics;
use futures_util::TryStreamExt;
use netlink_packet_route::link::LinkAttribute;
use rtnetlink::Handle;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle, spawn};
use tokio::time::timeout;

/// How long one call may take. Another program may hold the kernel's rtnl lock for a while; half a minute is none.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// One connection, to the network namespace of the thread that opened it.
pub(crate) struct Routing {
    runtime: Runtime,
    /// `None` after one that broke.
    connection: RefCell<Option<Connection>>,
}

/// It lives as long as the handle does, unless it breaks.
struct Connection {
    handle: Handle,
    end: JoinHandle<()>,
}

impl std::fmt::Debug for Routing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Routing").finish_non_exhaustive()
    }
}

impl Routing {
    /// Opens the socket and the runtime that drives it.
    ///
    /// # Errors
    /// When one of them cannot be had.
    pub(crate) fn open() -> Result<Self, KernelError> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| no_socket(&error))?;
        let routing = Self { runtime, connection: RefCell::default() };
        routing.handle()?;
        Ok(routing)
    }

    /// That of the connection, or of another one after one that broke.
    fn handle(&self) -> Result<Handle, KernelError> {
        if let Some(connection) = &*self.connection.borrow() {
            return Ok(connection.handle.clone());
        }
        let _entered = self.runtime.enter();
        let (connection, handle, _messages) =
            rtnetlink::new_connection().map_err(|error| no_socket(&error))?;
        let connection = Connection { handle: handle.clone(), end: spawn(connection) };
        self.connection.replace(Some(connection));
        Ok(handle)
    }

    /// The end of a connection that broke during a call.
    fn broke(&self) -> Option<Result<(), JoinError>> {
        let broken = self.connection.borrow_mut().take_if(|connection| connection.end.is_finished())?;
        Some(self.runtime.block_on(broken.end))
    }

    /// Runs one call to its end, within the time it may take; `what` completes "cannot …".
    pub(crate) fn call<T, Answer>(
        &self,
        what: &str,
        call: impl FnOnce(Handle) -> Answer,
    ) -> Result<T, KernelError>
    where
        Answer: Future<Output = Result<T, rtnetlink::Error>>,
    {
        let handle = self.handle()?;
        let answer = self.runtime.block_on(async { timeout(CALL_TIMEOUT, call(handle)).await });
        if let Some(end) = self.broke() {
            return Err(broken(what, end));
        }
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(explain(what, &error)),
            Err(_elapsed) => {
                let seconds = CALL_TIMEOUT.as_secs();
                let message = format!("cannot {what}: the kernel did not answer within {seconds} s");
                Err(KernelError { errno: Some(libc::ETIMEDOUT), message })
            }
        }
    }

    /// The name of every interface by its index.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub(crate) fn interfaces(&self) -> Result<BTreeMap<u32, String>, KernelError> {
        let links = self.call("list the interfaces", |handle| async move {
            handle.link().get().execute().try_collect::<Vec<_>>().await
        })?;
        let name_of = |attributes: Vec<LinkAttribute>| {
            attributes.into_iter().find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name),
                _ => None,
            })
        };
        Ok(links
            .into_iter()
            .filter_map(|link| Some((link.header.index, name_of(link.attributes)?)))
            .collect())
    }
}

fn no_socket(error: &io::Error) -> KernelError {
    KernelError::from_io("cannot open a netlink socket for addresses", error)
}

/// A connection that ended before its call: what came before its end may be a part of the answer.
fn broken(what: &str, end: Result<(), JoinError>) -> KernelError {
    let why = match end.map_err(JoinError::try_into_panic) {
        Err(Ok(panic)) => format!("a fault of this program (a panic: {})", panics::words(&*panic)),
        Ok(()) | Err(Err(_)) => "it ended".to_owned(),
    };
    KernelError {
        errno: None,
        message: format!("cannot {what}: the conversation with the kernel broke off: {why}"),
    }
}

/// The errno of an error, where the kernel gave one (positive).
pub(crate) fn errno_of(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(message.raw_code().saturating_abs()),
        _ => None,
    }
}

fn explain(what: &str, error: &rtnetlink::Error) -> KernelError {
    let errno = errno_of(error);
    let words = errno.map_or_else(|| error.to_string(), words_of);
    let advice = match errno {
        Some(libc::EPERM | libc::EACCES) => ": it needs root or CAP_NET_ADMIN",
        _ => "",
    };
    KernelError { errno, message: format!("cannot {what}: {words}{advice}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn breaks(panics: bool) {
        assert!(!panics, "length");
    }

    #[test]
    fn a_conversation_that_breaks_off_says_why() {
        let routing = Routing::open().expect("a runtime");
        let end = |panics| routing.runtime.block_on(async { spawn(breaks(panics)).await });
        let panicked = end(true);
        let told = broken("list the routes", panicked).message;
        assert_eq!(
            told,
            "cannot list the routes: the conversation with the kernel broke off: a fault of this program (a panic: length)"
        );
        let told = broken("list the routes", end(false)).message;
        assert_eq!(told, "cannot list the routes: the conversation with the kernel broke off: it ended");
    }

    #[test]
    fn after_a_conversation_that_broke_off_the_next_call_begins_another() {
        let routing = Routing::open().expect("a runtime");
        let interfaces = || routing.interfaces().map(|names| names.into_values().any(|name| name == "lo"));
        assert_eq!(interfaces().ok(), Some(true));
        let end = routing.runtime.spawn(breaks(true));
        routing.runtime.block_on(tokio::task::yield_now());
        let kept = routing.connection.borrow_mut().as_mut().map(|held| std::mem::replace(&mut held.end, end));
        let told = interfaces().expect_err("it broke during this call").message;
        assert!(
            told.starts_with("cannot list the interfaces: the conversation with the kernel broke off"),
            "{told}"
        );
        drop(kept);
        assert_eq!(interfaces().ok(), Some(true));
    }
}
