//! Why a channel is down, or a connection was refused: a closed list for metrics, and words for the log. Pure.

use super::frame::FrameError;
use super::message::Versions;
use rustls::{AlertDescription, CertificateError, Error as TlsError};
use std::io;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the other director has not connected")]
    NotCalled,
    #[error("no address of both directors is of one family")]
    NoWay,
    #[error("it does not answer within {0} s")]
    TimedOut(u64),
    #[error("{0}")]
    Unreachable(io::Error),
    #[error("cannot listen at {0}: {1}")]
    Listen(std::net::SocketAddr, io::Error),
    #[error(
        "it has another key, or is another director than its address says: `peer: {{key: …}}` must lead to the same secret on both"
    )]
    WrongKey,
    #[error("the handshake failed: {0}")]
    Handshake(String),
    #[error("it speaks versions {} to {} of the channel, and this director {} to {}: bring the older one up to date", .0.oldest, .0.newest, .1.oldest, .1.newest)]
    Version(Versions, Versions),
    #[error("it said nothing for {0} s")]
    Silent(u64),
    #[error("it takes nothing in: {0} s passed over one message")]
    Slow(u64),
    #[error("{0}; the connection was closed")]
    Frame(#[from] FrameError),
    #[error("it says too much: more than {0} messages in a second")]
    TooMuch(u32),
    #[error("it said something else than its version first")]
    NoHello,
    #[error("the connection was lost: {0}")]
    Lost(io::Error),
    #[error("it closed the connection")]
    Closed,
    /// A newer connection of the same director.
    #[error("another connection of it came in its place")]
    Replaced,
    #[error("too many connections at once")]
    Busy,
    #[error("a connection from an address that is none of the directors'")]
    Stranger,
}

impl Fault {
    /// Every kind: the metric's closed list.
    pub(super) const KINDS: [&'static str; 11] = [
        "closed",
        "handshake",
        "listen",
        "malformed",
        "slow",
        "stranger",
        "timeout",
        "too_much",
        "unreachable",
        "version",
        "wrong_key",
    ];

    /// The word in the metric, from [`Self::KINDS`]; `None` where nothing went wrong.
    pub(super) const fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotCalled | Self::Replaced => return None,
            Self::NoWay | Self::Unreachable(_) => "unreachable",
            Self::TimedOut(_) | Self::Silent(_) => "timeout",
            Self::Listen(..) => "listen",
            Self::WrongKey => "wrong_key",
            Self::Handshake(_) => "handshake",
            Self::Version(..) => "version",
            Self::Slow(_) => "slow",
            Self::Frame(_) | Self::NoHello => "malformed",
            Self::TooMuch(_) | Self::Busy => "too_much",
            Self::Lost(_) | Self::Closed => "closed",
            Self::Stranger => "stranger",
        })
    }

    /// An error of a handshake.
    pub(super) fn of_handshake(error: io::Error) -> Self {
        match tls(&error) {
            Some(
                TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
                | TlsError::AlertReceived(AlertDescription::AccessDenied),
            ) => Self::WrongKey,
            Some(error) => Self::Handshake(error.to_string()),
            None => Self::Lost(error),
        }
    }

    /// An error of a connection that stood. The end that accepts may refuse a key after the other holds the handshake for
    /// done.
    pub(super) fn of_stream(error: io::Error) -> Self {
        match tls(&error) {
            Some(TlsError::AlertReceived(AlertDescription::AccessDenied)) => Self::WrongKey,
            _ if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Lost(error),
        }
    }
}

fn tls(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}
