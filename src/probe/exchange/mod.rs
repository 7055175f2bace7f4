//! Exchanges of bytes over TCP: a protocol decides over what has come ([`Speaker`], without any IO), and [`converse`] reads and
//! writes for it.
//!
//! Bounds, whatever the server sends: [`DialogueSpec::READ_LIMIT`] bytes in all, and a protocol looks at each byte a bounded
//! number of times, however small the pieces are that it comes in. Time is bounded by the caller. A connection ends with a
//! reset, unless the protocol has a farewell: that one is said after the verdict, aside, and bounded too.

mod dialogue;
mod farewell;
mod lines;
mod mysql;
mod postgresql;
mod redis;
mod smtp;

pub(super) use dialogue::{Dialogue, Matcher};
pub(super) use mysql::MySql;
pub(super) use postgresql::PostgreSql;
pub(super) use redis::Redis;
pub(super) use smtp::Smtp;

use super::failure;
use super::progress::Progress;
use crate::model::{DialogueSpec, Failure, Phase};
use std::borrow::Cow;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::coop::consume_budget;

/// A protocol that a probe speaks: it decides, and does nothing.
pub(super) trait Speaker<'a> {
    /// What to do now that the server has sent `heard` and it was not used up. Called again and again until it says
    /// [`Turn::End`]; each call that is no end uses something up, says something, or listens.
    fn next(&mut self, heard: &[u8], reach: Reach) -> Turn<'a>;
}

/// Whether more can come than what was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    More,
    /// The server has closed.
    Closed,
    /// The limit of what is read is reached.
    Full,
}

/// What a protocol wants done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn<'a> {
    /// So many bytes are used up; more are wanted. The phase is that of a time-out while it waits.
    Listen { used: usize, phase: Phase },
    /// So many bytes are used up; these are sent.
    Say { used: usize, bytes: Cow<'a, [u8]> },
    /// It is decided.
    End { result: Result<(), Failure>, farewell: Farewell },
}

/// How a protocol leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// With a reset: nobody minds.
    Reset,
    /// These bytes are sent, and the server closes.
    Say(&'static [u8]),
    /// We close first; the server closes then.
    Close,
}

impl Turn<'_> {
    /// A failure after which nothing more is said.
    pub(super) const fn failed(failure: Failure) -> Self {
        Self::End { result: Err(failure), farewell: Farewell::Reset }
    }
}

/// The room for a first piece; most answers are shorter.
const FIRST_PIECE: usize = 512;

/// Speaks with the server until the protocol has decided, and leaves as it says.
pub(super) async fn converse<'a, S>(
    mut stream: S,
    speaker: impl Speaker<'a>,
    progress: &Progress,
) -> Result<(), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (result, farewell) = talk(&mut stream, speaker, progress).await?;
    farewell::say(stream, farewell);
    result
}

/// The same without leaving. An error is one of the connection, which is of no more use.
async fn talk<'a, S>(
    stream: &mut S,
    mut speaker: impl Speaker<'a>,
    progress: &Progress,
) -> Result<(Result<(), Failure>, Farewell), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut heard, mut total, mut reach) = (Vec::new(), 0, Reach::More);
    loop {
        // A server that sends without end must not keep the time-out from being noticed.
        consume_budget().await;
        let phase = match speaker.next(&heard, reach) {
            Turn::End { result, farewell } => return Ok((result, farewell)),
            Turn::Say { used, bytes } => {
                use_up(&mut heard, used);
                progress.enter(Phase::Request);
                let sent = async { stream.write_all(&bytes).await.and(stream.flush().await) };
                sent.await.map_err(|error| failure::on_stream(&error, progress.phase()))?;
                continue;
            }
            Turn::Listen { used, phase } => {
                use_up(&mut heard, used);
                if used > 0 && !heard.is_empty() {
                    // What is left may be whole, and nothing more need come.
                    continue;
                }
                phase
            }
        };
        progress.enter(phase);
        if phase == Phase::Expectation {
            progress.keep_unmet(&heard);
        }
        match reach {
            Reach::More => {}
            Reach::Closed => return Err(Failure::ConnectionLost(phase)),
            Reach::Full => {
                return Err(Failure::Malformed(failure::Overrun(DialogueSpec::READ_LIMIT).to_string()));
            }
        }
        let read = read(stream, &mut heard, DialogueSpec::READ_LIMIT - total);
        let length = read.await.map_err(|error| failure::on_stream(&error, phase))?;
        total += length;
        reach = match length {
            0 => Reach::Closed,
            _ if total >= DialogueSpec::READ_LIMIT => Reach::Full,
            _ => Reach::More,
        };
    }
}

/// Reads a piece of at most `limit` bytes behind what was heard; its length.
async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    heard: &mut Vec<u8>,
    limit: usize,
) -> std::io::Result<usize> {
    heard.reserve(FIRST_PIECE);
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    stream.take(limit).read_buf(heard).await
}

fn use_up(heard: &mut Vec<u8>, used: usize) {
    heard.drain(..used.min(heard.len()));
}

#[cfg(test)]
mod tests;
