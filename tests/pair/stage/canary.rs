//! The canary: a bare real-time sleeper, which records how late the machine itself was. Nothing that runs beside it can be
//! blamed for that, and nothing can be on time when it was not.

use super::realtime::Ticker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Below the pinger's, whose period it shares.
const PRIORITY: u8 = 40;
/// Less is the ordinary course of a wake-up.
const WORTH_KEEPING: Duration = Duration::from_micros(200);

#[derive(Debug)]
pub(crate) struct Canary {
    stop: Arc<AtomicBool>,
    late: Arc<Mutex<Vec<(Instant, Duration)>>>,
    thread: Option<JoinHandle<bool>>,
}

impl Canary {
    pub(crate) fn start(period: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let late = Arc::new(Mutex::new(Vec::new()));
        let (stop_inside, late_inside) = (Arc::clone(&stop), Arc::clone(&late));
        let thread = std::thread::spawn(move || {
            let mut ticker = Ticker::for_this_thread(period, PRIORITY);
            while !stop_inside.load(Ordering::Relaxed) {
                let lateness = ticker.tick();
                if lateness >= WORTH_KEEPING {
                    late_inside.lock().expect("no panic").push((Instant::now(), lateness));
                }
            }
            ticker.is_real_time()
        });
        Self { stop, late, thread: Some(thread) }
    }

    /// The worst lateness since then.
    pub(crate) fn worst_since(&self, since: Instant) -> Duration {
        let late = self.late.lock().expect("no panic");
        late.iter().filter(|(at, _)| *at >= since).map(|(_, lateness)| *lateness).max().unwrap_or_default()
    }

    /// Ends it; whether it ran with a real-time policy.
    pub(crate) fn finish(mut self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().is_some_and(|thread| thread.join().expect("the canary"))
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
