//! File probes: a file on the director says how a server is.

use std::path::PathBuf;

/// A file whose content is `up` or nothing, `down`, `drain`, `maint`, or a share of the weight such as `50%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// Absolute, or relative to where the director runs.
    pub path: PathBuf,
    pub missing: Missing,
}

/// What a file that is not there says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Missing {
    #[default]
    Down,
    Up,
}
