//! The udp probe: one datagram and its answer, on a connected socket. An ICMP error is a failure, in the system's words.
//!
//! Not done: retries within a probe (`fall` is for that). Datagrams of others do not arrive: the socket is connected.

use super::exchange::Matcher;
use super::progress::Progress;
use super::socket::{SocketOptions, local};
use super::{PrepareError, failure};
use crate::model::{CheckName, Failure, OnSilence, Phase, UdpSpec};
use nix::sys::socket::{MsgFlags, recv};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

/// Bytes of an answer that are looked at; what a longer one holds behind them is cut off.
const LONGEST_ANSWER: usize = 8192;

/// The probe made ready.
#[derive(Debug)]
pub(super) struct Udp {
    send: Box<[u8]>,
    expect: Option<Matcher>,
    on_silence: OnSilence,
    /// How long an answer is waited for where silence is success: nine tenths of the time-out, so that the verdict comes in time.
    patience: Duration,
}

impl Udp {
    /// Makes `spec` ready.
    pub(super) fn new(check: &CheckName, spec: &UdpSpec, timeout: Duration) -> Result<Self, PrepareError> {
        let expect = spec.expect.as_ref().map(|pattern| Matcher::new(check, pattern)).transpose()?;
        let patience = timeout * 9 / 10;
        Ok(Self { send: spec.send.clone().into(), expect, on_silence: spec.on_silence, patience })
    }

    /// One datagram and its answer.
    pub(super) async fn run(
        &self,
        options: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let socket = options.datagram(target)?;
        send(&socket, &self.send)?;
        progress.enter(Phase::Reply);
        let mut buffer = vec![0; LONGEST_ANSWER];
        let answer = receive(&socket, &mut buffer);
        let length = match self.on_silence {
            OnSilence::Down => answer.await?,
            OnSilence::Up => match timeout(self.patience, answer).await {
                Ok(answer) => answer?,
                Err(_) => return Ok(()),
            },
        };
        let answer = buffer.get(..length).unwrap_or_default();
        match &self.expect {
            Some(matcher) if !matcher.is_in(answer) => Err(Failure::UnexpectedReply(failure::shown(answer))),
            Some(_) | None => Ok(()),
        }
    }
}

/// Sends one datagram at once: a new socket has room for it.
pub(super) fn send(socket: &UdpSocket, bytes: &[u8]) -> Result<(), Failure> {
    let sent =
        nix::sys::socket::send(socket.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
    match sent.map_err(io::Error::from) {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            Err(Failure::Local("a firewall rule of this host drops the datagram".to_owned()))
        }
        Err(error) => Err(failure::connecting(&error)),
    }
}

/// The length of the next datagram, or the ICMP error that came instead.
pub(super) async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Result<usize, Failure> {
    loop {
        consume_budget().await;
        let interest = Interest::READABLE | Interest::ERROR;
        socket.ready(interest).await.map_err(|error| local("cannot wait for a socket", &error))?;
        // One after the other: the runtime tries nothing for two interests at once.
        for interest in [Interest::READABLE, Interest::ERROR] {
            let received = socket.try_io(interest, || {
                recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT).map_err(io::Error::from)
            });
            match received {
                Ok(length) => return Ok(length),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(failure::connecting(&error)),
            }
        }
    }
}
