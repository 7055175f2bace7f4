//! Time for the advert thread (shell): a clock, a wait to the nanosecond, real-time priority and locked memory where they
//! are permitted. What is refused is a warning that says what to do: the thread works without, only later at times.

use crate::kernel::sys;
use crate::time::Instant;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// Descriptors in one wait.
pub const DESCRIPTORS_MAX: usize = 16;
/// Above threads of ordinary real-time priority, below the kernel's own interrupt threads (50) and watchdogs (99).
pub const ADVERT_PRIORITY: u8 = 40;
/// The thread that holds the addresses comes right behind.
pub const ADDRESS_PRIORITY: u8 = 39;
/// Looks at the two clocks for one answer.
const SUSPENSION_READINGS: usize = 3;
/// Less is the reading, not a suspension, of which none is so short.
const SUSPENSION_LEAST: Duration = Duration::from_millis(20);
/// `RLIMIT_RTTIME` below this can kill a busy moment: microseconds of real-time work without a single wait.
const REALTIME_MICROS_MIN: u64 = 200_000;
/// `CAP_IPC_LOCK`, its bit in `CapEff`.
const CAP_IPC_LOCK: u32 = 14;

/// Counts from its start, by the clock that no one steps (`CLOCK_MONOTONIC`). Copies count alike.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a shell reads the clock")]
        Self::since(std::time::Instant::now())
    }

    /// A clock that began then: another loop's beginning (`tokio::time::Instant::into_std`), so that both tell the same time.
    #[must_use]
    pub const fn since(start: std::time::Instant) -> Self {
        Self { start }
    }

    #[must_use]
    pub fn now(self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }
}

/// How long this host has been suspended since it booted (`CLOCK_BOOTTIME` less `CLOCK_MONOTONIC`): what it grows between
/// two looks is time that [`Clock`] did not see. The one that goes on is read first, so whatever comes between the two makes
/// it less, never more; the greatest of several readings is right to microseconds.
#[must_use]
pub fn suspended() -> Duration {
    let read = |clock| clock_gettime(clock).map(Duration::from).unwrap_or_default();
    let reading = || {
        let boot_time = read(ClockId::CLOCK_BOOTTIME);
        boot_time.saturating_sub(read(ClockId::CLOCK_MONOTONIC))
    };
    (0..SUSPENSION_READINGS).map(|_| reading()).max().unwrap_or_default()
}

/// Finds suspensions, by looking again and again.
#[derive(Clone, Copy, Debug)]
pub struct Suspension {
    known: Duration,
}

impl Suspension {
    /// From now on.
    #[must_use]
    pub fn watch() -> Self {
        Self { known: suspended() }
    }

    /// How long the host has slept since it was last asked; `None`: not at all.
    pub fn since_last(&mut self) -> Option<Duration> {
        self.grown(suspended())
    }

    fn grown(&mut self, suspended: Duration) -> Option<Duration> {
        let slept = suspended.saturating_sub(self.known);
        (slept >= SUSPENSION_LEAST).then(|| {
            self.known = suspended;
            slept
        })
    }
}

/// Which of the descriptors of a wait are readable (or in trouble, which reading tells of).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ready(u32);

impl Ready {
    /// By its place in the wait.
    #[must_use]
    pub const fn has(self, place: usize) -> bool {
        place < DESCRIPTORS_MAX && self.0 & (1 << place) != 0
    }

    /// None: the deadline came, or a signal.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Waits until one of the descriptors is readable or the deadline is there; without a deadline for ever. A signal ends it
/// early. Of more than [`DESCRIPTORS_MAX`] descriptors the rest is not waited for.
///
/// # Errors
/// When the kernel refuses the wait (no memory for it): the caller must not spin on that.
pub fn wait(clock: Clock, descriptors: &[BorrowedFd<'_>], deadline: Option<Instant>) -> io::Result<Ready> {
    let Some(any) = descriptors.first() else {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    };
    let mut polled: [PollFd<'_>; DESCRIPTORS_MAX] =
        std::array::from_fn(|place| PollFd::new(*descriptors.get(place).unwrap_or(any), PollFlags::POLLIN));
    let count = descriptors.len().min(DESCRIPTORS_MAX);
    let timeout = deadline.map(|deadline| TimeSpec::from(deadline.saturating_since(clock.now())));
    match ppoll(&mut polled[..count], timeout, None) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(Ready::default()),
        Err(errno) => return Err(errno.into()),
    }
    let is_ready = |polled: &PollFd<'_>| polled.revents().is_some_and(|events| !events.is_empty());
    let ready = polled[..count].iter().enumerate().filter(|(_, polled)| is_ready(polled));
    Ok(Ready(ready.fold(0, |bits, (place, _)| bits | 1 << place)))
}

/// Gives the calling thread real-time priority (1..=99) and the finest timers; returns what was refused, in sentences.
#[must_use]
pub fn prefer_this_thread(priority: u8) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Err(errno) = nix::sys::prctl::set_timerslack(1) {
        warnings.push(format!("timers stay rounded to 50 µs: {errno}"));
    }
    raise_soft_limit(priority);
    match sys::set_realtime(priority) {
        Ok(()) => warnings.extend(short_realtime_limit()),
        Err(error) => warnings.push(format!(
            "no real-time priority {priority} ({error}): on a busy host advertisements may come late; give the service \
             LimitRTPRIO={priority} or CAP_SYS_NICE, and RestrictRealtime=no"
        )),
    }
    warnings
}

/// Up to the hard limit anybody may go.
fn raise_soft_limit(priority: u8) {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_RTPRIO)
        && soft < u64::from(priority)
        && hard >= u64::from(priority)
    {
        // Where it fails the next step says so.
        let _ = setrlimit(Resource::RLIMIT_RTPRIO, priority.into(), hard);
    }
}

/// A limit on real-time work kills the process that exceeds it (`SIGXCPU`); there is none by default.
fn short_realtime_limit() -> Option<String> {
    let (soft, _) = getrlimit(Resource::RLIMIT_RTTIME).ok()?;
    (soft != RLIM_INFINITY && soft < REALTIME_MICROS_MIN).then(|| {
        format!(
            "RLIMIT_RTTIME is {soft} µs: the kernel kills this program after so much work at a stretch; give the service \
             LimitRTTIME=infinity"
        )
    })
}

/// Keeps the memory of this process from being paged out, pages that are touched later included.
///
/// Only with `CAP_IPC_LOCK` or without a limit: under a limit every later allocation beyond it would fail, and end the
/// program.
///
/// # Errors
/// A sentence that says what was refused and what to do.
pub fn lock_memory() -> Result<(), String> {
    let limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let refused = |why: &str| {
        format!(
            "memory is not locked ({why}): where this host swaps, advertisements may come late; give the service \
             LimitMEMLOCK=infinity or CAP_IPC_LOCK"
        )
    };
    if limit != RLIM_INFINITY && !has_capability(&status, CAP_IPC_LOCK) {
        return Err(refused(&format!("RLIMIT_MEMLOCK is {limit} bytes")));
    }
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    let flags = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault;
    mlockall(flags).map_err(|errno| refused(errno.desc()))
}

/// Whether `CapEff` of `/proc/self/status` has this bit.
fn has_capability(status: &str, bit: u32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = line.and_then(|hexadecimal| u64::from_str_radix(hexadecimal.trim(), 16).ok());
    effective.is_some_and(|effective| effective & (1 << bit) != 0)
}

#[cfg(test)]
#[path = "tests/realtime.rs"]
mod tests;
