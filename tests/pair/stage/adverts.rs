//! The advertisements that pass the client's interface: who sends them, and when the last one came. A fault is made at a
//! chosen phase of the interval with it, the same for each program. IPv4 multicast only.

use super::{HOSTS, Stage};
use crate::world::addresses::near;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use std::io::Read;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const VRRP: i32 = 112;
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const POLL: Duration = Duration::from_millis(20);
/// Whoever waits for an advertisement is on time within a fraction of a millisecond.
const PRIORITY: u8 = 45;

/// One advertisement: when, from which director.
type Heard = (Instant, usize);

#[derive(Debug)]
pub(crate) struct Adverts {
    stop: Arc<AtomicBool>,
    heard: Arc<(Mutex<Vec<Heard>>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Adverts {
    pub(crate) fn listen(stage: &Stage) -> Self {
        let mut socket = stage.client.inside(vrrp_socket).expect("a raw socket needs root");
        let stop = Arc::new(AtomicBool::new(false));
        let heard: Arc<(Mutex<Vec<Heard>>, Condvar)> = Arc::default();
        let (stop_inside, heard_inside) = (Arc::clone(&stop), Arc::clone(&heard));
        let thread = std::thread::spawn(move || {
            super::realtime::make_real_time(PRIORITY);
            let mut buffer = [0; 512];
            while !stop_inside.load(Ordering::Relaxed) {
                let Ok(length) = socket.read(&mut buffer) else { continue };
                let Some(director) = sender(&buffer[..length]) else { continue };
                heard_inside.0.lock().expect("no panic").push((Instant::now(), director));
                heard_inside.1.notify_all();
            }
        });
        Self { stop, heard, thread: Some(thread) }
    }

    /// Waits for the next advertisement of a director; when it came.
    pub(crate) fn next_of(&self, director: usize, limit: Duration) -> Option<Instant> {
        let start = Instant::now();
        let mut heard = self.heard.0.lock().expect("no panic");
        loop {
            if let Some((at, _)) = heard.iter().rev().find(|(at, from)| *at >= start && *from == director) {
                return Some(*at);
            }
            let left = limit.checked_sub(start.elapsed())?;
            heard = self.heard.1.wait_timeout(heard, left).expect("no panic").0;
        }
    }

    /// How many advertisements a director has sent since then.
    pub(crate) fn count_since(&self, director: usize, since: Instant) -> usize {
        let heard = self.heard.0.lock().expect("no panic");
        heard.iter().filter(|(at, from)| *at >= since && *from == director).count()
    }

    /// When a director's advertisements came, between two instants.
    pub(crate) fn times_of(&self, director: usize, since: Instant, until: Instant) -> Vec<Instant> {
        let heard = self.heard.0.lock().expect("no panic");
        let times = heard.iter().filter(|(at, from)| (since..until).contains(at) && *from == director);
        times.map(|(at, _)| *at).collect()
    }

    /// How often the sender changed since then.
    pub(crate) fn changes_since(&self, since: Instant) -> usize {
        let heard = self.heard.0.lock().expect("no panic");
        let senders: Vec<usize> =
            heard.iter().filter(|(at, _)| *at >= since).map(|(_, from)| *from).collect();
        senders.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}

impl Drop for Adverts {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn vrrp_socket() -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(VRRP)))?;
    socket.join_multicast_v4_n(&GROUP, &InterfaceIndexOrAddress::Address(near(super::CLIENT_HOST).ipv4))?;
    socket.set_read_timeout(Some(POLL))?;
    Ok(socket)
}

/// The director whose address is the source of an IPv4 packet that says "I am Master": a priority of 0 says the opposite.
fn sender(packet: &[u8]) -> Option<usize> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    if *packet.get(header + 2)? == 0 {
        return None;
    }
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    HOSTS.iter().position(|host| near(*host).ipv4 == Ipv4Addr::from(source))
}
