//! The dns probe: a question over UDP or TCP, and its answer. An answer that was cut off is asked for again over TCP, within
//! the same time-out.

use super::datagram::{receive, send};
use super::dns::{Answer, Asked};
use super::exchange::{Farewell, Reach, Speaker, Turn, converse};
use super::progress::Progress;
use super::socket::SocketOptions;
use super::{PrepareError, failure};
use crate::hash::mix;
use crate::model::{CheckName, DnsSpec, DnsTransport, Failure, Phase};
use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of an answer over UDP that is asked for without EDNS (RFC 1035, section 4.2.1); what is longer is looked at too.
const LONGEST_DATAGRAM: usize = 4096;
/// Datagrams that are no answer to the question, at most; one host can send many.
const MOST_FOREIGN: usize = 64;

/// Makes this process's identifiers differ from another's: nobody guesses the next one.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
static QUESTIONS: AtomicU64 = AtomicU64::new(0);

/// The probe made ready.
#[derive(Debug)]
pub(super) struct Question {
    asked: Asked,
    transport: DnsTransport,
}

impl Question {
    /// Makes `spec` ready.
    pub(super) fn new(check: &CheckName, spec: &DnsSpec) -> Result<Self, PrepareError> {
        Ok(Self { asked: Asked::new(check, spec)?, transport: spec.transport })
    }

    /// One question and its answer.
    pub(super) async fn ask(
        &self,
        options: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let id = identifier();
        let question = self.asked.question(id)?;
        match self.transport {
            DnsTransport::Tcp => self.over_tcp(id, question, options, target, progress).await,
            DnsTransport::Udp => match self.over_udp(id, &question, options, target, progress).await? {
                Answer::Ended(result) => result,
                Answer::Truncated => self.over_tcp(id, question, options, target, progress).await,
                Answer::Foreign => Err(Failure::Malformed("only answers to other questions came".to_owned())),
            },
        }
    }

    async fn over_udp(
        &self,
        id: u16,
        question: &[u8],
        options: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Answer, Failure> {
        let socket = options.datagram(target)?;
        send(&socket, question)?;
        progress.enter(Phase::Reply);
        let mut buffer = vec![0; LONGEST_DATAGRAM];
        for _ in 0..MOST_FOREIGN {
            let length = receive(&socket, &mut buffer).await?;
            match self.asked.judge(id, buffer.get(..length).unwrap_or_default()) {
                Answer::Foreign => {}
                answer => return Ok(answer),
            }
        }
        Ok(Answer::Foreign)
    }

    async fn over_tcp(
        &self,
        id: u16,
        question: Vec<u8>,
        options: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let stream = options.connect(target).await?;
        let speaker = OverTcp { asked: &self.asked, id, question: Some(question) };
        converse(stream, speaker, progress).await
    }
}

fn identifier() -> u16 {
    let [.., high, low] = mix(*SEED ^ QUESTIONS.fetch_add(1, Ordering::Relaxed)).to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// A question over TCP, where two bytes of length go before each message (RFC 1035, section 4.2.2).
struct OverTcp<'a> {
    asked: &'a Asked,
    id: u16,
    /// Until it is said.
    question: Option<Vec<u8>>,
}

impl<'a> Speaker<'a> for OverTcp<'a> {
    fn next(&mut self, heard: &[u8], _reach: Reach) -> Turn<'a> {
        if let Some(question) = self.question.take() {
            let length = u16::try_from(question.len()).unwrap_or(0).to_be_bytes();
            return Turn::Say { used: 0, bytes: Cow::Owned([&length[..], &question].concat()) };
        }
        let more = Turn::Listen { used: 0, phase: Phase::Reply };
        let Some((length, rest)) = heard.split_first_chunk() else { return more };
        let Some(message) = rest.get(..usize::from(u16::from_be_bytes(*length))) else { return more };
        let result = match self.asked.judge(self.id, message) {
            Answer::Ended(result) => result,
            Answer::Truncated => Err(Failure::Malformed("the answer is cut off, over TCP too".to_owned())),
            // Nobody else can write on this connection.
            Answer::Foreign => Err(Failure::Malformed(format!(
                "an answer to another question ({})",
                failure::shown(message)
            ))),
        };
        Turn::End { result, farewell: Farewell::Reset }
    }
}
