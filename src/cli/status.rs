//! `tandem status`: what the running director tells of itself, for people, as JSON, or for a monitoring system.

use super::ExitStatus;
use super::ask::{failed, wait_for};
use super::exit::Level;
use super::{monitoring, status_text};
use crate::control::{Client, ClientError, Status};
use crate::policy::Colour;
use std::io::Write;
use std::path::Path;

/// The form that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusForm {
    /// For people.
    Text(Colour),
    /// The director's own words.
    Json,
    /// One line, and the exit status of a monitoring plug-in.
    Check,
}

/// Prints the status on `out`.
///
/// # Errors
/// A writer fails, or the host gives no descriptors.
pub fn status(
    socket: &Path,
    form: StatusForm,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let found = wait_for(Client::new(socket).status())?;
    match (form, found) {
        (StatusForm::Check, found) => check(found, out),
        (StatusForm::Text(_) | StatusForm::Json, Err(error)) => failed(&error, err),
        (StatusForm::Text(colour), Ok(status)) => {
            write!(out, "{}", status_text::text(&status, colour))?;
            Ok(ExitStatus::Done)
        }
        (StatusForm::Json, Ok(status)) => {
            serde_json::to_writer_pretty(&mut *out, &status)?;
            writeln!(out)?;
            Ok(ExitStatus::Done)
        }
    }
}

/// A director that does not answer is critical: that is what is monitored. What keeps this program from asking is unknown.
fn check(found: Result<Status, ClientError>, out: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    let (level, line) = match found {
        Ok(status) => monitoring::check(&status),
        Err(error) => {
            let level = match &error {
                ClientError::NoDirector { .. } => Level::Critical,
                ClientError::NotAllowed { .. } | ClientError::Refused(_) | ClientError::Strange { .. } => {
                    Level::Unknown
                }
            };
            (level, monitoring::line(level, &error.to_string(), ""))
        }
    };
    writeln!(out, "{line}")?;
    Ok(ExitStatus::Monitoring(level))
}
