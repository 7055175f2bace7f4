//! Many open connections through a pool, made in the client's namespace: some ask something each second, the others rest
//! until they are asked to speak. A connection is lost once an answer fails to come: reset, closed, or none in time.

use super::namespace::Namespace;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A packet that was lost in a blackout is sent again after 0.2, 0.4, 0.8, 1.6 s …; an emulated machine needs some more.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
const ASK_EVERY: Duration = Duration::from_secs(1);
/// A crowd that came at once would keep an emulated machine busy for longer than a Backup waits.
const OPEN_EVERY: Duration = Duration::from_millis(15);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: pair\r\n\r\n";

/// Open connections through one service.
#[derive(Debug)]
pub(crate) struct Clients {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
    count: usize,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    open: AtomicUsize,
    /// A permit for each resting connection that shall speak once.
    speak: Semaphore,
    spoken: AtomicUsize,
    stop: AtomicBool,
    lost: Mutex<Vec<String>>,
}

impl Clients {
    /// Opens so many connections that are active, and so many that rest.
    pub(crate) fn open(client: &Namespace, target: SocketAddr, active: usize, resting: usize) -> Self {
        let shared = Arc::new(Shared {
            target,
            open: AtomicUsize::new(0),
            speak: Semaphore::new(0),
            spoken: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            lost: Mutex::default(),
        });
        let (enter, inside) = (client.entrance(), Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            enter();
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(all(inside, active, resting));
        });
        Self { shared, thread, count: active + resting }
    }

    pub(crate) fn all_open(&self) -> bool {
        self.shared.open.load(Ordering::Relaxed) == self.count
    }

    /// Lets so many of those that rest ask something, for the first time.
    pub(crate) fn let_speak(&self, count: usize) {
        self.shared.speak.add_permits(count);
    }

    /// How many of the resting ones have spoken, answered or not.
    pub(crate) fn spoken(&self) -> usize {
        self.shared.spoken.load(Ordering::Relaxed)
    }

    /// What became of those that were lost so far.
    pub(crate) fn lost(&self) -> Vec<String> {
        self.shared.lost.lock().expect("no panic").clone()
    }

    /// Lets each one ask a last time; what became of the lost ones.
    pub(crate) fn finish(self) -> Vec<String> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.let_speak(self.count);
        self.thread.join().expect("the clients ended well");
        std::mem::take(&mut *self.shared.lost.lock().expect("no panic"))
    }
}

/// The usual soft limit of open files is less than a crowd of clients has, and its servers, which inherit it: to be called
/// before the world begins.
pub(crate) fn allow_many_sockets() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap_or_else(|error| panic!("{soft} files: {error}"));
}

async fn all(shared: Arc<Shared>, active: usize, resting: usize) {
    let mut under_way = JoinSet::new();
    for number in 0..active + resting {
        sleep(OPEN_EVERY).await;
        let opened = timeout(ANSWER_LIMIT, TcpStream::connect(shared.target)).await;
        match opened.unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "not connected in time"))) {
            Ok(stream) => {
                under_way.spawn(one(Arc::clone(&shared), stream, number < active));
                shared.open.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => shared.lost.lock().expect("no panic").push(format!("never open: {error}")),
        }
    }
    while under_way.join_next().await.is_some() {}
}

async fn one(shared: Arc<Shared>, mut stream: TcpStream, is_active: bool) {
    let port = stream.local_addr().map_or(0, |address| address.port());
    let lived = if is_active { talk(&shared, &mut stream).await } else { rest(&shared, &mut stream).await };
    if let Err(error) = lived {
        let kind = if is_active { "active" } else { "resting" };
        shared.lost.lock().expect("no panic").push(format!("{kind}, port {port}: {error}"));
    }
}

async fn talk(shared: &Shared, stream: &mut TcpStream) -> std::io::Result<()> {
    while !shared.stop.load(Ordering::Relaxed) {
        ask(stream).await?;
        sleep(ASK_EVERY).await;
    }
    ask(stream).await
}

async fn rest(shared: &Shared, stream: &mut TcpStream) -> std::io::Result<()> {
    shared.speak.acquire().await.expect("it is never closed").forget();
    let answer = ask(stream).await;
    shared.spoken.fetch_add(1, Ordering::Relaxed);
    answer?;
    // What spoke once rests again until the end.
    while !shared.stop.load(Ordering::Relaxed) {
        sleep(ASK_EVERY / 4).await;
    }
    ask(stream).await
}

/// One request on an open connection, and its whole answer.
async fn ask(stream: &mut TcpStream) -> std::io::Result<()> {
    let exchange = async {
        stream.write_all(REQUEST).await?;
        let mut answer = Vec::new();
        while !answer.windows(6).any(|part| part == b"hello ") || !answer.ends_with(b"\n") {
            let mut part = [0; 1024];
            match stream.read(&mut part).await? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                length => answer.extend_from_slice(&part[..length]),
            }
        }
        Ok(())
    };
    timeout(ANSWER_LIMIT, exchange)
        .await
        .unwrap_or_else(|_| Err(Error::new(ErrorKind::TimedOut, "no answer in time")))
}
