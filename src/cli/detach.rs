//! A process that starts another one in its place and ends (shell): so that the other has no parent of ours. A director that hands
//! on has its successor started like this. systemd waits for the end of its own children alone: of a main process that is
//! somebody else's child it thinks at once that it does not end, and kills it (`service_enter_signal` of its `service.c`). An
//! orphan is systemd's own.

use super::ExitStatus;
use crate::director::succession::DETACH;
use anyhow::Context as _;
use nix::unistd::getppid;
use std::process::Command;

/// Whether who started this process asks for that. A version that does not know the word hands it on to those that it starts.
pub(super) fn is_asked() -> bool {
    std::env::var(DETACH).is_ok_and(|who| who == getppid().to_string())
}

/// Starts the same program with the same arguments, as a process of its own.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start() -> anyhow::Result<ExitStatus> {
    let program = std::env::current_exe().context("cannot tell which program this is")?;
    let mut command = Command::new(&program);
    command.args(std::env::args_os().skip(1)).env_remove(DETACH);
    command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
    Ok(ExitStatus::Done)
}
