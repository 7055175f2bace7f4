//! What the http and https probes ask, and how their TLS session is made.

use std::ops::RangeInclusive;
use std::path::PathBuf;

/// An HTTP/1.1 request and the answer that counts as success. Redirects are not followed: a 302 is its own status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSpec {
    /// An HTTP token, upper case as given: `GET`, `HEAD`, `OPTIONS`, `POST`.
    pub method: String,
    /// Path and query, beginning with `/`, or `*`.
    pub path: String,
    /// `Host` header; `None`: the target's address and port.
    pub host: Option<String>,
    /// Further request headers, in the order of the file.
    pub headers: Vec<(String, String)>,
    /// Accepted statuses, 100..=599, never empty.
    pub status: Vec<RangeInclusive<u16>>,
    /// Text that the body must contain, within its first [`HttpSpec::BODY_LIMIT`] bytes.
    pub body: Option<String>,
    pub tls: Option<TlsSpec>,
}

impl HttpSpec {
    /// Bytes of a response body that a probe reads at most; what comes later is not looked at.
    pub const BODY_LIMIT: usize = 64 * 1024;
}

/// How a probe's TLS session is made and verified.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TlsSpec {
    /// Name for SNI and for verification; `None`: the `Host`'s name, else the target's address.
    pub server_name: Option<String>,
    /// PEM file of the certificate authorities to trust; `None`: the system's.
    pub ca: Option<PathBuf>,
    pub verify: Verify,
}

/// Whether a certificate is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Verify {
    /// Chain, name and validity.
    #[default]
    Full,
    /// Nothing: only that a TLS session comes up. Said explicitly in the policy, warned of in `check`.
    None,
}
