//! `tandem reload`, `confirm` and `rollback`: have a running director change its policy, and say what became of it; and
//! `tandem takeover`, which has another process go on in its place.

use super::ExitStatus;
use super::ask::{failed, wait_for};
use crate::control::{Answer, Client, ClientError, ReloadBody};
use crate::time::milliseconds;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

/// Has the policy's file taken over.
///
/// # Errors
/// When the answer cannot be written.
pub(super) fn reload(
    socket: &Path,
    confirm: Option<Duration>,
    force: bool,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let confirm_ms = confirm.map(milliseconds);
    let body = ReloadBody { confirm_ms, force };
    tell(wait_for(Client::new(socket).reload(&body))?, err)
}

/// Has the policy kept that is to be confirmed.
///
/// # Errors
/// When the answer cannot be written.
pub(super) fn confirm(socket: &Path, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    tell(wait_for(Client::new(socket).confirm())?, err)
}

/// Has the policy before put in force again.
///
/// # Errors
/// When the answer cannot be written.
pub(super) fn rollback(socket: &Path, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    tell(wait_for(Client::new(socket).rollback())?, err)
}

/// Has the installed program go on in the running director's place.
///
/// # Errors
/// When the answer cannot be written.
pub(super) fn takeover(socket: &Path, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    tell(wait_for(Client::new(socket).takeover())?, err)
}

fn tell(answer: Result<Answer, ClientError>, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    match answer {
        Ok(Answer { message, notes, .. }) => {
            notes.iter().try_for_each(|note| writeln!(err, "{}", note.trim_end()))?;
            writeln!(err, "{message}")?;
            Ok(ExitStatus::Done)
        }
        Err(error) => failed(&error, err),
    }
}
