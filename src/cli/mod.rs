//! The command line (shell): one file a subcommand. Messages for people go to stderr, data to stdout.

mod exit;
mod plan;
mod run;

pub use exit::ExitStatus;
