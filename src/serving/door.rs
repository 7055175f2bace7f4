//! The door of a TCP port (shell): who comes is judged at accept, by its address alone, before anything is read or a handshake
//! begun. One that is not let in is closed, and does not wait: a queue of slow callers would keep the others out.
//!
//! Each port has a door of its own: who crowds one is nobody's trouble at the other.

use super::throttle::{Admission, Throttle};
use super::{Limits, PAUSE_AFTER_ERROR, Patience, connection};
use crate::panics::kept;
use crate::time::Instant;
use axum::http::HeaderValue;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

#[derive(Clone, Debug)]
pub(super) struct Door(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// For the log.
    name: &'static str,
    throttle: Mutex<Throttle>,
    started: tokio::time::Instant,
}

/// Who was let in.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// Canonical.
    pub(crate) address: IpAddr,
    /// When to come again, where it comes too often to be answered.
    pub(crate) pace: Result<(), Duration>,
    pub(crate) patience: Patience,
    pub(crate) limits: Limits,
}

impl Visitor {
    /// One request and its answer.
    pub(crate) async fn converse<S, V>(&self, stream: S, service: V) -> Option<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        V: Service<Request<Incoming>, Response = Response, Error = Infallible>,
    {
        connection(stream, service, self.limits).await.ok()
    }
}

/// The value of `Retry-After`: whole seconds.
pub(crate) fn retry_after(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + 1)
}

/// A connection's place, given back when it ends.
struct Place {
    door: Door,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.counted(|throttle, _| throttle.closed(self.address));
    }
}

impl Door {
    pub(super) fn new(name: &'static str) -> Self {
        let started = tokio::time::Instant::now();
        Self(Arc::new(Inner { name, throttle: Mutex::default(), started }))
    }

    /// Lets in for ever, and has each that is let in served by a task of its own; drop the future to stop.
    pub(super) async fn open<F>(self, listener: TcpListener, visit: impl Fn(TcpStream, Visitor) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (door, listener, visit) = (&self, &listener, &visit);
        kept(|| async move {
            loop {
                match listener.accept().await {
                    Ok((stream, from)) => door.let_in(stream, from.ip().to_canonical(), visit),
                    Err(error) => {
                        tracing::warn!(%error, "the {} cannot accept a connection; trying again", door.0.name);
                        sleep(PAUSE_AFTER_ERROR).await;
                    }
                }
            }
        })
        .await;
    }

    fn let_in<F>(&self, stream: TcpStream, address: IpAddr, visit: impl Fn(TcpStream, Visitor) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let pace = match self.counted(|throttle, now| throttle.opened(address, now)) {
            Admission::Closed => return,
            Admission::TooOften(wait) => Err(wait),
            Admission::Welcome => Ok(()),
        };
        let place = Place { door: self.clone(), address };
        let limits = Limits::default();
        let patience = Patience::of(limits.connection);
        let visit = visit(stream, Visitor { address, pace, patience: patience.clone(), limits });
        tokio::spawn(async move {
            let _place = place;
            // Out of time: this one request is over, and nobody waits for it.
            let _ = patience.bound(visit).await;
        });
    }

    fn counted<T>(&self, work: impl FnOnce(&mut Throttle, Instant) -> T) -> T {
        let now = Instant::ZERO + self.0.started.elapsed();
        work(&mut self.0.throttle.lock().unwrap_or_else(PoisonError::into_inner), now)
    }
}
