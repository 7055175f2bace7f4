//! The tcp probe, and how sockets are made.

use super::fixture::{TIMEOUT, check, get, probe, request, server};
use crate::model::{Check, Failure, Phase, ProbeSpec};
use socket2::{Domain, Socket, Type};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

fn tcp() -> Check {
    check(ProbeSpec::Tcp)
}

/// A port that was free a moment ago.
async fn closed_port() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("it is bound")
}

#[tokio::test]
async fn an_accepted_connection_is_success_and_ends_with_a_reset() {
    let (ends, mut end) = mpsc::unbounded_channel();
    let target = server(move |mut stream| {
        let ends = ends.clone();
        async move {
            let error = stream.read_u8().await.expect_err("the probe sends nothing");
            let _ = ends.send(error.kind());
        }
    })
    .await;
    assert_eq!(probe(&tcp(), target).await.result, Ok(()));
    assert_eq!(end.recv().await, Some(std::io::ErrorKind::ConnectionReset), "no TIME_WAIT is left behind");
}

#[tokio::test]
async fn a_closed_port_is_refused_at_once() {
    let outcome = probe(&tcp(), closed_port().await).await;
    assert_eq!(outcome.result, Err(Failure::ConnectionRefused));
    assert!(outcome.duration < TIMEOUT);
}

#[tokio::test]
async fn a_syn_without_an_answer_times_out_connecting() {
    // A full backlog: the kernel drops further SYNs, as a host that is cut off would.
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    listener.listen(0).expect("it listens");
    let target = listener.local_addr().expect("bound").as_socket().expect("an address");
    let mut fillers = Vec::new();
    for _ in 0..4 {
        let filler = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).expect("a socket");
        let _ = filler.connect(&target.into());
        fillers.push(filler);
    }
    let outcome = probe(&tcp(), target).await;
    assert_eq!(outcome.result, Err(Failure::Timeout(Phase::Connect)));
    assert!(outcome.duration >= TIMEOUT, "it used the time it had");
}

#[tokio::test]
async fn an_address_that_no_route_leads_to_is_unreachable() {
    let outcome = probe(&tcp(), SocketAddr::from(([127, 255, 255, 255], 80))).await;
    assert_eq!(outcome.result.map_err(|failure| failure.reason()), Err("unreachable"));
}

#[tokio::test]
async fn what_this_host_lacks_is_local_and_says_what() {
    let target = server(|_| async {}).await;
    for (check, words) in [
        (Check { interface: Some("tandem-none".to_owned()), ..tcp() }, "interface tandem-none: "),
        (
            Check { source: "192.0.2.77".parse().ok(), ..tcp() },
            "source address 192.0.2.77: not an address of",
        ),
        (Check { source: "::1".parse().ok(), ..tcp() }, "two address families"),
    ] {
        match probe(&check, target).await.result {
            Err(Failure::Local(detail)) => assert!(detail.contains(words), "{detail}"),
            other => panic!("{other:?} instead of {words}"),
        }
    }
}

#[tokio::test]
async fn the_source_address_is_the_one_asked_for() {
    let (peers, mut peer) = mpsc::unbounded_channel();
    let target = server(move |mut stream| {
        let _ = peers.send(stream.peer_addr().map(|peer| peer.ip()).ok());
        async move {
            request(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    })
    .await;
    let source = "127.0.0.42".parse().ok();
    assert_eq!(probe(&Check { source, ..check(ProbeSpec::Http(get())) }, target).await.result, Ok(()));
    assert_eq!(peer.recv().await, Some(source));
}

#[tokio::test]
async fn a_mark_is_set_or_the_missing_capability_is_said() {
    let target = server(|_| async {}).await;
    match probe(&Check { mark: Some(7), ..tcp() }, target).await.result {
        Ok(()) => {}
        Err(Failure::Local(detail)) => assert!(detail.starts_with("mark 7: not permitted"), "{detail}"),
        other => panic!("{other:?}"),
    }
}
