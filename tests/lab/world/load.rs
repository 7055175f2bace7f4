//! A steady load of new connections, made by threads in a client's namespace. It notes the time of each failure, so that a
//! case can say how long and how badly clients suffered.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::http;
use super::namespace::Namespace;

const ANSWER_SECONDS: u32 = 3;
const ANSWER_LIMIT: Duration = Duration::from_secs(ANSWER_SECONDS as u64);
/// Requests that may be under way at once, beside those that hang.
const WORKERS: u32 = 32;

/// Half of all requests may hang (one server of two is silent), and the load still goes on at its pace; when more hang,
/// later ones are late, which the report shows.
const fn workers(per_second: u32) -> u32 {
    WORKERS + per_second * ANSWER_SECONDS / 2
}

/// What became of one request. Times count from the start of the load.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    pub(crate) result: Result<String, String>,
}

/// A load that runs until `finish`.
#[derive(Debug)]
pub(crate) struct Load {
    start: Instant,
    stop: Sender<()>,
    pacer: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Load {
    /// Asks for `path` at `target`, `per_second` times a second, each time on a new connection.
    pub(crate) fn start(client: &Namespace, target: SocketAddr, path: &'static str, per_second: u32) -> Self {
        let start = Instant::now();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (ticks, due) = channel();
        let due = Arc::new(Mutex::new(due));
        let workers = (0..workers(per_second))
            .map(|_| {
                let (enter, due, requests) = (client.entrance(), Arc::clone(&due), Arc::clone(&requests));
                thread::spawn(move || {
                    enter();
                    work(start, target, path, &due, &requests);
                })
            })
            .collect();
        let (stop, stopped) = channel();
        let pacer = thread::spawn(move || pace(start, Duration::from_secs(1) / per_second, &ticks, &stopped));
        Self { start, stop, pacer, workers, requests }
    }

    /// Time since the start, to compare with the times in the report.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// How many have been answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.requests.lock().expect("no panic").iter().filter(|request| request.result.is_ok()).count()
    }

    /// Ends the load, waits for the last answers and reports.
    pub(crate) fn finish(self) -> Report {
        drop(self.stop);
        self.pacer.join().expect("the pacer ended well");
        for worker in self.workers {
            worker.join().expect("a worker ended well");
        }
        let mut requests = std::mem::take(&mut *self.requests.lock().expect("no panic"));
        requests.sort_by_key(|request| request.at);
        Report { requests }
    }
}

/// Sends one tick a period, by the clock and not by the last tick, so that lateness doesn't add up.
fn pace(start: Instant, period: Duration, ticks: &Sender<()>, stopped: &Receiver<()>) {
    let mut next = start;
    loop {
        next += period;
        match stopped.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Err(RecvTimeoutError::Timeout) if ticks.send(()).is_ok() => {}
            _ => return,
        }
    }
}

/// One tick, one request, until there are no more ticks.
fn work(
    start: Instant,
    target: SocketAddr,
    path: &str,
    due: &Mutex<Receiver<()>>,
    requests: &Mutex<Vec<Request>>,
) {
    loop {
        let tick = due.lock().expect("no panic").recv();
        if tick.is_err() {
            return;
        }
        let at = start.elapsed();
        let result = match http::get(target, path, ANSWER_LIMIT) {
            Ok(response) if response.status == 200 => Ok(response.body),
            Ok(response) => Err(format!("status {}", response.status)),
            Err(error) => Err(error.to_string()),
        };
        let took = start.elapsed() - at;
        requests.lock().expect("no panic").push(Request { at, took, result });
    }
}

/// All requests of a load, by the time when they began.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) requests: Vec<Request>,
}

impl Report {
    pub(crate) fn failures(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(|request| request.result.is_err())
    }

    /// How many answers had this body.
    pub(crate) fn answers(&self, body: &str) -> usize {
        self.requests.iter().filter(|request| request.result.as_deref() == Ok(body)).count()
    }

    /// The time from the beginning of the first failed request to that of the last.
    pub(crate) fn suffering(&self) -> Option<(Duration, Duration)> {
        Some((self.failures().next()?.at, self.failures().last()?.at))
    }

    #[track_caller]
    pub(crate) fn assert_no_failure(&self) {
        let failures: Vec<_> = self.failures().take(5).collect();
        assert!(
            failures.is_empty(),
            "{} of {} failed: {failures:#?} ...",
            self.failures().count(),
            self.requests.len()
        );
    }
}
