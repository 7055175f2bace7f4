//! Who holds the VIP, read from the interfaces of both directors every few milliseconds: one thread a director, which
//! records each change. An address on an interface without a carrier does not count: FRR keeps its addresses for ever and
//! takes the carrier away (protodown), and nobody reaches a director whose cable is pulled.

use super::Stage;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// When an answer changed, and to what.
type Changes = Arc<Mutex<Vec<(Instant, bool)>>>;

#[derive(Debug)]
pub(crate) struct Holders {
    stop: Arc<AtomicBool>,
    changes: [Changes; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Holders {
    /// Looks every `period`.
    pub(crate) fn watch(stage: &Stage, address: IpAddr, period: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let changes: [Changes; 2] = Default::default();
        let threads = stage.directors.iter().zip(&changes).map(|(director, changes)| {
            let (stop, changes, enter) = (Arc::clone(&stop), Arc::clone(changes), director.entrance());
            std::thread::spawn(move || {
                enter();
                watch_one(address, period, &stop, &changes);
            })
        });
        let threads = threads.collect();
        Self { stop, changes, threads }
    }

    /// Whether a director holds it now.
    pub(crate) fn holds(&self, director: usize) -> bool {
        self.changes[director].lock().expect("no panic").last().is_some_and(|(_, held)| *held)
    }

    /// The only holder, if there is exactly one.
    pub(crate) fn only_holder(&self) -> Option<usize> {
        match [0, 1].map(|director| self.holds(director)) {
            [true, false] => Some(0),
            [false, true] => Some(1),
            [true, true] | [false, false] => None,
        }
    }

    /// How often a director has taken it since then.
    pub(crate) fn takings_since(&self, director: usize, since: Instant) -> usize {
        let changes = self.changes[director].lock().expect("no panic");
        changes.iter().filter(|(at, held)| *held && *at >= since).count()
    }

    /// For how long since then both held it, and whether they still do.
    pub(crate) fn both_since(&self, since: Instant) -> (Duration, bool) {
        let mut events: Vec<(Instant, usize, bool)> = Vec::new();
        for (director, changes) in self.changes.iter().enumerate() {
            events.extend(changes.lock().expect("no panic").iter().map(|(at, held)| (*at, director, *held)));
        }
        events.sort();
        let (mut held, mut total, mut both_from) = ([false; 2], Duration::ZERO, None);
        for (at, director, now_held) in events {
            held[director] = now_held;
            if held == [true, true] {
                both_from.get_or_insert(at.max(since));
            } else if let Some(from) = both_from.take() {
                total += at.saturating_duration_since(from);
            }
        }
        let still = both_from.map(|from| from.elapsed());
        (total + still.unwrap_or_default(), still.is_some())
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn watch_one(address: IpAddr, period: Duration, stop: &AtomicBool, changes: &Mutex<Vec<(Instant, bool)>>) {
    let mut last = None;
    while !stop.load(Ordering::Relaxed) {
        let held = is_held(address);
        if last != Some(held) {
            changes.lock().expect("no panic").push((Instant::now(), held));
            last = Some(held);
        }
        std::thread::sleep(period);
    }
}

/// Whether an interface of the calling thread's namespace that works has the address.
fn is_held(address: IpAddr) -> bool {
    let Ok(mut list) = getifaddrs() else { return false };
    list.any(|entry| {
        let found = entry.address.is_some_and(|storage| {
            let ipv4 = storage.as_sockaddr_in().map(|socket| IpAddr::V4(socket.ip()));
            let ipv6 = storage.as_sockaddr_in6().map(|socket| IpAddr::V6(socket.ip()));
            ipv4.or(ipv6) == Some(address)
        });
        found && entry.flags.contains(InterfaceFlags::IFF_RUNNING)
    })
}
