//! The command line: one file a subcommand, each a function from parsed options and writers to an exit status.

pub mod check;
pub mod files;
pub mod schema;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Done; of `check`: the policy would start.
    Done = 0,
    /// Failed or invalid.
    Failed = 1,
}
