//! What the smtp probe says.

use super::TlsSpec;

/// A greeting, `EHLO` (or `HELO`) and `QUIT` (RFC 5321).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SmtpSpec {
    /// What the probe calls itself; `None`: the address that it comes from, as an address literal.
    pub hello: Option<String>,
    /// The session goes on over TLS (`STARTTLS`, RFC 3207), and says `EHLO` there again.
    pub starttls: Option<TlsSpec>,
}

impl SmtpSpec {
    /// Bytes of a domain (RFC 5321, section 4.5.3.1.2).
    pub const LONGEST_HELLO: usize = 255;
}
