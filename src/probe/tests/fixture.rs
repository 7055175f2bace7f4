//! Servers of the tests, and the shortest way to probe them.

use crate::model::{BodyRule, Check, Failure, HttpSpec, HttpVersion, Outcome, ProbeSpec};
use crate::probe::{Probe, Prober, TlsProfiles};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Time-out of the tests' probes: long enough for a slow machine, short enough for many silent servers.
pub(super) const TIMEOUT: Duration = Duration::from_millis(400);

/// What a probe may last beyond its time-out on a loaded machine.
pub(super) const SLACK: Duration = Duration::from_millis(600);

pub(super) fn check(probe: ProbeSpec) -> Check {
    Check {
        name: "alive".into(),
        probe,
        interval: Duration::from_secs(1),
        interval_down: Duration::from_secs(1),
        interval_changing: Duration::from_secs(1),
        jitter_percent: 0,
        timeout: TIMEOUT,
        rise: 2,
        fall: 3,
        fail_at_once: Default::default(),
        port: None,
        address: None,
        source: None,
        interface: None,
        mark: None,
        through: Default::default(),
    }
}

pub(super) fn get() -> HttpSpec {
    HttpSpec {
        version: HttpVersion::Http1,
        method: "GET".to_owned(),
        path: "/healthz?deep=1".to_owned(),
        host: None,
        headers: Vec::new(),
        content: None,
        status: vec![200..=299],
        body: None,
        response_limit: HttpSpec::RESPONSE_LIMIT,
        redirects: 0,
        keep_connection: false,
        tls: None,
    }
}

pub(super) fn body(text: &str) -> HttpSpec {
    HttpSpec { body: Some(BodyRule::Text(text.to_owned())), ..get() }
}

/// One probe; it must end in time whatever happens.
pub(super) async fn probe(check: &Check, target: SocketAddr) -> Outcome {
    let prober = Prober::new(check, &mut TlsProfiles::default()).expect("a check that can be made ready");
    let outcome = prober.probe(target).await;
    assert!(outcome.duration < check.timeout + SLACK, "too long: {outcome:?}");
    outcome
}

pub(super) async fn ask(spec: HttpSpec, target: SocketAddr) -> Result<(), Failure> {
    probe(&check(ProbeSpec::Http(spec)), target).await.result
}

/// Serves every connection with `serve`, at an address of its own.
pub(super) async fn server<S, F>(serve: S) -> SocketAddr
where
    S: Fn(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// A request's head, as text.
pub(super) async fn request(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).expect("a request is text")
}

/// Reads the request, answers each connection with these pieces, a little apart, and closes.
pub(super) async fn answering(pieces: &'static [&'static str]) -> SocketAddr {
    server(move |mut stream| async move {
        request(&mut stream).await;
        for piece in pieces {
            let _ = stream.write_all(piece.as_bytes()).await;
            let _ = stream.flush().await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // A close with unread bytes would be a reset; there are none.
        let _ = stream.shutdown().await;
        let _ = stream.read_u8().await;
    })
    .await
}

/// Writes `start`, then `again` for ever, as fast as the prober takes it; counts the bytes.
pub(super) async fn flooding(start: &'static [u8], again: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let address = server(move |mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            request(&mut stream).await;
            flood(&mut stream, start, again, &counter).await;
        }
    })
    .await;
    (address, written)
}

async fn flood(stream: &mut (impl AsyncWrite + Unpin), start: &[u8], again: &[u8], counter: &AtomicUsize) {
    let mut piece = start;
    while stream.write_all(piece).await.is_ok() {
        counter.fetch_add(piece.len(), Ordering::Relaxed);
        piece = again;
    }
}
