//! Probes against real sockets on the loopback: good servers, dead ones, hostile ones.

mod datagram;
mod exchange;
mod exec;
mod fixture;
mod http;
mod ping;
mod pool;
mod tcp;
mod tls;

use super::{STALL, timed_out};
use crate::model::{Failure, Phase};
use crate::probe::progress::Progress;
use std::time::Duration;

#[test]
fn a_time_out_that_was_noticed_much_too_late_blames_this_host() {
    let (progress, timeout) = (Progress::default(), Duration::from_secs(1));
    progress.enter(Phase::ResponseHeaders);
    progress.enter(Phase::Request);
    let in_time = timed_out(timeout + STALL, timeout, &progress);
    assert_eq!(in_time, Failure::Timeout(Phase::ResponseHeaders), "phases only go forward");
    let stalled = timed_out(Duration::from_secs(61), timeout, &progress);
    assert_eq!(stalled.reason(), "local");
}
