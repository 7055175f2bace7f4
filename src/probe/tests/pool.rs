//! Many probes: bounded, timed, and none of them takes the others down.

use crate::model::{Failure, Outcome};
use crate::probe::reports::MOST_TAKEN;
use crate::probe::{LONGEST_WAIT, Pool, Probe, Report, Reports, StartRequest, Workers};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

const TIMEOUT: Duration = Duration::from_millis(100);

/// Probes by the target's port.
#[derive(Default)]
struct Fake {
    running: AtomicUsize,
    most: AtomicUsize,
}

const GOOD: u16 = 1;
const PANICS: u16 = 2;
const HANGS: u16 = 3;

impl Probe for Fake {
    async fn probe(&self, target: SocketAddr) -> Outcome {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(10)).await;
        match target.port() {
            PANICS => panic!("a bug in the probe"),
            HANGS => std::future::pending().await,
            _ => {}
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        Outcome::new(Duration::from_millis(10), Ok(()))
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }
}

fn start(pool: &Pool<usize>, prober: &Arc<Fake>, id: usize, port: u16) {
    let target = SocketAddr::from(([127, 0, 0, 1], port));
    pool.start(StartRequest { id, prober: Arc::clone(prober), target, due: Instant::now() });
}

/// The next reports, in the order of their arrival.
async fn next(reports: &Reports<usize>, count: usize) -> Vec<Report<usize>> {
    let mut taken = Vec::new();
    while taken.len() < count {
        tokio::time::timeout(Duration::from_secs(20), reports.arrived()).await.expect("in time");
        taken.extend(reports.take());
    }
    assert_eq!(taken.len(), count, "one a start");
    taken
}

#[tokio::test]
async fn every_start_is_reported_once_and_no_more_run_than_there_are_slots() {
    let (pool, reports) = Pool::new(8, None);
    let prober = Arc::new(Fake::default());
    (0..100).for_each(|id| start(&pool, &prober, id, GOOD));
    let mut seen = Vec::new();
    let mut latest = Duration::ZERO;
    for report in next(&reports, 100).await {
        assert_eq!(report.outcome.result, Ok(()));
        latest = latest.max(report.lateness);
        seen.push(report.id);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    assert_eq!(prober.most.load(Ordering::SeqCst), 8);
    assert!(latest >= Duration::from_millis(100), "waiting for a slot is lateness: {latest:?}");
}

#[tokio::test]
async fn a_panic_is_an_outcome_and_the_others_go_on() {
    let (pool, reports) = Pool::new(1, None);
    let prober = Arc::new(Fake::default());
    start(&pool, &prober, 0, PANICS);
    start(&pool, &prober, 1, GOOD);
    let results: Vec<_> = next(&reports, 2).await.into_iter().map(|report| report.outcome.result).collect();
    assert_eq!(results, [Err(Failure::Panicked), Ok(())], "the slot was given back");
}

#[tokio::test]
async fn a_prober_that_forgets_its_time_is_cut_off_and_its_wait_blames_nobody() {
    let (pool, reports) = Pool::new(1, None);
    let prober = Arc::new(Fake::default());
    start(&pool, &prober, 0, HANGS);
    start(&pool, &prober, 1, HANGS);
    start(&pool, &prober, 2, HANGS);
    let mut reasons = Vec::new();
    for report in next(&reports, 3).await {
        assert!(report.lateness < LONGEST_WAIT * 2);
        match report.outcome.result {
            Err(Failure::Local(detail)) => reasons.push(detail),
            other => panic!("{other:?}"),
        }
    }
    reasons.sort();
    let cut = "the probe did not keep its time-out";
    assert_eq!(reasons, ["no free slot for a probe", cut, cut]);
}

#[tokio::test]
async fn reports_that_nobody_takes_hold_up_no_probe_and_are_taken_in_bounded_parts() {
    let (pool, reports) = Pool::new(1_000, None);
    let prober = Arc::new(Fake::default());
    let many = MOST_TAKEN + 50;
    (0..many).for_each(|id| start(&pool, &prober, id, GOOD));
    // Each holds the prober.
    while Arc::strong_count(&prober) > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(reports.take().len(), MOST_TAKEN);
    assert_eq!(next(&reports, 50).await.len(), 50, "the rest wakes again");
}

/// Says on which thread it ran: a failure with its name.
struct Named {
    computes: bool,
}

impl Probe for Named {
    async fn probe(&self, _target: SocketAddr) -> Outcome {
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        Outcome::new(Duration::ZERO, Err(Failure::Local(name)))
    }

    fn timeout(&self) -> Duration {
        TIMEOUT
    }

    fn computes(&self) -> bool {
        self.computes
    }
}

#[tokio::test]
async fn a_probe_that_computes_runs_on_a_worker_and_another_where_it_was_started() {
    let (pool, reports) = Pool::new(8, Some(Workers::start().expect("threads")));
    let here = std::thread::current().name().unwrap_or_default().to_owned();
    for (id, computes) in [(0, true), (1, false)] {
        let target = SocketAddr::from(([127, 0, 0, 1], GOOD));
        let due = Instant::now();
        pool.start(StartRequest { id, prober: Arc::new(Named { computes }), target, due });
        let ran = if computes { "probe".to_owned() } else { here.clone() };
        let results: Vec<_> =
            next(&reports, 1).await.into_iter().map(|report| report.outcome.result).collect();
        assert_eq!(results, [Err(Failure::Local(ran))]);
    }
}
