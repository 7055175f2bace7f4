//! What a ping asks.

/// An ICMP echo request (RFC 792; RFC 4443, section 4.1), whose reply must repeat it byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingSpec {
    /// Bytes of data after the ICMP header: [`PingSpec::LEAST`] to [`PingSpec::MOST`].
    pub size: u16,
}

impl PingSpec {
    /// Room for a number that nobody guesses.
    pub const LEAST: u16 = 8;
    /// What one IPv4 packet holds: 65535 without 20 bytes of IP header and 8 of ICMP header.
    pub const MOST: u16 = 65_507;
}
