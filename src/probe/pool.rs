//! Runs many probes at once: bounded, timed, and safe from a panic in any of them.
//!
//! Each start becomes a task of its own, which waits for a free slot, probes, and reports. There are never more tasks than
//! targets, since each target has one probe in flight at most; what is bounded here is how many of them hold a socket.
//!
//! A task runs on the thread that started it: it only waits for the network. One that keeps a processor busy, with TLS or
//! with starting a program, runs on [`Workers`], so that it delays no other.

use super::reports::{self, Outlet, Reports};
use crate::model::{Failure, Outcome};
use crate::panics;
use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

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

    /// Whether a probe does more than wait for the network: it runs on [`Workers`] then, where there are any.
    fn computes(&self) -> bool {
        false
    }
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

/// One probe that ended. Every [`StartRequest`] gets exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<I> {
    pub id: I,
    /// When it really started.
    pub started_at: Instant,
    /// From `due` to `started_at`.
    pub lateness: Duration,
    pub outcome: Outcome,
}

/// Threads for probes that compute, one a processor.
#[derive(Debug)]
pub struct Workers(Option<Runtime>);

impl Workers {
    /// Starts them.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> io::Result<Self> {
        Builder::new_multi_thread().enable_all().thread_name("probe").build().map(Some).map(Self)
    }
}

impl Drop for Workers {
    /// Without waiting: a probe that hangs must not hold up the end.
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// Runs probes. Cheap to clone.
#[derive(Debug)]
pub struct Pool<I> {
    slots: Arc<Semaphore>,
    workers: Option<Arc<Workers>>,
    reports: Outlet<I>,
}

impl<I> Clone for Pool<I> {
    fn clone(&self) -> Self {
        Self { slots: Arc::clone(&self.slots), workers: self.workers.clone(), reports: self.reports.clone() }
    }
}

impl<I> Pool<I> {
    /// Whether probes that compute have threads of their own.
    #[must_use]
    pub const fn has_workers(&self) -> bool {
        self.workers.is_some()
    }

    /// From now on probes that compute run on `workers`.
    pub fn employ(&mut self, workers: Workers) {
        self.workers = Some(Arc::new(workers));
    }
}

impl<I: Send + 'static> Pool<I> {
    /// A pool of `slots` probes at the same time and the end where its reports come out: each holds a socket, so the process
    /// needs as many file descriptors and some more. Without `workers` every probe runs where it is started.
    #[must_use]
    pub fn new(slots: usize, workers: Option<Workers>) -> (Self, Reports<I>) {
        let (outlet, reports) = reports::queue();
        let slots = Arc::new(Semaphore::new(slots));
        (Self { slots, workers: workers.map(Arc::new), reports: outlet }, reports)
    }

    /// Starts a probe and returns at once. To be called inside a tokio runtime.
    pub fn start<P: Probe>(&self, request: StartRequest<I, P>) {
        let workers = self.workers.as_ref().filter(|_| request.prober.computes());
        let workers = workers.and_then(|workers| workers.0.as_ref());
        let (slots, reports) = (Arc::clone(&self.slots), self.reports.clone());
        let work = async move { reports.put(run(&slots, request).await, Instant::now()) };
        match workers {
            Some(workers) => drop(workers.spawn(work)),
            None => drop(tokio::spawn(work)),
        }
    }
}

/// The slot is free again before the report is handed in.
async fn run<I, P: Probe>(slots: &Semaphore, request: StartRequest<I, P>) -> Report<I> {
    let slot = match slots.try_acquire() {
        Ok(free) => Some(free),
        Err(_) => timeout(LONGEST_WAIT, slots.acquire()).await.ok().and_then(Result::ok),
    };
    let started_at = Instant::now();
    let outcome = match slot {
        Some(_slot) => guarded(&*request.prober, request.target).await,
        None => failed(started_at, Failure::Local("no free slot for a probe".to_owned())),
    };
    let lateness = started_at.saturating_duration_since(request.due);
    Report { id: request.id, started_at, lateness, outcome }
}

/// One probe, of which neither a panic nor a missed time-out gets out.
async fn guarded<P: Probe>(prober: &P, target: SocketAddr) -> Outcome {
    let started = Instant::now();
    let limit = prober.timeout() + CUT_OFF_AFTER;
    let probe = pin!(prober.probe(target));
    match timeout(limit, caught(probe)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => {
            tracing::error!(%target, panic = panics::words(&*panic), "a probe panicked; this is a bug, please report it");
            failed(started, Failure::Panicked)
        }
        Err(_) => failed(started, Failure::Local("the probe did not keep its time-out".to_owned())),
    }
}

fn failed(started: Instant, failure: Failure) -> Outcome {
    Outcome::new(started.elapsed(), Err(failure))
}

/// The output of `future`, or what it panicked with. The future is dropped and never looked at again, so nothing half done
/// can be seen: that is what makes the assertion of unwind safety true. It stays where it is: handed over, it would take its
/// room twice in each task.
fn caught<F: Future>(
    mut future: Pin<&mut F>,
) -> impl Future<Output = Result<F::Output, Box<dyn Any + Send>>> {
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
}
