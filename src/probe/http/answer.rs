//! What an answer says: its status and where it leads, and its body to the end.

use crate::model::Failure;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::LOCATION;
use std::ops::RangeInclusive;

/// An answer of which the body is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// One of the statuses that count as success.
    Good,
    Redirect {
        status: u16,
        location: String,
    },
}

/// Looks at status and header. A status that the policy accepts is never a redirect.
pub(super) fn judge<B>(
    response: &Response<B>,
    accepted: &[RangeInclusive<u16>],
    follows: bool,
) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    if accepted.iter().any(|range| range.contains(&status)) {
        return Ok(Answer::Good);
    }
    if !follows || !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Err(Failure::Status(status));
    }
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    match location {
        Some(location) => Ok(Answer::Redirect { status, location: location.to_owned() }),
        None => Err(Failure::Redirect(format!("without saying where to (status {status})"))),
    }
}

/// How the reading of a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// All of it was read.
    Whole,
    /// Who reads it has enough.
    Enough,
    /// It goes on beyond the limit.
    Beyond,
}

/// Hands `take` the body piece by piece, up to `limit` bytes, until `take` wants no more.
pub(super) async fn drain(
    mut body: Incoming,
    limit: u32,
    mut take: impl FnMut(&[u8]) -> bool,
) -> hyper::Result<Drained> {
    let mut left = limit as usize;
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        let within = piece.get(..left).unwrap_or(&piece);
        left -= within.len();
        if !take(within) {
            return Ok(Drained::Enough);
        }
        if within.len() < piece.len() {
            return Ok(Drained::Beyond);
        }
    }
    Ok(Drained::Whole)
}
