//! A lingering close: an answer that comes before its request was read whole (too large, not allowed) must reach the caller.
//!
//! Closing a socket that holds unread bytes resets the connection (`tcp_close` of the kernel, RFC 2525, section 2.17; an
//! `AF_UNIX` peer reads ECONNRESET), and a reset takes away the answer that the caller has not read yet. So the sending
//! side is closed first, and what still comes is read and forgotten until the caller closes, within bounds (RFC 9112,
//! section 9.6).

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a caller may go on sending after its answer, at most.
const LONGEST: Duration = Duration::from_secs(2);
/// How many bytes of it are read, at most.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// A stream whose shutdown lingers.
#[derive(Debug)]
pub(super) struct Lingering<S> {
    stream: S,
    /// Since the sending side is closed: until when, and how many bytes are still read.
    parting: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> Lingering<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, parting: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, parting } = &mut *self;
        if parting.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
        }
        let (until, bytes) = parting.get_or_insert_with(|| (Box::pin(sleep(LONGEST)), MOST_BYTES));
        let mut room = [0; 16 * 1024];
        // A caller that closes, breaks off, takes too long or sends too much: the connection is over either way.
        while until.as_mut().poll(context).is_pending() && *bytes > 0 {
            let mut buffer = ReadBuf::new(&mut room);
            match ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => *bytes = bytes.saturating_sub(buffer.filled().len()),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    /// A caller that sends `bytes` before it reads; what it gets of an answer that came after the first of them.
    async fn answered(bytes: usize) -> io::Result<String> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let mut caller = TcpStream::connect(listener.local_addr()?).await?;
        let (stream, _) = listener.accept().await?;
        let server = tokio::spawn(async move {
            let mut stream = Lingering::new(stream);
            let mut first = [0];
            stream.read_exact(&mut first).await?;
            stream.write_all(b"too large").await?;
            stream.shutdown().await
        });
        caller.write_all(&vec![0; bytes]).await?;
        let mut answer = String::new();
        caller.read_to_string(&mut answer).await?;
        drop(caller);
        server.await.map_err(io::Error::other)??;
        Ok(answer)
    }

    #[tokio::test]
    async fn an_answer_reaches_who_still_sends() {
        for bytes in [1, 100_000, 1_000_000, MOST_BYTES / 2] {
            assert_eq!(answered(bytes).await.expect("no reset"), "too large", "{bytes} bytes");
        }
    }

    #[tokio::test]
    async fn a_caller_that_never_closes_is_let_go() {
        let (near, far) = tokio::io::duplex(64);
        let begun = tokio::time::Instant::now();
        Lingering::new(near).shutdown().await.expect("over");
        assert!((LONGEST..5 * LONGEST).contains(&begun.elapsed()), "it took {:?}", begun.elapsed());
        drop(far);
    }

    #[tokio::test]
    async fn a_caller_that_sends_without_end_is_let_go() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let sender = tokio::spawn(async move { while far.write_all(&[0; 1 << 16]).await.is_ok() {} });
        Lingering::new(near).shutdown().await.expect("over");
        sender.await.expect("it is told that nobody reads");
    }
}
