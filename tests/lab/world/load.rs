//! A steady load of new connections, made by one thread in a client's namespace: a task each, so that any number may hang
//! and the pace is kept. It notes the time of each failure, so that a case can say how long and how badly clients suffered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{interval_at, timeout};

use super::http;
use super::namespace::Namespace;

const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// What takes longer has lost a packet: the first one is sent again after a second, a later one after 0.2 s and a bit.
const LATE: Duration = Duration::from_millis(500);

/// What became of one request. Times count from the start of the load.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) at: Duration,
    pub(crate) took: Duration,
    pub(crate) result: Result<String, String>,
}

/// What a load asks for, and the place of its results.
#[derive(Debug, Clone)]
struct Asking {
    start: Instant,
    target: SocketAddr,
    path: &'static str,
    requests: Arc<Mutex<Vec<Request>>>,
}

/// A load that runs until `finish`.
#[derive(Debug)]
pub(crate) struct Load {
    asking: Asking,
    /// Dropped, it ends the load.
    stop: Option<oneshot::Sender<()>>,
    thread: JoinHandle<()>,
}

impl Load {
    /// Asks for `path` at `target`, `per_second` times a second, each time on a new connection.
    pub(crate) fn start(client: &Namespace, target: SocketAddr, path: &'static str, per_second: u32) -> Self {
        let asking = Asking { start: Instant::now(), target, path, requests: Arc::default() };
        let (stop, stopped) = oneshot::channel();
        let (enter, asks) = (client.entrance(), asking.clone());
        let thread = thread::spawn(move || {
            enter();
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(asks.steadily(Duration::from_secs(1) / per_second, stopped));
        });
        Self { asking, stop: Some(stop), thread }
    }

    /// Time since the start, to compare with the times in the report.
    pub(crate) fn elapsed(&self) -> Duration {
        self.asking.start.elapsed()
    }

    /// How many have been answered so far.
    pub(crate) fn answered(&self) -> usize {
        let requests = self.asking.requests.lock().expect("no panic");
        requests.iter().filter(|request| request.result.is_ok()).count()
    }

    /// Makes no more requests. The last answers are waited for by `finish`.
    pub(crate) fn end(&mut self) {
        self.stop = None;
    }

    /// Ends the load, waits for the last answers and reports.
    pub(crate) fn finish(mut self) -> Report {
        self.end();
        self.thread.join().expect("the load ended well");
        let mut requests = std::mem::take(&mut *self.asking.requests.lock().expect("no panic"));
        requests.sort_by_key(|request| request.at);
        Report { requests }
    }
}

impl Asking {
    /// One request a period, by the clock and not by the last one, so that lateness doesn't add up.
    async fn steadily(self, period: Duration, mut stopped: oneshot::Receiver<()>) {
        let mut ticks = interval_at(self.start.into(), period);
        let mut under_way = JoinSet::new();
        loop {
            tokio::select! {
                _ = &mut stopped => break,
                _ = ticks.tick() => {
                    under_way.spawn(self.clone().once());
                }
                Some(_) = under_way.join_next() => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    async fn once(self) {
        let at = self.start.elapsed();
        let result = match timeout(ANSWER_LIMIT, http::get_as_task(self.target, self.path)).await {
            Ok(Ok(response)) if response.status == 200 => Ok(response.body),
            Ok(Ok(response)) => Err(format!("status {}", response.status)),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        let took = self.start.elapsed() - at;
        self.requests.lock().expect("no panic").push(Request { at, took, result });
    }
}

/// What clients lived through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) connections: usize,
    /// Refused, reset or not answered in 3 s.
    pub(crate) failed: usize,
    /// Answered, but a packet had to be sent again.
    pub(crate) late: usize,
    /// The longest time without a success: between the beginnings of two consecutive connections that were neither failed
    /// nor late, less the period; 0 if all were neither.
    pub(crate) blackout: Duration,
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

    /// What the clients lived through from then on, in a load of this period.
    pub(crate) fn account(&self, from: Duration, period: Duration) -> Account {
        let requests = || self.requests.iter().filter(move |request| request.at >= from);
        let failed = requests().filter(|request| request.result.is_err()).count();
        let late = requests().filter(|request| request.result.is_ok() && request.took > LATE).count();
        let good = requests().filter(|request| request.result.is_ok() && request.took <= LATE);
        let end = requests().next_back().map_or(from, |request| request.at);
        let times: Vec<Duration> =
            [from].into_iter().chain(good.map(|request| request.at)).chain([end]).collect();
        let longest = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).max().unwrap_or_default();
        let blackout = if failed + late == 0 { Duration::ZERO } else { longest.saturating_sub(period) };
        Account { connections: requests().count(), failed, late, blackout }
    }

    /// Those that failed or were late, in words; times count from then on.
    pub(crate) fn troubled(&self, from: Duration) -> impl Iterator<Item = String> {
        let troubled =
            move |request: &&Request| request.at >= from && (request.result.is_err() || request.took > LATE);
        self.requests.iter().filter(troubled).map(move |request| {
            let (began, took) = (request.at.saturating_sub(from).as_millis(), request.took.as_millis());
            let reason = request.result.as_ref().err().map_or("late", String::as_str);
            format!("{began} ms: {reason} after {took} ms")
        })
    }

    /// Why requests failed from then on: each reason with its count.
    pub(crate) fn reasons(&self, from: Duration) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        let failed = self.failures().filter(|request| request.at >= from);
        for reason in failed.filter_map(|request| request.result.as_ref().err()) {
            *reasons.entry(reason.clone()).or_default() += 1;
        }
        reasons
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
