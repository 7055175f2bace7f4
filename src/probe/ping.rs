//! The ping probe: one ICMP echo request on a socket of its own, and its reply or the ICMP error that it met.
//!
//! The socket is a datagram one where `net.ipv4.ping_group_range` lets this process have it: the kernel then gives it the
//! replies to its own identifier only. Else it is a raw one, connected, so that it hears one host and not all ICMP. Errors
//! come from the socket's error queue (ip(7), `IP_RECVERR`), where they quote the request: another program's do not count.
//! Not done: retries within a probe (`fall` is for that), round-trip statistics.

use super::echo::{self, Answer, Echo};
use super::failure;
use super::progress::Progress;
use super::socket::{SocketOptions, local, report_errors};
use crate::hash::mix;
use crate::model::{Failure, Phase, PingSpec};
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recv, recvmsg};
use socket2::{Domain, Protocol, Socket, Type};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::coop::consume_budget;

/// Makes the data of this process's requests differ from another's.
static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().build_hasher().finish());
/// Requests so far: each has a sequence number and data of its own.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// A ping made ready.
#[derive(Debug)]
pub(super) struct Ping {
    size: usize,
}

/// A connected socket and the request that went over it.
struct Exchange {
    /// An ICMP socket. The runtime has no such type; its UDP one waits for any socket, and nothing else is asked of it.
    socket: UdpSocket,
    echo: Echo,
    /// Whether what is received begins with an IP header.
    has_ip_header: bool,
}

/// What was found on the socket.
enum Found {
    Nothing,
    Foreign,
    Ended(Result<(), Failure>),
}

impl Ping {
    pub(super) fn new(spec: PingSpec) -> Self {
        Self { size: usize::from(spec.size) }
    }

    /// One request and its reply.
    pub(super) async fn run(
        &self,
        options: &SocketOptions,
        target: SocketAddr,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let exchange = self.send(options, target)?;
        progress.enter(Phase::EchoReply);
        exchange.wait(self.size).await
    }

    fn send(&self, options: &SocketOptions, target: SocketAddr) -> Result<Exchange, Failure> {
        let (socket, is_raw) = socket(target)?;
        let is_ipv4 = target.is_ipv4();
        report_errors(&socket, target)?;
        options.apply(&socket, target)?;
        socket.connect(&target.into()).map_err(|error| failure::connecting(&error))?;
        let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
        let identifier = if is_raw { low_16(mix(*SEED ^ (number >> 16))) } else { own_identifier(&socket)? };
        let echo = Echo::new(is_ipv4, identifier, low_16(number), mix(*SEED ^ number), self.size);
        send(&socket, &echo)?;
        let socket =
            UdpSocket::from_std(socket.into()).map_err(|error| local("cannot wait for a socket", &error))?;
        Ok(Exchange { socket, echo, has_ip_header: is_raw && is_ipv4 })
    }
}

const fn low_16(number: u64) -> u16 {
    let [.., high, low] = number.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// A socket that can ping, and whether it is a raw one.
pub(super) fn socket(target: SocketAddr) -> Result<(Socket, bool), Failure> {
    let domain = Domain::for_address(target);
    let protocol = if target.is_ipv4() { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    let open = |kind: Type| Socket::new(domain, kind.nonblocking().cloexec(), Some(protocol));
    let refused = match open(Type::DGRAM) {
        Ok(socket) => return Ok((socket, false)),
        Err(error) => error,
    };
    match (refused.raw_os_error(), open(Type::RAW)) {
        (_, Ok(socket)) => Ok((socket, true)),
        (Some(libc::EACCES | libc::EPERM | libc::EPROTONOSUPPORT), Err(error))
            if error.kind() == ErrorKind::PermissionDenied =>
        {
            Err(Failure::Local(
                "no permission to ping: let this process's group into net.ipv4.ping_group_range, or give it CAP_NET_RAW"
                    .to_owned(),
            ))
        }
        (_, Err(error)) => Err(local("no socket", &error)),
    }
}

/// The identifier that the kernel gives to what a datagram socket sends: its port.
fn own_identifier(socket: &Socket) -> Result<u16, Failure> {
    let address = socket.local_addr().map_err(|error| local("no identifier", &error))?;
    Ok(address.as_socket().map_or(0, |address| address.port()))
}

fn send(socket: &Socket, echo: &Echo) -> Result<(), Failure> {
    match socket.send(&echo.request()) {
        Ok(_) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            Err(Failure::Local("a firewall rule of this host drops the echo request".to_owned()))
        }
        Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
            Err(Failure::Local("the echo request is larger than the link takes: lower `size`".to_owned()))
        }
        Err(error) => Err(failure::connecting(&error)),
    }
}

impl Exchange {
    async fn wait(&self, size: usize) -> Result<(), Failure> {
        let mut buffer = vec![0; echo::LONGEST_IP_HEADER_BYTES + echo::HEADER_BYTES + size + 1];
        loop {
            // A host that sends without end must not keep the time-out from being noticed.
            consume_budget().await;
            let interest = Interest::READABLE | Interest::ERROR;
            self.socket.ready(interest).await.map_err(|error| local("cannot wait for a socket", &error))?;
            let mut look = |interest| {
                self.socket.try_io(interest, || match self.look(&mut buffer) {
                    Found::Nothing => Err(ErrorKind::WouldBlock.into()),
                    found => Ok(found),
                })
            };
            // One after the other: the runtime tries nothing for two interests at once.
            let found = look(Interest::READABLE).or_else(|_| look(Interest::ERROR));
            if let Ok(Found::Ended(result)) = found {
                return result;
            }
        }
    }

    /// One message or error of the socket.
    fn look(&self, buffer: &mut [u8]) -> Found {
        match self.error() {
            Found::Nothing => {}
            found => return found,
        }
        match recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => self.judge(&buffer[..length]),
            Err(Errno::EAGAIN) => Found::Nothing,
            Err(Errno::EINTR) => Found::Foreign,
            // The errno of an ICMP error that came just now; the error itself, which says whose it is, is in the queue.
            Err(errno) => match self.error() {
                Found::Nothing => Found::Ended(Err(failure::connecting(&errno.into()))),
                found => found,
            },
        }
    }

    fn judge(&self, packet: &[u8]) -> Found {
        let message = if self.has_ip_header { echo::without_ip_header(packet) } else { packet };
        match self.echo.judge(message) {
            Answer::Reply => Found::Ended(Ok(())),
            Answer::Altered => Found::Ended(Err(Failure::Malformed(
                "the echo reply holds other data than the request".to_owned(),
            ))),
            Answer::Foreign => Found::Foreign,
        }
    }

    /// One entry of the error queue.
    fn error(&self) -> Found {
        let mut quoted = [0; echo::HEADER_BYTES];
        let mut pieces = [IoSliceMut::new(&mut quoted)];
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let descriptor = self.socket.as_raw_fd();
        let (length, error) =
            match recvmsg::<SockaddrStorage>(descriptor, &mut pieces, Some(&mut control), flags) {
                Ok(message) => {
                    (message.bytes, message.cmsgs().ok().and_then(|mut found| found.find_map(extended)))
                }
                Err(_) => return Found::Nothing,
            };
        match error {
            Some((error, from)) if self.echo.is_quoted(&quoted[..length.min(echo::HEADER_BYTES)]) => {
                Found::Ended(Err(self.words(&error, from)))
            }
            Some(_) | None => Found::Foreign,
        }
    }

    fn words(&self, error: &libc::sock_extended_err, from: Option<IpAddr>) -> Failure {
        let is_ipv4 = match error.ee_origin {
            libc::SO_EE_ORIGIN_ICMP => true,
            libc::SO_EE_ORIGIN_ICMP6 => false,
            _ => {
                let errno = i32::try_from(error.ee_errno).unwrap_or(libc::EIO);
                return failure::connecting(&io::Error::from_raw_os_error(errno));
            }
        };
        Failure::Unreachable(echo::error_words(is_ipv4, error.ee_type, error.ee_code, error.ee_info, from))
    }
}

/// An entry of the error queue, and the host that sent it.
fn extended(message: ControlMessageOwned) -> Option<(libc::sock_extended_err, Option<IpAddr>)> {
    match message {
        ControlMessageOwned::Ipv4RecvErr(error, from) => {
            let address =
                |from: libc::sockaddr_in| IpAddr::V4(Ipv4Addr::from(from.sin_addr.s_addr.to_ne_bytes()));
            Some((error, from.map(address)))
        }
        ControlMessageOwned::Ipv6RecvErr(error, from) => {
            let address = |from: libc::sockaddr_in6| IpAddr::V6(Ipv6Addr::from(from.sin6_addr.s6_addr));
            Some((error, from.map(address)))
        }
        _ => None,
    }
}
