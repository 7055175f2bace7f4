//! A connection's bytes, with or without TLS, and what is counted of them.

use crate::model::{Failure, Phase};
use crate::probe::failure::{self, Overrun};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A TCP connection, bare or with a TLS session on it: one type, so that the exchange is compiled once.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Why the server ended the session, where it has said so and nobody has read it. Past the runtime, which would not try
    /// before it has heard of it.
    fn last_word(&mut self) -> Option<io::Error> {
        let Self::Tls(stream) = self else { return None };
        let (socket, session) = stream.get_mut();
        session.read_tls(&mut Unread(socket)).ok()?;
        session.process_new_packets().err().map(io::Error::other)
    }
}

/// What the system has of a socket and nobody has read.
struct Unread<'a>(&'a TcpStream);

impl io::Read for Unread<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        nix::unistd::read(self.0, buffer).map_err(io::Error::from)
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Dropping the socket resets the connection; a FIN before it could leave it in TIME_WAIT.
        Poll::Ready(Ok(()))
    }
}

/// What is counted of one exchange.
#[derive(Debug, Default)]
pub(super) struct Meter {
    limit: AtomicUsize,
    read: AtomicUsize,
    first_byte: AtomicU8,
    written: AtomicBool,
    /// What broke the wire, where that says more than that it broke. HTTP/2 keeps only the words of it.
    broken: OnceLock<Failure>,
}

impl Meter {
    /// A new exchange begins, whose answer may take `limit` bytes.
    pub(super) fn begin(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.read.store(0, Ordering::Relaxed);
        self.first_byte.store(0, Ordering::Relaxed);
        self.written.store(false, Ordering::Relaxed);
    }

    /// Whether all that there was to send has been handed to the system.
    pub(super) fn is_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }

    /// What broke the wire: TLS, a bound, the way to the server; not that the server closed it.
    pub(super) fn broken(&self) -> Option<&Failure> {
        self.broken.get()
    }

    fn note(&self, error: &io::Error) {
        match failure::on_stream(error, Phase::Request) {
            Failure::ConnectionLost(_) | Failure::Timeout(_) => {}
            telling => drop(self.broken.set(telling)),
        }
    }

    /// The first byte of an answer without TLS, where it is not zero.
    pub(super) fn first_byte(&self) -> Option<u8> {
        Some(self.first_byte.load(Ordering::Relaxed)).filter(|byte| *byte != 0)
    }
}

/// A wire that is counted, and that ends when the server sends too much.
#[derive(Debug)]
pub(super) struct Metered {
    wire: Wire,
    meter: Arc<Meter>,
}

impl Metered {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, meter: Arc::default() }
    }

    /// What is counted of it.
    pub(super) const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Notes why the wire broke under a write. A server that refuses a session says so before it closes, and that word may
    /// still wait to be read: it tells more than the write does.
    fn broke(&mut self, error: &io::Error) {
        if let Some(refused) = self.wire.last_word() {
            self.meter.note(&refused);
        }
        self.meter.note(error);
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (read, limit) =
            (self.meter.read.load(Ordering::Relaxed), self.meter.limit.load(Ordering::Relaxed));
        if read >= limit {
            let error = io::Error::other(Overrun(limit));
            self.meter.note(&error);
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        let ended = ready!(Pin::new(&mut self.wire).poll_read(context, buffer));
        ended.inspect_err(|error| self.meter.note(error))?;
        let new = buffer.filled().get(before..).unwrap_or_default();
        // Under TLS it tells nothing of the language that is spoken.
        if let (0, Some(first), Wire::Plain(_)) = (read, new.first(), &self.wire) {
            self.meter.first_byte.store(*first, Ordering::Relaxed);
        }
        self.meter.read.store(read + new.len(), Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.wire).poll_write(context, bytes));
        let written = written.inspect_err(|error| self.broke(error))?;
        self.meter.written.store(written == bytes.len(), Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = ready!(Pin::new(&mut self.wire).poll_flush(context));
        Poll::Ready(flushed.inspect_err(|error| self.broke(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}
