//! The log of `run`: lines on stderr. systemd's journal adds the time itself.

use super::arguments::LogFormat;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// Environment variable that sets the level.
const LEVEL: &str = "TANDEM_LOG";
const DEFAULT_LEVEL: &str = "info";

/// Sets up the log of this process.
///
/// # Errors
/// When the level in the environment cannot be understood.
pub(super) fn start(format: LogFormat) -> anyhow::Result<()> {
    let level = std::env::var(LEVEL).unwrap_or_else(|_| DEFAULT_LEVEL.to_owned());
    let filter = EnvFilter::try_new(&level)
        .map_err(|error| anyhow::anyhow!("{LEVEL}={level}: {error}; say info, debug or tandem=debug"))?;
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let base = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_target(false);
    match (format, journal) {
        (LogFormat::Json, _) => base.json().init(),
        (LogFormat::Text, true) => base.without_time().init(),
        (LogFormat::Text, false) => base.init(),
    }
    Ok(())
}
