//! The agent's protocol over real connections.

use super::fixture::{TIMEOUT, check, flooding, probe, server};
use crate::model::{Advice, AdvisedState, AgentSpec, Failure, Outcome, Phase, ProbeSpec};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn ask(send: &str, target: SocketAddr) -> Outcome {
    probe(&check(ProbeSpec::Agent(AgentSpec { send: send.to_owned() })), target).await
}

/// Says these pieces, and then nothing more.
async fn saying(pieces: &'static [&'static str], closes: bool) -> SocketAddr {
    server(move |mut stream| async move {
        for piece in pieces {
            let _ = stream.write_all(piece.as_bytes()).await;
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        if !closes {
            tokio::time::sleep(TIMEOUT * 9).await;
        }
    })
    .await
}

#[tokio::test]
async fn an_agent_says_one_line() {
    let drains = Some(Advice { weight_percent: Some(30), state: Some(AdvisedState::Drain) });
    let down = Some(Advice { weight_percent: None, state: Some(AdvisedState::Down) });
    let line: &[&str] = &["drain 3", "0%\r\n", "up\n"];
    for (pieces, closes, advice) in
        [(line, false, drains), (&["drain 30%"], true, drains), (&["down#why\n"], false, down)]
    {
        let outcome = ask("", saying(pieces, closes).await).await;
        assert_eq!((outcome.result, outcome.findings.advice), (Ok(()), advice), "{pieces:?}");
    }
}

#[tokio::test]
async fn it_is_told_what_the_policy_says_first() {
    let target = server(|mut stream| async move {
        let mut told = [0; 5];
        let _ = stream.read_exact(&mut told).await;
        let answer: &[u8] = if &told == b"load\n" { b"75%\n" } else { b"nonsense\n" };
        let _ = stream.write_all(answer).await;
    })
    .await;
    let outcome = ask("load\n", target).await;
    assert_eq!(outcome.findings.advice.and_then(|advice| advice.weight_percent), Some(75));
}

#[tokio::test]
async fn a_bad_agent_gives_no_advice() {
    let malformed = ask("", saying(&["hello\n"], false).await).await.result.expect_err("no word of it");
    assert_eq!(malformed.reason(), "malformed");
    let silent = ask("", saying(&[], true).await).await.result;
    assert_eq!(silent, Err(Failure::ConnectionLost(Phase::AgentLine)));
    let slow = ask("", saying(&["up"], false).await).await.result;
    assert_eq!(slow, Err(Failure::Timeout(Phase::AgentLine)), "a line without its end");
    let (endless, _) = flooding(b"up ", &[b' '; 4096]).await;
    let outcome = ask("GET / HTTP/1.0\r\n\r\n", endless).await.result.expect_err("no end");
    assert_eq!(outcome.to_string(), "malformed response: the line goes on beyond 1024 bytes");
}
