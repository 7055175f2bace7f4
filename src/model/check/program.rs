//! What an exec probe runs.

/// A program that is run, without a shell. Its exit code 0 is success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecSpec {
    /// The program's absolute path and its arguments, never empty.
    pub command: Vec<String>,
    /// The user it runs as; `None`: `nobody` where the director is root, else the director's own.
    pub user: Option<String>,
    /// How the program tells the weight; `None`: it says only good or bad.
    pub weight: Option<ExecWeight>,
}

/// How a program tells the weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecWeight {
    /// 0: good, as configured; 1: bad; 2 to 255: good, with the code less 2 per cent of the configured weight. These are the
    /// codes of keepalived's `misc_dynamic`, whose weight is the same number where 100 is configured.
    ExitCode,
    /// The last line: `up`, `down`, `drain`, `maint` or a share such as `50%`. It counts with exit code 0 only.
    Printed,
}
