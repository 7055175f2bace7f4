//! The grpc probe against servers that answer as they like; the real one is in the tests of real servers.

use super::fixture::{check, probe, server};
use crate::model::{Failure, GrpcSpec, ProbeSpec};
use crate::probe::{Probe, Prober, TlsProfiles};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// How a server answers: its status, kind, message and trailers.
#[derive(Clone, Copy)]
struct Answer {
    status: u16,
    kind: &'static str,
    message: &'static [u8],
    trailers: &'static [(&'static str, &'static str)],
}

const SERVING: Answer = Answer {
    status: 200,
    kind: "application/grpc+proto",
    message: &[0, 0, 0, 0, 2, 8, 1],
    trailers: &[("grpc-status", "0")],
};

type Seen = Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>;

async fn answering(answer: Answer) -> (SocketAddr, Seen) {
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    let target = server(move |stream| {
        let seen = Arc::clone(&kept);
        async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let seen = Arc::clone(&seen);
                async move {
                    let (head, body) = request.into_parts();
                    let bytes = body.collect().await?.to_bytes();
                    seen.lock().expect("nobody panics").push((head.uri.to_string(), head.headers, bytes));
                    let trailers: HeaderMap = answer
                        .trailers
                        .iter()
                        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
                        .collect();
                    let body = Full::new(Bytes::from_static(answer.message));
                    let response =
                        Response::builder().status(answer.status).header("content-type", answer.kind);
                    let response = response.body(body.with_trailers(async { Some(Ok(trailers)) }));
                    Ok::<_, hyper::Error>(response.expect("a response"))
                }
            });
            let _ = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    })
    .await;
    (target, seen)
}

async fn ask(answer: Answer) -> Result<(), Failure> {
    let (target, _) = answering(answer).await;
    probe(&check(ProbeSpec::Grpc(GrpcSpec::default())), target).await.result
}

#[tokio::test]
async fn a_service_that_serves_is_good() {
    let (target, seen) = answering(SERVING).await;
    let spec = GrpcSpec { service: "shop.Cart".to_owned(), keep_connection: true, ..GrpcSpec::default() };
    let prober =
        Prober::new(&check(ProbeSpec::Grpc(spec)), &mut TlsProfiles::default()).expect("a good check");
    for _ in 0..3 {
        assert_eq!(prober.probe(target).await.result, Ok(()));
    }
    let seen = seen.lock().expect("requests");
    let (uri, headers, message) = seen.first().expect("a request");
    assert_eq!(seen.len(), 3);
    assert_eq!(*uri, format!("http://{target}/grpc.health.v1.Health/Check"));
    assert_eq!(message.as_ref(), b"\0\0\0\0\x0b\x0a\x09shop.Cart");
    for (name, value) in [("te", "trailers"), ("content-type", "application/grpc"), ("grpc-timeout", "400m")]
    {
        assert_eq!(headers.get(name).and_then(|value| value.to_str().ok()), Some(value), "{name}");
    }
}

#[tokio::test]
async fn anything_but_serving_fails_in_its_own_words() {
    let unknown: &[(&str, &str)] = &[("grpc-status", "12"), ("grpc-message", "no such method")];
    for (answer, words) in [
        (Answer { message: &[0, 0, 0, 0, 2, 8, 2], ..SERVING }, "gRPC: NOT_SERVING"),
        (
            Answer { message: &[], trailers: unknown, ..SERVING },
            "gRPC: status 12 (unimplemented: the server has no health service): no such method",
        ),
        (Answer { trailers: &[], ..SERVING }, "malformed response: the answer has no grpc-status"),
        (
            Answer { kind: "text/html", ..SERVING },
            "malformed response: the server does not speak gRPC (content-type \"text/html\")",
        ),
        (Answer { status: 404, ..SERVING }, "status 404"),
        (Answer { message: &[0; 9000], ..SERVING }, "gRPC: UNKNOWN"),
        (
            Answer { message: &[0xff; 9000], ..SERVING },
            "malformed response: the answer is compressed, which was not asked for",
        ),
    ] {
        let failure = ask(answer).await.expect_err(words);
        assert_eq!(failure.to_string(), words);
    }
}

#[tokio::test]
async fn a_server_of_another_protocol_is_malformed() {
    let target = super::fixture::answering(&["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]).await;
    let outcome = probe(&check(ProbeSpec::Grpc(GrpcSpec::default())), target).await;
    let failure = outcome.result.expect_err("HTTP/1");
    assert!(matches!(failure.reason(), "malformed" | "timeout" | "connection_lost"), "{failure}");
}
