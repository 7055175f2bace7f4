//! A packet socket on one interface: sends announcements, hears who else claims an address (shell).
//!
//! One socket a family, so that the kernel hands it no other protocol's frames; of IPv6 a filter in the kernel lets only
//! neighbour advertisements through. What this host sends itself is not heard.

use super::frame::{ETHERNET_HEADER_BYTES, ICMPV6, NEIGHBOUR_ADVERTISEMENT, claim};
use crate::kernel::sys;
use crate::model::Family;
use socket2::{Domain, SockFilter, Socket, Type};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;
/// The longest frame that is of interest has 86 bytes; options may follow.
const FRAME_BYTES_MAX: usize = 512;

// Classic BPF (`linux/bpf_common.h`, `linux/filter.h`).
const LOAD_BYTE: u16 = 0x30;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// `SKF_AD_OFF + SKF_AD_PKTTYPE`: not a byte of the frame but how it came.
const PACKET_TYPE: u32 = 0xffff_f000 + 4;
const PACKET_OUTGOING: u32 = 4;

/// The socket of one family on one interface.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    socket: Socket,
}

impl PacketSocket {
    /// Opens it on the interface with this index.
    ///
    /// # Errors
    /// `EPERM` without `CAP_NET_RAW`, `ENODEV` without the interface.
    pub(crate) fn open(family: Family, index: u32) -> io::Result<Self> {
        let (protocol, filter) = match family {
            Family::Ipv4 => (ETH_P_ARP, incoming_only(&[])),
            Family::Ipv6 => (ETH_P_IPV6, incoming_only(&neighbour_advertisements())),
        };
        // Protocol 0 hears nothing until the filter is there and the socket is bound.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(&filter)?;
        sys::bind_packet_socket(socket.as_fd(), protocol, index)?;
        Ok(Self { socket })
    }

    /// Sends a whole frame.
    ///
    /// # Errors
    /// The kernel's refusal; `ENETDOWN` where the interface is down, `ENOBUFS` where its queue is full.
    pub(crate) fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(|_| ())
    }

    /// The next frame, if there is one: what it claims, if anything.
    ///
    /// # Errors
    /// `ENETDOWN` once when the interface goes down.
    #[expect(clippy::type_complexity, reason = "a frame or none, with a claim or without")]
    pub(crate) fn receive(&self) -> io::Result<Option<Option<(IpAddr, [u8; 6])>>> {
        let mut buffer = [0; FRAME_BYTES_MAX];
        match (&self.socket).read(&mut buffer) {
            Ok(length) => Ok(Some(claim(&buffer[..length]))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Bytes of the frame and the value that each must have.
fn neighbour_advertisements() -> [(u32, u32); 2] {
    let ethernet = u32::try_from(ETHERNET_HEADER_BYTES).unwrap_or_default();
    [(ethernet + 6, ICMPV6.into()), (ethernet + 40, NEIGHBOUR_ADVERTISEMENT.into())]
}

/// A filter that lets a frame through that came from outside and has these bytes.
fn incoming_only(bytes: &[(u32, u32)]) -> Vec<SockFilter> {
    let mut program = vec![
        SockFilter::new(LOAD_BYTE, 0, 0, PACKET_TYPE),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, PACKET_OUTGOING),
        SockFilter::new(RETURN, 0, 0, 0),
    ];
    for (offset, value) in bytes {
        program.push(SockFilter::new(LOAD_BYTE, 0, 0, *offset));
        program.push(SockFilter::new(JUMP_IF_EQUAL, 1, 0, *value));
        program.push(SockFilter::new(RETURN, 0, 0, 0));
    }
    program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    program
}
