//! HTTP/1.1 on one connection: a request is written, the head of its answer read, and its body handed on piece by piece. What the
//! bytes mean is [`head`]'s and [`framing`]'s affair.
//!
//! Of our own, and not hyper's: at ten thousand probes a second what a general client does for each exchange (channels between
//! three futures, a map of headers, buffers of its own) costs more than the exchange.

use super::HEADER_BYTES;
use super::answer::{Drained, Taking};
use super::framing::{Framing, Step};
use super::head::{self, Head, Heard};
use super::wire::{Metered, Wire};
use crate::model::{Failure, Phase};
use crate::probe::failure;
use crate::probe::progress::Progress;
use hyper::Method;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};

/// Room for a first piece; most answers are shorter.
const FIRST_PIECE: usize = 1024;
/// Bytes that are read at once, at most.
const PIECE: usize = HEADER_BYTES;

/// A connection on which one exchange follows the other.
#[derive(Debug)]
pub(super) struct Http1 {
    stream: Metered,
    /// What has come and was not used up.
    heard: Vec<u8>,
    /// Of the answer that is being read.
    body: Framing,
    keeps: bool,
}

impl Http1 {
    pub(super) fn on(wire: Wire) -> Self {
        Self { stream: Metered::new(wire), heard: Vec::new(), body: Framing::NONE, keeps: true }
    }

    /// A new exchange begins, whose answer may take `limit` bytes with all that frames it.
    pub(super) fn begin(&self, limit: usize) {
        self.stream.meter().begin(limit);
    }

    /// Whether another request can be sent, as far as can be seen from here: whatever came meanwhile, a close too, says no.
    pub(super) async fn is_usable(&mut self) -> bool {
        let mut unasked = [0];
        poll_fn(|context| {
            let read = Pin::new(&mut self.stream).poll_read(context, &mut ReadBuf::new(&mut unasked));
            Poll::Ready(read.is_pending())
        })
        .await
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn ask(
        &mut self,
        request: &[u8],
        method: &Method,
        progress: &Progress,
    ) -> Result<Head, Failure> {
        let sent = async { self.stream.write_all(request).await.and(self.stream.flush().await) };
        sent.await.map_err(|error| self.broken(&error, progress))?;
        progress.enter(Phase::ResponseHeaders);
        // Read again and again from its beginning a long head would cost the square of its length: only where it may be whole.
        let mut looked_at = 0;
        loop {
            if self.read(FIRST_PIECE.min(HEADER_BYTES - self.heard.len()), progress).await? == 0 {
                return Err(Failure::ConnectionLost(progress.phase()));
            }
            while may_be_whole(&self.heard, looked_at) {
                match head::read(&self.heard, method).map_err(|failure| self.in_its_language(failure))? {
                    Heard::More => break,
                    Heard::Interim(used) => drop(self.heard.drain(..used)),
                    Heard::Final(head, used) => {
                        self.heard.drain(..used);
                        (self.body, self.keeps) = (head.framing, head.keeps);
                        return Ok(head);
                    }
                }
                looked_at = 0;
            }
            looked_at = self.heard.len();
        }
    }

    /// Hands `take` the body piece by piece, up to `limit` bytes, until `take` wants no more.
    pub(super) async fn drain(
        &mut self,
        limit: u32,
        take: impl FnMut(&[u8]) -> bool,
        progress: &Progress,
    ) -> Result<Drained, Failure> {
        let (mut taking, mut used) = (Taking::new(limit, take), 0);
        loop {
            let heard = self.heard.get(used..).unwrap_or_default();
            match self.body.next(heard)? {
                Step::Content(length) => {
                    used += length;
                    if let Some(end) = taking.piece(heard.get(..length).unwrap_or(heard)) {
                        return Ok(end);
                    }
                }
                Step::Frame(length) => used += length,
                Step::End => {
                    self.heard.drain(..used);
                    return Ok(Drained::Whole);
                }
                Step::More => {
                    self.heard.drain(..used);
                    used = 0;
                    let room = PIECE.min(2 * self.heard.capacity().max(FIRST_PIECE));
                    if self.read(room, progress).await? == 0 {
                        let whole = self.body == Framing::UntilClose;
                        return if whole {
                            Ok(Drained::Whole)
                        } else {
                            Err(Failure::ConnectionLost(progress.phase()))
                        };
                    }
                }
            }
        }
    }

    /// Gives back the memory that only an exchange needs; whether there can be another one: the server keeps the connection too,
    /// and has said nothing beyond its answer.
    pub(super) fn rest(&mut self) -> bool {
        let keeps = self.keeps && self.heard.is_empty();
        self.heard = Vec::new();
        keeps
    }

    /// Reads a piece of at most `room` bytes behind what was heard; its length, 0 when the server has closed.
    async fn read(&mut self, room: usize, progress: &Progress) -> Result<usize, Failure> {
        self.heard.reserve(room);
        let mut stream = (&mut self.stream).take(room as u64);
        let read = stream.read_buf(&mut self.heard).await;
        read.map_err(|error| self.broken(&error, progress))
    }

    fn broken(&self, error: &std::io::Error, progress: &Progress) -> Failure {
        let known = self.stream.meter().broken().cloned();
        known.unwrap_or_else(|| failure::on_stream(error, progress.phase()))
    }

    /// The first byte gives another language away.
    fn in_its_language(&self, failure: Failure) -> Failure {
        failure::of_another_language(self.stream.meter().first_byte()).unwrap_or(failure)
    }
}

/// Whether a head may be whole, of which so many bytes were looked at in vain: an empty line has come. What does not begin like
/// an answer is looked at once without.
fn may_be_whole(heard: &[u8], looked_at: usize) -> bool {
    let new = heard.get(looked_at.saturating_sub(3)..).unwrap_or_default();
    !heard.is_empty()
        && (looked_at == 0
            || heard.len() >= HEADER_BYTES
            || new.windows(2).any(|pair| pair == b"\n\n")
            || new.windows(3).any(|three| three == b"\n\r\n"))
}
