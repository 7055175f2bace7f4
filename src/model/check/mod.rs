//! Checks: what a probe asks, how often, and how many answers make a verdict.

mod http;
mod ping;
mod program;

pub use http::*;
pub use ping::*;
pub use program::*;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Name of a check, unique in a policy. A check written in place is named after its pool: `POOL/check`.
pub type CheckName = Arc<str>;

/// A check: the `check` label of the metrics is its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: CheckName,
    pub probe: ProbeSpec,
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// Bounds the whole probe, from the first packet to the last byte needed.
    pub timeout: Duration,
    /// Successes in a row that bring a server back (1..).
    pub rise: u32,
    /// Failures in a row that take a server out (1..).
    pub fall: u32,
    /// Port to probe (1..); `None`: the real server's. A ping has none.
    pub port: Option<u16>,
    /// Address to probe; `None`: the real server's.
    pub address: Option<IpAddr>,
    /// Where the probe comes from; `None`: the kernel chooses.
    pub source: Option<IpAddr>,
    /// Device that the probe's socket is bound to (`SO_BINDTODEVICE`).
    pub interface: Option<String>,
    /// Firewall mark of the probe's packets (`SO_MARK`).
    pub mark: Option<u32>,
}

impl Check {
    /// Whom the check probes when no real server says it, as where a virtual router tracks it: its own address, with its
    /// own port where the kind has one. `None` for a check that needs a real server. A program that is told no address has
    /// the unspecified one.
    #[must_use]
    pub fn own_target(&self) -> Option<SocketAddr> {
        match &self.probe {
            ProbeSpec::Tcp | ProbeSpec::Http(_) => Some(SocketAddr::new(self.address?, self.port?)),
            ProbeSpec::Ping(_) => Some(SocketAddr::new(self.address?, 0)),
            ProbeSpec::Exec(_) => {
                let address = self.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                Some(SocketAddr::new(address, self.port.unwrap_or(0)))
            }
        }
    }
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeSpec {
    /// A TCP connection is accepted.
    Tcp,
    /// An HTTP request is answered as expected; over TLS where `tls` is given.
    Http(HttpSpec),
    /// An ICMP echo request is answered.
    Ping(PingSpec),
    /// A program ends with 0.
    Exec(ExecSpec),
}

impl ProbeSpec {
    /// The policy's word for the kind: `tcp`, `http`, `https`, `ping`, `exec`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Http(HttpSpec { tls: None, .. }) => "http",
            Self::Http(HttpSpec { tls: Some(_), .. }) => "https",
            Self::Ping(_) => "ping",
            Self::Exec(_) => "exec",
        }
    }
}

/// Identity of a running check: one probe of one target serves all pools that ask the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    pub check: CheckName,
    /// The RIP and its port, or what the check says instead. Port 0: a ping, or a program that is told no port.
    pub address: SocketAddr,
}
