//! Probes against real sockets on the loopback: good servers, dead ones, hostile ones.

mod agent;
mod datagram;
mod endless;
mod exchange;
mod exec;
mod file;
mod fixture;
mod grpc;
mod http;
mod http2;
mod kept;
mod ping;
mod pool;
mod redirect;
mod reports;
mod tcp;
mod tls;

use super::{Probe, Prober, STALL, TlsProfiles, timed_out};
use crate::model::{Failure, Phase, ProbeSpec};
use crate::probe::progress::Progress;
use std::time::Duration;

/// Tens of thousands may wait at the same time, each with what it remembers.
#[test]
fn a_probe_that_waits_is_small() {
    let check = fixture::check(ProbeSpec::Tcp);
    let prober = Prober::new(&check, &mut TlsProfiles::default()).expect("a check that can be made ready");
    let size = size_of_val(&prober.probe(([127, 0, 0, 1], 80).into()));
    assert!(size <= 768, "{size} bytes");
}

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
