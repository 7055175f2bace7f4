//! The http probe in HTTP/2, against hyper's own server and against hostile bytes.

use super::fixture::{SLACK, TIMEOUT, answering, ask, body, get, server};
use crate::model::{Content, Failure, HttpSpec, HttpVersion, Phase};
use crate::probe::http::most_bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Frames of RFC 9113, section 4.1.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn second(spec: HttpSpec) -> HttpSpec {
    HttpSpec { version: HttpVersion::Http2, ..spec }
}

/// Says "ok", and in a header what was asked.
async fn answer(request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>> {
    let uri = request.uri().to_string();
    let method = request.method().to_string();
    let content = request.into_body().collect().await?.to_bytes();
    let text = format!("ok {method} {uri} {}", String::from_utf8_lossy(&content));
    Ok(Response::new(Full::new(Bytes::from(text))))
}

async fn serve(stream: TcpStream, once: bool) {
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service_fn(answer));
    let mut connection = std::pin::pin!(connection);
    if once {
        let _ = tokio::time::timeout(Duration::from_millis(15), connection.as_mut()).await;
        connection.as_mut().graceful_shutdown();
    }
    let _ = connection.await;
}

/// A server, and its connections.
pub(super) async fn counting(once: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let target = server(move |stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        serve(stream, once)
    })
    .await;
    (target, connections)
}

#[tokio::test]
async fn a_request_is_sent_with_prior_knowledge() {
    let (target, _) = counting(false).await;
    let asked = format!("ok GET http://{target}/healthz?deep=1 ");
    assert_eq!(ask(second(body(&asked)), target).await, Ok(()));
    let named = HttpSpec {
        host: Some("shop.example.com:81".to_owned()),
        ..body("GET http://shop.example.com:81/health")
    };
    assert_eq!(ask(second(named), target).await, Ok(()));
    let content = Content { text: "are you well?".to_owned(), content_type: "text/plain".to_owned() };
    let post =
        HttpSpec { method: "POST".to_owned(), content: Some(content), ..body("?deep=1 are you well?") };
    assert_eq!(ask(second(post), target).await, Ok(()));
    assert_eq!(ask(second(body("nok")), target).await, Err(Failure::Body));
    assert_eq!(
        ask(second(HttpSpec { status: vec![204..=204], ..get() }), target).await,
        Err(Failure::Status(200))
    );
}

#[tokio::test]
async fn a_server_that_speaks_only_http1_is_told_apart() {
    let target = server(|mut stream| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    })
    .await;
    match ask(second(get()), target).await {
        Err(Failure::Malformed(detail)) => assert!(detail.contains("HTTP/1"), "{detail}"),
        other => panic!("{other:?}"),
    }
    let greets = answering(&[]).await;
    assert!(ask(second(get()), greets).await.is_err());
}

/// The failure of a probe whose server reads its request and writes these bytes, once and then for ever.
async fn answered(start: &'static [u8], again: &'static [u8]) -> (Result<(), Failure>, usize) {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let target = server(move |mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let mut piece = start;
            while !piece.is_empty() && stream.write_all(piece).await.is_ok() {
                counter.fetch_add(piece.len(), Ordering::Relaxed);
                piece = again;
            }
            while stream.read(&mut [0; 4096]).await.is_ok_and(|length| length > 0) {}
        }
    })
    .await;
    let result = ask(second(get()), target).await;
    (result, written.load(Ordering::Relaxed))
}

#[tokio::test]
async fn hostile_frames_fail_the_probe_and_nothing_else() {
    let (result, _) = answered(&[0xff; 64], &[]).await;
    assert_eq!(result.expect_err("no HTTP/2").reason(), "malformed");
    let header: &'static [u8] = [SETTINGS, &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0xff]].concat().leak();
    let (result, _) = answered(header, &[]).await;
    assert_eq!(result.expect_err("a header that cannot be read").reason(), "malformed");
    let goaway: &'static [u8] = [SETTINGS, GOAWAY].concat().leak();
    let (result, _) = answered(goaway, &[]).await;
    assert_eq!(result.expect_err("it goes away").reason(), "connection_lost");
    let (result, _) = answered(SETTINGS, &[]).await;
    assert_eq!(result, Err(Failure::Timeout(Phase::ResponseHeaders)));
    let (result, _) = answered(b"", b"").await;
    assert_eq!(result.expect_err("it says nothing").reason(), "timeout");
}

#[tokio::test]
async fn frames_without_end_cost_no_more_than_their_bound() {
    let many: &'static [u8] = PING.repeat(1000).leak();
    let (result, written) = answered(SETTINGS, many).await;
    let failure = result.expect_err("it never answers");
    assert!(matches!(failure.reason(), "malformed" | "timeout" | "connection_lost"), "{failure}");
    assert!(written < most_bytes(HttpSpec::RESPONSE_LIMIT) + 8 * 1024 * 1024, "{written} bytes");
    assert!(TIMEOUT < SLACK * 2);
}
