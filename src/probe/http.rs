//! The HTTP/1.1 exchange of a probe: one request, one answer, on one connection.
//!
//! Bounds, whatever the server sends: [`HEADER_BYTES`] and [`HEADER_COUNT`] of a response header, [`HttpSpec::BODY_LIMIT`]
//! of a body (read only where a text is looked for, and not kept), [`RESPONSE_BYTES`] altogether. Time is bounded by the
//! caller. Not done: redirects, compression, HTTP/2.

use super::PrepareError;
use super::failure;
use super::progress::{FirstByte, Metered, Progress};
use super::search::{Needle, Position};
use super::tls::{Tls, TlsProfiles};
use crate::model::{Failure, HttpSpec, Phase};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::pin::{Pin, pin};
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Largest response header, and the read buffer's bound.
pub(super) const HEADER_BYTES: usize = 16 * 1024;

/// Most header lines.
pub(super) const HEADER_COUNT: usize = 100;

/// Most bytes that a whole answer may take: interim answers and the framing of tiny chunks included.
pub(super) const RESPONSE_BYTES: usize = 8 * HttpSpec::BODY_LIMIT;

/// What a probe calls itself.
const AGENT: &str = concat!("tandem/", env!("CARGO_PKG_VERSION"));

/// Headers that describe a request's body or its connection: a probe has no body and closes its connection.
const RESERVED: [&str; 5] = ["content-length", "transfer-encoding", "connection", "upgrade", "te"];

/// A request made ready, and the answer that counts as success.
#[derive(Debug)]
pub(super) struct Exchange {
    tls: Option<Tls>,
    method: Method,
    uri: Uri,
    /// Without `Host` where the target decides it.
    headers: HeaderMap,
    status: Vec<RangeInclusive<u16>>,
    body: Option<Needle>,
}

impl Exchange {
    /// Makes `spec` ready.
    pub(super) fn new(
        check: &str,
        spec: &HttpSpec,
        profiles: &mut TlsProfiles,
    ) -> Result<Self, PrepareError> {
        let tls = spec.tls.as_ref().map(|tls| Tls::new(check, tls, spec.host.as_deref(), profiles));
        let method = Method::from_bytes(spec.method.as_bytes());
        let uri = spec.path.parse::<Uri>();
        Ok(Self {
            tls: tls.transpose()?,
            method: method.map_err(|error| cannot_send(check, "method", &spec.method, &error))?,
            uri: uri.map_err(|error| cannot_send(check, "path", &spec.path, &error))?,
            headers: headers(check, spec)?,
            status: spec.status.clone(),
            body: spec.body.as_deref().map(Needle::new),
        })
    }

    /// Whether it is HTTPS.
    pub(super) const fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// The whole exchange on `stream`.
    pub(super) async fn run(
        &self,
        stream: TcpStream,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<(), Failure> {
        match &self.tls {
            None => self.exchange(stream, target, progress).await,
            Some(tls) => {
                progress.enter(Phase::TlsHandshake);
                let session = tls.connect(stream, target).await?;
                self.exchange(session, target, progress).await
            }
        }
    }

    async fn exchange<S>(&self, stream: S, target: SocketAddr, progress: &Progress) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        progress.enter(Phase::Request);
        let first_byte = FirstByte::default();
        let failed = |error: hyper::Error| {
            failure::of_http(&error, progress.phase(), first_byte.looks_like_tls() && self.tls.is_none())
        };
        let stream = Metered::new(stream, progress, &first_byte, RESPONSE_BYTES);
        let (mut sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .max_buf_size(HEADER_BYTES)
            .max_headers(HEADER_COUNT)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        let mut connection = pin!(connection);
        let request = self.request(target);
        let response = beside(connection.as_mut(), sender.send_request(request)).await.map_err(failed)?;
        self.judge_status(&response)?;
        let Some(text) = &self.body else { return Ok(()) };
        progress.enter(Phase::ResponseBody);
        match beside(connection, contains(response.into_body(), text)).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::Body),
            Err(error) => Err(failed(error)),
        }
    }

    fn request(&self, target: SocketAddr) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        request.method_mut().clone_from(&self.method);
        request.uri_mut().clone_from(&self.uri);
        request.headers_mut().clone_from(&self.headers);
        if !self.headers.contains_key(HOST)
            && let Ok(host) = HeaderValue::from_str(&without_scope(target).to_string())
        {
            request.headers_mut().insert(HOST, host);
        }
        request
    }

    fn judge_status(&self, response: &Response<Incoming>) -> Result<(), Failure> {
        let status = response.status().as_u16();
        if self.status.iter().any(|range| range.contains(&status)) {
            Ok(())
        } else {
            Err(Failure::Status(status))
        }
    }
}

/// A scope identifier (`%eth0` of a link-local address) means nothing to the server.
fn without_scope(target: SocketAddr) -> SocketAddr {
    SocketAddr::new(target.ip(), target.port())
}

fn headers(check: &str, spec: &HttpSpec) -> Result<HeaderMap, PrepareError> {
    let mut headers = HeaderMap::with_capacity(spec.headers.len() + 3);
    if let Some(host) = &spec.host {
        let host_value = HeaderValue::from_str(host);
        headers.insert(HOST, host_value.map_err(|error| cannot_send(check, "host", host, &error))?);
    }
    for (name, value) in &spec.headers {
        if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            let detail = "a probe has no body and closes its connection";
            return Err(cannot_send(check, "header", name, &detail));
        }
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let parsed = parsed.map_err(|error| cannot_send(check, "header", name, &error))?;
        let value = HeaderValue::from_str(value);
        headers.append(parsed, value.map_err(|error| cannot_send(check, "value of header", name, &error))?);
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(headers)
}

fn cannot_send(check: &str, what: &'static str, value: &str, error: &dyn std::fmt::Display) -> PrepareError {
    PrepareError::Request {
        check: check.to_owned(),
        what,
        value: value.to_owned(),
        detail: error.to_string(),
    }
}

/// Whether the body contains `text` within its first [`HttpSpec::BODY_LIMIT`] bytes.
async fn contains(mut body: Incoming, text: &Needle) -> Result<bool, hyper::Error> {
    let mut left = HttpSpec::BODY_LIMIT;
    let mut position = Position::default();
    if text.found_in(&[], &mut position) {
        return Ok(true);
    }
    while left > 0 {
        let Some(frame) = body.frame().await else { return Ok(false) };
        let Ok(piece) = frame?.into_data() else { continue };
        let piece = &piece[..piece.len().min(left)];
        left -= piece.len();
        if text.found_in(piece, &mut position) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs `work`, which waits for the connection, and the connection with it, in one task. The connection is abandoned with
/// the work: a probe that has its answer closes at once.
async fn beside<C, W>(mut connection: Pin<&mut C>, work: W) -> W::Output
where
    C: Future<Output = hyper::Result<()>>,
    W: Future,
{
    let mut work = pin!(work);
    let mut open = true;
    poll_fn(|context| {
        if open {
            open = connection.as_mut().poll(context).is_pending();
        }
        match work.as_mut().poll(context) {
            Poll::Pending if open => {
                // The work may just have handed the connection something to do.
                open = connection.as_mut().poll(context).is_pending();
                work.as_mut().poll(context)
            }
            other => other,
        }
    })
    .await
}
