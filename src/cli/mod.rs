//! The command line (shell): one file a subcommand, each a function from parsed options and writers to an exit status.
//! Messages for people go to stderr, data to stdout.

mod arguments;
mod ask;
pub mod check;
pub mod clear;
mod completions;
mod confinement;
mod detach;
mod doctor;
mod doctor_kernel;
mod events;
mod exit;
mod explain;
pub mod files;
mod finding;
mod history;
pub mod import;
pub mod loader;
mod logging;
mod manual;
mod manual_policy;
mod monitoring;
mod order;
mod overrides;
mod plan;
mod real_server;
pub mod release;
mod reload;
mod report;
mod retire;
mod run;
pub mod schema;
pub mod status;
mod status_peers;
mod status_text;
mod table;
#[cfg(test)]
mod tests;
#[cfg(feature = "top")]
mod top;
mod words;

pub use exit::{ExitStatus, Level};

use crate::control::{ClearBody, OverrideBody, OverrideWord};
use crate::director::loading::{Candidate, PolicyLoader as _};
use crate::kernel;
use crate::model::Policy;
use crate::policy::Colour;
use crate::time::milliseconds;
use arguments::{Arguments, Asking, Command, Order, Why};
use check::CheckOptions;
use clap::Parser as _;
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
        Command::Run { .. } if detach::is_asked() => detach::start(),
        Command::Run { config, director, observe, state_directory, socket, log_format, strict, takeover } => {
            // Before the log's thread: what a process may do is each thread's own, and handed on to those that it starts.
            let confinement = confinement::enter(&state_directory, &socket);
            let _written_at_the_end = logging::start(log_format)?;
            confinement.tell();
            let loader = loader::Loader::new(config, director, Colour::Plain);
            let places = run::Places { state: &state_directory, socket: &socket, strict, observe, takeover };
            run::run(loader, places, err)
        }
        Command::Check { file, director, strict, resolved, offline } => {
            let (host, colour) = (host_name(), colour());
            let options = CheckOptions { file, director, host, strict, resolved, offline, colour };
            check::check(&options, &|addresses| Ok(kernel::host_facts(addresses)?), out, err)
        }
        Command::Plan { file, director, json, state_directory, against } => {
            let Some(policy) = load(&file, director.as_deref(), err)? else { return Ok(ExitStatus::Failed) };
            let Some(before) = against else {
                let loader = loader::Loader::new(file, director, colour());
                return plan::plan(policy, &state_directory, &loader, json, out, err);
            };
            let before = load(&before, director.as_deref(), err)?;
            before.map_or(Ok(ExitStatus::Failed), |before| plan::against(&policy, &before, json, out))
        }
        Command::Doctor { file, director, fix, json } => {
            let Some(policy) = load(&file, director.as_deref(), err)? else { return Ok(ExitStatus::Failed) };
            doctor::doctor(&policy, doctor::Options { fix, json }, out)
        }
        Command::Asking(asking) => ask(asking, out, err),
        Command::Retire { state_directory } => retire::retire(&state_directory, err),
        Command::Import { file, format, peer, config_id, peer_config_id, report } => {
            let host = host_name();
            let id = config_id.unwrap_or_else(|| host.split('.').next().unwrap_or_default().to_owned());
            let peer = peer.map(|path| (path, peer_config_id.unwrap_or_else(|| id.clone())));
            let (format, colour) = (format.map(Into::into), colour());
            let options = ImportOptions { file, format, peer, config_id: id, every_line: report, colour };
            import::import(&options, out, err)
        }
        Command::Report { config, director, output, at } => {
            report::report(&report::Wanted { config, director, output, socket: at.socket }, out, err)
        }
        Command::Schema { api: false } => schema::schema(out),
        Command::Schema { api: true } => schema::api(out),
        Command::Completions { shell } => completions::completions(shell, out),
        Command::Man { page, directory: None } => manual::print(&page, out),
        Command::Man { directory: Some(directory), .. } => manual::write(&directory, err),
        Command::RealServer { pool, config, server, check } => {
            let wanted = real_server::Wanted { config, pool, server, check };
            real_server::real_server(&wanted, out, err)
        }
    }
}

fn ask(asking: Asking, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<ExitStatus> {
    match asking {
        Asking::Status { json, check, at } => {
            let form = match (json, check) {
                (_, true) => StatusForm::Check,
                (true, false) => StatusForm::Json,
                (false, false) => StatusForm::Text(colour_on(std::io::stdout().is_terminal())),
            };
            status::status(&at.socket, form, out, err)
        }
        #[cfg(feature = "top")]
        Asking::Top { at } => top::top(&at.socket, colour_on(std::io::stdout().is_terminal())),
        Asking::Release { router, for_time, at } => release::release(&at.socket, router, for_time, err),
        Asking::Drain { order, wait } => ordered(OverrideWord::Drain, None, order, wait, err),
        Asking::Disable { order } => ordered(OverrideWord::Disable, None, order, false, err),
        Asking::Weight { weight, order } => ordered(OverrideWord::Weight, Some(weight), order, false, err),
        Asking::ForceUp { order } => ordered(OverrideWord::ForceUp, None, order, false, err),
        Asking::Freeze { pool, why, at } => {
            let whole = Order { server: None, pool: Some(pool), why, force: false, at };
            ordered(OverrideWord::Freeze, None, whole, false, err)
        }
        Asking::Overrides { json, at } => overrides::overrides(&at.socket, json, out, err),
        Asking::Clear { router, server, pool, id, overrides, at } => {
            clear::clear(&at.socket, &ClearBody { router, id, server, pool, overrides }, err)
        }
        Asking::Reload { confirm, force, at } => reload::reload(&at.socket, confirm, force, err),
        Asking::Confirm { at } => reload::confirm(&at.socket, err),
        Asking::Rollback { at } => reload::rollback(&at.socket, err),
        Asking::Takeover { at } => reload::takeover(&at.socket, err),
        Asking::History { json, at } => history::history(&at.socket, json, out, err),
        Asking::Events(options) => events::events(options, out, err),
        Asking::Explain(options) => explain::explain(&options, out, err),
    }
}

fn ordered(
    kind: OverrideWord,
    weight: Option<u32>,
    order: Order,
    wait: bool,
    err: &mut dyn Write,
) -> anyhow::Result<ExitStatus> {
    let Order { server, pool, why: Why { for_time, reason }, force, at } = order;
    let for_ms = for_time.map(milliseconds);
    let body = OverrideBody { server, pool, weight, for_ms, reason, force, ..order::body(kind) };
    order::order(&at.socket, body, wait, err)
}

/// The policy of `file` as this director has it: the one that is named, else the one with this host's name. Every problem is
/// printed, and what this host's routes say of it. `None` when it is refused.
fn load(file: &Path, director: Option<&str>, err: &mut dyn Write) -> anyhow::Result<Option<Policy>> {
    let loader = loader::Loader::new(file.to_owned(), director.map(str::to_owned), colour());
    match loader.read_files() {
        Ok(Candidate { policy, warnings, .. }) => {
            warnings.iter().try_for_each(|warning| write!(err, "{warning}"))?;
            Ok(Some(policy))
        }
        Err(problems) => {
            write!(err, "{problems}")?;
            Ok(None)
        }
    }
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
