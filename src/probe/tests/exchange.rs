//! Exchanges over TCP with servers of these tests: good, slow, hostile and silent ones. Real servers are in tests/servers.

use super::fixture::{TIMEOUT, check, probe, server};
use crate::model::{
    Check, DialogueSpec, Failure, Pattern, Phase, Preset, ProbeSpec, RedisSpec, Secret, SmtpSpec, Step,
};
use crate::probe::{PrepareError, Prober, TlsProfiles};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

fn ping_pong() -> Check {
    dialogue(vec![Step::Send(b"PING\r\n".to_vec()), Step::Expect(Pattern::Bytes(b"+PONG".to_vec()))])
}

fn dialogue(steps: Vec<Step>) -> Check {
    check(ProbeSpec::Dialogue(DialogueSpec { steps }))
}

/// Reads something, then sends these pieces, a little apart, and closes when the prober does.
async fn answering(pieces: &'static [&'static [u8]]) -> SocketAddr {
    server(move |mut stream| async move {
        let mut request = [0; 64];
        let _ = stream.read(&mut request).await;
        for piece in pieces {
            let _ = stream.write_all(piece).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let _ = stream.read(&mut request).await;
    })
    .await
}

async fn failure(check: &Check, target: SocketAddr) -> Failure {
    probe(check, target).await.result.map(drop).expect_err("a failure")
}

#[tokio::test]
async fn an_answer_in_pieces_is_found() {
    let target = answering(&[b"some words, +P", b"O", b"NG and more"]).await;
    assert_eq!(probe(&ping_pong(), target).await.result.map(drop), Ok(()));
}

#[tokio::test]
async fn a_server_that_says_nothing_times_out_and_one_that_closes_is_lost() {
    let silent = server(|mut stream| async move {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    assert_eq!(failure(&ping_pong(), silent).await, Failure::Timeout(Phase::Expectation));
    let closing = server(|mut stream| async move {
        let mut request = [0; 6];
        let _ = stream.read_exact(&mut request).await;
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut request).await;
    })
    .await;
    assert_eq!(failure(&ping_pong(), closing).await, Failure::ConnectionLost(Phase::Expectation));
}

#[tokio::test]
async fn another_answer_is_shown_when_the_server_closes() {
    let target = server(|mut stream| async move {
        let mut request = [0; 6];
        let _ = stream.read_exact(&mut request).await;
        let _ = stream.write_all(b"-ERR\tno such\r\nthing").await;
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut request).await;
    })
    .await;
    assert_eq!(
        failure(&ping_pong(), target).await,
        Failure::UnexpectedReply("-ERR no such thing".to_owned())
    );
}

#[tokio::test]
async fn another_answer_is_shown_too_when_the_server_waits_for_more() {
    let target = answering(&[b"+PO", b"LO\r\n"]).await;
    let outcome = probe(&ping_pong(), target).await;
    assert_eq!(outcome.result.map(drop), Err(Failure::UnexpectedReply("+POLO".to_owned())));
    assert!(outcome.duration >= TIMEOUT, "it might still have come");
}

#[tokio::test]
async fn a_flood_is_cut_off_at_the_limit() {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let target = server(move |mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {
                counter.fetch_add(1024, Ordering::Relaxed);
            }
        }
    })
    .await;
    let outcome = probe(&ping_pong(), target).await;
    assert_eq!(outcome.result.map(drop).expect_err("a flood").reason(), "unexpected_reply");
    assert!(outcome.duration < TIMEOUT, "it did not wait for the end: {:?}", outcome.duration);
    assert_eq!(failure(&check(ProbeSpec::Smtp(SmtpSpec::default())), target).await.reason(), "malformed");
    // What the sockets' buffers hold may be written too, and is never read.
    assert!(written.load(Ordering::Relaxed) < 32 * 1024 * 1024);
}

#[tokio::test]
async fn a_dribble_without_end_meets_the_time_out() {
    let target = server(|mut stream| async move {
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let regex = dialogue(vec![Step::Expect(Pattern::Regex("[ab]+c".to_owned()))]);
    let failure = failure(&regex, target).await;
    assert!(matches!(&failure, Failure::UnexpectedReply(heard) if heard.starts_with("xx")), "{failure:?}");
}

#[tokio::test]
async fn a_mail_server_is_left_with_quit_and_not_with_a_reset() {
    let (ends, mut end) = mpsc::unbounded_channel();
    let target = server(move |mut stream| {
        let ends = ends.clone();
        async move {
            let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n").await;
            let mut said = vec![0; 64];
            let length = stream.read(&mut said).await.unwrap_or_default();
            let _ = stream.write_all(b"250 hello\r\n").await;
            let quit = stream.read(&mut said[length..]).await.unwrap_or_default();
            said.truncate(length + quit);
            let _ = ends.send(String::from_utf8_lossy(&said).into_owned());
        }
    })
    .await;
    assert_eq!(probe(&check(ProbeSpec::Smtp(SmtpSpec::default())), target).await.result.map(drop), Ok(()));
    assert_eq!(end.recv().await.as_deref(), Some("EHLO [127.0.0.1]\r\nQUIT\r\n"));
}

#[tokio::test]
async fn a_greeting_that_does_not_come_is_named() {
    let silent = server(|mut stream| async move {
        let _ = stream.read_u8().await;
    })
    .await;
    let smtp = check(ProbeSpec::Smtp(SmtpSpec::default()));
    assert_eq!(failure(&smtp, silent).await, Failure::Timeout(Phase::Greeting));
}

#[test]
fn a_secret_that_cannot_be_read_is_named_without_what_is_in_it() {
    let redis = |path: &std::path::Path| {
        let password = Some(Secret::File(path.to_owned()));
        let spec = ProbeSpec::Preset(Preset::Redis(RedisSpec { user: None, password }));
        Prober::new(&check(spec), &mut TlsProfiles::default())
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("password");
    let error = redis(&path).expect_err("no such file");
    assert!(
        matches!(&error, PrepareError::Secret { detail, .. } if detail.contains("No such file")),
        "{error}"
    );
    std::fs::write(&path, "s3cret\n").expect("a file");
    let prober = redis(&path).expect("a password");
    assert!(!format!("{prober:?}").contains("s3cret") && format!("{prober:?}").contains("logs_in: true"));
    std::fs::write(&path, "\n").expect("a file");
    assert!(redis(&path).expect_err("empty").to_string().contains("is empty"));
    std::fs::write(&path, "x".repeat(20_000)).expect("a file");
    let error = redis(&path).expect_err("too long").to_string();
    assert!(error.contains("larger than 16384 bytes") && !error.contains("xx"), "{error}");
}
