//! The http probe: one request and its answer, in HTTP/1.1 or HTTP/2; more where redirects are followed.
//!
//! Bounds, whatever the server sends: [`HEADER_BYTES`] and [`HEADER_COUNT`] of a response header, `response_limit` of a body
//! (read only where it counts, or where the connection is kept), [`most_bytes`] altogether for each answer. Time is bounded
//! by the caller. Not done: compression, cookies.

mod answer;
mod body;
mod either;
mod framing;
mod head;
mod http1;
mod http2;
mod kept;
mod opening;
mod redirect;
mod request;
mod wire;

pub(super) use http2::Http2;
pub(super) use kept::Kept;
pub(super) use opening::{Connection, Opening};
pub(super) use request::{AGENT, absolute, host_of};

use super::PrepareError;
use super::progress::Progress;
use super::socket::SocketOptions;
use super::tls::{Tls, TlsProfiles};
use crate::model::{Failure, Findings, HttpSpec, HttpVersion, Phase};
use answer::{Answer, Drained};
use body::{Reading, Rule};
use either::Either;
use request::{Ask, Requests};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Largest response header, and the read buffer's bound.
pub(super) const HEADER_BYTES: usize = 16 * 1024;

/// Most header lines.
pub(super) const HEADER_COUNT: usize = 100;

/// Most bytes that a whole answer may take: interim answers and the framing of tiny chunks included.
pub(super) const fn most_bytes(response_limit: u32) -> usize {
    8 * (response_limit as usize + HEADER_BYTES)
}

/// An answer, and when the server's certificate expires.
type Answered = Result<(Answer, Option<Duration>), Failure>;

/// A request made ready, and the answer that counts as success.
#[derive(Debug)]
pub(super) struct Exchange {
    requests: Requests,
    tls: Option<Tls>,
    version: HttpVersion,
    status: Vec<RangeInclusive<u16>>,
    body: Option<Rule>,
    response_limit: u32,
    redirects: u8,
    /// `None`: a connection for each probe.
    kept: Option<Kept<Either>>,
}

impl Exchange {
    /// Makes `spec` ready.
    pub(super) fn new(
        check: &str,
        spec: &HttpSpec,
        profiles: &mut TlsProfiles,
    ) -> Result<Self, PrepareError> {
        let protocol: &[&[u8]] = match spec.version {
            HttpVersion::Http1 => &[b"http/1.1"],
            HttpVersion::Http2 => &[b"h2"],
        };
        let tls = spec.tls.as_ref().map(|tls| Tls::new(check, tls, spec.host.as_deref(), protocol, profiles));
        Ok(Self {
            requests: Requests::new(check, spec)?,
            tls: tls.transpose()?,
            version: spec.version,
            status: spec.status.clone(),
            body: spec.body.as_ref().map(|rule| Rule::new(check, rule)).transpose()?,
            response_limit: spec.response_limit,
            redirects: spec.redirects,
            kept: spec.keep_connection.then(Kept::default),
        })
    }

    /// Whether it is HTTPS.
    pub(super) const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// The whole probe of `target`.
    pub(super) async fn run(
        &self,
        socket: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Findings, Failure> {
        let mut ask = self.requests.first(target)?;
        let mut followed = 0;
        loop {
            let (answer, certificate_expires) = self.ask(socket, target, &ask, progress).await?;
            match answer {
                Answer::Good => return Ok(Findings { certificate_expires, ..Findings::default() }),
                Answer::Redirect { .. } if followed >= self.redirects => {
                    return Err(Failure::Redirect(format!("more than {} times", self.redirects)));
                }
                Answer::Redirect { status, location } => {
                    ask = self.requests.follow(&ask, status, &location)?
                }
            }
            followed += 1;
        }
    }

    /// One request.
    async fn ask(
        &self,
        socket: &SocketOptions,
        target: SocketAddr,
        ask: &Ask,
        progress: &Progress,
    ) -> Answered {
        let opening = Opening { tls: self.tls.as_ref(), version: self.version };
        loop {
            let connection = opening.kept_or_new(self.kept.as_ref(), socket, target, progress).await?;
            let is_kept = connection.is_kept();
            match self.converse(connection, target, ask, progress).await {
                Err(Failure::ConnectionLost(_)) if is_kept => {}
                other => return other,
            }
        }
    }

    async fn converse(
        &self,
        mut connection: Connection<Either>,
        target: SocketAddr,
        ask: &Ask,
        progress: &Progress,
    ) -> Answered {
        progress.enter(Phase::Request);
        connection.begin(most_bytes(self.response_limit));
        let (status, location) = connection.session.ask(&self.requests, ask, progress).await?;
        let answer = answer::judge(status, location, &self.status, self.redirects > 0)?;
        let expires = connection.certificate_expires;
        let rule = self.body.as_ref().filter(|_| answer == Answer::Good);
        if rule.is_none() && self.kept.is_none() {
            return Ok((answer, expires));
        }
        progress.enter(Phase::ResponseBody);
        let mut reading = Reading::begin(rule, self.kept.is_some());
        match connection.session.drain(self.response_limit, |piece| reading.take(piece), progress).await {
            Ok(end) => {
                reading.judge(end, self.response_limit)?;
                if let (Some(kept), Drained::Whole) = (&self.kept, end) {
                    kept.put(target, connection);
                }
            }
            Err(_) if reading.is_decided() => {}
            Err(failure) => return Err(failure),
        }
        Ok((answer, expires))
    }
}
