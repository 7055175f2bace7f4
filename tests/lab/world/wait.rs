//! Waiting, always for something: a condition is polled until it holds or its time is up. No case sleeps and hopes.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

const POLL_EVERY: Duration = Duration::from_millis(20);

/// Tries until it succeeds and hands back what it got. Panics with the last error when `limit` has passed.
#[track_caller]
pub(crate) fn until<T, E: Display>(
    what: &str,
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(error) if start.elapsed() >= limit => panic!("no {what} within {limit:?}: {error}"),
            Err(_) => thread::sleep(POLL_EVERY),
        }
    }
}

/// The same for a condition that has no more to say than yes or no.
#[track_caller]
pub(crate) fn until_true(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    until(what, limit, || if condition() { Ok(()) } else { Err("it is not so") });
}

/// Asserts that something stays true for the whole time.
#[track_caller]
pub(crate) fn stays<E: Display>(what: &str, time: Duration, mut check: impl FnMut() -> Result<(), E>) {
    let start = Instant::now();
    while start.elapsed() < time {
        if let Err(error) = check() {
            panic!("{what} ended after {:?}: {error}", start.elapsed());
        }
        thread::sleep(POLL_EVERY);
    }
}
