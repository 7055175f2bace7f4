//! One socket of one path (shell): opened, and its options, which hold whatever is sent later. It judges nothing that it
//! receives.
//!
//! - A multicast socket is bound to its device and to the group, so the kernel hands it nothing else; the source of what it
//!   sends travels with each packet (`IP_PKTINFO`, `IPV6_PKTINFO`), so no change of the interface's addresses changes it.
//! - A unicast socket is bound to the own address, and to no device: the route decides.
//! - Until it is bound, a raw socket hears every VRRP packet of the host. A filter that drops all of them stands in front
//!   of it until then.
//! - The checksum of IPv6 is ours: the kernel computes none on a raw socket unless `IPV6_CHECKSUM` asks for it.
//!
//! Opening and closing take the kernel's rtnl lock (the group is joined and left under it), and looking up the source may:
//! [`super::errands`] does it for the advert thread.
//!
//! Source: raw(7), ip(7), ipv6(7), RFC 3542 (`IPV6_PKTINFO`, `IPV6_HOPLIMIT`), RFC 9568 section 5.1.

use super::path::{Kind, Path, PathId, Paths, Protocol};
use super::source::{self, Listed, Wanted};
use crate::kernel::KernelError;
use crate::kernel::netlink::{Message, Netlink};
use crate::model::Family;
use ipnet::IpNet;
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, SockFilter, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};

/// Where multicast advertisements go (RFC 9568, sections 5.1.1.2 and 5.1.2.2); beats over multicast use them too.
pub const IPV4_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
pub const IPV6_GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// What is sent has this TTL or hop limit: a packet that was routed on the way has less.
pub const TTL: u8 = 255;
/// Network control (CS6), as traffic class and as the local queue's priority, the highest that needs no privilege.
pub(super) const TRAFFIC_CLASS_BYTE: u8 = 0xc0;
const TRAFFIC_CLASS: u32 = TRAFFIC_CLASS_BYTE as u32;
const QUEUE_PRIORITY: i32 = 6;
/// About 300 small packets; the kernel's own limit (`net.core.rmem_max`) may make it less.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;
const SEND_BUFFER_BYTES: usize = 256 * 1024;
/// Packets taken out of a new raw socket before it counts as empty.
const EARLY_PACKETS_MAX: usize = 1_024;
/// `BPF_RET | BPF_K` with nothing: drop.
const DROP_ALL: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];
/// `RTM_GETADDR`, and its `struct ifaddrmsg` in bytes.
const RTM_GETADDR: u16 = 22;
const ADDRESS_HEADER_BYTES: usize = 8;

/// A path that could not be opened: it is tried again, the others work without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OpenError {
    pub path: PathId,
    /// Positive, where the kernel gave one.
    pub errno: Option<i32>,
    pub message: String,
}

/// An open path. To drop it closes it, which takes the rtnl lock.
#[derive(Debug)]
pub struct PathSocket {
    pub(super) socket: Socket,
    /// Sends whole frames, for virtual MACs; hears nothing. Of multicast advertisements; `None`: there is none.
    pub(super) frames: Option<Socket>,
    /// `None`: the interface has no address that may be the source; it hears, but can't send.
    pub(super) source: Option<IpNet>,
}

impl AsFd for PathSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl PathSocket {
    /// Opens a path in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When the interface or the own address is missing, or without `CAP_NET_RAW`; the sentence says which.
    pub fn open(paths: &Paths, id: PathId) -> Result<Self, OpenError> {
        let missing = || OpenError { path: id, errno: None, message: format!("there is no path {}", id.0) };
        let path = paths.get(id).ok_or_else(missing)?;
        let socket = open(path).map_err(|error| OpenError {
            path: id,
            errno: error.raw_os_error(),
            message: format!("cannot open the socket for {path}: {error}; {}", advice(path, &error)),
        })?;
        Ok(Self { socket, frames: open_frames(path).ok(), source: look_up_source(paths, id).ok().flatten() })
    }

    /// The source of what it sends.
    #[must_use]
    pub fn source(&self) -> Option<IpAddr> {
        self.source.map(|source| source.addr())
    }

    /// Whether an address can be on this socket's link, as far as its own network tells.
    pub(super) fn is_near(&self, address: IpAddr) -> bool {
        self.source.is_none_or(|own| own.prefix_len() == own.max_prefix_len() || own.contains(&address))
    }
}

/// What to do about it.
fn advice(path: &Path, error: &io::Error) -> &'static str {
    match (error.raw_os_error(), &path.kind) {
        (Some(libc::EPERM | libc::EACCES), _) => "it needs CAP_NET_RAW",
        (Some(libc::ENODEV), Kind::Multicast { .. }) => "there is no such interface: it is tried again",
        (Some(libc::EADDRNOTAVAIL), Kind::Unicast { .. }) => {
            "this host does not hold that address: compare `directors` in the policy with `ip address`; it is tried again"
        }
        (Some(libc::EADDRINUSE), _) => {
            "another program uses the port: stop it, or choose another `peer.port` on every director"
        }
        _ => "it is tried again",
    }
}

/// The address that a path sends from, with its network, by one listing of the host's addresses; `None` where there is
/// none.
///
/// # Errors
/// When the kernel does not tell, as while many addresses change: nothing is known then, and a Master that took it for the
/// loss of its address would give up.
pub fn look_up_source(paths: &Paths, id: PathId) -> Result<Option<IpNet>, KernelError> {
    let Some(path) = paths.get(id) else { return Ok(None) };
    let listed = list_addresses(path.family)?;
    Ok(match &path.kind {
        Kind::Unicast { own, .. } => {
            let is_there = |listed: &Listed| listed.address == *own;
            listed.iter().any(is_there).then(|| IpNet::from(*own))
        }
        Kind::Multicast { interface } => index_of(interface)?.and_then(|index| {
            let (floating, own) = (&paths.floating, &paths.own[..]);
            source::choose(&listed, Wanted { index, family: path.family, floating, own })
        }),
    })
}

/// `None`: there is no such interface.
fn index_of(interface: &str) -> Result<Option<u32>, KernelError> {
    match nix::net::if_::if_nametoindex(interface) {
        Ok(index) => Ok(Some(index)),
        Err(Errno::ENODEV) => Ok(None),
        Err(errno) => Err(KernelError::from_io(&format!("cannot look up {interface}"), &errno.into())),
    }
}

fn list_addresses(family: Family) -> Result<Vec<Listed>, KernelError> {
    let mut header = [0; ADDRESS_HEADER_BYTES];
    header[0] = match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    };
    let question = Message::new(RTM_GETADDR, 0).header(&header);
    let listed = Netlink::open(libc::NETLINK_ROUTE as isize)
        .and_then(|mut netlink| netlink.dump(&question, Listed::read));
    listed.map_err(|error| KernelError {
        errno: Some(error.errno),
        message: format!("cannot list the addresses: {error}"),
    })
}

fn open(path: &Path) -> io::Result<Socket> {
    let domain = match path.family {
        Family::Ipv4 => Domain::IPV4,
        Family::Ipv6 => Domain::IPV6,
    };
    let (kind, protocol) = match path.protocol {
        Protocol::Advertisement => (Type::RAW, i32::from(super::datagram::VRRP_PROTOCOL)),
        Protocol::Beat { .. } => (Type::DGRAM, libc::IPPROTO_UDP),
    };
    let socket = Socket::new(domain, kind.nonblocking().cloexec(), Some(protocol.into()))?;
    socket.attach_filter(&DROP_ALL)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    if let Protocol::Beat { .. } = path.protocol {
        // A process that goes on in another's place opens its own beside. Only the same user can.
        socket.set_reuse_port(true)?;
    }
    match path.family {
        Family::Ipv4 => set_ipv4_options(&socket)?,
        Family::Ipv6 => set_ipv6_options(&socket)?,
    }
    // After the traffic class, which sets a priority of its own.
    setsockopt(&socket, sockopt::Priority, &QUEUE_PRIORITY)?;
    bind(&socket, path)?;
    forget_early_packets(&socket);
    socket.detach_filter()?;
    Ok(socket)
}

/// Without it advertisements leave with the interface's own MAC.
fn open_frames(path: &Path) -> io::Result<Socket> {
    let (Kind::Multicast { interface }, Protocol::Advertisement) = (&path.kind, path.protocol) else {
        return Err(io::ErrorKind::Unsupported.into());
    };
    let index = nix::net::if_::if_nametoindex(interface.as_str())?;
    let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking().cloexec(), None)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    setsockopt(&socket, sockopt::Priority, &QUEUE_PRIORITY)?;
    crate::kernel::sys::bind_packet_socket(socket.as_fd(), 0, index)?;
    Ok(socket)
}

fn set_ipv4_options(socket: &Socket) -> io::Result<()> {
    socket.set_tos_v4(TRAFFIC_CLASS)?;
    socket.set_ttl_v4(TTL.into())?;
    socket.set_multicast_ttl_v4(TTL.into())?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_multicast_all_v4(false)?;
    setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
    setsockopt(socket, sockopt::Ipv4RecvTtl, &true)?;
    Ok(())
}

fn set_ipv6_options(socket: &Socket) -> io::Result<()> {
    socket.set_tclass_v6(TRAFFIC_CLASS)?;
    socket.set_unicast_hops_v6(TTL.into())?;
    socket.set_multicast_hops_v6(TTL.into())?;
    socket.set_multicast_loop_v6(false)?;
    setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    socket.set_recv_hoplimit_v6(true)
}

/// Joins the group, and narrows the socket to its device and address: the device first, since two sockets may have one
/// address and port only if their devices differ.
fn bind(socket: &Socket, path: &Path) -> io::Result<()> {
    let port = match path.protocol {
        Protocol::Advertisement => 0,
        Protocol::Beat { port } => port,
    };
    let address = match &path.kind {
        Kind::Unicast { own, .. } => SocketAddr::new(*own, port),
        Kind::Multicast { interface } => {
            let index = nix::net::if_::if_nametoindex(interface.as_str())?;
            socket.bind_device(Some(interface.as_bytes()))?;
            join(socket, path.family, index)?;
            group(path.family, port, index)
        }
    };
    socket.bind(&address.into())
}

fn join(socket: &Socket, family: Family, index: u32) -> io::Result<()> {
    match family {
        Family::Ipv4 => {
            socket.join_multicast_v4_n(&IPV4_GROUP, &socket2::InterfaceIndexOrAddress::Index(index))
        }
        Family::Ipv6 => {
            socket.set_multicast_if_v6(index)?;
            socket.join_multicast_v6(&IPV6_GROUP, index)
        }
    }
}

/// The group of a family, with the interface's index where the address needs one; 0 leaves that to the bound device.
pub(super) fn group(family: Family, port: u16, index: u32) -> SocketAddr {
    match family {
        Family::Ipv4 => SocketAddr::new(IPV4_GROUP.into(), port),
        Family::Ipv6 => SocketAddrV6::new(IPV6_GROUP, port, 0, index).into(),
    }
}

/// Takes out what came in between the socket's making and its filter.
fn forget_early_packets(socket: &Socket) {
    let mut buffer = [std::mem::MaybeUninit::uninit(); 1];
    for _ in 0..EARLY_PACKETS_MAX {
        if socket.recv(&mut buffer).is_err() {
            return;
        }
    }
}
