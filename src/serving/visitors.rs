//! The thread of those who come over TCP (shell): a runtime of its own, since handshakes, refusals and answers, however many
//! the network asks for, are not the affair of the thread that runs the loop of the pools and the probes. It is nicer than
//! all others: where processors are short, they go first. It ends with its last handle.

use super::door::{Door, Visitor};
use crate::kernel::sys::yield_to_others;
use std::io;
use std::net;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// How much nicer: it has a tenth of a processor that is wanted by another thread, and all of one that is not.
const NICER: u8 = 10;
/// What the thread is called, and those that write long answers for it.
const NAME: &str = "visitors";

/// Has TCP ports served.
#[derive(Clone, Debug)]
pub struct Visitors {
    runtime: Handle,
    /// Dropped, it ends the thread.
    _end: Arc<oneshot::Sender<()>>,
}

/// A port that is served; that ends when this is dropped, but for the requests under way.
#[derive(Debug)]
pub(crate) struct Served(AbortHandle);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Visitors {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread, or no event queue.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().thread_name(NAME).build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            yield_to_others(NICER);
            // It is an error each time: that nobody holds the other end is what is waited for.
            let _ = runtime.block_on(ended);
        };
        std::thread::Builder::new().name(NAME.to_owned()).spawn(run)?;
        Ok(Self { runtime: handle, _end: Arc::new(end) })
    }

    /// Has each who is let in at `listener` served by `visit`. `name` is for the log.
    pub(crate) fn serve<F>(
        &self,
        listener: net::TcpListener,
        name: &'static str,
        visit: impl Fn(TcpStream, Visitor) -> F + Send + Sync + 'static,
    ) -> Served
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let serve = async move {
            match TcpListener::from_std(listener) {
                Ok(listener) => Door::new(name).open(listener, visit).await,
                Err(error) => tracing::error!(%error, "the {name} cannot be served"),
            }
        };
        Served(self.runtime.spawn(serve).abort_handle())
    }
}

/// Takes a port, to be served by [`Visitors::serve`]. To be called inside a tokio runtime.
///
/// # Errors
/// When the port is taken, or the address is none of this host's.
pub(crate) async fn bind(address: net::SocketAddr) -> io::Result<net::TcpListener> {
    TcpListener::bind(address).await?.into_std()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::{sleep, timeout};

    /// Word 19 of proc_pid_stat(5), counted behind the name.
    fn niceness() -> i64 {
        let text = std::fs::read_to_string("/proc/thread-self/stat").expect("this thread");
        let words = text.rsplit_once(')').expect("a name").1;
        words.split_whitespace().nth(16).and_then(|word| word.parse().ok()).expect("a number")
    }

    fn about_this_thread() -> String {
        format!("{} {}", std::thread::current().name().unwrap_or_default(), niceness())
    }

    async fn say(mut stream: TcpStream) {
        let threads =
            [about_this_thread(), tokio::task::spawn_blocking(about_this_thread).await.expect("no panic")];
        let _ = stream.write_all(threads.join(", ").as_bytes()).await;
    }

    #[tokio::test]
    async fn visitors_are_served_on_a_thread_of_their_own_until_nobody_serves() {
        let visitors = Visitors::start().expect("a thread");
        let listener = bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let served = visitors.serve(listener, "test", |stream, _| say(stream));
        let mut text = String::new();
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.read_to_string(&mut text).await.expect("text");
        let expected = format!("visitors {}", (niceness() + i64::from(NICER)).min(19));
        assert_eq!(text, format!("{expected}, {expected}"));
        drop(served);
        let closed = async {
            while TcpStream::connect(address).await.is_ok() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(timeout(Duration::from_secs(5), closed).await.is_ok(), "it still listens");
    }
}
