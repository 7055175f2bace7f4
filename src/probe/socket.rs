//! The socket of a probe: where it comes from, and how it goes.

use super::{failure, real_path};
use crate::model::{Check, Failure, ProbeSpec, Through};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

/// Where a probe's packets come from; see [`Check`].
#[derive(Debug)]
pub(super) struct SocketOptions {
    source: Option<IpAddr>,
    interface: Option<String>,
    mark: Option<u32>,
    /// Whether something is said on a connection, and said at once: one that is only opened needs no such option.
    speaks: bool,
    through: Through,
}

impl SocketOptions {
    pub(super) fn of(check: &Check) -> Self {
        Self {
            source: check.source,
            interface: check.interface.clone(),
            mark: check.mark,
            speaks: !matches!(check.probe, ProbeSpec::Tcp),
            through: check.through,
        }
    }

    /// A connection to `target`. It ends with a reset whenever it is dropped: no TIME_WAIT here, no FIN_WAIT there.
    pub(super) async fn connect(&self, target: SocketAddr) -> Result<TcpStream, Failure> {
        let socket = self.open(target)?;
        let socket = TcpSocket::from_std_stream(socket.into());
        socket.connect(target).await.map_err(|error| failure::connecting(&error))
    }

    fn open(&self, target: SocketAddr) -> Result<Socket, Failure> {
        let kind = Type::STREAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::TCP))
            .map_err(|error| local("no socket", &error))?;
        socket.set_linger(Some(Duration::ZERO)).map_err(|error| local("SO_LINGER", &error))?;
        if self.speaks {
            socket.set_tcp_nodelay(true).map_err(|error| local("TCP_NODELAY", &error))?;
        }
        self.apply(&socket, target)?;
        Ok(socket)
    }

    /// A UDP socket that is connected to `target`, and hears of the ICMP errors of what it sends.
    pub(super) fn datagram(&self, target: SocketAddr) -> Result<UdpSocket, Failure> {
        let kind = Type::DGRAM.nonblocking().cloexec();
        let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::UDP))
            .map_err(|error| local("no socket", &error))?;
        report_errors(&socket, target)?;
        self.apply(&socket, target)?;
        socket.connect(&target.into()).map_err(|error| failure::connecting(&error))?;
        UdpSocket::from_std(socket.into()).map_err(|error| local("cannot wait for a socket", &error))
    }

    /// Makes a socket that is to reach `target` come from where the check says.
    pub(super) fn apply(&self, socket: &Socket, target: SocketAddr) -> Result<(), Failure> {
        if let Some(mark) = self.mark {
            socket.set_mark(mark).map_err(|error| local(&format!("mark {mark}"), &error))?;
        }
        if let Some(interface) = &self.interface {
            socket
                .bind_device(Some(interface.as_bytes()))
                .map_err(|error| local(&format!("interface {interface}"), &error))?;
        }
        match (self.source, self.through) {
            (Some(source), Through::Direct) => bind(socket, source, target)?,
            (Some(source), Through::RealPath) => real_path::bind(socket, source, target)?,
            (None, Through::Direct | Through::RealPath) => {}
        }
        Ok(())
    }
}

/// Has the kernel report every ICMP error, not only those that it holds for final (ip(7), `IP_RECVERR`).
pub(super) fn report_errors(socket: &Socket, target: SocketAddr) -> Result<(), Failure> {
    let reported = if target.is_ipv4() {
        setsockopt(socket, sockopt::Ipv4RecvErr, &true)
    } else {
        setsockopt(socket, sockopt::Ipv6RecvErr, &true)
    };
    reported.map_err(|errno| local("IP_RECVERR", &errno.into()))
}

pub(super) fn bind(socket: &Socket, source: IpAddr, target: SocketAddr) -> Result<(), Failure> {
    if source.is_ipv4() != target.is_ipv4() {
        return Err(Failure::Local(format!(
            "source {source} and target {target} are of two address families"
        )));
    }
    socket
        .bind(&SocketAddr::new(source, 0).into())
        .map_err(|error| local(&format!("source address {source}"), &error))
}

/// A failure of this host, with what was being done.
pub(super) fn local(what: &str, error: &io::Error) -> Failure {
    Failure::Local(format!("{what}: {}", failure::words(error)))
}
