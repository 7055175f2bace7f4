//! Which floating addresses each director's interfaces hold, looked at every few milliseconds: one thread a director, which
//! records each change. An address counts whether or not its cable is in.

use super::namespace::Namespace;
use super::site::{FLOATING, floating};
use nix::ifaddrs::getifaddrs;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(8);

/// When the held addresses changed, and to which.
type Changes = Arc<Mutex<Vec<(Instant, BTreeSet<IpAddr>)>>>;

#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    changes: [Changes; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn start(directors: &[Namespace; 2]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let changes: [Changes; 2] = Default::default();
        let look = |(director, changes): (&Namespace, &Changes)| {
            let (stop, changes, enter) = (Arc::clone(&stop), Arc::clone(changes), director.entrance());
            std::thread::spawn(move || {
                enter();
                watch_one(&stop, &changes);
            })
        };
        let threads = directors.iter().zip(&changes).map(look).collect();
        Self { stop, changes, threads }
    }

    /// What a director holds now.
    pub(crate) fn held(&self, director: usize) -> BTreeSet<IpAddr> {
        let changes = self.changes[director].lock().expect("no panic");
        changes.last().map(|(_, held)| held.clone()).unwrap_or_default()
    }

    /// The director that holds every address, if the other holds none.
    pub(crate) fn only_holder(&self) -> Option<usize> {
        match [0, 1].map(|director| self.held(director).len()) {
            [FLOATING, 0] => Some(0),
            [0, FLOATING] => Some(1),
            _ => None,
        }
    }

    /// For how long since then an address stood on both directors at once: the longest time without a break.
    pub(crate) fn longest_both(&self, since: Instant) -> Duration {
        let now = Instant::now();
        let mut longest = Duration::ZERO;
        let mut held = [BTreeSet::new(), BTreeSet::new()];
        let mut from = None;
        for (at, director, now_held) in self.events() {
            held[director] = now_held;
            if held[0].is_disjoint(&held[1]) {
                let begun: Option<Instant> = from.take();
                longest =
                    longest.max(begun.map_or(Duration::ZERO, |begun| at.saturating_duration_since(begun)));
            } else {
                from.get_or_insert(at.max(since));
            }
        }
        longest.max(from.map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun)))
    }

    /// When a director held none of them for the first time since then.
    pub(crate) fn emptied(&self, director: usize, since: Instant) -> Option<Instant> {
        let changes = self.changes[director].lock().expect("no panic");
        changes.iter().find(|(at, held)| *at >= since && held.is_empty()).map(|(at, _)| *at)
    }

    /// How often a director has begun to hold addresses since then.
    pub(crate) fn takings(&self, director: usize, since: Instant) -> usize {
        let changes = self.changes[director].lock().expect("no panic");
        let begins = |pair: &[(Instant, BTreeSet<IpAddr>)]| {
            pair[1].0 >= since && pair[0].1.is_empty() && !pair[1].1.is_empty()
        };
        changes.windows(2).filter(|pair| begins(pair)).count()
    }

    fn events(&self) -> Vec<(Instant, usize, BTreeSet<IpAddr>)> {
        let mut events = Vec::new();
        for (director, changes) in self.changes.iter().enumerate() {
            let changes = changes.lock().expect("no panic");
            events.extend(changes.iter().map(|(at, held)| (*at, director, held.clone())));
        }
        events.sort();
        events
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn watch_one(stop: &AtomicBool, changes: &Mutex<Vec<(Instant, BTreeSet<IpAddr>)>>) {
    let wanted: BTreeSet<IpAddr> = floating().into_iter().collect();
    let mut last = None;
    while !stop.load(Ordering::Relaxed) {
        let found = held().intersection(&wanted).copied().collect::<BTreeSet<_>>();
        if last.as_ref() != Some(&found) {
            changes.lock().expect("no panic").push((Instant::now(), found.clone()));
            last = Some(found);
        }
        sleep(LOOK_EVERY);
    }
}

/// All IPv4 addresses of the calling thread's namespace.
fn held() -> BTreeSet<IpAddr> {
    let list = getifaddrs().into_iter().flatten();
    list.filter_map(|entry| Some(IpAddr::V4(entry.address?.as_sockaddr_in()?.ip()))).collect()
}
