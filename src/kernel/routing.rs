//! The conversation about addresses, links and routes (rtnetlink), made blocking: every call ends within [`CALL_TIMEOUT`].
//!
//! Each call is a connection of its own, on a small runtime which runs only while a call waits. Calls must not come from inside
//! another runtime's task. A message of the kernel that the library stumbles over (it panics where an attribute of some kinds of
//! links has another length than it knows) ends the connection and fails the call: half a list is never taken for a whole one.

use super::KernelError;
use super::error::words_of;
use crate::panics;
use futures_util::TryStreamExt;
use netlink_packet_route::link::LinkAttribute;
use rtnetlink::Handle;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, spawn};
use tokio::time::timeout;

/// How long one call may take. Another program may hold the kernel's rtnl lock for a while; half a minute is none.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Where calls wait. They go to the network namespace of the thread that calls.
pub(crate) struct Routing {
    runtime: Runtime,
}

impl std::fmt::Debug for Routing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Routing").finish_non_exhaustive()
    }
}

impl Routing {
    /// Starts the runtime.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub(crate) fn open() -> Result<Self, KernelError> {
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| no_socket(&error))?;
        Ok(Self { runtime })
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
        let bounded = async {
            let (connection, handle, _messages) =
                rtnetlink::new_connection().map_err(|error| no_socket(&error))?;
            let connection = spawn(connection);
            let answer = timeout(CALL_TIMEOUT, call(handle.clone())).await;
            // It lives as long as the handle does, unless it broke.
            let broke = connection.is_finished();
            drop(handle);
            if broke { Err(broken(what, connection.await)) } else { Ok(answer) }
        };
        match self.runtime.block_on(bounded)? {
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
    fn each_call_is_a_conversation_of_its_own() {
        let routing = Routing::open().expect("a runtime");
        for _ in 0..2 {
            assert!(routing.interfaces().expect("the interfaces").values().any(|name| name == "lo"));
        }
    }
}
