//! `tandem clear`: ends an operator's release.

use super::ExitStatus;
use super::ask::{failed, wait_for};
use crate::control::{ClearBody, Client};
use std::io::Write;
use std::path::Path;

/// Ends the release of `router`, or of every one; what happened is told on `err`.
///
/// # Errors
/// The writer fails, or the host gives no descriptors.
pub fn clear(socket: &Path, router: Option<String>, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    match wait_for(Client::new(socket).clear(&ClearBody { router }))? {
        Ok(answer) => {
            writeln!(err, "{}", answer.message)?;
            Ok(ExitStatus::Done)
        }
        Err(error) => failed(&error, err),
    }
}
