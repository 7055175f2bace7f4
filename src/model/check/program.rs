//! What an exec probe runs.

/// A program that is run, without a shell. Its exit code 0 is success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecSpec {
    /// The program's absolute path and its arguments, never empty.
    pub command: Vec<String>,
    /// The user it runs as; `None`: `nobody` where the director is root, else the director's own.
    pub user: Option<String>,
}
