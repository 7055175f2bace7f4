//! Two ends over loopback: each on an address of its own, as two machines are.

use super::frame;
use super::identity::connecting;
use super::message::{Hello, Message, Versions};
use super::mirror::Record;
use super::records::Records;
use super::report::Facts;
use super::settings::{ChannelSecret, Settings};
use super::shared::{Known, Pace, Shared};
use super::sight::{Sight, Sights};
use super::sightings::Sightings;
use super::thread::PeerThread;
use super::view::ChannelView;
use crate::director::chronicle::{Book, Draft, Stamp};
use crate::director::snapshot::Snapshot;
use crate::model::EventKind;
use crate::policy::Fingerprint;
use crate::time::Instant;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PATIENCE: Duration = Duration::from_secs(20);
const PACE: Pace = Pace {
    tick: Duration::from_millis(50),
    handshake: Duration::from_secs(1),
    silence: Duration::from_secs(1),
    write: Duration::from_secs(1),
    again: Duration::from_millis(20),
    again_at_most: Duration::from_millis(100),
};

/// A network of its own for each test.
struct Net {
    number: u8,
    port: u16,
}

impl Net {
    fn new() -> Self {
        static NUMBER: AtomicU8 = AtomicU8::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let free = TcpListener::bind(SocketAddr::new(address(number, 2), 0)).expect("a free port");
        Self { number, port: free.local_addr().expect("it is bound").port() }
    }

    fn address(&self, host: u8) -> IpAddr {
        address(self.number, host)
    }

    /// lb-a is .1, lb-b is .2.
    fn settings(&self, own: &str, secret: u8) -> Settings {
        let (host, other, other_host) = if own == "lb-b" { (2, "lb-a", 1) } else { (1, "lb-b", 2) };
        Settings {
            own: own.into(),
            addresses: vec![self.address(host)],
            others: [(other.into(), vec![self.address(other_host)])].into(),
            port: self.port,
            secret: ChannelSecret([secret; 32]),
        }
    }

    fn end(&self, own: &str) -> End {
        End::new(self.settings(own, 1), Versions::OURS)
    }

    /// A connection to lb-b, from lb-a's address.
    async fn call(&self) -> TcpStream {
        let to = SocketAddr::new(self.address(2), self.port);
        let called = async {
            loop {
                let socket = TcpSocket::new_v4().expect("a socket");
                socket.bind(SocketAddr::new(self.address(1), 0)).expect("an address of this host");
                // It has just been started.
                match socket.connect(to).await {
                    Ok(stream) => return stream,
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            }
        };
        timeout(PATIENCE, called).await.expect("it listens")
    }

    /// The same with the handshake of lb-a.
    async fn call_as_a_director(&self) -> TlsStream<TcpStream> {
        let tls = connecting(&self.settings("lb-a", 1), &"lb-b".into()).expect("TLS");
        let name = ServerName::IpAddress(self.address(2).into());
        let stream = TlsConnector::from(tls).connect(name, self.call().await).await;
        stream.expect("the handshake")
    }
}

const fn address(number: u8, host: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(127, 97, number, host))
}

struct End {
    thread: PeerThread,
    records: Arc<Records>,
    sightings: Arc<Sightings>,
    book: Book,
}

impl End {
    fn new(settings: Settings, versions: Versions) -> Self {
        let records = Arc::new(Records::default());
        #[expect(clippy::disallowed_methods, reason = "the clock of a thread")]
        let started = std::time::Instant::now();
        let sightings = Arc::new(Sightings::default());
        let known = Known { records: Arc::clone(&records), sightings: Arc::clone(&sightings) };
        let mut shared = Shared::new(settings, known, started);
        (shared.pace, shared.versions) = (PACE, versions);
        let thread = PeerThread::with(shared).expect("a thread");
        let end = Self { thread, records, sightings, book: Book::default() };
        end.tell("policy");
        end
    }

    fn tell(&self, policy: &str) {
        let readiness = Ok(());
        let snapshot = Snapshot { readiness, ..Snapshot::starting(Instant::ZERO, Duration::ZERO) };
        let policy = Fingerprint { meaning: policy.to_owned(), files: policy.to_owned() };
        let policy = Some(Arc::new(policy));
        self.thread.tell(Facts {
            snapshot: Arc::new(snapshot),
            tables: Arc::default(),
            policy,
            book: self.book.clone(),
        });
    }

    fn happens(&self, number: u64) {
        let draft = Draft::new(EventKind::PoolDown, "quorum", format!("number {number}"));
        self.book.write(draft, Stamp { unix_ms: number, at_ms: number, director: None });
    }

    /// Numbers of the events that the other end told.
    fn knows(&self) -> Vec<u64> {
        let channel = self.channel();
        channel.happened.events().map(|event| event.id).collect()
    }

    fn channel(&self) -> ChannelView {
        self.thread.view().channels[0].clone()
    }

    fn errors(&self, kind: &str) -> u64 {
        self.thread.view().errors.get(kind).copied().unwrap_or_default()
    }

    fn is_up(&self) -> bool {
        self.channel().up
    }

    fn hears(&self, policy: &str) -> bool {
        let channel = self.channel();
        let report = channel.report.filter(|_| channel.up);
        report.is_some_and(|report| report.policy.as_deref() == Some(policy))
    }
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

async fn stays(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..30 {
        assert!(condition(), "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn record(key: &str, director: &str) -> Record {
    Record { key: key.to_owned(), stamp_unix_ms: 1, director: director.to_owned(), body: Some(1.into()) }
}

#[tokio::test]
async fn each_hears_what_the_other_tells_and_notices_when_it_is_gone_and_back() {
    let net = Net::new();
    let (a, b) = (net.end("lb-a"), net.end("lb-b"));
    a.tell("one");
    until("both hear", || a.hears("policy") && b.hears("one")).await;
    b.tell("two");
    until("what is new", || a.hears("two")).await;
    assert_eq!(a.channel().version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    drop(b);
    until("b is gone", || !a.is_up()).await;
    assert!(a.channel().fault.is_some() && a.channel().report.is_some(), "what was heard last is kept");
    let b = net.end("lb-b");
    until("b is back", || a.is_up() && b.is_up()).await;
}

#[tokio::test]
async fn records_of_both_are_the_same_after_a_partition_and_are_told_when_they_change() {
    let net = Net::new();
    let (a, b) = (net.end("lb-a"), net.end("lb-b"));
    a.records.set(record("here", "lb-a"));
    b.records.set(record("there", "lb-b"));
    until("both have both", || a.records.all().len() == 2 && a.records.all() == b.records.all()).await;
    timeout(PATIENCE, b.records.arrived()).await.expect("it is told");
    assert_eq!(b.records.take_changed(), [record("here", "lb-a")]);
    a.records.set(Record { body: None, ..record("there", "lb-a") });
    until("it is taken back", || a.records.all() == b.records.all()).await;
    assert_eq!(b.records.take_changed()[0].body, None);
}

#[tokio::test]
async fn what_each_sees_reaches_the_other_and_counts_no_more_when_it_is_gone() {
    let net = Net::new();
    let (a, b) = (net.end("lb-a"), net.end("lb-b"));
    let sight =
        |up: [bool; 3]| -> Sights { [("web".into(), Arc::new(Sight::new(7, up.into_iter())))].into() };
    b.sightings.tell(sight([true, true, false]));
    let hears = |up: [bool; 3]| a.sightings.others().first().is_some_and(|heard| **heard == sight(up));
    until("what it sees", || hears([true, true, false])).await;
    timeout(PATIENCE, a.sightings.arrived()).await.expect("it is told");
    b.sightings.tell(sight([true, false, false]));
    until("what is new", || hears([true, false, false])).await;
    drop(b);
    until("it is gone", || a.sightings.others().is_empty()).await;
    let b = net.end("lb-b");
    b.sightings.tell(sight([true; 3]));
    until("it is back", || hears([true; 3])).await;
}

#[tokio::test]
async fn what_happens_is_told_once_and_kept_when_the_one_who_told_it_is_gone() {
    let net = Net::new();
    let (a, b) = (net.end("lb-a"), net.end("lb-b"));
    b.happens(1);
    b.tell("policy");
    until("the past", || a.knows() == [1]).await;
    b.happens(2);
    until("what is new", || a.knows() == [1, 2]).await;
    assert!(b.knows().is_empty(), "nothing happened at the other end");
    let book = b.book.clone();
    drop(b);
    until("b is gone", || !a.is_up()).await;
    assert_eq!(a.knows(), [1, 2]);
    let mut b = net.end("lb-b");
    b.book = book;
    b.happens(3);
    b.tell("policy");
    until("what happened since", || a.knows() == [1, 2, 3]).await;
    assert_eq!(a.channel().happened.heard(), 3, "the past was told once more, and counts once");
}

#[tokio::test]
async fn with_another_key_neither_hears_the_other_and_both_say_why() {
    let net = Net::new();
    let (a, b) = (End::new(net.settings("lb-a", 2), Versions::OURS), net.end("lb-b"));
    until("both know", || a.errors("wrong_key") > 1 && b.errors("wrong_key") > 1).await;
    stays("no channel", || !a.is_up() && !b.is_up()).await;
    assert!(a.channel().fault.expect("a reason").contains("`peer: {key: …}`"));
}

#[tokio::test]
async fn the_right_key_does_not_make_another_name_right() {
    let net = Net::new();
    let b = net.end("lb-b");
    let _other = End::new(net.settings("lb-0", 1), Versions::OURS);
    until("it is refused", || b.errors("wrong_key") > 1).await;
    assert!(!b.is_up());
}

#[tokio::test]
async fn versions_one_apart_understand_each_other_and_others_say_so() {
    let net = Net::new();
    let newer = Versions { oldest: 1, newest: 2 };
    let (a, b) = (net.end("lb-a"), End::new(net.settings("lb-b", 1), newer));
    until("both hear", || a.hears("policy") && b.hears("policy")).await;
    let net = Net::new();
    let newer = Versions { oldest: 2, newest: 3 };
    let (a, b) = (net.end("lb-a"), End::new(net.settings("lb-b", 1), newer));
    until("both know", || a.errors("version") > 0 && b.errors("version") > 0).await;
    assert!(!a.is_up() && !b.is_up());
}

#[tokio::test]
async fn a_frame_that_is_too_long_or_no_message_closes_the_connection() {
    let net = Net::new();
    let b = net.end("lb-b");
    let hello = frame::encode(&Message::Hello(hello())).expect("short");
    for bad in [&u32::MAX.to_be_bytes()[..], b"\0\0\0\x02[]"] {
        let before = b.errors("malformed");
        let mut stream = net.call_as_a_director().await;
        stream.write_all(&hello).await.expect("it reads");
        until("it is greeted", || b.is_up()).await;
        stream.write_all(bad).await.expect("it reads");
        until("it is closed", || b.errors("malformed") > before && !b.is_up()).await;
    }
}

fn hello() -> Hello {
    Hello { versions: Versions::OURS, director: "lb-a".into(), version: String::new() }
}

#[tokio::test]
async fn a_peer_that_only_dribbles_and_one_that_says_nothing_are_given_up() {
    let net = Net::new();
    let b = net.end("lb-b");
    let silent = net.call().await;
    until("the handshake is given up", || b.errors("timeout") > 0).await;
    drop(silent);
    let mut stream = net.call_as_a_director().await;
    stream.write_all(&frame::encode(&Message::Hello(hello())).expect("short")).await.expect("it reads");
    until("it is greeted", || b.is_up()).await;
    let before = b.errors("timeout");
    stream.write_all(&[0, 0, 1]).await.expect("it reads");
    for _ in 0..100 {
        sleep(Duration::from_millis(30)).await;
        // A byte now and then is no message.
        if stream.write_all(&[0]).await.is_err() || !b.is_up() {
            break;
        }
    }
    until("it is given up", || !b.is_up() && b.errors("timeout") > before).await;
}

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_the_older() {
    let net = Net::new();
    let b = net.end("lb-b");
    let hello = frame::encode(&Message::Hello(hello())).expect("short");
    let mut older = net.call_as_a_director().await;
    older.write_all(&hello).await.expect("it reads");
    until("it is greeted", || b.is_up()).await;
    let mut newer = net.call_as_a_director().await;
    newer.write_all(&hello).await.expect("it reads");
    let mut bytes = Vec::new();
    // Its end is read, not an error: it was closed, and not cut off.
    timeout(PATIENCE, older.read_to_end(&mut bytes)).await.expect("it ends").expect("in order");
    assert!(b.is_up());
}

/// Bytes between the two: what is sent passes through `change`, and is kept.
async fn between(net: &Net, change: impl Fn(usize, &mut [u8])) -> Vec<u8> {
    let at = SocketAddr::new(net.address(3), net.port);
    let listener = tokio::net::TcpListener::bind(at).await.expect("a free port");
    let mut a = net.settings("lb-a", 1);
    a.others = [("lb-b".into(), vec![net.address(3)])].into();
    let _a = End::new(a, Versions::OURS);
    let (mut from, _) = timeout(PATIENCE, listener.accept()).await.expect("in time").expect("accepted");
    let mut to = net.call().await;
    let mut kept = Vec::new();
    let (mut there, mut back) = ([0; 4_096], [0; 4_096]);
    let end = sleep(Duration::from_millis(500));
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            read = from.read(&mut there) => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    change(kept.len(), &mut there[..count]);
                    kept.extend_from_slice(&there[..count]);
                    if to.write_all(&there[..count]).await.is_err() { break }
                }
            },
            read = to.read(&mut back) => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => if from.write_all(&back[..count]).await.is_err() { break },
            },
        }
    }
    kept
}

#[tokio::test]
async fn a_recorded_stream_opens_nothing() {
    let net = Net::new();
    let b = net.end("lb-b");
    let kept = between(&net, |_, _| ()).await;
    assert!(kept.len() > 500, "a handshake and reports: {}", kept.len());
    until("the first is over", || !b.is_up()).await;
    let (closed, handshake) = (b.errors("closed"), b.errors("handshake"));
    let mut again = net.call().await;
    again.write_all(&kept).await.expect("it reads");
    until("it is refused", || b.errors("handshake") + b.errors("closed") > closed + handshake).await;
    assert!(!b.is_up());
    assert!(b.channel().since > Instant::ZERO, "it was up before");
}

#[tokio::test]
async fn a_changed_byte_ends_the_connection() {
    let net = Net::new();
    let b = net.end("lb-b");
    let counted = |b: &End| b.errors("handshake") + b.errors("closed");
    let before = counted(&b);
    // Behind the handshake: in a report.
    let change = |place: usize, bytes: &mut [u8]| {
        if place > 900 {
            bytes[bytes.len() - 1] ^= 1;
        }
    };
    let kept = between(&net, change).await;
    assert!(kept.len() > 900, "it reached the reports: {}", kept.len());
    until("it is closed", || counted(&b) > before && !b.is_up()).await;
}
