//! What the smtp probe says.

/// A greeting, `EHLO` (or `HELO`) and `QUIT` (RFC 5321).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SmtpSpec {
    /// What the probe calls itself; `None`: the address that it comes from, as an address literal.
    pub hello: Option<String>,
}

impl SmtpSpec {
    /// Bytes of a domain (RFC 5321, section 4.5.3.1.2).
    pub const LONGEST_HELLO: usize = 255;
}
