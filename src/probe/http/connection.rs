//! One HTTP connection, driven by whoever waits for an answer on it.
//!
//! hyper's connection is a future of its own. It is not spawned: it is polled beside the work that waits for it, so that a
//! probe whose time is up takes everything with it, and one that is kept costs nothing meanwhile.

use super::wire::{Meter, Metered, Wire};
use super::{HEADER_BYTES, HEADER_COUNT, Kept};
use crate::model::{Failure, HttpVersion, Phase};
use crate::probe::failure;
use crate::probe::progress::Progress;
use crate::probe::socket::SocketOptions;
use crate::probe::tls::Tls;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::rt::Executor;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;
use std::time::Duration;

/// Bytes of a body that an HTTP/2 server may send ahead of us (RFC 9113, section 5.2); of the connection, too.
const WINDOW_BYTES: u32 = 64 * 1024;

/// What is sent on a connection: all of a content at once, or none.
pub(in crate::probe) type Sent = Request<Full<Bytes>>;

/// How a connection is made.
#[derive(Clone, Copy, Debug)]
pub(in crate::probe) struct Opening<'a> {
    pub(in crate::probe) tls: Option<&'a Tls>,
    /// The version that is wanted. Over TLS, HTTP/1.1 gives way to what the server chose of a longer offer.
    pub(in crate::probe) version: HttpVersion,
}

impl Opening<'_> {
    /// The connection to `target` that was kept, where it is of use, else a new one. A kept one that breaks all the same was
    /// closed meanwhile, as servers do: that is no failure, and the next one is new.
    pub(in crate::probe) async fn kept_or_new(
        self,
        kept: Option<&Kept>,
        socket: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Connection, Failure> {
        if let Some(mut connection) = kept.and_then(|kept| kept.take(target))
            && connection.is_usable(progress).await
        {
            return Ok(connection);
        }
        self.open(socket, target, progress).await
    }

    /// A new connection to `target`.
    async fn open(
        self,
        socket: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Connection, Failure> {
        let stream = socket.connect(target).await?;
        let Some(tls) = self.tls else {
            return Connection::begin_on(Wire::Plain(stream), self.version, None, progress).await;
        };
        progress.enter(Phase::TlsHandshake);
        let session = tls.connect(stream, target).await?;
        let version = match (self.version, session.get_ref().1.alpn_protocol()) {
            (_, Some(b"h2")) => HttpVersion::Http2,
            (HttpVersion::Http1, _) => HttpVersion::Http1,
            (HttpVersion::Http2, _) => {
                return Err(Failure::Tls("the server does not choose HTTP/2 (ALPN h2)".to_owned()));
            }
        };
        let expires = crate::probe::tls::expiry(&session);
        Connection::begin_on(Wire::Tls(Box::new(session)), version, expires, progress).await
    }
}

/// A connection on which requests can be sent, one after the other.
pub(in crate::probe) struct Connection {
    sender: Sender,
    driver: Driver,
    meter: Arc<Meter>,
    is_tls: bool,
    certificate_expires: Option<Duration>,
    exchanges: u32,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Connection").field("exchanges", &self.exchanges).finish_non_exhaustive()
    }
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    async fn begin_on(
        wire: Wire,
        version: HttpVersion,
        certificate_expires: Option<Duration>,
        progress: &Progress,
    ) -> Result<Self, Failure> {
        progress.enter(Phase::Request);
        let is_tls = matches!(wire, Wire::Tls(_));
        let meter = Arc::new(Meter::default());
        let stream = TokioIo::new(Metered::new(wire, Arc::clone(&meter)));
        let failed = |error| failure::of_http(&error, progress.phase(), None);
        let (sender, driver) = match version {
            HttpVersion::Http1 => {
                let mut builder = http1::Builder::new();
                builder.title_case_headers(true).max_buf_size(HEADER_BYTES).max_headers(HEADER_COUNT);
                let (sender, connection) = builder.handshake(stream).await.map_err(failed)?;
                (Sender::Http1(sender), Driver::new(async { drop(connection.await) }, Spawned::default()))
            }
            HttpVersion::Http2 => {
                let spawned = Spawned::somewhere();
                let mut builder = http2::Builder::new(spawned.clone());
                builder.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
                builder.max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX));
                let (sender, connection) = builder.handshake(stream).await.map_err(failed)?;
                (Sender::Http2(sender), Driver::new(async { drop(connection.await) }, spawned))
            }
        };
        Ok(Self { sender, driver, meter, is_tls, certificate_expires, exchanges: 0 })
    }

    /// The version that is spoken on it.
    pub(in crate::probe) const fn version(&self) -> HttpVersion {
        match self.sender {
            Sender::Http1(_) => HttpVersion::Http1,
            Sender::Http2(_) => HttpVersion::Http2,
        }
    }

    /// Unix time at which the server's certificate expires.
    pub(in crate::probe) const fn certificate_expires(&self) -> Option<Duration> {
        self.certificate_expires
    }

    /// Whether it was kept from an earlier probe.
    pub(in crate::probe) const fn is_kept(&self) -> bool {
        self.exchanges > 0
    }

    /// Requests that were sent on it.
    pub(in crate::probe) const fn exchanges(&self) -> u32 {
        self.exchanges
    }

    /// A new exchange begins, whose answer may take `limit` bytes with all that frames it.
    pub(in crate::probe) fn begin(&mut self, limit: usize) {
        self.meter.begin(limit);
        self.exchanges += 1;
    }

    /// Whether a kept connection can take another request, as far as can be seen from here.
    pub(in crate::probe) async fn is_usable(&mut self, progress: &Progress) -> bool {
        let Self { sender, driver, meter, .. } = self;
        let ready = async {
            match sender {
                Sender::Http1(sender) => sender.ready().await,
                Sender::Http2(sender) => sender.ready().await,
            }
        };
        drive(driver, meter, ready, progress).await.is_ok()
    }

    /// Sends a request and waits for the header of its answer.
    pub(in crate::probe) async fn send(
        &mut self,
        request: Sent,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Failure> {
        let Self { sender, driver, meter, .. } = self;
        let sent = match sender {
            Sender::Http1(sender) => drive(driver, meter, sender.send_request(request), progress).await,
            Sender::Http2(sender) => drive(driver, meter, sender.send_request(request), progress).await,
        };
        sent.map_err(|error| self.failure(&error, progress))
    }

    /// Runs `work`, which waits for this connection, and the connection with it.
    pub(in crate::probe) async fn drive<W: Future>(&mut self, work: W, progress: &Progress) -> W::Output {
        drive(&mut self.driver, &self.meter, work, progress).await
    }

    /// What an error on this connection says of the server.
    pub(in crate::probe) fn failure(&self, error: &hyper::Error, progress: &Progress) -> Failure {
        let first_byte = (!self.is_tls).then(|| self.meter.first_byte());
        let broken = self.meter.broken().cloned();
        broken.unwrap_or_else(|| failure::of_http(error, progress.phase(), first_byte))
    }
}

async fn drive<W: Future>(driver: &mut Driver, meter: &Meter, work: W, progress: &Progress) -> W::Output {
    let mut work = pin!(work);
    poll_fn(|context| {
        driver.poll(context);
        let mut done = work.as_mut().poll(context);
        if done.is_pending() {
            // The work may just have handed the connection something to do.
            driver.poll(context);
            done = work.as_mut().poll(context);
        }
        if meter.is_written() {
            progress.enter(Phase::ResponseHeaders);
        }
        done
    })
    .await
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What moves the bytes of a connection.
struct Driver {
    /// `None`: it has ended.
    main: Option<Task>,
    /// The parts of an HTTP/2 connection.
    parts: Vec<Task>,
    spawned: Spawned,
}

impl Driver {
    fn new(main: impl Future<Output = ()> + Send + 'static, spawned: Spawned) -> Self {
        Self { main: Some(Box::pin(main)), parts: Vec::new(), spawned }
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        loop {
            if self.main.as_mut().is_some_and(|main| main.as_mut().poll(context).is_ready()) {
                self.main = None;
            }
            self.parts.retain_mut(|part| part.as_mut().poll(context).is_pending());
            let new = self.spawned.take();
            if new.is_empty() {
                return;
            }
            self.parts.extend(new);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A part that was never polled holds the place where it waits: taken out, both go.
        drop(self.spawned.take());
    }
}

/// Where hyper's HTTP/2 puts the futures that it wants to have spawned; HTTP/1.1 has none.
#[derive(Clone, Default)]
struct Spawned(Option<Arc<Mutex<Vec<Task>>>>);

impl Spawned {
    fn somewhere() -> Self {
        Self(Some(Arc::default()))
    }

    fn take(&self) -> Vec<Task> {
        let Some(tasks) = &self.0 else { return Vec::new() };
        std::mem::take(&mut *tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawned {
    fn execute(&self, future: F) {
        if let Some(tasks) = &self.0 {
            tasks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(future));
        }
    }
}
