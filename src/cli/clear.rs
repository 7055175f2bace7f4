//! `tandem clear`: ends what an operator ordered: releases, or overrides.

use super::ExitStatus;
use super::ask::{failed, wait_for};
use crate::control::{ClearBody, Client};
use std::io::Write;
use std::path::Path;

/// Ends what `body` names; what happened is told on `err`.
///
/// # Errors
/// The writer fails, or the host gives no descriptors.
pub fn clear(socket: &Path, body: &ClearBody, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    match wait_for(Client::new(socket).clear(body))? {
        Ok(answer) => {
            writeln!(err, "{}", answer.message)?;
            answer.notes.iter().try_for_each(|note| writeln!(err, "{note}"))?;
            Ok(ExitStatus::Done)
        }
        Err(error) => failed(&error, err),
    }
}
