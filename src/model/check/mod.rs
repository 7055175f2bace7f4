//! Checks: what a probe asks, how often, and how many answers make a verdict.

mod agent;
mod datagram;
mod file;
mod grpc;
mod http;
mod pattern;
mod ping;
mod program;
mod smtp;
mod tcp;
mod tls;

pub use agent::*;
pub use datagram::*;
pub use file::*;
pub use grpc::*;
pub use http::*;
pub use pattern::*;
pub use ping::*;
pub use program::*;
pub use smtp::*;
pub use tcp::*;
pub use tls::*;

use super::FailAtOnce;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
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
    /// The same while the target is down.
    pub interval_down: Duration,
    /// The same while some of the outcomes were seen that change the verdict.
    pub interval_changing: Duration,
    /// So much of an interval a probe may start after its place in the cadence, in percent (0..=50).
    pub jitter_percent: u8,
    /// Bounds the whole probe, from the first packet to the last byte needed.
    pub timeout: Duration,
    /// Successes in a row that bring a server back (1..).
    pub rise: u32,
    /// Failures in a row that take a server out (1..).
    pub fall: u32,
    /// Failures that take a server out at the first time.
    pub fail_at_once: FailAtOnce,
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
    pub through: Through,
}

/// Which way a probe goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Through {
    /// To the address of the real server, or the one that the check says.
    #[default]
    Direct,
    /// To the VIP, by the forwarding path itself: a firewall mark leads it to one real server. So a server is found that
    /// answers under its own address and has lost its VIP, or no longer unwraps.
    RealPath,
}

/// Firewall marks that lead probes to single real servers: the first byte is an ASCII "u". A policy may not use these itself.
pub const PROBE_MARKS: RangeInclusive<u32> = 0x7500_0000..=0x75ff_ffff;

impl Check {
    /// From a server's death or return to its verdict, at most, where a probe outlasts no interval.
    #[must_use]
    pub fn slowest_verdict(&self) -> Duration {
        let window = |first: Duration, in_a_row: u32| {
            let jitter = (first + self.interval_changing) * u32::from(self.jitter_percent) / 100;
            first + self.interval_changing * in_a_row.saturating_sub(1) + jitter + self.timeout
        };
        window(self.interval, self.fall).max(window(self.interval_down, self.rise))
    }

    /// Whom the check probes when no real server says it, as where a virtual router tracks it: its own address, with its
    /// own port where the kind has one. `None` for a check that needs a real server. A program that is told no address has
    /// the unspecified one.
    #[must_use]
    pub fn own_target(&self) -> Option<SocketAddr> {
        if self.through == Through::RealPath {
            return None;
        }
        let unspecified = || match &self.probe {
            ProbeSpec::Exec(_) | ProbeSpec::File(_) => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            _ => None,
        };
        Some(SocketAddr::new(self.address.or_else(unspecified)?, self.port_at(None)?))
    }

    /// The port of a target: the check's own, else the real server's; 0 where the kind has none, or a program is told none.
    /// `None` where it needs one and nobody says it.
    #[must_use]
    pub fn port_at(&self, server_port: Option<u16>) -> Option<u16> {
        let port = self.port.or(server_port);
        match &self.probe {
            ProbeSpec::Tcp
            | ProbeSpec::Dialogue(_)
            | ProbeSpec::Preset(_)
            | ProbeSpec::Tls(_)
            | ProbeSpec::Http(_)
            | ProbeSpec::Grpc(_)
            | ProbeSpec::Smtp(_)
            | ProbeSpec::Udp(_)
            | ProbeSpec::Dns(_)
            | ProbeSpec::Agent(_) => port,
            ProbeSpec::Ping(_) | ProbeSpec::File(_) => Some(0),
            ProbeSpec::Exec(_) => Some(port.unwrap_or(0)),
        }
    }
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeSpec {
    /// A TCP connection is accepted.
    Tcp,
    /// A TCP connection is accepted, and an exchange on it goes as the policy writes it.
    Dialogue(DialogueSpec),
    /// A TCP connection is accepted, and the server speaks the protocol that the policy names.
    Preset(Preset),
    /// A TLS session comes up.
    Tls(TlsSpec),
    /// An HTTP request is answered as expected; over TLS where `tls` is given.
    Http(HttpSpec),
    /// The standard health service of gRPC says SERVING.
    Grpc(GrpcSpec),
    /// A mail server greets and answers.
    Smtp(SmtpSpec),
    /// A UDP datagram is answered, or at least not refused.
    Udp(UdpSpec),
    /// A name server answers a question.
    Dns(DnsSpec),
    /// An ICMP echo request is answered.
    Ping(PingSpec),
    /// A program ends with 0.
    Exec(ExecSpec),
    /// A file on this host does not say `down`.
    File(FileSpec),
    /// The server's agent tells what it can take: for `weight_from`.
    Agent(AgentSpec),
}

impl ProbeSpec {
    /// How its TLS session is made, where it has one.
    #[must_use]
    pub const fn tls(&self) -> Option<&TlsSpec> {
        match self {
            Self::Tls(tls) => Some(tls),
            Self::Http(spec) => spec.tls.as_ref(),
            Self::Grpc(spec) => spec.tls.as_ref(),
            Self::Smtp(spec) => spec.starttls.as_ref(),
            Self::Tcp
            | Self::Dialogue(_)
            | Self::Preset(_)
            | Self::Udp(_)
            | Self::Dns(_)
            | Self::Ping(_)
            | Self::Exec(_)
            | Self::File(_)
            | Self::Agent(_) => None,
        }
    }

    /// Whether it is made with files beside the policy: certificates, secrets. They may read otherwise at the next reload.
    #[must_use]
    pub fn reads_files(&self) -> bool {
        let secret = |text: &HeaderText| matches!(text, HeaderText::Secret(_));
        self.tls().is_some()
            || match self {
                Self::Http(spec) => spec.headers.iter().any(|(_, text)| secret(text)),
                Self::Preset(_) => true,
                Self::Tcp
                | Self::Dialogue(_)
                | Self::Tls(_)
                | Self::Grpc(_)
                | Self::Smtp(_)
                | Self::Udp(_)
                | Self::Dns(_)
                | Self::Ping(_)
                | Self::Exec(_)
                | Self::File(_)
                | Self::Agent(_) => false,
            }
    }

    /// The policy's word for the kind: `tcp`, `http`, `https` and so on.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tcp | Self::Dialogue(_) | Self::Preset(_) => "tcp",
            Self::Http(HttpSpec { tls: None, .. }) => "http",
            Self::Http(HttpSpec { tls: Some(_), .. }) => "https",
            Self::Smtp(_) => "smtp",
            Self::Udp(_) => "udp",
            Self::Dns(_) => "dns",
            Self::Ping(_) => "ping",
            Self::Exec(_) => "exec",
            Self::Tls(_) => "tls",
            Self::Grpc(_) => "grpc",
            Self::File(_) => "file",
            Self::Agent(_) => "agent",
        }
    }
}

/// Identity of a running check: one probe of one target serves all pools that ask the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetKey {
    pub check: CheckName,
    /// The RIP and its port, or what the check says instead. Port 0: a ping, or a program that is told no port.
    pub address: SocketAddr,
    /// Of a probe through the real path: its mark, one of [`PROBE_MARKS`]. Its address is the VIP then, and all real servers
    /// of a pool have the same.
    pub real_path: Option<u32>,
}
