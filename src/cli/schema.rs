//! `tandem schema`: the JSON Schema of a policy file, for editors; and the OpenAPI document of the API.
//!
//! With the YAML language server, one line at the head of a policy switches it on:
//! `# yaml-language-server: $schema=/usr/share/tandem/policy.schema.json`

use super::ExitStatus;
use crate::{control, policy};
use std::io::Write;

/// Prints the schema on `out`.
///
/// # Errors
/// The writer fails.
pub fn schema(out: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    serde_json::to_writer_pretty(&mut *out, &policy::json_schema())?;
    writeln!(out)?;
    Ok(ExitStatus::Done)
}

/// Prints the description of the API on `out`.
///
/// # Errors
/// The writer fails.
pub fn api(out: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    serde_json::to_writer_pretty(&mut *out, &control::openapi())?;
    writeln!(out)?;
    Ok(ExitStatus::Done)
}
