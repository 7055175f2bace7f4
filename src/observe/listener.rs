//! Serves `/metrics`, `/healthz` and `/readyz` (shell). Read-only, plain HTTP, GET and HEAD; everything else is 404 or 405.
//!
//! Connections are bounded by `serving`, which has them on a thread of their own; a request's body is never read. A scrape
//! reads the last snapshot and never asks the event loop for anything. Rendering runs on a blocking thread, one at a time.

use super::{Format, Names, render_as};
use crate::director::snapshot::Snapshot;
use crate::serving::{self, Served, Visitor, Visitors, retry_after};
use crate::time::Instant;
use arc_swap::ArcSwap;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

/// A snapshot older than this says that the event loop stands still: it takes one every two seconds or so.
const STALE_AFTER: Duration = Duration::from_secs(10);

/// Why the listener could not begin. The sentence says what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics at {address}: {advice}")]
pub struct ListenError {
    address: SocketAddr,
    advice: String,
    #[source]
    source: io::Error,
}

/// A listener whose port is taken, not yet serving: so that a taken port ends the start before anything is changed.
#[derive(Debug)]
pub struct Listener(TcpListener);

/// What requests are answered from.
#[derive(Clone, Debug)]
pub struct View {
    /// The last snapshot, swapped in by the event loop.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The moment of [`Instant::ZERO`].
    pub started: tokio::time::Instant,
}

impl View {
    /// The age of the last snapshot.
    fn age(&self) -> Duration {
        let now = Instant::ZERO + self.started.elapsed();
        now.saturating_since(self.snapshot.load().taken_at)
    }
}

#[derive(Clone)]
struct Shared {
    view: View,
    /// The last text. One is written at a time: it can be tens of megabytes.
    written: Arc<Mutex<Option<Written>>>,
}

/// A text, and what it was written of.
struct Written {
    taken_at: Instant,
    names: Names,
    format: Format,
    text: Bytes,
}

impl Listener {
    /// Takes the port. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the port is taken, or the address is none of this host's; the sentence says what to do.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let advise = |source: io::Error| ListenError { address, advice: advice(&source), source };
        serving::bind(address).await.map(Self).map_err(advise)
    }

    /// Where it listens: the port is the one that the system chose where 0 was asked for.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves until what comes back is dropped.
    pub(crate) fn serve(self, view: View, visitors: &Visitors) -> Served {
        let router = router(view);
        visitors
            .serve(self.0, "metrics listener", move |stream, visitor| answer(stream, visitor, router.clone()))
    }
}

async fn answer(stream: TcpStream, visitor: Visitor, router: Router) {
    let router = match visitor.pace {
        Ok(()) => router,
        Err(wait) => Router::new().fallback(async move || too_often(wait)),
    };
    visitor.converse(stream, TowerToHyperService::new(router)).await;
}

fn too_often(wait: Duration) -> Response {
    let text = "this address asks more often than any program needs to; ask again later\n";
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, retry_after(wait))], text).into_response()
}

fn advice(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => "another program holds this port; stop it, or choose another port in \
                                 `metrics: {listen: …}`"
            .to_owned(),
        ErrorKind::AddrNotAvailable => {
            "this is not an address of this host; use one that it has, or 0.0.0.0, in `metrics: {listen: …}`".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "a port below 1024 needs the capability CAP_NET_BIND_SERVICE; choose a higher one in `metrics: {listen: …}`"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

/// What there is to ask, for another listener: it has a text of its own.
pub(crate) fn routes(view: View) -> Router {
    router(view)
}

fn router(view: View) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(Shared { view, written: Arc::default() })
}

async fn metrics(State(shared): State<Shared>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let names = match Names::of_query(query.as_deref().unwrap_or_default()) {
        Ok(names) => names,
        Err(unknown) => return (StatusCode::BAD_REQUEST, format!("{unknown}\n")).into_response(),
    };
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let format = Format::of_accept(accept);
    match text(&shared, names, format).await {
        Some(text) => ([(header::CONTENT_TYPE, format.content_type())], Body::from(text)).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The text of the last snapshot. It is written once, however many ask for it at a time, and slow readers share it.
async fn text(shared: &Shared, names: Names, format: Format) -> Option<Bytes> {
    let mut written = shared.written.lock().await;
    let snapshot = shared.view.snapshot.load_full();
    let taken_at = snapshot.taken_at;
    let same =
        |written: &&Written| (written.taken_at, written.names, written.format) == (taken_at, names, format);
    if let Some(written) = written.as_ref().filter(same) {
        return Some(written.text.clone());
    }
    let text = Bytes::from(spawn_blocking(move || render_as(&snapshot, names, format)).await.ok()?.ok()?);
    *written = Some(Written { taken_at, names, format, text: text.clone() });
    Some(text)
}

async fn healthz(State(shared): State<Shared>) -> Response {
    let age = shared.view.age();
    if age > STALE_AFTER {
        let text = format!("the event loop has made no progress for {} s\n", age.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    "ok\n".into_response()
}

async fn readyz(State(shared): State<Shared>) -> Response {
    match &shared.view.snapshot.load().readiness {
        Ok(()) => "ready\n".into_response(),
        Err(awaited) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {awaited}\n")).into_response(),
    }
}
