//! The pair on a real kernel, with `conf/pair.yaml` as it is shipped: in each kind of takeover every pool goes on serving,
//! every address is where it should be, and open connections live on.
//!
//! What is said of times here has room for an emulated machine, which is slow and now and then stands still; each case prints
//! what it measured. `tests/lab/run bench pools` measures more closely.
//!
//! The two directors share one kernel, so what one forgets (`ipvsadm -C`) is only its namespace's part.

mod connections;
mod fitness;
mod serving;
mod survivor;
mod upgrade;

use crate::world::http;
use crate::world::pair::Pair;
use crate::world::site::{POOLS, Site};
use crate::world::wait::until;
use std::time::{Duration, Instant};

/// From a fault to an answer through every pool: 344 ms and what the machine takes.
const SERVES_WITHIN: Duration = Duration::from_secs(3);
/// Until a director that starts, or is plugged in again, is Master.
const RETURN_LIMIT: Duration = Duration::from_secs(40);
/// The lifetime of an address and a second for the kernel to take it, and one to see it in a slow machine.
const GONE_WITHIN: Duration = Duration::from_millis(4000 + 1000);
/// A connection that is not there by then is tried again.
const ATTEMPT: Duration = Duration::from_millis(250);

/// Waits until every pool answers; prints and returns how long that took since the fault.
#[track_caller]
fn serves_within(site: &Site, what: &str, since: Instant, limit: Duration) -> Duration {
    let mut line = format!("{what}:");
    for pool in POOLS {
        until(&format!("answer through {pool} after {what}"), limit, || {
            site.client.inside(|| http::get(pool.service(), "/", ATTEMPT))
        });
        line += &format!(" {pool} {:.0?}", since.elapsed());
    }
    println!("{line}");
    for pool in POOLS {
        let answer = site.curl(pool).unwrap_or_else(|error| panic!("{pool} after {what}: {error}"));
        assert!(answer.starts_with("hello 192.168.101."), "{pool} after {what}: {answer}");
    }
    since.elapsed()
}

/// A fault: the other director has everything soon, every pool serves, and no address stood on both for too long.
#[track_caller]
fn takes_over(
    site: &Site,
    pair: &Pair<'_>,
    what: &str,
    director: usize,
    limit: Duration,
    fault: impl FnOnce(),
) {
    let start = Instant::now();
    fault();
    let held = pair.wait_until_holds(director, limit);
    serves_within(site, what, start, SERVES_WITHIN);
    pair.wait_for_holder(director, GONE_WITHIN);
    let both = pair.watch.longest_both(start);
    println!("{what}: all addresses after {:.0?}, on both for {both:.0?}", held - start);
    assert!(both <= GONE_WITHIN, "{what}: an address stood on both for {both:?}");
}
