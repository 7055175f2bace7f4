//! The log of `run`: lines on stderr. systemd's journal adds the time itself.

use super::arguments::LogFormat;
use std::io::IsTerminal as _;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Environment variable that sets the level.
const LEVEL: &str = "TANDEM_LOG";
const DEFAULT_LEVEL: &str = "info";
/// Lines that may wait: one of each server of a large site. Their places are taken from the start, 32 bytes each.
const MOST_WAITING: usize = 16_384;

/// Sets up the log of this process: lines are written by a thread of their own, so that a reader that stands still (a journal, a
/// pipe) holds up nothing; when too many wait, the newest are dropped. What waits is written when the guard is dropped.
///
/// # Errors
/// When the level in the environment cannot be understood.
pub(super) fn start(format: LogFormat) -> anyhow::Result<WorkerGuard> {
    let level = std::env::var(LEVEL).unwrap_or_else(|_| DEFAULT_LEVEL.to_owned());
    let filter = EnvFilter::try_new(&level)
        .map_err(|error| anyhow::anyhow!("{LEVEL}={level}: {error}; say info, debug or tandem=debug"))?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let queue = NonBlockingBuilder::default().buffered_lines_limit(MOST_WAITING);
    let (writer, guard) = queue.finish(std::io::stderr());
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(colour)
        .with_target(false);
    match (format, journal) {
        (LogFormat::Json, _) => base.json().init(),
        (LogFormat::Text, true) => base.without_time().init(),
        (LogFormat::Text, false) => base.init(),
    }
    Ok(guard)
}
