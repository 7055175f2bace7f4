//! The callers who mean no good: this program again, in the client's namespace, nicer than everybody else. Without a token.

use crate::site::{self, Pair};
use crate::world::process::Process;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use socket2::SockRef;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};
use tokio_rustls::TlsConnector;

/// Asks this program to be the callers.
const WORD: &str = "--be-the-callers";
const NICENESS: &str = "10";
/// Slow connections at each listener.
const SLOW: usize = 1_000;
/// One that was closed comes again so much later.
const AGAIN: Duration = Duration::from_secs(1);
/// Callers with large requests at each listener, and the pause of each: together they come too often, and not so often that
/// none is let in.
const LARGE: usize = 8;
const PAUSE: Duration = Duration::from_millis(125);
const HEADER_BYTES: usize = 100_000;
const BODY_BYTES: usize = 1_000_000;
/// Requests a second, at both listeners together.
const RATE: u128 = 10_000;
/// Addresses of the callers that come from many.
const SOURCES: u128 = 200;
const TICK: Duration = Duration::from_millis(5);
/// Of the callers of the API, one in so many goes through with the handshake; the others leave when they have made the
/// director do its part, which costs them nothing.
const WHOLE_ONE_IN: u128 = 50;
/// Further requests are not begun: the callers' memory ends somewhere.
const MOST_UNDER_WAY: usize = 4_000;
const PATIENCE: Duration = Duration::from_secs(5);
const BEGUN: &str = "handshakes begun and left";
const CLOSED: &str = "closed without an answer";
const OMITTED: &str = "not offered: too many under way";

/// What they do.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    /// Nothing.
    Quiet,
    Slow,
    Large,
    Many,
    /// As many, of so many addresses that none of them comes too often.
    Spread,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quiet => write!(formatter, "no callers"),
            Self::Slow => write!(formatter, "{SLOW} slow connections at each listener"),
            Self::Large => write!(formatter, "requests that are too large, over and over"),
            Self::Many => write!(formatter, "{RATE} requests a second"),
            Self::Spread => write!(formatter, "{RATE} requests a second, of {SOURCES} addresses"),
        }
    }
}

const PHASES: [(&str, Phase); 5] = [
    ("quiet", Phase::Quiet),
    ("slow", Phase::Slow),
    ("large", Phase::Large),
    ("many", Phase::Many),
    ("spread", Phase::Spread),
];

/// Starts them; they end by themselves, and what came of it is in their log.
pub(crate) fn start(pair: &Pair<'_>, phase: Phase, time: Duration) -> Process {
    let program = std::env::current_exe().expect("this program");
    let authority = pair.folder().join(site::AUTHORITY);
    let [program, authority] = [&program, &authority].map(|path| path.to_str().expect("a plain path"));
    let word = PHASES[phase as usize].0;
    let words =
        ["-n", NICENESS, program, WORD, word, &time.as_millis().to_string(), authority].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Process::start(&pair.stage.client, "nice", &words, &pair.folder().join(format!("{word}.log")))
}

/// Who calls, if this program was started for it.
pub(crate) fn asked_for(words: &[String]) -> Option<Callers> {
    let [word, name, milliseconds, authority] = words else { return None };
    let (_, phase) = PHASES.iter().find(|(known, _)| word == WORD && name == known)?;
    Some(Callers::new(*phase, Duration::from_millis(milliseconds.parse().ok()?), Path::new(authority)))
}

/// How often what came of a call.
#[derive(Clone, Default)]
struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    fn count(&self, what: impl Into<String>) {
        *self.0.lock().expect("no panic").entry(what.into()).or_default() += 1;
    }
}

#[derive(Clone)]
pub(crate) struct Callers {
    phase: Phase,
    time: Duration,
    tls: TlsConnector,
    /// The first words of a handshake.
    hello: Arc<Vec<u8>>,
    tally: Tally,
}

impl Callers {
    fn new(phase: Phase, time: Duration, authority: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        let mut hello = Vec::new();
        let mut first = ClientConnection::new(Arc::clone(&config), name()).expect("a client");
        first.write_tls(&mut hello).expect("a vector takes all");
        Self { phase, time, tls: config.into(), hello: Arc::new(hello), tally: Tally::default() }
    }

    /// Calls until the time is over, and prints what came of it.
    pub(crate) fn run(&self) {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
        setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("the limit of open files");
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let until = Instant::now() + self.time;
            match self.phase {
                Phase::Quiet => sleep(self.time).await,
                Phase::Slow => self.slow(until).await,
                Phase::Large => self.large(until).await,
                Phase::Many | Phase::Spread => self.many().await,
            }
        });
        for (what, count) in &*self.tally.0.lock().expect("no panic") {
            println!("{count} {what}");
        }
    }

    async fn slow(&self, until: Instant) {
        let mut all = JoinSet::new();
        for _ in 0..SLOW {
            all.spawn(self.clone().slowly(site::metrics(), b"GET /metrics HT", until));
            // A record of a handshake that never comes.
            all.spawn(self.clone().slowly(site::api(), &[22, 3, 1], until));
        }
        all.join_all().await;
    }

    async fn slowly(self, address: SocketAddr, words: &'static [u8], until: Instant) {
        while Instant::now() < until {
            let attempt = async {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(words).await?;
                stream.read(&mut [0; 512]).await
            };
            match timeout_at(until, attempt).await {
                Err(_) => self.tally.count(format!("at {address}: held to the end")),
                Ok(_) => self.tally.count(format!("at {address}: let go")),
            }
            sleep(AGAIN).await;
        }
    }

    async fn large(&self, until: Instant) {
        let (header, body) = ("x".repeat(HEADER_BYTES), "x".repeat(BODY_BYTES));
        let header = format!("GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Long: {header}\r\n\r\n");
        let body = format!(
            "POST /v1/release HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \
             {BODY_BYTES}\r\n\r\n{body}"
        );
        let mut all = JoinSet::new();
        for number in 0..LARGE * 2 {
            let request = Arc::new(if number % 2 == 0 { &header } else { &body }.clone());
            let (callers, is_api) = (self.clone(), number < LARGE);
            all.spawn(async move {
                while Instant::now() < until {
                    callers.call(is_api, request.as_bytes(), None).await;
                    sleep(PAUSE).await;
                }
            });
        }
        all.join_all().await;
    }

    /// In an open loop: whoever comes does not wait for those before.
    async fn many(&self) {
        let places = Arc::new(Semaphore::new(MOST_UNDER_WAY));
        let (begun, mut ticks, mut offered) = (Instant::now(), interval(TICK), 0);
        while begun.elapsed() < self.time {
            ticks.tick().await;
            let due = begun.elapsed().as_millis() * RATE / 1_000;
            for number in offered..due {
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    self.tally.count(OMITTED);
                    continue;
                };
                let callers = self.clone();
                tokio::spawn(async move {
                    callers.one_of_many(number).await;
                    drop(place);
                });
            }
            offered = due;
        }
        let took = begun.elapsed();
        // Those under way come to their end.
        let _ =
            timeout(PATIENCE, places.acquire_many(u32::try_from(MOST_UNDER_WAY).unwrap_or(u32::MAX))).await;
        self.tell_rate(took);
    }

    fn tell_rate(&self, took: Duration) {
        let tally = self.tally.0.lock().expect("no panic");
        let offered: u64 = tally.iter().filter(|(what, _)| *what != OMITTED).map(|(_, count)| *count).sum();
        println!("offered: {:.0} requests a second", offered as f64 / took.as_secs_f64());
    }

    async fn one_of_many(&self, number: u128) {
        const REQUEST: &[u8] = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
        const SCRAPE: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
        let source = matches!(self.phase, Phase::Spread).then(|| site::source(number / 2 % SOURCES));
        match (number % 2, number / 2 % WHOLE_ONE_IN) {
            (0, _) => self.call(false, SCRAPE, source).await,
            (_, 0) => self.call(true, REQUEST, source).await,
            _ => self.begin(source).await,
        }
    }

    /// A whole request; what came of it is counted.
    async fn call(&self, is_api: bool, request: &[u8], source: Option<Ipv4Addr>) {
        let address = if is_api { site::api() } else { site::metrics() };
        let call = async {
            let Ok(stream) = connect(address, source).await else { return "no connection".to_owned() };
            if !is_api {
                return ask(stream, request).await;
            }
            match self.tls.connect(name(), stream).await {
                Ok(session) => ask(session, request).await,
                Err(_) => CLOSED.to_owned(),
            }
        };
        let came = timeout(PATIENCE, call).await.unwrap_or_else(|_| "no answer in time".to_owned());
        self.tally.count(format!("at {address}: {came}"));
    }

    /// Has the director do its part of a handshake, and leaves.
    async fn begin(&self, source: Option<Ipv4Addr>) {
        let call = async {
            let Ok(mut stream) = connect(site::api(), source).await else { return "no connection" };
            let _ = stream.write_all(&self.hello).await;
            match stream.read(&mut [0; 512]).await {
                Ok(0) | Err(_) => CLOSED,
                Ok(_) => BEGUN,
            }
        };
        let came = timeout(PATIENCE, call).await.unwrap_or("no answer in time");
        self.tally.count(format!("at {}: {came}", site::api()));
    }
}

/// Closed by a reset, so that no port of the client's is kept.
async fn connect(address: SocketAddr, source: Option<Ipv4Addr>) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if let Some(source) = source {
        socket.bind((source, 0).into())?;
    }
    let stream = socket.connect(address).await?;
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    Ok(stream)
}

/// The status of the answer.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> String {
    let _ = stream.write_all(request).await;
    let mut head = [0; 12];
    match stream.read_exact(&mut head).await {
        Ok(_) => String::from_utf8_lossy(&head[9..]).into_owned(),
        Err(_) => CLOSED.to_owned(),
    }
}

fn name() -> ServerName<'static> {
    ServerName::from(site::api().ip())
}
