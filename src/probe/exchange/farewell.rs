//! The last word of an exchange, after its verdict: a server that is left without one may count or log an error.

use super::Farewell;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a server may take to close.
const PATIENCE: Duration = Duration::from_millis(500);
/// Farewells at the same time, at most; a connection that finds no place is reset.
const MOST: usize = 1024;
/// What a server may still send before it closes.
const LEFT_OVER: u64 = 16 * 1024;

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(MOST)));

/// Leaves as `farewell` says, in a task of its own: a probe does not last longer for it, and cannot fail by it.
pub(super) fn say<S>(stream: S, farewell: Farewell)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let words = match farewell {
        Farewell::Reset => return,
        Farewell::Say(words) => words,
        Farewell::Close => &[],
    };
    let Ok(place) = Arc::clone(&PLACES).try_acquire_owned() else { return };
    tokio::spawn(async move {
        let _place = place;
        // Whatever goes wrong now concerns nobody.
        let _ = timeout(PATIENCE, leave(stream, words)).await;
    });
}

async fn leave(mut stream: impl AsyncRead + AsyncWrite + Unpin, words: &[u8]) -> std::io::Result<()> {
    if words.is_empty() {
        stream.shutdown().await?;
    } else {
        stream.write_all(words).await?;
        stream.flush().await?;
    }
    let mut rest = [0; 512];
    let mut stream = stream.take(LEFT_OVER);
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}
