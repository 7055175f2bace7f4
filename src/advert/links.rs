//! Interfaces that come, go, gain and lose carrier (shell): told by the kernel at once, over a netlink socket that only
//! listens, so it takes no lock. The first state, and that after [`LinkEvent::Overrun`], is [`list`]'s, which does take the
//! rtnl lock: an errand for another thread.
//!
//! The kernel itself holds back the loss of carrier of a physical interface when another interface of the host changed
//! within the last second (`linkwatch_nextevent`): at most one second, and nothing here can change that.
//!
//! Source: `linux/rtnetlink.h`, `linux/if_link.h`; operational state by `Documentation/networking/operstates.rst`.

use crate::kernel::KernelError;
use crate::kernel::netlink::{Attribute, Attributes, Datagram, Message, Netlink};
use netlink_sys::{Socket, SocketAddr};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// `RTMGRP_LINK`, a bit of the groups at binding.
const LINK_GROUP: u32 = 1;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
/// `struct ifinfomsg`: family, padding, type (2), index (4), flags (4), change (4).
const HEADER_BYTES: usize = 16;
const IFLA_IFNAME: u16 = 3;
/// Switched on by the administrator; able to pass packets by its operational state; has carrier.
const GOOD: u32 = 0x1 | 0x40 | 0x1_0000;
/// One datagram; a link with all its attributes takes 2 kB.
const DATAGRAM_BYTES_MAX: usize = 32 * 1024;
/// Datagrams without an event that are passed over before somebody else has a turn.
const DATAGRAMS_AT_ONCE: usize = 64;
/// Some 400 changes may wait while this process does not run.
const RECEIVE_BUFFER_BYTES: usize = 1024 * 1024;

/// An interface as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub name: String,
    /// The kernel's number; an interface that was removed and made again has another.
    pub index: u32,
    /// Up, with carrier, and operational.
    pub good: bool,
}

/// What the kernel told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// It is there, like this. Mostly nothing has changed that matters here: compare.
    Is(Link),
    /// It is gone, or in another network namespace.
    Gone { name: String, index: u32 },
    /// Some changes were lost: list all links again.
    Overrun,
}

/// The socket that listens.
pub struct LinkListener {
    socket: Socket,
    buffer: Vec<u8>,
    /// What the last datagram held, not yet handed out.
    pending: VecDeque<LinkEvent>,
}

impl std::fmt::Debug for LinkListener {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("LinkListener").field("pending", &self.pending).finish_non_exhaustive()
    }
}

impl AsFd for LinkListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl LinkListener {
    /// Listens in the network namespace of the calling thread. Open it first and [`list`] then: nothing falls between.
    ///
    /// # Errors
    /// When the kernel gives no such socket.
    pub fn open() -> Result<Self, KernelError> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(libc::NETLINK_ROUTE as isize)?;
            socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
            socket.bind(&SocketAddr::new(0, LINK_GROUP))?;
            Ok(socket)
        };
        let socket =
            open().map_err(|error| KernelError::from_io("cannot listen for changes of links", &error))?;
        let buffer = Vec::with_capacity(DATAGRAM_BYTES_MAX);
        Ok(Self { socket, buffer, pending: VecDeque::new() })
    }

    /// Whether events wait that no descriptor tells of: they came in a datagram that was read for others.
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The next event; `None` when there is none now, or too much that is none.
    pub fn receive(&mut self) -> Option<LinkEvent> {
        for _ in 0..DATAGRAMS_AT_ONCE {
            if !self.pending.is_empty() {
                break;
            }
            self.buffer.clear();
            match self.socket.recv_from(&mut self.buffer, libc::MSG_DONTWAIT | libc::MSG_TRUNC) {
                // Nobody but the kernel has port 0; another process may send here, and is not believed.
                Ok((_, sender)) if sender.port_number() != 0 => {}
                Ok((length, _)) if length > self.buffer.len() => return Some(LinkEvent::Overrun),
                Ok(_) => self.pending.extend(
                    Datagram(&self.buffer).filter_map(|message| event(message.message_type, message.payload)),
                ),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Some(LinkEvent::Overrun),
                Err(_) => return None,
            }
        }
        self.pending.pop_front()
    }
}

/// Every link of this thread's network namespace.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn list() -> Result<Vec<Link>, KernelError> {
    let question = Message::new(RTM_GETLINK, 0).header(&[0; HEADER_BYTES]);
    let answer =
        Netlink::open(libc::NETLINK_ROUTE as isize).and_then(|mut netlink| netlink.dump(&question, link));
    answer.map_err(|error| KernelError {
        errno: Some(error.errno),
        message: format!("cannot list the links: {error}"),
    })
}

fn event(message_type: u16, payload: &[u8]) -> Option<LinkEvent> {
    let link = link(payload)?;
    match message_type {
        RTM_NEWLINK => Some(LinkEvent::Is(link)),
        RTM_DELLINK => Some(LinkEvent::Gone { name: link.name, index: link.index }),
        _ => None,
    }
}

/// From the payload of `RTM_NEWLINK` or `RTM_DELLINK`. Only `AF_UNSPEC` speaks of the link itself: a bridge tells under its
/// own family that a port left it, as if the link were gone.
fn link(payload: &[u8]) -> Option<Link> {
    let header = payload.first_chunk::<HEADER_BYTES>()?;
    let word = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let name = Attributes(&payload[HEADER_BYTES..]).find(IFLA_IFNAME).map(Attribute::string)?;
    let is_of_the_link = i32::from(header[0]) == libc::AF_UNSPEC;
    is_of_the_link.then(|| Link { name, index: word(4), good: word(8) & GOOD == GOOD })
}

#[cfg(test)]
#[path = "tests/links.rs"]
mod tests;
