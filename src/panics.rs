//! Panics, of whatever thread or task (shell): each is told with its reason and its place, and counted by thread. What follows
//! from one is its owner's: a probe that panics has failed, an errand is done again, a task that serves begins anew, a thread
//! that the director cannot do without ends it.

use futures_util::FutureExt as _;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, PanicHookInfo, set_hook};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::sleep;

/// Those without which no director goes on: they are counted from the beginning.
const ESSENTIAL: [&str; 4] = ["addresses", "adverts", "kernel", "pools"];
/// What the first thread of a process is called, which the pools' loop runs on.
const MAIN: &str = "main";

/// A task that panicked begins again so much later.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// By thread. A hook is the whole process's, and so is its count.
static COUNTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// From now on every panic of this process is told in its log and counted.
pub fn watch() {
    let mut counts = counted();
    for thread in ESSENTIAL {
        counts.entry(thread.to_owned()).or_default();
    }
    drop(counts);
    set_hook(Box::new(note));
}

/// How often each thread has panicked.
pub(crate) fn counts() -> BTreeMap<String, u64> {
    counted().clone()
}

/// What it said.
pub(crate) fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// What comes of `work`; that it panics is a failure too, so that who waits for it hears of it.
///
/// # Errors
/// Those of `work`, and one that says that it has panicked.
pub(crate) async fn as_failure<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    // What it was doing is given up with it.
    let result = AssertUnwindSafe(work).catch_unwind().await;
    result.unwrap_or_else(|panic| Err(format!("a fault of this program (a panic: {})", words(&*panic))))
}

/// Does what `begin` begins to its end, and once more after each panic: one (over what a stranger sent, say) must not end a
/// service for good.
pub(crate) async fn kept<F: Future<Output = ()>>(begin: impl Fn() -> F) {
    while AssertUnwindSafe(begin()).catch_unwind().await.is_err() {
        sleep(AFTER_PANIC).await;
    }
}

fn note(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().map_or("unnamed", |name| if name == MAIN { "pools" } else { name });
    *counted().entry(thread.to_owned()).or_default() += 1;
    let reason = words(panic.payload());
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(thread, place, "a panic, which is a bug: please report it with this line: {reason}");
}

fn counted() -> MutexGuard<'static, BTreeMap<String, u64>> {
    COUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::take_hook;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    #[tokio::test]
    async fn work_that_panics_has_failed_and_says_why() {
        let panics = async |bad: bool| if bad { panic!("on purpose") } else { Ok(7) };
        let failed = as_failure(panics(true)).await;
        assert_eq!(failed, Err("a fault of this program (a panic: on purpose)".to_owned()));
        assert_eq!(as_failure(panics(false)).await, Ok(7));
    }

    /// The hook is the process's: it is put back, so that other tests that panic are heard.
    #[test]
    fn a_panic_is_counted_under_the_name_of_its_thread() {
        let before = take_hook();
        watch();
        assert_eq!(counts().get("adverts"), Some(&0));
        let panics = || panic!("on purpose, {}", 1);
        let ended = thread::Builder::new().name("panics-on-purpose".to_owned()).spawn(panics);
        let reason = ended.expect("a thread").join().expect_err("it panicked");
        set_hook(before);
        assert_eq!(words(&*reason), "on purpose, 1");
        assert_eq!(counts().get("panics-on-purpose"), Some(&1));
    }

    #[tokio::test]
    async fn a_task_that_panics_begins_anew() {
        static BEGUN: AtomicU32 = AtomicU32::new(0);
        kept(|| async { assert!(BEGUN.fetch_add(1, Ordering::Relaxed) >= 1, "on purpose") }).await;
        assert_eq!(BEGUN.load(Ordering::Relaxed), 2);
    }
}
