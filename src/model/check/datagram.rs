//! What the udp and dns probes ask.

use super::Pattern;

/// One datagram and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UdpSpec {
    /// The payload, at most [`UdpSpec::LONGEST_SEND`] bytes; empty: a datagram without any.
    pub send: Vec<u8>,
    /// What the answer must hold; `None`: any answer will do.
    pub expect: Option<Pattern>,
    /// What it means when nothing comes back, not even an ICMP error.
    pub on_silence: OnSilence,
}

impl UdpSpec {
    /// Bytes of a payload that every path takes in one piece (IPv6's smallest link, without headers).
    pub const LONGEST_SEND: usize = 1232;
}

/// What the silence of a UDP server means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnSilence {
    /// Success: the port is not closed.
    Up,
    /// Failure.
    Down,
}

/// A question to a name server, and the answer that counts as success (RFC 1035).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsSpec {
    /// The name asked for, as in a zone file; always taken as a whole name, never with a search list.
    pub name: String,
    pub record: RecordType,
    pub transport: DnsTransport,
    /// Response codes that count as success, never empty.
    pub rcode: Vec<ResponseCode>,
    /// Data that must be among the answer's records of the type that was asked for, each as in a zone file.
    pub answer: Vec<String>,
}

/// How a name server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsTransport {
    /// Over UDP; a truncated answer is asked for again over TCP, within the same time-out.
    Udp,
    Tcp,
}

/// Types of records that a probe can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordType {
    A,
    Aaaa,
    Cname,
    Mx,
    Ns,
    Ptr,
    Soa,
    Srv,
    Txt,
}

impl RecordType {
    /// As in a zone file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Ns => "NS",
            Self::Ptr => "PTR",
            Self::Soa => "SOA",
            Self::Srv => "SRV",
            Self::Txt => "TXT",
        }
    }
}

/// Response codes of a name server (RFC 1035, section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseCode {
    NoError,
    FormErr,
    ServFail,
    NxDomain,
    NotImp,
    Refused,
}

impl ResponseCode {
    /// As `dig` writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
        }
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::NoError => 0,
            Self::FormErr => 1,
            Self::ServFail => 2,
            Self::NxDomain => 3,
            Self::NotImp => 4,
            Self::Refused => 5,
        }
    }
}
