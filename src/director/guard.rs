//! Watches over the loop of the pools from a thread of its own (shell), with or without systemd: a loop that hangs would leave
//! a Master that answers for its addresses and follows no check any more. The advert thread, which sees the same, hands over
//! first, to a director that is better; here the process ends, so that whoever started it starts it anew. Its table serves
//! meanwhile, and the kernel takes its addresses away.

use crate::stillness::Stillness;
use crate::time::Instant;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// The loop wakes twice a second; a site of ten thousand servers on a busy machine can take seconds for a turn. As long as
/// systemd waits (`WatchdogSec` of the unit).
const HANGS_AFTER: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For the last line of the log, which a thread of its own writes.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    turns: Turns,
    _end: SyncSender<()>,
}

/// The turns of the loop, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns(Arc<AtomicU64>);

impl Turns {
    /// The loop has come round.
    pub(super) fn turn(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Guard {
    /// Starts the thread. `now`: in the clock of the director.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(turns: Turns, now: impl Fn() -> Instant + Send + 'static) -> io::Result<Self> {
        let (end, ended) = sync_channel::<()>(0);
        let looked_at = turns.clone();
        let watch = move || {
            let mut stillness = Stillness::default();
            while ended.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                if stillness.look(looked_at.count(), now()) >= HANGS_AFTER {
                    give_up();
                }
            }
        };
        std::thread::Builder::new().name("guard".to_owned()).spawn(watch)?;
        Ok(Self { turns, _end: end })
    }

    /// The loop has come round.
    pub(super) fn turn(&self) {
        self.turns.turn();
    }

    /// For others who look.
    pub(super) fn turns(&self) -> Turns {
        self.turns.clone()
    }
}

/// Nothing of this process can be relied on to end in order.
fn give_up() -> ! {
    tracing::error!(
        "the loop of the pools has stood still for {} s: giving up, so that the director is started anew; its table goes on \
         serving, and the kernel takes its floating addresses away",
        HANGS_AFTER.as_secs()
    );
    #[expect(clippy::disallowed_methods, reason = "the last thing that this process does")]
    std::thread::sleep(LAST_WORDS);
    std::process::abort()
}
