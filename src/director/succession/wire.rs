//! The connection between predecessor and successor (shell): frames of JSON, each with its length before it, bounded in size and
//! in time.

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// Bytes of a frame: the checks of the largest site take some thirty megabytes.
const MOST_BYTES: u32 = 256 * 1024 * 1024;
/// A frame is taken within this, or the other end stands still.
const SEND_TIME: Duration = Duration::from_secs(10);

/// One end.
#[derive(Debug)]
pub(super) struct Wire(TokioIo<Upgraded>);

impl Wire {
    pub(super) const fn new(stream: TokioIo<Upgraded>) -> Self {
        Self(stream)
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// The other end is gone, or takes nothing.
    pub(super) async fn send(&mut self, said: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec(said)?;
        let length = u32::try_from(text.len()).ok().filter(|length| *length <= MOST_BYTES);
        let length = length.ok_or_else(|| io::Error::other("there is more to hand on than a frame holds"))?;
        let sent = async {
            self.0.write_all(&length.to_be_bytes()).await?;
            self.0.write_all(&text).await?;
            self.0.flush().await
        };
        timeout(SEND_TIME, sent).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    /// The next frame.
    ///
    /// # Errors
    /// The other end is gone or says nothing in time, or what it says is not understood.
    pub(super) async fn receive<T: DeserializeOwned>(&mut self, within: Duration) -> io::Result<T> {
        let received = async {
            let mut length = [0; 4];
            self.0.read_exact(&mut length).await?;
            let length = u32::from_be_bytes(length);
            if length > MOST_BYTES {
                return Err(io::Error::other("a frame is larger than any of ours"));
            }
            let mut text = vec![0; usize::try_from(length).unwrap_or_default()];
            self.0.read_exact(&mut text).await?;
            serde_json::from_slice(&text).map_err(io::Error::other)
        };
        timeout(within, received).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    /// Waits for the other end to go.
    pub(super) async fn closed(&mut self) {
        let mut rest = [0; 1024];
        while self.0.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    }
}
