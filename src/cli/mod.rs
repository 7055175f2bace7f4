//! The command line (shell): one file a subcommand, each a function from parsed options and writers to an exit status.
//! Messages for people go to stderr, data to stdout.

mod arguments;
mod ask;
pub mod check;
pub mod clear;
mod doctor;
mod doctor_kernel;
mod exit;
pub mod files;
pub mod import;
mod logging;
mod monitoring;
mod plan;
pub mod release;
mod run;
pub mod schema;
pub mod status;
mod status_text;
mod table;
#[cfg(test)]
mod tests;
mod words;

pub use exit::{ExitStatus, Level};

use crate::kernel;
use crate::model::Policy;
use crate::policy::{self, Colour, View};
use arguments::{Arguments, Command};
use check::CheckOptions;
use clap::Parser as _;
use files::Disk;
use import::ImportOptions;
use status::StatusForm;
use std::ffi::OsString;
use std::io::{IsTerminal as _, Write};
use std::path::Path;

/// Runs the command line; the number that the process shall end with.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            error.print().ok();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    let mut err = std::io::stderr();
    match dispatch(arguments.command, &mut std::io::stdout().lock(), &mut err) {
        Ok(status) => status.code(),
        Err(error) if is_broken_pipe(&error) => ExitStatus::Done.code(),
        Err(error) => {
            writeln!(err, "tandem: {}", sentence(&error)).ok();
            ExitStatus::Failed.code()
        }
    }
}

/// The error with its causes, but for those that a message names already.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().skip(1).map(ToString::to_string).fold(error.to_string(), |text, cause| {
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

fn dispatch(command: Command, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Run { config, director, state_directory, socket, log_format } => {
            let _written_at_the_end = logging::start(log_format)?;
            let Some(policy) = load(&config, director.as_deref(), err)? else {
                return Ok(ExitStatus::Failed);
            };
            run::run(policy, &state_directory, &socket)
        }
        Command::Check { file, director, strict, resolved, offline } => {
            let (host, colour) = (host_name(), colour());
            let options = CheckOptions { file, director, host, strict, resolved, offline, colour };
            check::check(&options, &|addresses| Ok(kernel::host_facts(addresses)?), out, err)
        }
        Command::Plan { file, director, json, state_directory } => {
            let Some(policy) = load(&file, director.as_deref(), err)? else { return Ok(ExitStatus::Failed) };
            plan::plan(policy, &state_directory, json, out, err)
        }
        Command::Doctor { file, director } => {
            let Some(policy) = load(&file, director.as_deref(), err)? else { return Ok(ExitStatus::Failed) };
            doctor::doctor(&policy, out)
        }
        Command::Status { json, check, at } => {
            let form = match (json, check) {
                (_, true) => StatusForm::Check,
                (true, false) => StatusForm::Json,
                (false, false) => StatusForm::Text(colour_on(std::io::stdout().is_terminal())),
            };
            status::status(&at.socket, form, out, err)
        }
        Command::Release { router, for_time, at } => release::release(&at.socket, router, for_time, err),
        Command::Clear { router, at } => clear::clear(&at.socket, router, err),
        Command::Import { file, format, peer, config_id, peer_config_id, report } => {
            let host = host_name();
            let short = host.split('.').next().unwrap_or_default().to_owned();
            let id = config_id.unwrap_or(short);
            let peer = peer.map(|path| (path, peer_config_id.unwrap_or_else(|| id.clone())));
            let options = ImportOptions {
                file,
                format: format.map(Into::into),
                peer,
                config_id: id,
                every_line: report,
                colour: colour(),
            };
            import::import(&options, out, err)
        }
        Command::Schema => schema::schema(out),
    }
}

/// The policy of `file` as this director has it: the one that is named, else the one with this host's name. Every problem is printed, and what this host's routes say of it. `None` when it is refused.
fn load(file: &Path, director: Option<&str>, err: &mut dyn Write) -> anyhow::Result<Option<Policy>> {
    let host = host_name();
    let mut loaded = policy::load(file, &Disk, director.map_or(View::Host(&host), View::Director));
    if let Some(policy) = &loaded.policy {
        let asked = policy::addresses_of_interest(policy, &loaded.places);
        // Advice is never in the way: a host that does not answer gives none.
        if let Ok(facts) = kernel::host_facts(&asked) {
            loaded.add_advice(&facts);
        }
    }
    for diagnostic in &loaded.diagnostics {
        write!(err, "{}", policy::render(diagnostic, &loaded.sources, colour()))?;
    }
    if loaded.policy.is_none() {
        writeln!(err, "{}: refused; nothing was changed", file.display())?;
    }
    Ok(loaded.policy)
}

/// The name of this host; empty where the kernel does not say one that can be read.
fn host_name() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

/// Of messages, which go to stderr.
fn colour() -> Colour {
    colour_on(std::io::stderr().is_terminal())
}

fn colour_on(is_terminal: bool) -> Colour {
    let wanted = is_terminal && std::env::var_os("NO_COLOR").is_none();
    if wanted { Colour::Ansi } else { Colour::Plain }
}

/// The reader of our output has had enough (`tandem schema | head`).
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
