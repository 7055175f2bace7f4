//! HAProxy's agent protocol: one connection, a text sent where the policy says one, one line read.
//!
//! It is no check: that the agent cannot be reached says nothing of its server. What it asks for is in
//! [`Findings::advice`], `down` too.

use super::advice::{self, WORDS};
use super::failure;
use super::progress::Progress;
use super::socket::SocketOptions;
use crate::model::{AgentSpec, Failure, Findings, Phase};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of the line, at most: HAProxy's agents write a few words.
const MOST_LINE_BYTES: usize = 1024;

/// Asks the agent at `target`.
pub(super) async fn run(
    spec: &AgentSpec,
    socket: &SocketOptions,
    target: SocketAddr,
    progress: &Progress,
) -> Result<Findings, Failure> {
    let mut stream = socket.connect(target).await?;
    progress.enter(Phase::Request);
    let lost = |error: std::io::Error| failure::on_stream(&error, progress.phase());
    stream.write_all(spec.send.as_bytes()).await.map_err(lost)?;
    progress.enter(Phase::AgentLine);
    let mut line = Vec::new();
    let mut buffer = [0; 256];
    while !line.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        let length = stream.read(&mut buffer).await.map_err(lost)?;
        if length == 0 {
            break;
        }
        line.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if line.len() > MOST_LINE_BYTES {
            return Err(Failure::Malformed(format!("the line goes on beyond {MOST_LINE_BYTES} bytes")));
        }
    }
    if line.is_empty() {
        return Err(Failure::ConnectionLost(Phase::AgentLine));
    }
    judge(&line)
}

/// What the first line says.
fn judge(bytes: &[u8]) -> Result<Findings, Failure> {
    let line = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let text = String::from_utf8_lossy(line);
    match advice::parse(&text) {
        Some(advice) => Ok(advice::findings(advice)),
        None => {
            Err(Failure::Malformed(failure::bounded(format!("the agent says {text:?}, none of {WORDS}"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Advice, AdvisedState};
    use proptest::prelude::*;

    #[test]
    fn the_first_line_counts() {
        let findings = judge(b"drain 20%\r\nup 100%\n").expect("words of the protocol");
        let expected = Advice { weight_percent: Some(20), state: Some(AdvisedState::Drain) };
        assert_eq!(findings.advice, Some(expected));
        assert_eq!(judge(b"\xff\n").map_err(|failure| failure.reason()), Err("malformed"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_judged(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = judge(&bytes);
        }
    }
}
