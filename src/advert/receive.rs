//! One packet out of one socket (shell): its bytes, and from where, to whom and with which TTL it came. Nothing allocates.
//!
//! Over IPv4 a raw socket hands over the header, which is read; everywhere else the kernel tells in control messages.
//!
//! Source: ip(7), `IP_PKTINFO` and `IP_RECVTTL`; RFC 3542, sections 6.1 and 6.3.

use super::datagram::{Datagram, ipv4_packet};
use super::path::{Path, PathId, Protocol};
use super::socket::PathSocket;
use crate::model::Family;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg};
use std::io::IoSliceMut;
use std::net::IpAddr;
use std::ops::Range;
use std::os::fd::AsRawFd;

/// Room for the two control messages of a packet; they take 64 bytes at most.
const CONTROL_BYTES: usize = 128;

/// Why one packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Malformed,
    Stranger,
    Own,
    Routed,
}

/// A packet as the kernel handed it over.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) ttl: u8,
    pub(super) message: Range<usize>,
}

impl Packet {
    pub(super) fn on(self, path: PathId) -> Datagram {
        let Self { source, destination, ttl, message } = self;
        Datagram { path, source, destination, ttl, message }
    }
}

/// One packet; the outer error is the socket's: nothing there, or a trouble that the next sending tells of.
pub(super) fn receive_one(
    socket: &PathSocket,
    path: &Path,
    buffer: &mut [u8],
) -> nix::Result<Result<Packet, Why>> {
    let mut control = AlignedControl([0; CONTROL_BYTES]);
    let (length, told) = {
        let mut parts = [IoSliceMut::new(buffer)];
        let descriptor = socket.socket.as_raw_fd();
        let received = recvmsg(descriptor, &mut parts, Some(&mut control.0), MsgFlags::MSG_DONTWAIT)?;
        (received.bytes, Told::read(&received))
    };
    let Some(told) = told else { return Ok(Err(Why::Malformed)) };
    Ok(match (path.protocol, path.family) {
        (Protocol::Advertisement, Family::Ipv4) => {
            let packet = ipv4_packet(buffer.get(..length).unwrap_or_default());
            packet.map(|packet| Packet {
                source: packet.source.into(),
                destination: packet.destination.into(),
                ttl: packet.ttl,
                message: packet.message,
            })
        }
        (Protocol::Advertisement, Family::Ipv6) | (Protocol::Beat { .. }, _) => told.packet(length),
    }
    .ok_or(Why::Malformed))
}

/// Control messages are read where they lie: as a machine word is aligned.
#[repr(align(8))]
struct AlignedControl([u8; CONTROL_BYTES]);

/// What stands beside the bytes of a packet.
#[derive(Debug)]
struct Told {
    source: IpAddr,
    destination: Option<IpAddr>,
    ttl: Option<u8>,
}

impl Told {
    /// `None`: the packet or its control messages were cut, or it has no source.
    fn read(received: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Self> {
        if received.flags.contains(MsgFlags::MSG_TRUNC) {
            return None;
        }
        let address = received.address.as_ref()?;
        let ipv4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        let source = ipv4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))?;
        let mut told = Self { source, destination: None, ttl: None };
        for message in received.cmsgs().ok()? {
            match message {
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    told.destination = Some(IpAddr::from(info.ipi_addr.s_addr.to_ne_bytes()));
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    told.destination = Some(IpAddr::from(info.ipi6_addr.s6_addr));
                }
                ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => {
                    told.ttl = u8::try_from(ttl).ok();
                }
                _ => {}
            }
        }
        Some(told)
    }

    fn packet(&self, length: usize) -> Option<Packet> {
        let (destination, ttl) = (self.destination?, self.ttl?);
        Some(Packet { source: self.source, destination, ttl, message: 0..length })
    }
}
