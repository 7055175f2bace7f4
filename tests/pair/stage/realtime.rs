//! Real-time threads that keep a period without drift: what they measure is not their own lateness.
//!
//! The scheduling policy is set by `chrt` from util-linux, so that no test needs an unsafe call. Where that is not
//! permitted the thread runs on as it is, and [`Ticker::is_real_time`] says so.

use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use nix::unistd::gettid;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Wakes its thread at whole multiples of a period.
#[derive(Debug)]
pub(crate) struct Ticker {
    /// Nanoseconds of the monotonic clock.
    next: i64,
    period: i64,
    real_time: bool,
}

impl Ticker {
    /// Makes the calling thread a real-time thread of this priority (1..=99). The first tick is one period from now.
    pub(crate) fn for_this_thread(period: Duration, priority: u8) -> Self {
        let real_time = make_real_time(priority);
        let period = i64::try_from(period.as_nanos()).expect("a short period");
        Self { next: now() + period, period, real_time }
    }

    pub(crate) fn is_real_time(&self) -> bool {
        self.real_time
    }

    /// Sleeps until the next tick, and says how late it woke. Ticks that were slept through are left out.
    pub(crate) fn tick(&mut self) -> Duration {
        let until = TimeSpec::nanoseconds(self.next);
        // Interrupted by a signal: sleep on.
        while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &until).is_err() {
        }
        let late = now() - self.next;
        self.next += self.period * (1 + late / self.period);
        Duration::from_nanos(u64::try_from(late).unwrap_or_default())
    }
}

/// Whether the calling thread now has a real-time policy.
pub(crate) fn make_real_time(priority: u8) -> bool {
    let mut chrt = Command::new("chrt");
    chrt.args(["--fifo", "--pid", &priority.to_string(), &gettid().to_string()]);
    chrt.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    chrt.status().is_ok_and(|status| status.success())
}

fn now() -> i64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the monotonic clock").num_nanoseconds()
}
