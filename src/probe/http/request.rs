//! The requests of a probe: made ready once, written for a target.

use super::redirect;
use crate::model::{Content, Failure, HeaderText, HttpSpec};
use crate::probe::PrepareError;
use crate::probe::http::http2::Sent;
use crate::probe::secret;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Method, Request, Uri};
use std::io::Write as _;
use std::net::SocketAddr;

/// What a probe calls itself.
pub(in crate::probe) const AGENT: &str = concat!("tandem/", env!("CARGO_PKG_VERSION"));

/// Headers that describe a request's content or its connection: the probe sets them.
const RESERVED: [&str; 5] = ["content-length", "transfer-encoding", "connection", "upgrade", "te"];

/// Room for a request without content; most are shorter.
const USUAL_BYTES: usize = 256;

/// What is the same in every request of a probe.
#[derive(Debug)]
pub(super) struct Requests {
    method: Method,
    path: Uri,
    /// `None`: the target's address and port.
    host: Option<HeaderValue>,
    /// Without `Host` and `Connection`. Secrets are marked as sensitive.
    headers: HeaderMap,
    content: Option<Bytes>,
    scheme: Scheme,
    closes: bool,
}

/// One request to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: Uri,
    pub(super) host: HeaderValue,
    /// Whether it still is what the policy says, and not where a redirect led: content goes with it.
    pub(super) has_content: bool,
    /// Whether it goes to the host of the policy: secrets go nowhere else.
    pub(super) is_own_host: bool,
}

impl Requests {
    pub(super) fn new(check: &str, spec: &HttpSpec) -> Result<Self, PrepareError> {
        let method = Method::from_bytes(spec.method.as_bytes());
        let path = spec.path.parse::<Uri>();
        let host = spec.host.as_deref().map(|host| {
            let value = HeaderValue::from_str(host);
            value.map_err(|error| cannot_send(check, "host", host, &error))
        });
        Ok(Self {
            method: method.map_err(|error| cannot_send(check, "method", &spec.method, &error))?,
            path: path.map_err(|error| cannot_send(check, "path", &spec.path, &error))?,
            host: host.transpose()?,
            headers: headers(check, spec)?,
            content: spec.content.as_ref().map(|content| Bytes::from(content.text.clone())),
            scheme: if spec.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP },
            closes: !spec.keep_connection,
        })
    }

    /// The request that the policy says, for `target`.
    pub(super) fn first(&self, target: SocketAddr) -> Result<Ask, Failure> {
        let host = self.host.clone().map_or_else(|| host_of(target), Ok)?;
        Ok(Ask {
            method: self.method.clone(),
            path: self.path.clone(),
            host,
            has_content: true,
            is_own_host: true,
        })
    }

    /// The request that a redirect asks for.
    pub(super) fn follow(&self, ask: &Ask, status: u16, location: &str) -> Result<Ask, Failure> {
        redirect::follow(ask, status, location, &self.scheme)
    }

    /// The request as text (RFC 9112, section 3). The name of a header is written as in print, `User-Agent`.
    pub(super) fn text(&self, ask: &Ask) -> Vec<u8> {
        let content = self.content.as_deref().filter(|_| ask.has_content);
        let mut text = Vec::with_capacity(USUAL_BYTES + content.map_or(0, <[u8]>::len));
        // Writing into memory cannot fail.
        let _ = write!(text, "{} {} HTTP/1.1\r\n", ask.method, ask.path);
        line(&mut text, &HOST, ask.host.as_bytes());
        if self.closes {
            line(&mut text, &CONNECTION, b"close");
        }
        for (name, value) in self.headers_of(ask) {
            line(&mut text, name, value.as_bytes());
        }
        // A server may ask for it where content is to be expected (RFC 9110, section 8.6).
        if content.is_some() || matches!(ask.method, Method::POST | Method::PUT | Method::PATCH) {
            line(&mut text, &CONTENT_LENGTH, content.map_or(0, <[u8]>::len).to_string().as_bytes());
        }
        text.extend_from_slice(b"\r\n");
        text.extend_from_slice(content.unwrap_or_default());
        text
    }

    /// The request as it is sent in HTTP/2.
    pub(super) fn message(&self, ask: &Ask) -> Result<Sent, Failure> {
        let content = self.content.as_ref().filter(|_| ask.has_content);
        let mut request = Request::new(Full::new(content.cloned().unwrap_or_default()));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = absolute(&self.scheme, &ask.host, &ask.path)?;
        let headers = self.headers_of(ask).map(|(name, value)| (name.clone(), value.clone()));
        request.headers_mut().extend(headers);
        Ok(request)
    }

    /// Those of the policy that go with `ask`.
    fn headers_of(&self, ask: &Ask) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let has_content = self.content.is_some() && ask.has_content;
        let (is_own_host, headers) = (ask.is_own_host, &self.headers);
        headers.iter().filter(move |(name, value)| {
            (has_content || *name != CONTENT_TYPE) && (is_own_host || !value.is_sensitive())
        })
    }
}

fn line(text: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    let mut begins = true;
    text.extend(name.as_str().bytes().map(|byte| {
        let written = if begins { byte.to_ascii_uppercase() } else { byte };
        begins = byte == b'-';
        written
    }));
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// The whole address of a resource, as HTTP/2 says it in its pseudo-headers.
pub(in crate::probe) fn absolute(scheme: &Scheme, host: &HeaderValue, path: &Uri) -> Result<Uri, Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::Local(format!("the request cannot be written in HTTP/2: {error}"))
    };
    let authority = Authority::try_from(host.as_bytes()).map_err(|error| cannot(&error))?;
    let mut parts = path.clone().into_parts();
    parts.scheme = Some(scheme.clone());
    parts.authority = Some(authority);
    Uri::from_parts(parts).map_err(|error| cannot(&error))
}

/// The `Host` of a target, without a scope identifier (`%eth0` of a link-local address), which means nothing to the server.
pub(in crate::probe) fn host_of(target: SocketAddr) -> Result<HeaderValue, Failure> {
    let text = SocketAddr::new(target.ip(), target.port()).to_string();
    HeaderValue::try_from(text).map_err(|error| Failure::Local(error.to_string()))
}

fn headers(check: &str, spec: &HttpSpec) -> Result<HeaderMap, PrepareError> {
    let mut headers = HeaderMap::with_capacity(spec.headers.len() + 2);
    for (name, text) in &spec.headers {
        if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(cannot_send(check, "header", name, &"the probe sets it"));
        }
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let parsed = parsed.map_err(|error| cannot_send(check, "header", name, &error))?;
        headers.append(parsed, header_value(check, name, text)?);
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    if let Some(Content { content_type, .. }) = &spec.content {
        let value = HeaderValue::from_str(content_type);
        let value = value.map_err(|error| cannot_send(check, "content_type", content_type, &error))?;
        headers.insert(CONTENT_TYPE, value);
    }
    Ok(headers)
}

fn header_value(check: &str, name: &str, text: &HeaderText) -> Result<HeaderValue, PrepareError> {
    match text {
        HeaderText::Text(text) => {
            HeaderValue::from_str(text).map_err(|error| cannot_send(check, "value of header", text, &error))
        }
        HeaderText::Secret(place) => {
            let bytes = secret::Wanted { check, what: "the secret of a header", place }.read()?;
            let mut value = HeaderValue::from_bytes(&bytes).map_err(|_| {
                let detail = "the secret holds bytes that a header cannot: write one line of visible text";
                cannot_send(check, "secret of header", name, &detail)
            })?;
            value.set_sensitive(true);
            Ok(value)
        }
    }
}

pub(super) fn cannot_send(
    check: &str,
    what: &'static str,
    value: &str,
    error: &dyn std::fmt::Display,
) -> PrepareError {
    PrepareError::Request {
        check: check.to_owned(),
        what,
        value: value.to_owned(),
        detail: error.to_string(),
    }
}
