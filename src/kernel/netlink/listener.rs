//! A netlink socket that only listens: what the kernel tells of its own accord. It never blocks.
//!
//! A reader that is too slow loses messages, which the kernel says once (`ENOBUFS`): then the table must be read anew.

use super::NetlinkError;
use super::codec::Datagram;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};
use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Thousands of addresses that are renewed each second: 2,000 messages are about 1.5 MB as the kernel counts them.
const RECEIVE_BUFFER_BYTES: usize = 16 * 1024 * 1024;
const DATAGRAM_BYTES_MAX: usize = 64 * 1024;

/// Ears for some multicast groups of a protocol.
pub(crate) struct Listener {
    socket: Socket,
    buffer: Vec<u8>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Listener").field("socket", &self.socket.as_raw_fd()).finish_non_exhaustive()
    }
}

impl Listener {
    /// `groups`: a mask of the protocol's first 32 groups (`RTMGRP_*`).
    pub(crate) fn open(protocol: isize, groups: u32) -> Result<Self, NetlinkError> {
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(protocol)?;
            socket.set_non_blocking(true)?;
            socket.bind(&SocketAddr::new(0, groups))?;
            if setsockopt(&socket.as_fd(), RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
                socket.set_rx_buf_sz(u32::try_from(RECEIVE_BUFFER_BYTES).unwrap_or(u32::MAX))?;
            }
            Ok(socket)
        };
        let socket = open().map_err(|error| NetlinkError::from_io(&error))?;
        Ok(Self { socket, buffer: Vec::with_capacity(DATAGRAM_BYTES_MAX) })
    }

    /// Hands the messages of one datagram (type and payload) to `take`; `false` when there is none.
    ///
    /// # Errors
    /// `ENOBUFS`: messages were lost.
    pub(crate) fn read(&mut self, mut take: impl FnMut(u16, &[u8])) -> Result<bool, NetlinkError> {
        self.buffer.clear();
        match self.socket.recv(&mut self.buffer, 0) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(NetlinkError::from_io(&error)),
        }
        Datagram(&self.buffer).for_each(|received| take(received.message_type, received.payload));
        Ok(true)
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
