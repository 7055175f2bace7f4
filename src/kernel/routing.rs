//! The conversation about addresses, links and routes (rtnetlink), made blocking: every call ends within [`CALL_TIMEOUT`].
//!
//! The connection lives on a small runtime of its own, which runs only while a call waits. Calls must not come from inside
//! another runtime's task.

use super::KernelError;
use super::error::words_of;
use futures_util::TryStreamExt;
use netlink_packet_route::link::LinkAttribute;
use rtnetlink::Handle;
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// How long one call may take. Another program may hold the kernel's rtnl lock for a while; half a minute is none.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// One connection, to the network namespace of the thread that opened it.
pub(crate) struct Routing {
    runtime: Runtime,
    handle: Handle,
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
        let failed =
            |error: io::Error| KernelError::from_io("cannot open a netlink socket for addresses", &error);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let entered = runtime.enter();
        let (connection, handle, _messages) = rtnetlink::new_connection().map_err(failed)?;
        drop(entered);
        runtime.spawn(connection);
        Ok(Self { runtime, handle })
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
        let bounded = async { timeout(CALL_TIMEOUT, call(self.handle.clone())).await };
        match self.runtime.block_on(bounded) {
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
