//! Who is woken for a report, and who takes it along.

use crate::health::schedule::BEAT;
use crate::model::{Failure, Outcome};
use crate::probe::Report;
use crate::probe::reports::{Outlet, Reports, queue};
use std::time::Duration;
use tokio::time::Instant;

const LONG: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(10);

fn put(outlet: &Outlet<u32>, now: Instant, id: u32, result: Result<(), Failure>) {
    let outcome = Outcome::new(Duration::ZERO, result);
    outlet.put(Report { id, started_at: now, lateness: Duration::ZERO, outcome }, now);
}

/// Whether the loop is woken.
async fn wakes(reports: &Reports<u32>) -> bool {
    tokio::time::timeout(Duration::ZERO, reports.arrived()).await.is_ok()
}

fn taken(reports: &Reports<u32>) -> Vec<u32> {
    reports.take().into_iter().map(|report| report.id).collect()
}

#[tokio::test]
async fn one_that_passed_goes_along_with_a_turn_that_comes_soon() {
    let ((outlet, reports), now) = (queue(), Instant::now());
    assert_eq!(reports.sleep_until(now + SOON, now), now + SOON);
    (1..4).for_each(|id| put(&outlet, now, id, Ok(())));
    assert!(!wakes(&reports).await);
    assert_eq!(taken(&reports), [1, 2, 3]);
    assert!(taken(&reports).is_empty());
}

#[tokio::test]
async fn one_that_passed_wakes_who_would_sleep_longer_than_a_beat_or_is_awake() {
    let ((outlet, reports), now) = (queue(), Instant::now());
    put(&outlet, now + SOON, 1, Ok(()));
    assert!(wakes(&reports).await, "it has not said when it looks");
    assert_eq!(taken(&reports), [1]);
    let _ = reports.sleep_until(now + BEAT * 2, now);
    put(&outlet, now + SOON, 2, Ok(()));
    assert!(wakes(&reports).await, "it sleeps long");
    assert_eq!(taken(&reports), [2]);
    let _ = reports.sleep_until(now + SOON, now);
    put(&outlet, now + SOON * 2, 3, Ok(()));
    assert!(wakes(&reports).await, "it is awake, and may have taken what there was");
}

#[tokio::test]
async fn one_that_failed_always_wakes() {
    let ((outlet, reports), now) = (queue(), Instant::now());
    let _ = reports.sleep_until(now + SOON, now);
    put(&outlet, now, 1, Ok(()));
    put(&outlet, now, 2, Err(Failure::ConnectionRefused));
    assert!(wakes(&reports).await);
    assert_eq!(taken(&reports), [1, 2]);
}

#[tokio::test]
async fn what_came_before_it_sleeps_is_looked_at_within_a_beat() {
    let ((outlet, reports), now) = (queue(), Instant::now());
    let _ = reports.sleep_until(now + SOON, now);
    // From another thread, between the last look and the sleep.
    put(&outlet, now, 1, Ok(()));
    assert_eq!(reports.sleep_until(now + LONG, now), now + BEAT);
    assert_eq!(reports.sleep_until(now + SOON, now), now + SOON);
    assert_eq!(taken(&reports), [1]);
    assert_eq!(reports.sleep_until(now + LONG, now), now + LONG);
}
