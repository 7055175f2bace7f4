//! What one probe found. The reasons are a closed list that log, metrics and snapshot share.

use super::Advice;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Result of one probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// From its start to its end.
    pub duration: Duration,
    pub result: Result<(), Failure>,
    pub findings: Findings,
}

impl Outcome {
    /// A probe that learned nothing beside whether it succeeded.
    #[must_use]
    pub fn new(duration: Duration, result: Result<(), Failure>) -> Self {
        Self { duration, result, findings: Findings::default() }
    }
}

/// What a probe learned beside whether it succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// What the server, or who speaks for it, asks for.
    pub advice: Option<Advice>,
    /// When the server's certificate expires (its `notAfter`), in Unix time.
    pub certificate_expires: Option<Duration>,
}

/// Where a probe was when its time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    Connect,
    TlsHandshake,
    /// What the server says first.
    Greeting,
    Request,
    ResponseHeaders,
    ResponseBody,
    /// An answer, in a protocol other than HTTP.
    Reply,
    /// A text that a dialogue expects.
    Expectation,
    /// An ICMP echo reply.
    EchoReply,
    /// A program that has not ended.
    Program,
    /// A file on this host.
    File,
    /// The line of an agent.
    AgentLine,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connect => "connecting",
            Self::TlsHandshake => "in the TLS handshake",
            Self::Greeting => "waiting for the greeting",
            Self::Request => "sending the request",
            Self::ResponseHeaders => "waiting for the response",
            Self::ResponseBody => "reading the response body",
            Self::Reply => "waiting for the reply",
            Self::Expectation => "waiting for the expected text",
            Self::EchoReply => "waiting for the echo reply",
            Self::Program => "running the program",
            Self::File => "reading the file",
            Self::AgentLine => "waiting for the agent's line",
        })
    }
}

/// Why a probe failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    Timeout(Phase),
    /// The port is closed (RST in answer to SYN).
    ConnectionRefused,
    /// No route, host unreachable, administratively prohibited: the errno's words.
    Unreachable(String),
    /// The connection broke (RST or early end) in this phase.
    ConnectionLost(Phase),
    /// The TLS session was refused: alert, wrong name, expired, unknown authority.
    Tls(String),
    /// Another status than the accepted ones.
    Status(u16),
    /// The body does not contain the text.
    Body,
    /// The answer is another one than the policy expects: what it is.
    UnexpectedReply(String),
    /// The server answers, in its own words, that it cannot serve.
    ServerError(String),
    /// The body is another than the expected one: what it is instead.
    Content(String),
    /// A redirect that is not followed: where it leads.
    Redirect(String),
    /// The health service of gRPC does not say SERVING: its status.
    Grpc(String),
    /// Who was asked says `down`: a file, a program.
    SaidDown(String),
    /// What came back is not in the protocol that was spoken, or breaks its bounds.
    Malformed(String),
    /// The program of an exec check failed: its exit code or signal, and the last line that it wrote.
    Program(String),
    /// The probe could not be made on this host: no socket, no source address, no such device.
    Local(String),
    /// A bug in the probe, caught at the task's edge.
    Panicked,
}

impl Failure {
    /// What [`Failure::reason`] can say of a server: words of `fail_at_once`. What says nothing of it is not among them.
    pub const REASONS: &[&'static str] = &[
        "timeout",
        "connection_refused",
        "unreachable",
        "connection_lost",
        "tls",
        "status",
        "body",
        "redirect",
        "grpc",
        "said_down",
        "unexpected_reply",
        "server_error",
        "malformed",
        "program",
    ];

    /// The closed list of the `reason` label.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Timeout(_) => "timeout",
            Self::ConnectionRefused => "connection_refused",
            Self::Unreachable(_) => "unreachable",
            Self::ConnectionLost(_) => "connection_lost",
            Self::Tls(_) => "tls",
            Self::Status(_) => "status",
            Self::Body | Self::Content(_) => "body",
            Self::UnexpectedReply(_) => "unexpected_reply",
            Self::ServerError(_) => "server_error",
            Self::Redirect(_) => "redirect",
            Self::Grpc(_) => "grpc",
            Self::SaidDown(_) => "said_down",
            Self::Malformed(_) => "malformed",
            Self::Program(_) => "program",
            Self::Local(_) => "local",
            Self::Panicked => "panicked",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(phase) => write!(formatter, "timed out {phase}"),
            Self::ConnectionRefused => formatter.write_str("connection refused"),
            Self::Unreachable(detail) => write!(formatter, "unreachable: {detail}"),
            Self::ConnectionLost(phase) => write!(formatter, "connection lost {phase}"),
            Self::Tls(detail) => write!(formatter, "TLS: {detail}"),
            Self::Status(status) => write!(formatter, "status {status}"),
            Self::Body => formatter.write_str("the body does not contain the expected text"),
            Self::UnexpectedReply(detail) => write!(formatter, "unexpected reply: {detail}"),
            Self::ServerError(words) => write!(formatter, "the server says: {words}"),
            Self::Content(detail) => formatter.write_str(detail),
            Self::Redirect(detail) => write!(formatter, "redirected {detail}"),
            Self::Grpc(detail) => write!(formatter, "gRPC: {detail}"),
            Self::SaidDown(who) => write!(formatter, "{who} says down"),
            Self::Malformed(detail) => write!(formatter, "malformed response: {detail}"),
            Self::Program(detail) => write!(formatter, "the program {detail}"),
            Self::Local(detail) => write!(formatter, "the probe could not be made here: {detail}"),
            Self::Panicked => formatter.write_str("the probe panicked (a bug of Tandem: please report it)"),
        }
    }
}
