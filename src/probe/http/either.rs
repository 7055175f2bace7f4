//! An exchange in the version that the connection speaks.

use super::answer::Drained;
use super::http1::Http1;
use super::http2::{self, Http2};
use super::opening::{Opened, Session};
use super::request::{Ask, Requests};
use crate::model::{Failure, HttpVersion};
use crate::probe::progress::Progress;
use hyper::body::Incoming;
use hyper::header::LOCATION;

/// HTTP in either version.
#[derive(Debug)]
pub(super) enum Either {
    Http1(Http1),
    /// With the body of the answer, until it is read.
    Http2(Box<Http2>, Option<Incoming>),
}

impl Session for Either {
    async fn begin_on(opened: Opened, progress: &Progress) -> Result<Self, Failure> {
        match opened.version {
            HttpVersion::Http1 => Ok(Self::Http1(Http1::on(opened.wire))),
            HttpVersion::Http2 => {
                Http2::begin_on(opened, progress).await.map(|http2| Self::Http2(Box::new(http2), None))
            }
        }
    }

    fn begin(&mut self, limit: usize) {
        match self {
            Self::Http1(http1) => http1.begin(limit),
            Self::Http2(http2, _) => http2.begin(limit),
        }
    }

    async fn is_usable(&mut self, progress: &Progress) -> bool {
        match self {
            Self::Http1(http1) => http1.is_usable().await,
            Self::Http2(http2, _) => http2.is_usable(progress).await,
        }
    }

    fn rest(&mut self) -> bool {
        match self {
            Self::Http1(http1) => http1.rest(),
            Self::Http2(http2, _) => http2.rest(),
        }
    }
}

impl Either {
    /// Sends a request and waits for the head of its answer: the status, and where it leads.
    pub(super) async fn ask(
        &mut self,
        requests: &Requests,
        ask: &Ask,
        progress: &Progress,
    ) -> Result<(u16, Option<String>), Failure> {
        match self {
            Self::Http1(http1) => {
                let head = http1.ask(&requests.text(ask), &ask.method, progress).await?;
                Ok((head.status, head.location))
            }
            Self::Http2(http2, body) => {
                let (head, incoming) = http2.send(requests.message(ask)?, progress).await?.into_parts();
                *body = Some(incoming);
                let location = head.headers.get(LOCATION).and_then(|value| value.to_str().ok());
                Ok((head.status.as_u16(), location.map(str::to_owned)))
            }
        }
    }

    /// Hands `take` the body of the answer piece by piece, up to `limit` bytes, until `take` wants no more.
    pub(super) async fn drain(
        &mut self,
        limit: u32,
        take: impl FnMut(&[u8]) -> bool,
        progress: &Progress,
    ) -> Result<Drained, Failure> {
        match self {
            Self::Http1(http1) => http1.drain(limit, take, progress).await,
            Self::Http2(http2, body) => {
                let Some(body) = body.take() else { return Ok(Drained::Whole) };
                let drained = http2.drive(http2::drain(body, limit, take), progress).await;
                drained.map_err(|error| http2.failure(&error, progress))
            }
        }
    }
}
