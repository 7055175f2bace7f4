//! `tandem check`: validates a policy and prints every problem. It changes nothing and needs no privilege.

use super::ExitStatus;
use super::files::Disk;
use crate::model::{HostFacts, Pool};
use crate::policy::{self, Colour, Loaded, Severity, View};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::IpAddr;
use std::path::PathBuf;

/// What `check` was asked for.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The policy file.
    pub file: PathBuf,
    /// The director whose policy is printed and compared with this host; `None`: the one of this host's name, if any.
    pub director: Option<String>,
    /// The name of this host.
    pub host: String,
    /// Warnings count too.
    pub strict: bool,
    /// Print the policy with all defaults and merges, as YAML on standard output.
    pub resolved: bool,
    /// Ask nothing of this host: not its routes, addresses or certificates.
    pub offline: bool,
    /// Of the diagnostics.
    pub colour: Colour,
}

/// Asks the kernel how this host reaches addresses.
pub type AskHost<'a> = &'a dyn Fn(&BTreeSet<IpAddr>) -> anyhow::Result<HostFacts>;

/// Checks a policy: diagnostics and a summary on `err`, the resolved policy on `out`.
///
/// # Errors
/// A writer fails, or the current folder is gone.
pub fn check(
    options: &CheckOptions,
    host: AskHost<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let view = options.director.as_deref().map_or(View::Anywhere(&options.host), View::Director);
    let mut loaded = policy::load_for_all(&options.file, &Disk, view);
    match &loaded.director {
        _ if options.offline => {}
        Some(name) if options.director.is_none() && !policy::is_host(name, &options.host) => writeln!(
            err,
            "this host, {}, is none of the directors: its routes and addresses were not looked at",
            options.host
        )?,
        Some(_) | None => ask_host(&mut loaded, host, err)?,
    }
    for diagnostic in &loaded.diagnostics {
        write!(err, "{}", policy::render(diagnostic, &loaded.sources, options.colour))?;
    }
    writeln!(err, "{}: {}", options.file.display(), summary(&loaded, options.strict))?;
    if let Some(policy) = loaded.policy.as_ref().filter(|_| options.resolved) {
        write!(out, "{}", policy::resolved(policy, &std::env::current_dir()?))?;
    }
    Ok(if loaded.is_good(options.strict) { ExitStatus::Done } else { ExitStatus::Failed })
}

/// Advice is never in the way: where the host does not answer, one line says so.
fn ask_host(loaded: &mut Loaded, host: AskHost<'_>, err: &mut dyn Write) -> anyhow::Result<()> {
    let Some(policy) = &loaded.policy else { return Ok(()) };
    match host(&policy::addresses_of_interest(policy, &loaded.places)) {
        Ok(facts) => loaded.add_advice(&facts),
        Err(error) => writeln!(err, "routes and addresses of this host were not looked at: {error:#}")?,
    }
    let unreadable = policy::unreadable_authorities(&loaded.places, &Disk);
    loaded.add(unreadable);
    let unreadable = policy::unreadable_programs(&loaded.places, &Disk);
    loaded.add(unreadable);
    Ok(())
}

/// One line for people: `1 pool, 2 real servers: ok`.
fn summary(loaded: &Loaded, strict: bool) -> String {
    let count = |severity| loaded.diagnostics.iter().filter(|found| found.severity() == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let problems: Vec<String> = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| counted(number, word))
        .collect();
    let Some(policy) = &loaded.policy else { return format!("{}: refused", problems.join(", ")) };
    let servers: BTreeSet<IpAddr> =
        policy.pools.values().flat_map(Pool::every_server).map(|server| server.address).collect();
    let mut size =
        format!("{}, {}", counted(policy.pools.len(), "pool"), counted(servers.len(), "real server"));
    if !policy.pair.directors.is_empty() {
        let routers = counted(policy.pair.routers.len(), "virtual router");
        size = format!("{size}, {routers} on {}", counted(policy.pair.directors.len(), "director"));
    }
    match (problems.is_empty(), strict) {
        (true, _) => format!("{size}: ok"),
        (false, false) => format!("{size}: ok, with {}", problems.join(", ")),
        (false, true) => format!("{size}: {}: refused, since --strict", problems.join(", ")),
    }
}

fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}
