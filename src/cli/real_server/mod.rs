//! `tandem real-server`: the real server's side of a pool. Prints a script that sets it up, or verifies it there.
//!
//! ```text
//! policy ─▶ setup (what is needed) ─┬─▶ script (a POSIX shell's)
//!                                   └─▶ judge(setup, what was read on this host) ─▶ findings
//! ```
//!
//! Printing needs nothing of this host and can be done anywhere; verifying reads and changes nothing.

mod judge;
mod script;
pub(super) mod setup;
#[cfg(test)]
mod tests;

use super::files::Disk;
use super::{ExitStatus, colour, finding};
use crate::kernel::{gue_ports, network_facts, read_sysctls};
use crate::policy::{self, Severity, View};
use judge::{SETTINGS, Seen, judge, sysctl};
use script::script;
use setup::Setup;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) config: PathBuf,
    pub(super) pool: String,
    /// Name or RIP of one real server.
    pub(super) server: Option<String>,
    pub(super) check: bool,
}

/// Prints the script or the findings on `out`.
///
/// # Errors
/// The writer fails, or this host cannot be read.
pub(super) fn real_server(
    wanted: &Wanted,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    // A real server is none of the directors, so the policy is read as the first of them has it.
    let loaded = policy::load(&wanted.config, &Disk, View::First);
    let Some(policy) = &loaded.policy else {
        for diagnostic in loaded.diagnostics.iter().filter(|found| found.severity() == Severity::Error) {
            write!(err, "{}", policy::render(diagnostic, &loaded.sources, colour()))?;
        }
        writeln!(err, "{}: refused", wanted.config.display())?;
        return Ok(ExitStatus::Failed);
    };
    let setup = Setup::of(policy, &wanted.pool, wanted.server.as_deref()).map_err(anyhow::Error::msg)?;
    if !wanted.check {
        write!(out, "{}", script(&setup))?;
        return Ok(ExitStatus::Done);
    }
    let findings = judge(&setup, &look()?);
    finding::print_text(&findings, out)?;
    Ok(finding::status(&findings))
}

/// Reads this host.
fn look() -> anyhow::Result<Seen> {
    let network = network_facts()?;
    let names = network.interfaces.iter().map(|interface| interface.name.as_str()).chain(["all"]);
    let asked: BTreeSet<_> =
        names.flat_map(|interface| SETTINGS.map(|setting| sysctl(interface, setting))).collect();
    Ok(Seen { sysctls: read_sysctls(&asked)?, gue: gue_ports()?, network })
}
