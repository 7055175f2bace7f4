//! Runs many probes at once: bounded, timed, and safe from a panic in any of them.
//!
//! Each start becomes a task of its own, which waits for a free slot, probes, and reports. There are never more tasks than
//! targets, since each target has one probe in flight at most; what is bounded here is how many of them hold a socket.

use crate::model::{Failure, Outcome};
use std::any::Any;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout};

/// Probes that hold a socket at the same time, at most. The process needs as many file descriptors and some more.
pub const MOST_IN_FLIGHT: usize = 4096;

/// Reports that wait for the director, at most; further ones wait in their tasks.
pub const REPORT_QUEUE: usize = 1024;

/// A probe that finds no free slot within this time is not made. Below [`crate::health::LOST_AFTER`], so that the machine
/// hears of it before it gives the probe up.
pub const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How much longer than its time-out a probe may run before it is cut off here. A prober keeps its time itself; this is for
/// one that doesn't.
const CUT_OFF_AFTER: Duration = Duration::from_millis(500);

/// Something that probes: a [`super::Prober`], or a stand-in of a test.
pub trait Probe: Send + Sync + 'static {
    /// Probes `target` once. Ends within [`Probe::timeout`].
    fn probe(&self, target: SocketAddr) -> impl Future<Output = Outcome> + Send;

    /// Bounds a probe.
    fn timeout(&self) -> Duration;
}

/// One probe to be made.
#[derive(Debug)]
pub struct StartRequest<I, P> {
    /// Comes back in the [`Report`].
    pub id: I,
    pub prober: Arc<P>,
    pub target: SocketAddr,
    /// When it should start: now, or a little ago.
    pub due: Instant,
}

/// One probe that ended. Every [`StartRequest`] gets exactly one, or none when the pool's receiver is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<I> {
    pub id: I,
    /// When it really started.
    pub started_at: Instant,
    /// From `due` to `started_at`.
    pub lateness: Duration,
    pub outcome: Outcome,
}

/// Runs probes. Cheap to clone.
#[derive(Debug)]
pub struct Pool<I> {
    slots: Arc<Semaphore>,
    reports: mpsc::Sender<Report<I>>,
}

impl<I> Clone for Pool<I> {
    fn clone(&self) -> Self {
        Self { slots: Arc::clone(&self.slots), reports: self.reports.clone() }
    }
}

impl<I: Send + 'static> Pool<I> {
    /// A pool of `slots` probes at the same time (usually [`MOST_IN_FLIGHT`]) and the end where its reports come out.
    #[must_use]
    pub fn new(slots: usize) -> (Self, mpsc::Receiver<Report<I>>) {
        let (reports, receiver) = mpsc::channel(REPORT_QUEUE);
        (Self { slots: Arc::new(Semaphore::new(slots)), reports }, receiver)
    }

    /// Starts a probe and returns at once. To be called inside a tokio runtime.
    pub fn start<P: Probe>(&self, request: StartRequest<I, P>) {
        let pool = self.clone();
        tokio::spawn(async move {
            let report = pool.run(request).await;
            // Nobody listens any more when the director stops.
            let _ = pool.reports.send(report).await;
        });
    }

    /// The slot is free again before the report is sent: a director that is slow to listen holds up no probe.
    async fn run<P: Probe>(&self, request: StartRequest<I, P>) -> Report<I> {
        let slot = timeout(LONGEST_WAIT, self.slots.acquire()).await;
        let started_at = Instant::now();
        let outcome = match slot {
            Ok(Ok(_slot)) => guarded(&*request.prober, request.target).await,
            Ok(Err(_)) | Err(_) => failed(started_at, Failure::Local("no free slot for a probe".to_owned())),
        };
        let lateness = started_at.saturating_duration_since(request.due);
        Report { id: request.id, started_at, lateness, outcome }
    }
}

/// One probe, of which neither a panic nor a missed time-out gets out.
async fn guarded<P: Probe>(prober: &P, target: SocketAddr) -> Outcome {
    let started = Instant::now();
    let limit = prober.timeout() + CUT_OFF_AFTER;
    match timeout(limit, caught(prober.probe(target))).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => {
            tracing::error!(%target, panic = words(&*panic), "a probe panicked; this is a bug, please report it");
            failed(started, Failure::Panicked)
        }
        Err(_) => failed(started, Failure::Local("the probe did not keep its time-out".to_owned())),
    }
}

fn failed(started: Instant, failure: Failure) -> Outcome {
    Outcome::new(started.elapsed(), Err(failure))
}

/// The output of `future`, or what it panicked with. The future is dropped and never looked at again, so nothing half done
/// can be seen: that is what makes the assertion of unwind safety true.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
