//! The grpc probe: the standard health protocol, `grpc.health.v1.Health/Check`, over HTTP/2.
//!
//! Bounds: [`MOST_MESSAGE_BYTES`] of an answer, and those of `http`. Not done: `Watch`, compression (none is offered).

mod message;

use super::PrepareError;
use super::failure::bounded;
use super::http::{AGENT, Connection, Http2, Kept, Opening, absolute, host_of, most_bytes};
use super::progress::Progress;
use super::socket::SocketOptions;
use super::tls::{Tls, TlsProfiles};
use crate::model::{Failure, Findings, GrpcSpec, HttpVersion, Phase};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, TE, USER_AGENT};
use hyper::http::uri::Scheme;
use hyper::{Method, Request, Response, Uri};
use std::net::SocketAddr;
use std::time::Duration;

/// Bytes of an answer's message, at most: it is two bytes long, and may grow.
const MOST_MESSAGE_BYTES: u32 = 4096;
const PATH: &str = "/grpc.health.v1.Health/Check";

/// A call made ready.
#[derive(Debug)]
pub(super) struct Call {
    tls: Option<Tls>,
    scheme: Scheme,
    /// `None`: the target's address and port.
    host: Option<HeaderValue>,
    /// The framed request.
    message: Bytes,
    /// How long the server may take, as it is told.
    deadline: HeaderValue,
    kept: Option<Kept<Http2>>,
}

impl Call {
    pub(super) fn new(
        check: &str,
        spec: &GrpcSpec,
        timeout: Duration,
        profiles: &mut TlsProfiles,
    ) -> Result<Self, PrepareError> {
        let host = spec.host.as_deref();
        let tls = spec.tls.as_ref().map(|tls| Tls::new(check, tls, host, &[b"h2"], profiles));
        let cannot = |error: &dyn std::fmt::Display| PrepareError::Request {
            check: check.to_owned(),
            what: "host",
            value: host.unwrap_or_default().to_owned(),
            detail: error.to_string(),
        };
        let host_value = host.map(HeaderValue::from_str).transpose().map_err(|error| cannot(&error))?;
        let deadline =
            HeaderValue::try_from(format!("{}m", timeout.as_millis())).map_err(|error| cannot(&error))?;
        Ok(Self {
            tls: tls.transpose()?,
            scheme: if spec.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP },
            host: host_value,
            message: Bytes::from(message::request(&spec.service)),
            deadline,
            kept: spec.keep_connection.then(Kept::default),
        })
    }

    /// Whether it is made over TLS.
    pub(super) const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// One call to `target`.
    pub(super) async fn run(
        &self,
        socket: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Findings, Failure> {
        let opening = Opening { tls: self.tls.as_ref(), version: HttpVersion::Http2 };
        loop {
            let connection = opening.kept_or_new(self.kept.as_ref(), socket, target, progress).await?;
            let is_kept = connection.is_kept();
            match self.converse(connection, target, progress).await {
                Err(Failure::ConnectionLost(_)) if is_kept => {}
                other => return other,
            }
        }
    }

    async fn converse(
        &self,
        mut connection: Connection<Http2>,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<Findings, Failure> {
        progress.enter(Phase::Request);
        connection.begin(most_bytes(MOST_MESSAGE_BYTES));
        let session = &mut connection.session;
        let response = session.send(self.request(target)?, progress).await?;
        is_grpc(&response)?;
        let (head, body) = response.into_parts();
        progress.enter(Phase::ResponseBody);
        let answer = session.drive(collected(body), progress).await;
        let Collected { message, trailers } = answer.map_err(|error| session.failure(&error, progress))?;
        judge(&head.headers, trailers.as_ref(), &message)?;
        let certificate_expires = connection.certificate_expires;
        if let Some(kept) = &self.kept {
            kept.put(target, connection);
        }
        Ok(Findings { certificate_expires, ..Findings::default() })
    }

    fn request(&self, target: SocketAddr) -> Result<Request<Full<Bytes>>, Failure> {
        let host = self.host.clone().map_or_else(|| host_of(target), Ok)?;
        let mut request = Request::new(Full::new(self.message.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = absolute(&self.scheme, &host, &Uri::from_static(PATH))?;
        let headers = request.headers_mut();
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert("grpc-timeout", self.deadline.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        Ok(request)
    }
}

/// Whether an answer comes from a gRPC server at all.
fn is_grpc<B>(response: &Response<B>) -> Result<(), Failure> {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    match response.status().as_u16() {
        200 if kind.starts_with("application/grpc") => Ok(()),
        200 => Err(Failure::Malformed(bounded(format!(
            "the server does not speak gRPC (content-type {kind:?})"
        )))),
        status => Err(Failure::Status(status)),
    }
}

/// What comes behind the header of an answer.
#[derive(Debug, Default)]
struct Collected {
    message: Vec<u8>,
    trailers: Option<HeaderMap>,
}

/// Reads all of it; what is beyond [`MOST_MESSAGE_BYTES`] is dropped, and the message is found to be cut.
async fn collected(mut body: Incoming) -> hyper::Result<Collected> {
    let mut collected = Collected::default();
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(piece) => {
                let room = (MOST_MESSAGE_BYTES as usize).saturating_sub(collected.message.len());
                collected.message.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            }
            Err(frame) => collected.trailers = frame.into_trailers().ok(),
        }
    }
    Ok(collected)
}

/// A status of gRPC comes behind the message, or in the header where there is no message.
fn judge(headers: &HeaderMap, trailers: Option<&HeaderMap>, body: &[u8]) -> Result<(), Failure> {
    let found = |name: &str| trailers.and_then(|trailers| trailers.get(name)).or_else(|| headers.get(name));
    let text = |name: &str| found(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text("grpc-status") {
        "0" => message::judge(body),
        "" => Err(Failure::Malformed("the answer has no grpc-status".to_owned())),
        code => Err(Failure::Grpc(bounded(message::status_words(code, text("grpc-message"))))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        entries
            .iter()
            .map(|(name, value)| ((*name).parse().expect("a name"), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_status_is_in_the_trailers_or_alone_in_the_header() {
        let serving = [0, 0, 0, 0, 2, 8, 1];
        let (good, none) = (headers(&[("grpc-status", "0")]), HeaderMap::new());
        assert_eq!(judge(&none, Some(&good), &serving), Ok(()));
        assert_eq!(
            judge(&good, None, &[]).map_err(|failure| failure.reason()),
            Err("malformed"),
            "without a message"
        );
        let unknown = headers(&[("grpc-status", "5"), ("grpc-message", "unknown service")]);
        let failure = judge(&unknown, None, &[]).expect_err("a status");
        assert_eq!(
            failure.to_string(),
            "gRPC: status 5 (not found: the server knows no such service): unknown service"
        );
        assert_eq!(judge(&none, Some(&none), &serving).map_err(|failure| failure.reason()), Err("malformed"));
    }
}
