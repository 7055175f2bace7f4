//! Probes: one check and one address in, one [`Outcome`] out. Shell: sockets, TLS and time live here; what an outcome
//! means is [`crate::health`]'s affair.
//!
//! A [`Prober`] is made once from a [`Check`]: what can be prepared is (TLS configuration, request, text to look for), and
//! what is wrong with it is said then. Every probe is a connection of its own, on a socket of our own, closed by a reset,
//! so that ten thousand a second leave nothing in TIME_WAIT; or an ICMP echo request (`ping`), or a program (`exec`). A [`Pool`] runs many of them, bounded.
//!
//! What it deliberately does not do: follow redirects, resume TLS sessions (a resumed one verifies no certificate), keep
//! connections, retry. A probe's memory is bounded whatever the server sends: see `http`.

mod echo;
mod exec;
mod failure;
mod http;
mod ping;
mod pool;
mod progress;
mod search;
mod secure_path;
mod socket;
mod tls;

pub use pool::*;
pub use tls::TlsProfiles;

use crate::model::{Check, Failure, Outcome, ProbeSpec};
use progress::Progress;
use socket::SocketOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A time-out that is noticed so much too late says that this host stood still (a suspended or starved machine), and
/// nothing of the server.
const STALL: Duration = Duration::from_secs(1);

/// Why a check cannot be made ready. Nothing was probed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The file of `tls: {ca: …}` cannot be used.
    #[error("check {check}: cannot use {} as certificate authorities: {detail}", path.display())]
    Authorities { check: String, path: PathBuf, detail: String },
    /// The system trusts nobody.
    #[error(
        "check {check}: this system has no certificate authorities ({detail}): install the package ca-certificates, \
         or name a file in `tls: {{ca: …}}`"
    )]
    NoSystemAuthorities { check: String, detail: String },
    /// SNI needs a host name or an address.
    #[error(
        "check {check}: {name:?} is neither a host name nor an address, so no certificate can be valid for it"
    )]
    ServerName { check: String, name: String },
    /// The request cannot be written as HTTP.
    #[error("check {check}: {what} {value:?} cannot be sent: {detail}")]
    Request { check: String, what: &'static str, value: String, detail: String },
    /// The user of an exec check cannot be taken.
    #[error("check {check}: cannot run a program as {user}: {detail}")]
    User { check: String, user: String, detail: String },
    /// rustls refused its own configuration.
    #[error("check {check}: TLS cannot be set up: {detail}")]
    Tls { check: String, detail: String },
}

/// A check made ready to be asked of any number of targets.
#[derive(Debug)]
pub struct Prober {
    timeout: Duration,
    socket: SocketOptions,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Tcp,
    Http(Box<http::Exchange>),
    Ping(ping::Ping),
    Exec(exec::Program),
}

impl Prober {
    /// Makes a check ready. `profiles` shares TLS configurations between the checks of one policy; a new policy gets a new
    /// one, so that a renewed CA file is read again.
    ///
    /// # Errors
    /// When a CA file is missing or holds no certificate, the request cannot be written as HTTP, or the user of a program is
    /// unknown.
    pub fn new(check: &Check, profiles: &mut TlsProfiles) -> Result<Self, PrepareError> {
        let kind = match &check.probe {
            ProbeSpec::Tcp => Kind::Tcp,
            ProbeSpec::Http(spec) => Kind::Http(Box::new(http::Exchange::new(&check.name, spec, profiles)?)),
            ProbeSpec::Ping(spec) => Kind::Ping(ping::Ping::new(*spec)),
            ProbeSpec::Exec(spec) => Kind::Exec(exec::Program::new(&check.name, spec, check.timeout)?),
        };
        Ok(Self { timeout: check.timeout, socket: SocketOptions::of(check), kind })
    }

    async fn attempt(&self, target: SocketAddr, progress: &Progress) -> Result<(), Failure> {
        match &self.kind {
            Kind::Tcp => self.socket.connect(target).await.map(drop),
            Kind::Http(exchange) => {
                let stream = self.socket.connect(target).await?;
                exchange.run(stream, target, progress).await
            }
            Kind::Ping(ping) => ping.run(&self.socket, target, progress).await,
            Kind::Exec(program) => program.run(target, progress).await,
        }
    }
}

impl Probe for Prober {
    async fn probe(&self, target: SocketAddr) -> Outcome {
        let started = Instant::now();
        let progress = Progress::default();
        let attempt = timeout(self.timeout, self.attempt(target, &progress)).await;
        let duration = started.elapsed();
        let result = attempt.unwrap_or_else(|_| Err(timed_out(duration, self.timeout, &progress)));
        Outcome { duration, result }
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }
}

fn timed_out(duration: Duration, timeout: Duration, progress: &Progress) -> Failure {
    let late = duration.saturating_sub(timeout);
    if late > STALL {
        return Failure::Local(format!("this host stood still for {late:.1?} during the probe"));
    }
    Failure::Timeout(progress.phase())
}

#[cfg(test)]
mod tests;
