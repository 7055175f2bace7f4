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
    const LONGEST_HELLO: usize = 255;

    /// Whether a mail server can be greeted with this name: visible ASCII, 1 to 255 bytes.
    #[must_use]
    pub fn can_greet_with(name: &str) -> bool {
        let length = 1..=Self::LONGEST_HELLO;
        length.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    }
}
