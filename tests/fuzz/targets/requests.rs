//! Requests to the API: any bytes over its Unix socket and over TCP, and actions as JSON. Every answer is one that the API
//! has, and over TCP nothing is done without a token. And the stream of events, as a client reads it.

use super::bytes::Bytes;
use arc_swap::ArcSwap;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tandem::control::sse::Stream;
use tandem::control::{
    Action, Answer, Api, ClearBody, Control, OverrideBody, ReleaseBody, ReloadBody, Socket, Status, Visitors,
    Windows,
};
use tandem::director::chronicle::Book;
use tandem::director::snapshot::Snapshot;
use tandem::model::{ApiScope, ApiSettings, ApiToken, Secret};
use tandem::observe::View;
use tandem::time::Instant;
use tandem::vrrp::picture::Picture;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, UnixStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// What the seeds show; a fuzzer may use it.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Addresses of this host, but for the first and the last.
const HOSTS: u32 = (1 << 24) - 3;
const MOST_KNOWING: usize = 1_000;
/// A stream of events has no end.
const LONGEST: Duration = Duration::from_millis(20);

thread_local! {
    static SITE: RefCell<Site> = RefCell::new(Site::new());
}

/// The first byte: where the others go.
pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    match bytes.byte() % 8 {
        0 => bodies(bytes.0),
        4 => stream(&mut bytes),
        1 => SITE.with_borrow_mut(|site| site.ask(bytes.0, None)),
        _ => SITE.with_borrow_mut(|site| {
            let knows = bytes.0.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
            let from = site.next_visitor(knows);
            site.ask(bytes.0, Some(from));
        }),
    }
}

/// Every action that these bytes are, as the log tells it.
fn bodies(body: &[u8]) {
    let actions = [
        serde_json::from_slice::<OverrideBody>(body).ok().map(Action::try_from),
        serde_json::from_slice::<ReleaseBody>(body).ok().map(Action::try_from),
        serde_json::from_slice::<ClearBody>(body).ok().map(Action::try_from),
        serde_json::from_slice::<ReloadBody>(body).ok().map(Action::try_from),
    ];
    for action in actions.into_iter().flatten() {
        match action {
            Ok(action) => assert!(!action.to_string().is_empty()),
            Err(refused) => assert_eq!(refused.code.http_status() / 100, 4, "{refused}"),
        }
    }
}

/// A stream of events that a client follows: the same events however it is cut.
fn stream(bytes: &mut Bytes<'_>) {
    let size = usize::from(bytes.byte()).max(1);
    let whole = Stream::default().push(bytes.0);
    let mut cut = Stream::default();
    let pieces: Option<Vec<_>> = bytes.0.chunks(size).map(|piece| cut.push(piece)).collect();
    assert_eq!(whole, pieces.map(|pieces| pieces.concat()));
}

struct Site {
    runtime: Runtime,
    control: Control,
    _visitors: Visitors,
    socket: PathBuf,
    address: SocketAddr,
    visitors: u32,
    /// The last that knew the token: on a machine that stands still, an action may come after its caller was given up.
    knowing: VecDeque<IpAddr>,
}

impl Site {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = std::env::temp_dir();
        let name = format!("tandem-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
        let (socket, token) = (folder.join(format!("{name}.sock")), folder.join(format!("{name}.token")));
        std::fs::write(&token, TOKEN).expect("a file");
        let visitors = Visitors::start().expect("a thread");
        let (control, address) = runtime.block_on(serve(&socket, &token, &visitors));
        std::fs::remove_file(&token).expect("it was read");
        let knowing = VecDeque::new();
        Self { runtime, control, _visitors: visitors, socket, address, visitors: 0, knowing }
    }

    /// Where the next one comes from: each from another address, since one that comes often is not let in.
    fn next_visitor(&mut self, knows: bool) -> Ipv4Addr {
        self.visitors = (self.visitors + 1) % HOSTS;
        let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 1)) + self.visitors);
        if knows {
            self.knowing.push_front(from.into());
            self.knowing.truncate(MOST_KNOWING);
        }
        from
    }

    /// Sends these bytes to the socket, or over TCP.
    fn ask(&mut self, request: &[u8], from: Option<Ipv4Addr>) {
        let Self { runtime, control, socket, address, knowing, .. } = self;
        let answer = runtime.block_on(async {
            let asked = async {
                match from {
                    None => exchange(UnixStream::connect(socket).await.expect("it listens"), request).await,
                    Some(from) => {
                        let way = TcpSocket::new_v4().expect("a socket");
                        way.bind((IpAddr::from(from), 0).into()).expect("an address of this host");
                        exchange(way.connect(*address).await.expect("it listens"), request).await
                    }
                }
            };
            tokio::pin!(asked);
            loop {
                tokio::select! {
                    answer = &mut asked => return answer,
                    Some(request) = control.requests.recv() => {
                        let knows = request.caller.address.is_none_or(|from| knowing.contains(&from));
                        assert!(knows, "an action without a token");
                        let done = Answer::of_policy(1, request.action.to_string(), Vec::new());
                        // Who asked may have gone.
                        let _ = request.answer.send(Ok(done));
                    }
                }
            }
        });
        is_an_answer(&answer);
    }
}

async fn serve(socket: &Path, token: &Path, visitors: &Visitors) -> (Control, SocketAddr) {
    let token = ApiToken { name: "ops".into(), scope: ApiScope::Act, token: Secret::File(token.to_owned()) };
    let settings = ApiSettings {
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        tls: None,
        tokens: vec![token],
        allowed_hosts: ["lb.example.com".to_owned()].into(),
    };
    let api = Api::prepare(Some(&settings), None).await.expect("good files").expect("an API");
    let address = api.local_address().expect("it listens");
    let started = tokio::time::Instant::now();
    let snapshot = Snapshot::starting(Instant::ZERO, Duration::ZERO);
    let status = Status::of(None, &snapshot, &Picture::default());
    let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
    let windows = Windows { book: Book::default(), snapshot: Arc::clone(&snapshot) };
    let socket = Socket::bind(socket).expect("a socket");
    let mut control = Control::serve(Some(socket), status, started, windows);
    control.renew_api(Some(api), View { snapshot, started }, visitors);
    (control, address)
}

/// Says everything, and hears what comes until the server closes or nothing more does.
async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    let all = async {
        // A server that has heard enough answers and closes: what was left unsaid is an error then, and so is the end.
        let _ = stream.write_all(request).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut answer).await;
    };
    let _ = timeout(LONGEST, all).await;
    answer
}

/// One of 200 to 499; or 503, where too many follow the events.
fn is_an_answer(answer: &[u8]) {
    let shown = || String::from_utf8_lossy(answer).into_owned();
    if answer.is_empty() {
        return;
    }
    let status = answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    let known = status.is_some_and(|status| matches!(status, [b'2'..=b'4', ..] | b"503"));
    assert!(known, "{}", shown());
}
