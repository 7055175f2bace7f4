//! The sockets of all paths (shell): send, receive, and one descriptor to wait on. Nothing blocks, nothing allocates for a
//! packet, and nothing here takes the kernel's rtnl lock but [`Transport::open`] and dropping a [`PathSocket`].
//!
//! Handed up is what can come from another director on this path; what can't is counted and dropped: own packets that came
//! back, unicast from an address that is no director's, multicast beats that were routed or come from no address of the
//! link. Of an advertisement no byte is
//! judged, nor its TTL: that is the election's affair.

use super::control::PinnedSource;
use super::datagram::{DATAGRAM_BYTES_MAX, Datagram};
use super::frame;
use super::path::{Kind, Path, PathId, Paths, Protocol};
use super::receive::{Packet, Why, receive_one};
use super::socket::{OpenError, PathSocket, TTL, group};
use ipnet::IpNet;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use socket2::{MsgHdr, SockAddr};
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Packets that one [`Transport::receive`] drops before it returns without one: a flood must not hold up the timers.
const DROPPED_AT_ONCE_MAX: usize = 64;

/// To whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// The group, or each of the peers.
    All,
    /// One director's address of the path's family.
    One(IpAddr),
}

/// What was received and not handed up, since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Headers that contradict themselves, missing control messages, longer than the buffer.
    pub malformed: u64,
    /// Unicast from an address that is no director's, multicast beats from another network than the interface's.
    pub strangers: u64,
    /// From our own address: reflected, or another machine that uses it.
    pub own: u64,
    /// Multicast beats with a TTL below 255.
    pub routed: u64,
}

/// All paths of a policy.
#[derive(Debug)]
pub struct Transport {
    paths: Arc<Paths>,
    /// In the order of the paths; `None`: not open, to be tried again.
    sockets: Vec<Option<PathSocket>>,
    epoll: Epoll,
    /// Which socket is asked first: the one behind the last that had something.
    next: usize,
    dropped: Dropped,
}

/// Readable when any path is.
impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl Transport {
    /// Opens every path in the network namespace of the calling thread. A path that can't be opened is told, and the others
    /// work. Takes the rtnl lock: not on the advert thread once that runs.
    ///
    /// # Errors
    /// When not even the descriptor to wait on can be made.
    pub fn open(paths: &Arc<Paths>) -> io::Result<(Self, Vec<OpenError>)> {
        let mut transport = Self {
            paths: Arc::clone(paths),
            sockets: paths.ids().map(|_| None).collect(),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            next: 0,
            dropped: Dropped::default(),
        };
        let mut errors = Vec::new();
        for id in paths.ids() {
            match PathSocket::open(paths, id) {
                Ok(socket) => drop(transport.install(id, socket)),
                Err(error) => errors.push(error),
            }
        }
        Ok((transport, errors))
    }

    /// Uses this socket for the path from now on. What it replaces is handed back, for another thread to drop.
    pub fn install(&mut self, path: PathId, socket: PathSocket) -> Option<PathSocket> {
        let Some(place) = self.sockets.get_mut(path.0) else { return Some(socket) };
        let event = EpollEvent::new(EpollFlags::EPOLLIN, path.0 as u64);
        let old = place.take();
        if let Some(old) = &old {
            // It may be gone already; the new one is what counts.
            let _ = self.epoll.delete(old);
        }
        match self.epoll.add(&socket, event) {
            Ok(()) => *place = Some(socket),
            Err(_) => return Some(socket),
        }
        old
    }

    /// Gives up a path's socket, for another thread to drop: its interface is gone.
    pub fn retire(&mut self, path: PathId) -> Option<PathSocket> {
        let socket = self.sockets.get_mut(path.0)?.take()?;
        let _ = self.epoll.delete(&socket);
        Some(socket)
    }

    /// Goes over to the paths of another policy. Sockets that serve there too are kept, so nothing is lost and no port is
    /// taken twice. Returns the paths that are still to be opened, and the sockets that another thread must drop first.
    pub fn follow(&mut self, paths: &Arc<Paths>) -> (Vec<PathId>, Vec<PathSocket>) {
        let mut old: Vec<Option<PathSocket>> = std::mem::take(&mut self.sockets);
        let mut keep = |path: &Path| {
            let place = self.paths.paths.iter().position(|known| known.has_the_socket_of(path))?;
            old.get_mut(place)?.take()
        };
        self.sockets = paths.paths.iter().map(&mut keep).collect();
        self.paths = Arc::clone(paths);
        let retired: Vec<PathSocket> = old.into_iter().flatten().collect();
        for socket in &retired {
            let _ = self.epoll.delete(socket);
        }
        (paths.ids().filter(|id| !self.is_open(*id)).collect(), retired)
    }

    /// Whether the path has a socket.
    #[must_use]
    pub fn is_open(&self, path: PathId) -> bool {
        self.sockets.get(path.0).is_some_and(Option::is_some)
    }

    /// Pins another source, as it was looked up by [`super::socket::look_up_source`].
    pub fn set_source(&mut self, path: PathId, source: Option<IpNet>) {
        if let Some(Some(socket)) = self.sockets.get_mut(path.0) {
            socket.source = source;
        }
    }

    /// The address that the path sends from.
    #[must_use]
    pub fn source_of(&self, path: PathId) -> Option<IpAddr> {
        self.sockets.get(path.0)?.as_ref()?.source()
    }

    #[must_use]
    pub const fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// The next datagram, of the paths in turn; `None` when none has one (or a flood is dropped: then the descriptor stays
    /// readable). `buffer` should have [`super::DATAGRAM_BYTES_MAX`] bytes.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Option<Datagram> {
        let mut dropped = 0;
        for _ in 0..self.sockets.len() {
            let index = self.next % self.sockets.len();
            self.next = index + 1;
            while dropped < DROPPED_AT_ONCE_MAX {
                let (Some(Some(socket)), Some(path)) = (self.sockets.get(index), self.paths.paths.get(index))
                else {
                    break;
                };
                let Ok(received) = receive_one(socket, path, buffer) else { break };
                match received.and_then(|packet| judge(socket, path, packet)) {
                    Ok(packet) => return Some(packet.on(PathId(index))),
                    Err(why) => self.dropped.count(why),
                }
                dropped += 1;
            }
        }
        None
    }

    /// Sends one message. To several peers: to each, whatever becomes of the others.
    ///
    /// # Errors
    /// `ENODEV`: the path is not open. `EADDRNOTAVAIL`: it has no source. `EINVAL` or `ENETUNREACH`, by the kernel's
    /// version: the source is gone from the interface. Else what the kernel says (`ENETDOWN`, `ENOBUFS`, `EPERM` of a
    /// firewall); the first of several.
    pub fn send(&self, path: PathId, destination: Destination, message: &[u8]) -> io::Result<()> {
        let errno = io::Error::from_raw_os_error;
        let (Some(Some(socket)), Some(path)) = (self.sockets.get(path.0), self.paths.get(path)) else {
            return Err(errno(libc::ENODEV));
        };
        let source = socket.source().ok_or_else(|| errno(libc::EADDRNOTAVAIL))?;
        let port = match path.protocol {
            Protocol::Advertisement => 0,
            Protocol::Beat { port } => port,
        };
        let send = |address| send_one(socket, source, address, message);
        match (destination, &path.kind) {
            (Destination::One(address), _) => send(SocketAddr::new(address, port)),
            (Destination::All, Kind::Multicast { .. }) => send(group(path.family, port, 0)),
            (Destination::All, Kind::Unicast { peers, .. }) => {
                let mut outcome = Ok(());
                for peer in peers {
                    outcome = outcome.and(send(SocketAddr::new(*peer, port)));
                }
                outcome
            }
        }
    }

    /// Sends one multicast advertisement with this hardware address as its source.
    ///
    /// # Errors
    /// `ENODEV`: the path is not open, or has no packet socket. `EADDRNOTAVAIL`: it has no source. `EMSGSIZE`: longer than the
    /// interface takes. Else what the kernel says.
    pub fn send_framed(&self, path: PathId, hardware: [u8; 6], message: &[u8]) -> io::Result<()> {
        let errno = io::Error::from_raw_os_error;
        let socket = self.sockets.get(path.0).and_then(Option::as_ref).ok_or_else(|| errno(libc::ENODEV))?;
        let frames = socket.frames.as_ref().ok_or_else(|| errno(libc::ENODEV))?;
        let source = socket.source().ok_or_else(|| errno(libc::EADDRNOTAVAIL))?;
        let mut buffer = [0; frame::HEADER_BYTES_MAX + DATAGRAM_BYTES_MAX];
        let length =
            frame::write(hardware, source, message, &mut buffer).ok_or_else(|| errno(libc::EMSGSIZE))?;
        frames.send(&buffer[..length]).map(|_| ())
    }

    /// Sends one message to all on the first of the paths that takes it.
    ///
    /// # Errors
    /// What the last of them said, when none did.
    pub fn send_first(&self, paths: &[PathId], message: &[u8]) -> io::Result<()> {
        let mut outcome = Err(io::Error::from_raw_os_error(libc::ENODEV));
        for path in paths {
            outcome = self.send(*path, Destination::All, message);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

impl Dropped {
    fn count(&mut self, why: Why) {
        let counter = match why {
            Why::Malformed => &mut self.malformed,
            Why::Stranger => &mut self.strangers,
            Why::Own => &mut self.own,
            Why::Routed => &mut self.routed,
        };
        *counter += 1;
    }
}

fn send_one(socket: &PathSocket, source: IpAddr, to: SocketAddr, message: &[u8]) -> io::Result<()> {
    let (to, source, buffers) = (SockAddr::from(to), PinnedSource::new(source), [IoSlice::new(message)]);
    let header = MsgHdr::new().with_addr(&to).with_buffers(&buffers).with_control(source.bytes());
    socket.socket.sendmsg(&header, libc::MSG_NOSIGNAL).map(|_| ())
}

/// Whether a packet can come from another director on this path.
fn judge(socket: &PathSocket, path: &Path, packet: Packet) -> Result<Packet, Why> {
    let is_own = socket.source() == Some(packet.source);
    match (&path.kind, path.protocol) {
        _ if is_own => Err(Why::Own),
        (Kind::Unicast { peers, .. }, _) if !peers.contains(&packet.source) => Err(Why::Stranger),
        (Kind::Multicast { .. }, Protocol::Beat { .. }) if packet.ttl != TTL => Err(Why::Routed),
        (Kind::Multicast { .. }, Protocol::Beat { .. }) if !socket.is_near(packet.source) => {
            Err(Why::Stranger)
        }
        (Kind::Unicast { .. } | Kind::Multicast { .. }, _) => Ok(packet),
    }
}

#[cfg(test)]
#[path = "tests/transport.rs"]
mod tests;
