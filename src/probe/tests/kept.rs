//! Connections that are kept between probes: one exchange each, and none of what a server may do to them is a failure.

use super::fixture::{body, check, get, request, server};
use crate::model::{Failure, HttpSpec, HttpVersion, ProbeSpec};
use crate::probe::{Probe, Prober, TlsProfiles};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// What a server counts.
#[derive(Clone, Default)]
struct Counts {
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Counts {
    fn get(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

/// How a server treats a connection after an answer.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Keeps,
    Closes,
    Resets,
    /// Closes when the next request has come.
    ClosesLate,
}

async fn serving(answer: &'static str, after: After) -> (SocketAddr, Counts) {
    let counts = Counts::default();
    let counted = counts.clone();
    let target = server(move |mut stream| {
        let counts = counted.clone();
        async move {
            counts.connections.fetch_add(1, Ordering::SeqCst);
            let mut answered = 0;
            while !request(&mut stream).await.is_empty() {
                counts.requests.fetch_add(1, Ordering::SeqCst);
                if after == After::ClosesLate && answered == 1 {
                    return;
                }
                let _ = stream.write_all(answer.as_bytes()).await;
                answered += 1;
                match after {
                    After::Keeps | After::ClosesLate => {}
                    After::Closes => return,
                    After::Resets => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                        return;
                    }
                }
            }
        }
    })
    .await;
    (target, counts)
}

fn kept(spec: HttpSpec) -> Prober {
    let spec = HttpSpec { keep_connection: true, ..spec };
    Prober::new(&check(ProbeSpec::Http(spec)), &mut TlsProfiles::default()).expect("a good check")
}

async fn probed(prober: &Prober, target: SocketAddr, times: usize) -> Vec<Result<(), Failure>> {
    let mut results = Vec::new();
    for _ in 0..times {
        results.push(prober.probe(target).await.result);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    results
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn one_connection_serves_many_probes() {
    let (target, counts) = serving(OK, After::Keeps).await;
    assert_eq!(probed(&kept(body("ok")), target, 4).await, vec![Ok(()); 4]);
    assert_eq!(counts.get(), (1, 4));
    let (target, counts) = serving("HTTP/1.1 204 No Content\r\n\r\n", After::Keeps).await;
    assert_eq!(probed(&kept(get()), target, 3).await, vec![Ok(()); 3]);
    assert_eq!(counts.get(), (1, 3), "an answer without a body");
}

#[tokio::test]
async fn a_connection_is_renewed_now_and_then() {
    let (target, counts) = serving(OK, After::Keeps).await;
    let prober = kept(get());
    for _ in 0..61 {
        assert_eq!(prober.probe(target).await.result, Ok(()));
    }
    assert_eq!(counts.get(), (2, 61));
}

#[tokio::test]
async fn two_targets_of_a_check_have_a_connection_each() {
    let ((first, of_first), (second, of_second)) =
        tokio::join!(serving(OK, After::Keeps), serving(OK, After::Keeps));
    let prober = kept(get());
    for _ in 0..3 {
        assert_eq!(prober.probe(first).await.result, Ok(()));
        assert_eq!(prober.probe(second).await.result, Ok(()));
    }
    assert_eq!((of_first.get(), of_second.get()), ((1, 3), (1, 3)));
}

#[tokio::test]
async fn a_server_that_closes_between_probes_is_asked_on_a_new_connection() {
    let (closes, resets, late) = (After::Closes, After::Resets, After::ClosesLate);
    for (after, expected) in [(closes, (3, 3)), (resets, (3, 3)), (late, (3, 5))] {
        let (target, counts) = serving(OK, after).await;
        assert_eq!(probed(&kept(body("ok")), target, 3).await, vec![Ok(()); 3]);
        assert_eq!(counts.get(), expected, "of a late close the request was sent twice");
    }
    let (target, counts) =
        serving("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", After::Keeps).await;
    assert_eq!(probed(&kept(get()), target, 3).await, vec![Ok(()); 3]);
    assert_eq!(counts.get(), (3, 3), "it said that it would close");
}

#[tokio::test]
async fn a_server_that_is_gone_is_noticed_at_once() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let target = listener.local_addr().expect("it is bound");
    let prober = kept(get());
    let serve = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        request(&mut stream).await;
        stream.write_all(OK.as_bytes()).await.expect("it reads");
        stream
    };
    let (stream, outcome) = tokio::join!(serve, prober.probe(target));
    assert_eq!(outcome.result, Ok(()));
    drop((stream, listener));
    assert_eq!(prober.probe(target).await.result, Err(Failure::ConnectionRefused));
}

#[tokio::test]
async fn a_failed_probe_takes_its_connection_with_it() {
    let (target, counts) = serving("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", After::Keeps).await;
    assert_eq!(probed(&kept(get()), target, 2).await, vec![Err(Failure::Status(503)); 2]);
    assert_eq!(counts.get(), (2, 2));
    let (target, counts) = serving(OK, After::Keeps).await;
    assert_eq!(probed(&kept(body("nok")), target, 2).await, vec![Err(Failure::Body); 2]);
    assert_eq!(counts.get(), (2, 2));
    let (target, counts) = serving(OK, After::Keeps).await;
    let limited = HttpSpec { response_limit: 1, ..get() };
    assert_eq!(probed(&kept(limited), target, 2).await, vec![Ok(()); 2]);
    assert_eq!(counts.get(), (2, 2), "of a body beyond the limit the rest is not read");
}

#[tokio::test]
async fn what_a_server_says_unasked_costs_it_the_connection() {
    let (target, counts) =
        serving("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n", After::Keeps).await;
    assert_eq!(probed(&kept(get()), target, 3).await, vec![Ok(()); 3]);
    assert_eq!(counts.get(), (3, 3));
}

#[tokio::test]
async fn http2_connections_are_kept_and_renewed_too() {
    let (target, counts) = super::http2::counting(false).await;
    let spec = HttpSpec { version: HttpVersion::Http2, ..body("ok") };
    assert_eq!(probed(&kept(spec.clone()), target, 3).await, vec![Ok(()); 3]);
    assert_eq!(counts.load(Ordering::SeqCst), 1);
    let (target, counts) = super::http2::counting(true).await;
    assert_eq!(probed(&kept(spec), target, 3).await, vec![Ok(()); 3], "each is closed when it has answered");
    assert_eq!(counts.load(Ordering::SeqCst), 3);
}
