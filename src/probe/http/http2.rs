//! HTTP/2 on one connection, driven by whoever waits for an answer on it.
//!
//! hyper's connection is a future of its own. It is not spawned: it is polled beside the work that waits for it, so that a
//! probe whose time is up takes everything with it, and one that is kept costs nothing meanwhile.

use super::HEADER_BYTES;
use super::answer::{Drained, Taking};
use super::opening::{Opened, Session};
use super::wire::{Meter, Metered};
use crate::model::{Failure, Phase};
use crate::probe::failure;
use crate::probe::progress::Progress;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;

/// Bytes of a body that an HTTP/2 server may send ahead of us (RFC 9113, section 5.2); of the connection, too.
const WINDOW_BYTES: u32 = 64 * 1024;

/// What is sent on a connection: all of a content at once, or none.
pub(in crate::probe) type Sent = Request<Full<Bytes>>;

/// A connection on which one exchange follows the other.
pub(in crate::probe) struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
    driver: Driver,
    meter: Arc<Meter>,
}

impl std::fmt::Debug for Http2 {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Http2").finish_non_exhaustive()
    }
}

impl Session for Http2 {
    async fn begin_on(opened: Opened, progress: &Progress) -> Result<Self, Failure> {
        progress.enter(Phase::Request);
        let metered = Metered::new(opened.wire);
        let meter = Arc::clone(metered.meter());
        let spawned = Spawned::default();
        let mut builder = http2::Builder::new(spawned.clone());
        builder.initial_stream_window_size(WINDOW_BYTES).initial_connection_window_size(WINDOW_BYTES);
        builder.max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX));
        let begun = builder.handshake(TokioIo::new(metered)).await;
        let (sender, connection) =
            begun.map_err(|error| failure::of_http2(&error, progress.phase(), None))?;
        Ok(Self { sender, driver: Driver::new(async { drop(connection.await) }, spawned), meter })
    }

    async fn is_usable(&mut self, progress: &Progress) -> bool {
        let Self { sender, driver, meter, .. } = self;
        drive(driver, meter, sender.ready(), progress).await.is_ok()
    }

    fn begin(&mut self, limit: usize) {
        self.meter.begin(limit);
    }

    fn rest(&mut self) -> bool {
        true
    }
}

impl Http2 {
    /// Sends a request and waits for the header of its answer.
    pub(in crate::probe) async fn send(
        &mut self,
        request: Sent,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Failure> {
        let Self { sender, driver, meter, .. } = self;
        let sent = drive(driver, meter, sender.send_request(request), progress).await;
        sent.map_err(|error| self.failure(&error, progress))
    }

    /// Runs `work`, which waits for this connection, and the connection with it.
    pub(in crate::probe) async fn drive<W: Future>(&mut self, work: W, progress: &Progress) -> W::Output {
        drive(&mut self.driver, &self.meter, work, progress).await
    }

    /// What an error on this connection says of the server.
    pub(in crate::probe) fn failure(&self, error: &hyper::Error, progress: &Progress) -> Failure {
        let broken = self.meter.broken().cloned();
        broken.unwrap_or_else(|| failure::of_http2(error, progress.phase(), self.meter.first_byte()))
    }
}

/// Hands `take` a body piece by piece, up to `limit` bytes, until `take` wants no more.
pub(super) async fn drain(
    mut body: Incoming,
    limit: u32,
    take: impl FnMut(&[u8]) -> bool,
) -> hyper::Result<Drained> {
    let mut taking = Taking::new(limit, take);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        if let Some(end) = taking.piece(&piece) {
            return Ok(end);
        }
    }
    Ok(Drained::Whole)
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
    /// What it has wanted to have spawned.
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

/// Where hyper puts the futures that it wants to have spawned.
#[derive(Clone, Default)]
struct Spawned(Arc<Mutex<Vec<Task>>>);

impl Spawned {
    fn take(&self) -> Vec<Task> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Spawned {
    fn execute(&self, future: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(future));
    }
}
