//! Probes: one check and one address in, one [`Outcome`] out. Shell: sockets, TLS and time live here; what an outcome
//! means is [`crate::health`]'s affair.
//!
//! A [`Prober`] is made once from a [`Check`]: what can be prepared is (TLS configuration, request, text to look for), and
//! what is wrong with it is said then. A probe is a connection of its own, unless the policy keeps it, on a socket of our own,
//! closed by a reset, so that ten thousand a second leave nothing in TIME_WAIT; or a datagram (`udp`, `dns`), an ICMP echo
//! request (`ping`), a program (`exec`), a file (`file`). A [`Pool`] runs many of them, bounded.
//!
//! What it deliberately does not do: resume TLS sessions (a resumed one verifies no certificate), retry. A probe's memory is
//! bounded whatever the server sends: see `http` and `exchange`.

mod advice;
mod agent;
pub(crate) mod cell;
mod datagram;
mod dns;
mod echo;
mod exchange;
mod exec;
mod failure;
mod file;
mod grpc;
mod http;
mod name_server;
mod ping;
mod pool;
pub(crate) mod program;
mod progress;
mod real_path;
mod reports;
mod search;
mod secret;
mod secure_path;
mod socket;
mod tls;
mod watch;

pub use pool::*;
pub use reports::Reports;
pub use tls::{TlsProfiles, certificate_expiry};
pub use watch::FileWatch;

use crate::model::{AgentSpec, Check, Failure, FileSpec, Findings, Outcome, Phase, Preset, ProbeSpec};
use progress::Progress;
use socket::SocketOptions;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A time-out that is noticed so much too late says that this host stood still (a suspended or starved machine), and
/// nothing of the server.
const STALL: Duration = Duration::from_secs(1);

/// Why a check cannot be made ready. Nothing was probed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// A client certificate and its key do not make a pair, or the key is none.
    #[error("check {check}: cannot use its client certificate: {detail}")]
    ClientCertificate { check: String, detail: String },
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
    /// What an answer must match is no expression that can be used.
    #[error("check {check}: the regular expression {expression:?} cannot be used: {detail}")]
    Regex { check: String, expression: String, detail: String },
    /// A password, a token or certificates: what is read when the check is made ready.
    #[error("check {check}: cannot use {what}: {detail}")]
    Secret { check: String, what: &'static str, detail: String },
    /// The name of a dns check cannot be asked for.
    #[error("check {check}: {name:?} cannot be asked for: {detail}")]
    DnsName { check: String, name: String, detail: String },
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
    Dialogue(exchange::Dialogue),
    Redis(exchange::Redis),
    MySql(exchange::MySql),
    PostgreSql(exchange::PostgreSql),
    Smtp(exchange::Smtp),
    Udp(datagram::Udp),
    Dns(name_server::Question),
    Tls(tls::Tls),
    Http(Box<http::Exchange>),
    Grpc(Box<grpc::Call>),
    Ping(ping::Ping),
    Exec(exec::Program),
    File(FileSpec),
    Agent(AgentSpec),
}

impl Prober {
    /// Makes a check ready. `profiles` shares TLS configurations between the checks of one policy; a new policy gets a new
    /// one, so that a renewed CA file is read again.
    ///
    /// # Errors
    /// When a file of certificates or a secret is missing or of no use, the request cannot be written in its protocol, or the
    /// user of a program is unknown.
    pub fn new(check: &Check, profiles: &mut TlsProfiles) -> Result<Self, PrepareError> {
        let name = &check.name;
        let kind = match &check.probe {
            ProbeSpec::Tcp => Kind::Tcp,
            ProbeSpec::Dialogue(spec) => Kind::Dialogue(exchange::Dialogue::new(name, spec)?),
            ProbeSpec::Preset(Preset::Redis(spec)) => Kind::Redis(exchange::Redis::new(name, spec)?),
            ProbeSpec::Preset(Preset::MySql(spec)) => Kind::MySql(exchange::MySql::new(spec)),
            ProbeSpec::Preset(Preset::PostgreSql(spec)) => Kind::PostgreSql(exchange::PostgreSql::new(spec)),
            ProbeSpec::Smtp(spec) => {
                let tls = spec.starttls.as_ref().map(|tls| tls::Tls::new(name, tls, None, &[], profiles));
                Kind::Smtp(exchange::Smtp::new(spec, tls.transpose()?))
            }
            ProbeSpec::Udp(spec) => Kind::Udp(datagram::Udp::new(name, spec, check.timeout)?),
            ProbeSpec::Dns(spec) => Kind::Dns(name_server::Question::new(name, spec)?),
            ProbeSpec::Tls(spec) => Kind::Tls(tls::Tls::new(name, spec, None, &[], profiles)?),
            ProbeSpec::Http(spec) => Kind::Http(Box::new(http::Exchange::new(name, spec, profiles)?)),
            ProbeSpec::Grpc(spec) => {
                Kind::Grpc(Box::new(grpc::Call::new(name, spec, check.timeout, profiles)?))
            }
            ProbeSpec::Ping(spec) => Kind::Ping(ping::Ping::new(*spec)),
            ProbeSpec::Exec(spec) => Kind::Exec(exec::Program::new(name, spec, check.timeout)?),
            ProbeSpec::File(spec) => Kind::File(spec.clone()),
            ProbeSpec::Agent(spec) => Kind::Agent(spec.clone()),
        };
        Ok(Self { timeout: check.timeout, socket: SocketOptions::of(check), kind })
    }

    /// Each kind remembers what it needs in an allocation of its own size: a probe of the most frequent ones has no need to carry
    /// along what a TLS handshake takes.
    async fn attempt(&self, target: SocketAddr, progress: &Progress) -> Result<Findings, Failure> {
        let socket = &self.socket;
        match &self.kind {
            Kind::Tcp => socket.connect(target).await.map(drop).map(nothing),
            Kind::Dialogue(dialogue) => {
                Box::pin(self.converse(dialogue.begin(), target, progress)).await.map(nothing)
            }
            Kind::Redis(redis) => Box::pin(self.converse(redis.begin(), target, progress)).await.map(nothing),
            Kind::MySql(mysql) => Box::pin(self.converse(mysql.begin(), target, progress)).await.map(nothing),
            Kind::PostgreSql(server) => {
                Box::pin(self.converse(server.begin(), target, progress)).await.map(nothing)
            }
            Kind::Smtp(smtp) => {
                let stream = socket.connect(target).await?;
                Box::pin(smtp.run(stream, target, progress)).await
            }
            Kind::Udp(udp) => Box::pin(udp.run(socket, target, progress)).await.map(nothing),
            Kind::Dns(question) => Box::pin(question.ask(socket, target, progress)).await.map(nothing),
            Kind::Tls(tls) => Box::pin(tls.probe(socket, target, progress)).await,
            Kind::Http(exchange) => Box::pin(exchange.run(socket, target, progress)).await,
            Kind::Grpc(call) => Box::pin(call.run(socket, target, progress)).await,
            Kind::Ping(ping) => Box::pin(ping.run(socket, target, progress)).await.map(nothing),
            Kind::Exec(program) => Box::pin(program.run(target, progress)).await,
            Kind::File(spec) => Box::pin(file::run(spec, progress)).await,
            Kind::Agent(spec) => Box::pin(agent::run(spec, socket, target, progress)).await,
        }
    }

    async fn converse<'a>(
        &self,
        speaker: impl exchange::Speaker<'a>,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let stream = self.socket.connect(target).await?;
        exchange::converse(stream, speaker, progress).await
    }
}

impl Probe for Prober {
    async fn probe(&self, target: SocketAddr) -> Outcome {
        let started = Instant::now();
        let progress = Progress::default();
        let attempt = timeout(self.timeout, self.attempt(target, &progress)).await;
        let duration = started.elapsed();
        match attempt.unwrap_or_else(|_| Err(timed_out(duration, self.timeout, &progress))) {
            Ok(findings) => Outcome { duration, result: Ok(()), findings },
            Err(failure) => Outcome::new(duration, Err(failure)),
        }
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn computes(&self) -> bool {
        match &self.kind {
            Kind::Tcp
            | Kind::Dialogue(_)
            | Kind::Redis(_)
            | Kind::MySql(_)
            | Kind::PostgreSql(_)
            | Kind::Udp(_)
            | Kind::Dns(_)
            | Kind::Ping(_)
            | Kind::File(_)
            | Kind::Agent(_) => false,
            Kind::Smtp(smtp) => smtp.is_encrypted(),
            Kind::Http(exchange) => exchange.is_encrypted(),
            Kind::Grpc(call) => call.is_encrypted(),
            Kind::Tls(_) | Kind::Exec(_) => true,
        }
    }
}

/// What a kind finds that tells only good or bad.
fn nothing((): ()) -> Findings {
    Findings::default()
}

fn timed_out(duration: Duration, timeout: Duration, progress: &Progress) -> Failure {
    let late = duration.saturating_sub(timeout);
    if late > STALL {
        return Failure::Local(format!("this host stood still for {late:.1?} during the probe"));
    }
    match (progress.phase(), progress.unmet()) {
        (Phase::Expectation, Some(heard)) => Failure::UnexpectedReply(heard),
        (Phase::File, _) => Failure::Local("the file could not be read in time".to_owned()),
        (phase, _) => Failure::Timeout(phase),
    }
}

#[cfg(test)]
mod tests;
