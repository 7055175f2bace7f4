//! One thread of a Master hangs while the others go on: it hands over or falls silent, its addresses go, and it ends by itself, to
//! be started anew. No systemd watches here.

use super::{GONE_MAX, PING_EVERY, Pair, RIGHT_MAX, assert_gap};
use crate::stage::{OTHER, PREFERRED};
use crate::world::wait::until_true;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// 20 s without a sign of life, and what a busy machine takes.
const GIVES_UP_MAX: Duration = Duration::from_secs(27);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A thread of another process that is stopped as long as this lives: as a debugger would, by a thread that stays.
struct Hung {
    release: Arc<AtomicBool>,
    tracer: Option<JoinHandle<()>>,
}

impl Hung {
    fn new(process: u32, name: &str) -> Self {
        let thread = thread_of(process, name);
        let release = Arc::new(AtomicBool::new(false));
        let (released, held) = (Arc::clone(&release), Arc::new(AtomicBool::new(false)));
        let holds = Arc::clone(&held);
        let tracer = spawn(move || {
            ptrace::seize(thread, ptrace::Options::empty()).expect("the thread can be traced");
            ptrace::interrupt(thread).expect("it is traced");
            waitpid(thread, Some(WaitPidFlag::__WALL)).expect("it stops");
            holds.store(true, Ordering::Release);
            // A process ends only when nobody traces a thread of it any more.
            while !released.load(Ordering::Acquire) && lives(process, thread) {
                sleep(LOOK_EVERY);
            }
            let _ = ptrace::detach(thread, None);
        });
        until_true(&format!("a hung thread {name}"), Duration::from_secs(5), || held.load(Ordering::Acquire));
        Self { release, tracer: Some(tracer) }
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        self.release.store(true, Ordering::Release);
        let _ = self.tracer.take().map(JoinHandle::join);
    }
}

/// The thread with this name; the first one runs the loop of the pools.
fn thread_of(process: u32, name: &str) -> Pid {
    let id = |path: PathBuf| path.file_name()?.to_str()?.parse().ok().map(Pid::from_raw);
    if name == "pools" {
        return Pid::from_raw(i32::try_from(process).expect("an id"));
    }
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("a process").flatten();
    let is_it = |path: &PathBuf| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name);
    let found = threads.map(|thread| thread.path()).find(is_it).and_then(id);
    found.unwrap_or_else(|| panic!("no thread {name}"))
}

/// Whether a thread is more than the rest of one that was killed.
fn lives(process: u32, thread: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/task/{thread}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next());
    state.is_some_and(|state| !['Z', 'X'].contains(&state))
}

/// What a director does of which this thread hangs; `taken`: by then the other one has taken over.
fn hangs(name: &str, taken: Duration) {
    let mut pair = Pair::new();
    let pinger = pair.ping();
    let begun = Instant::now();
    let hung = Hung::new(pair.members[PREFERRED].pid(), name);
    until_true("the other with the VIP", taken, || pair.holders.holds(OTHER));
    let taken_after = begun.elapsed();
    until_true("a hung director without a VIP", GONE_MAX, || !pair.holders.holds(PREFERRED));
    println!("{name}: taken over after {taken_after:.2?}, gone after {:.2?}", begun.elapsed());
    until_true("the end of the hung director", GIVES_UP_MAX, || !pair.members[PREFERRED].is_running());
    println!("{name}: it gave up after {:.2?}", begun.elapsed());
    drop(hung);
    assert!(
        pair.log(PREFERRED).contains("giving up, so that the director is started anew"),
        "{}",
        pair.log(PREFERRED)
    );
    pair.members[PREFERRED].start_again(&pair.stage);
    pair.wait_until_right(RIGHT_MAX);
    assert_gap(&pinger.finish(), GONE_MAX + PING_EVERY, name);
}

/// The three at once: each on a stage of its own, since they wait for long and do little.
#[test]
fn a_director_of_which_a_thread_hangs_hands_over_and_gives_up() {
    std::thread::scope(|scope| {
        // Advertisements are missed at once; the loop of the pools may stand still for 5 s, the address thread for 2.
        let cases = [("adverts", 2), ("addresses", 5), ("pools", 9)];
        let cases =
            cases.map(|(name, seconds)| scope.spawn(move || hangs(name, Duration::from_secs(seconds))));
        for case in cases {
            case.join().expect("the case ends well");
        }
    });
}

/// Stopped as a whole and let go on, everything is late and nothing hangs.
#[test]
fn a_director_that_was_stopped_for_long_does_not_give_up() {
    let mut pair = Pair::new();
    pair.members[PREFERRED].freeze(true);
    sleep(Duration::from_secs(26));
    pair.members[PREFERRED].freeze(false);
    pair.wait_until_right(RIGHT_MAX);
    sleep(Duration::from_secs(3));
    assert!(pair.members[PREFERRED].is_running(), "{}", pair.log(PREFERRED));
    assert!(!pair.log(PREFERRED).contains("giving up"), "{}", pair.log(PREFERRED));
}
