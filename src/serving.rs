//! Connections of HTTP/1.1, bounded (shell): what the metrics listener, the API over TCP and the control socket share. One
//! request a connection; what is asked and answered is the caller's. The two that come over TCP come through a [`door`], and
//! are served on a thread of their own ([`Visitors`]).
//!
//! Bounded: connections at the same time, header bytes, the time of a header and of a whole connection, which a stream may
//! lengthen as long as its reader reads ([`Patience`]). The bounds on bodies are the router's.

mod door;
mod lingering;
mod throttle;
mod visitors;

use axum::response::Response;
use axum::{Extension, Router};
pub(crate) use door::{Visitor, retry_after};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lingering::Lingering;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
#[cfg(test)]
pub(crate) use throttle::{BURST, MOST_OF_ONE};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};
pub use visitors::Visitors;
pub(crate) use visitors::{Served, bind};

/// Connections to a socket of this host at the same time; further ones wait in the kernel's queue.
const MOST_CONNECTIONS: usize = 64;

/// Largest request header.
const HEADER_BYTES: usize = 16 * 1024;

/// How long to wait after an accept that failed (too many open files, say): trying at once would only burn the processor.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// How long a caller may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// A request header must have come within this time.
    pub(crate) header: Duration,
    /// A connection (one request) ends after this time, done or not, unless its [`Patience`] is lengthened.
    pub(crate) connection: Duration,
}

/// Until when a connection may last: an extension of its request. A stream lengthens it each time that its reader takes
/// something, so that one who reads no more is let go.
#[derive(Clone, Debug)]
pub(crate) struct Patience(Arc<Mutex<Instant>>);

impl Patience {
    pub(crate) fn of(time: Duration) -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + time)))
    }

    /// At least so much longer from now on.
    pub(crate) fn lengthen(&self, time: Duration) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Instant::now() + time);
    }

    fn until(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` as long as it lasts; `None`: it was over first.
    pub(crate) async fn bound<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let over = async {
            while self.until() > Instant::now() {
                sleep_until(self.until()).await;
            }
        };
        tokio::select! {
            done = work => Some(done),
            () = over => None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { header: Duration::from_secs(5), connection: Duration::from_secs(30) }
    }
}

/// Serves a socket of this host for ever; drop the future to stop. Each connection is answered by the router that `router_of`
/// makes for it; `name` is for the log.
pub(crate) async fn serve(
    listener: UnixListener,
    name: &'static str,
    limits: Limits,
    router_of: impl Fn(&UnixStream) -> Router,
) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let patience = Patience::of(limits.connection);
                let router = router_of(&stream).layer(Extension(patience.clone()));
                tokio::spawn(async move {
                    // Out of time or broken: either way this one request is over, and nobody waits for it.
                    let _ =
                        patience.bound(connection(stream, TowerToHyperService::new(router), limits)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the {name} cannot accept a connection; trying again");
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

/// One request and its answer.
async fn connection<S, V>(stream: S, service: V, limits: Limits) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(HEADER_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(Lingering::new(stream)), service)
        .with_upgrades()
        .await
}
