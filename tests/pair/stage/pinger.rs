//! A client that pings the VIP at a steady pace, and what it lived through.
//!
//! The blackout is the longest time between the sending of two consecutive pings that were answered, less the period: 0 if
//! none was lost. A ping counts as answered if its answer came within [`ANSWER_MAX`]: a packet that the client's own
//! kernel held back until a neighbour was known again is a ping that got no service.
//!
//! Source: RFC 792 and RFC 4443 (echo). The kernel fills in the checksum of ICMPv6.

use super::realtime::{Ticker, make_real_time};
use crate::world::namespace::Namespace;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(crate) const ANSWER_MAX: Duration = Duration::from_millis(100);
/// Above whatever the measured programs use by default.
const PRIORITY: u8 = 60;
const POLL: Duration = Duration::from_millis(20);

/// Pings under way.
#[derive(Debug)]
pub(crate) struct Pinger {
    stop: Arc<AtomicBool>,
    deaf: Arc<AtomicBool>,
    period: Duration,
    sender: JoinHandle<Vec<Instant>>,
    receiver: JoinHandle<Vec<(usize, Instant)>>,
}

/// What became of the pings.
#[derive(Debug, Clone)]
pub(crate) struct Pings {
    period: Duration,
    /// When each was sent, and whether it was answered in time.
    sent: Vec<(Instant, bool)>,
}

impl Pinger {
    /// Pings from a namespace every `period`.
    pub(crate) fn start(client: &Namespace, target: IpAddr, period: Duration) -> Self {
        static IDENTIFIER: AtomicU16 = AtomicU16::new(1);
        let identifier = IDENTIFIER.fetch_add(1, Ordering::Relaxed);
        let socket = client.inside(|| echo_socket(target)).expect("a raw socket needs root");
        let receiving = socket.try_clone().expect("a second handle");
        let [stop, deaf] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
        let (stop_inside, deaf_inside) = (Arc::clone(&stop), Arc::clone(&deaf));
        let sender = std::thread::spawn(move || send_all(&socket, target, identifier, period, &stop_inside));
        let receiver =
            std::thread::spawn(move || receive_all(receiving, target.is_ipv4(), identifier, &deaf_inside));
        Self { stop, deaf, period, sender, receiver }
    }

    /// Ends it, after the last answers have had their time.
    pub(crate) fn finish(self) -> Pings {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().expect("the sender");
        std::thread::sleep(ANSWER_MAX);
        self.deaf.store(true, Ordering::Relaxed);
        let mut sent: Vec<_> = sent.into_iter().map(|at| (at, false)).collect();
        for (number, at) in self.receiver.join().expect("the receiver") {
            if let Some((sent_at, answered)) = sent.get_mut(number) {
                *answered |= at.saturating_duration_since(*sent_at) <= ANSWER_MAX;
            }
        }
        Pings { period: self.period, sent }
    }
}

impl Pings {
    /// Those that were sent from then on.
    pub(crate) fn since(mut self, start: Instant) -> Self {
        self.sent.retain(|(at, _)| *at >= start);
        self
    }

    /// Those that were sent within this time.
    pub(crate) fn between(self, start: Instant, end: Instant) -> Self {
        let mut pings = self.since(start);
        pings.sent.retain(|(at, _)| *at <= end);
        pings
    }

    /// The longest time without service.
    pub(crate) fn blackout(&self) -> Duration {
        let answered: Vec<Instant> =
            self.sent.iter().filter(|(_, answered)| *answered).map(|(at, _)| *at).collect();
        let ends = [self.sent.first(), self.sent.last()].map(|end| end.map(|(at, _)| *at));
        let [Some(first), Some(last)] = ends else { return Duration::ZERO };
        let times: Vec<Instant> = [first].into_iter().chain(answered).chain([last]).collect();
        let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        if self.lost() == 0 { Duration::ZERO } else { longest.saturating_sub(self.period) }
    }

    pub(crate) fn lost(&self) -> usize {
        self.sent.iter().filter(|(_, answered)| !answered).count()
    }

    pub(crate) fn count(&self) -> usize {
        self.sent.len()
    }
}

fn echo_socket(target: IpAddr) -> std::io::Result<Socket> {
    let (domain, protocol) =
        if target.is_ipv4() { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    let socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    socket.set_read_timeout(Some(POLL))?;
    socket.set_recv_buffer_size(1 << 20)?;
    Ok(socket)
}

/// Sends until told to stop; when each ping was sent.
fn send_all(
    socket: &Socket,
    target: IpAddr,
    identifier: u16,
    period: Duration,
    stop: &AtomicBool,
) -> Vec<Instant> {
    let target_address = SockAddr::from(SocketAddr::new(target, 0));
    let mut ticker = Ticker::for_this_thread(period, PRIORITY);
    let mut sent = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        ticker.tick();
        let packet = echo_request(target.is_ipv4(), identifier, sent.len());
        sent.push(Instant::now());
        // A neighbour that does not answer makes this fail: the ping is lost.
        let _ = socket.send_to(&packet, &target_address);
    }
    sent
}

fn receive_all(
    mut socket: Socket,
    is_ipv4: bool,
    identifier: u16,
    deaf: &AtomicBool,
) -> Vec<(usize, Instant)> {
    make_real_time(PRIORITY);
    let mut answers = Vec::new();
    let mut buffer = [0; 256];
    while !deaf.load(Ordering::Relaxed) {
        let Ok(length) = socket.read(&mut buffer) else { continue };
        let now = Instant::now();
        if let Some(number) = echo_reply(&buffer[..length], is_ipv4, identifier) {
            answers.push((number, now));
        }
    }
    answers
}

/// The number of the ping travels in the payload: a sequence number of 16 bits is short.
fn echo_request(is_ipv4: bool, identifier: u16, number: usize) -> [u8; 16] {
    let mut packet = [0; 16];
    packet[0] = if is_ipv4 { 8 } else { 128 };
    packet[4..6].copy_from_slice(&identifier.to_be_bytes());
    packet[6..8].copy_from_slice(&(number as u64).to_be_bytes()[6..8]);
    packet[8..16].copy_from_slice(&(number as u64).to_be_bytes());
    if is_ipv4 {
        let checksum = checksum(&packet);
        packet[2..4].copy_from_slice(&checksum.to_be_bytes());
    }
    packet
}

fn echo_reply(bytes: &[u8], is_ipv4: bool, identifier: u16) -> Option<usize> {
    // A raw IPv4 socket hands over the IP header too.
    let header = if is_ipv4 { usize::from(bytes.first()? & 0x0f) * 4 } else { 0 };
    let message = bytes.get(header..)?;
    let is_ours = message.first()? == &(if is_ipv4 { 0 } else { 129 })
        && message.get(4..6)? == identifier.to_be_bytes();
    let number = u64::from_be_bytes(message.get(8..16)?.try_into().ok()?);
    if is_ours { usize::try_from(number).ok() } else { None }
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}
