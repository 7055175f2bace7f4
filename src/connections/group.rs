//! Sockets of the group in which directors tell each other connections: the kernel's daemons, and we with them (shell).

use nix::sys::socket::{getsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

/// `IP_VS_SYNC_GROUP` and `IP_VS_SYNC_PORT`.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 81);
const GROUP: SocketAddr = SocketAddr::V4(SocketAddrV4::new(ADDRESS, 8848));
/// Longest wait for room in the socket's own buffer.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);
/// What is told while the table is read waits: 20,000 records a second, 40 in a datagram.
const RECEIVE_BUFFER_BYTES: usize = 1024 * 1024;

/// Why nothing could be told.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot send connections to the other directors by {interface}: {source}; is it up, and has it an address?"
)]
pub struct SendError {
    pub(super) interface: String,
    pub(super) source: io::Error,
}

/// A socket that sends as the kernel's own daemon does (`make_send_sock`), and the MTU of its way.
pub(super) fn mouth(interface: &str) -> io::Result<(UdpSocket, usize)> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let options = SockRef::from(&socket);
    options.bind_device(Some(interface.as_bytes()))?;
    // Our own backup daemon, where both run, has these connections.
    options.set_multicast_loop_v4(false)?;
    options.set_multicast_ttl_v4(1)?;
    options.set_write_timeout(Some(SEND_TIMEOUT))?;
    socket.connect(GROUP)?;
    let mtu = getsockopt(&socket, sockopt::IpMtu)?;
    Ok((socket, usize::try_from(mtu).unwrap_or_default()))
}

/// A socket that hears what the kernel's own daemon hears (`make_receive_sock`), beside it.
pub(super) fn ear(interface: &str) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    // Under the group's own address: nothing that was sent to this host alone.
    socket.bind(&GROUP.into())?;
    let index = nix::net::if_::if_nametoindex(interface)?;
    socket.join_multicast_v4_n(&ADDRESS, &InterfaceIndexOrAddress::Index(index))?;
    Ok(socket.into())
}
