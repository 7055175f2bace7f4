//! HTTP probes: the request, and the answer that counts as success.

use super::TlsSpec;
use crate::model::Secret;
use std::ops::RangeInclusive;

/// An HTTP request and the answer that counts as success (RFC 9110).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSpec {
    pub version: HttpVersion,
    /// An HTTP token, upper case as given: `GET`, `HEAD`, `OPTIONS`, `POST`.
    pub method: String,
    /// Path and query, beginning with `/`, or `*` (not with HTTP/2).
    pub path: String,
    /// `Host` header, or `:authority`; `None`: the target's address and port.
    pub host: Option<String>,
    /// Further request headers, in the order of the file.
    pub headers: Vec<(String, HeaderText)>,
    /// What the request carries.
    pub content: Option<Content>,
    /// Accepted statuses, 100..=599, never empty.
    pub status: Vec<RangeInclusive<u16>>,
    /// What the body must be.
    pub body: Option<BodyRule>,
    /// Bytes of a response body that a probe reads at most, 1..=[`HttpSpec::MOST_RESPONSE_LIMIT`].
    pub response_limit: u32,
    /// Redirects that are followed, 0..=[`HttpSpec::MOST_REDIRECTS`]; 0: a 302 is its own status. Each goes to the same
    /// address and port, whatever host it names.
    pub redirects: u8,
    /// Whether the connection to a target stays open from one probe to the next.
    pub keep_connection: bool,
    pub tls: Option<TlsSpec>,
}

impl HttpSpec {
    /// Bytes of a response body that are read at most where the policy says nothing.
    pub const RESPONSE_LIMIT: u32 = 64 * 1024;
    /// What `response_limit` can be at most: 4096 probes at once must not fill a machine's memory.
    pub const MOST_RESPONSE_LIMIT: u32 = 4 * 1024 * 1024;
    /// Redirects at most: a chain that is longer is a loop.
    pub const MOST_REDIRECTS: u8 = 10;
}

/// The version of HTTP that a request is sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// HTTP/1.1 (RFC 9112).
    #[default]
    Http1,
    /// HTTP/2 (RFC 9113): with prior knowledge where there is no TLS, by ALPN where there is.
    Http2,
}

/// The value of a request header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderText {
    Text(String),
    /// A secret, and where it is.
    Secret(Secret),
}

/// What a request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub text: String,
    /// The `Content-Type` header.
    pub content_type: String,
}

/// What the body of an answer must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyRule {
    /// It contains this text, within the bytes that are read.
    Text(String),
    /// This regular expression ([`super::Pattern::regex`]) matches somewhere, within the bytes that are read.
    Regex(String),
    /// It is JSON, and what this pointer (RFC 6901) leads to equals the text: a string by its characters, anything else by
    /// its JSON text.
    Json { pointer: String, equals: String },
    /// The SHA-256 digest of all of it.
    Sha256([u8; 32]),
}
