//! How far a probe came, seen from outside when its time runs out.

use super::failure::{self, Overrun};
use crate::model::Phase;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The phase of one probe, shared between the probe and its time-out. It only goes forward.
#[derive(Debug, Default)]
pub(super) struct Progress {
    phase: AtomicU8,
    /// What has come and is not what was expected.
    unmet: Mutex<String>,
}

const PHASES: [Phase; 10] = [
    Phase::Connect,
    Phase::TlsHandshake,
    Phase::Greeting,
    Phase::Request,
    Phase::ResponseHeaders,
    Phase::ResponseBody,
    Phase::Reply,
    Phase::Expectation,
    Phase::EchoReply,
    Phase::Program,
];

impl Progress {
    /// The phase it is in.
    pub(super) fn phase(&self) -> Phase {
        let reached = usize::from(self.phase.load(Ordering::Relaxed));
        PHASES.get(reached).copied().unwrap_or(Phase::ResponseBody)
    }

    /// Enters `phase`, unless it is past it.
    pub(super) fn enter(&self, phase: Phase) {
        let place = (0..).zip(PHASES).find(|(_, known)| *known == phase).map_or(0, |(place, _)| place);
        self.phase.fetch_max(place, Ordering::Relaxed);
    }

    /// Keeps what has come while a text is expected, for the case that nothing more comes.
    pub(super) fn keep_unmet(&self, heard: &[u8]) {
        if let Ok(mut unmet) = self.unmet.lock() {
            *unmet = if heard.is_empty() { String::new() } else { failure::shown(heard) };
        }
    }

    /// What had come when a text was expected last.
    pub(super) fn unmet(&self) -> Option<String> {
        self.unmet.lock().ok().map(|unmet| unmet.clone()).filter(|unmet| !unmet.is_empty())
    }
}

/// The first byte of an answer: a TLS record gives itself away by it.
#[derive(Debug, Default)]
pub(super) struct FirstByte(AtomicU8);

impl FirstByte {
    /// Whether the answer began like a TLS alert or handshake (RFC 8446, section 5.1).
    pub(super) fn looks_like_tls(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), 0x15 | 0x16)
    }

    fn see(&self, byte: u8) {
        self.0.store(byte, Ordering::Relaxed);
    }
}

/// A stream that says how far the exchange is and ends it when the server sends too much.
#[derive(Debug)]
pub(super) struct Metered<'a, S> {
    stream: S,
    progress: &'a Progress,
    first_byte: &'a FirstByte,
    limit: usize,
    read: usize,
}

impl<'a, S> Metered<'a, S> {
    /// Reads `limit` bytes at most.
    pub(super) const fn new(
        stream: S,
        progress: &'a Progress,
        first_byte: &'a FirstByte,
        limit: usize,
    ) -> Self {
        Self { stream, progress, first_byte, limit, read: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read >= self.limit {
            return Poll::Ready(Err(io::Error::other(Overrun(self.limit))));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let new = &buffer.filled()[before..];
        if let (0, Some(first)) = (self.read, new.first()) {
            self.first_byte.see(*first);
        }
        self.read += new.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        if written == bytes.len() {
            self.progress.enter(Phase::ResponseHeaders);
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Dropping the socket resets the connection; a FIN before it could leave it in TIME_WAIT.
        Poll::Ready(Ok(()))
    }
}
