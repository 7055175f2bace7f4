//! The program that a director runs: the one that cargo built, or another that was installed for it alone, as an upgrade would.

use super::director::binary;
use std::env;
use std::fs;
use std::path::Path;

/// Its name in the director's folder.
const NAME: &str = "tandem";
/// Names the program of an earlier package: see `tests/lab/run upgrade`.
const BEFORE: &str = "TANDEM_LAB_BEFORE";

/// One of two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edition {
    /// An earlier one; where none is named it is a copy of this one, and all but the difference is tried.
    Before,
    This,
}

impl Edition {
    fn path(self) -> String {
        match self {
            Self::This => binary(),
            Self::Before => env::var(BEFORE).unwrap_or_else(|_| binary()),
        }
    }
}

/// Puts it in the place of what is there: as a package's tool does, whole and under another name first, so that a process that
/// runs keeps its own.
#[track_caller]
pub(crate) fn install(folder: &Path, edition: Edition) {
    let new = folder.join(format!("{NAME}.new"));
    fs::create_dir_all(folder).expect("a folder");
    fs::copy(edition.path(), &new).expect("a program");
    fs::rename(&new, folder.join(NAME)).expect("its place");
}

/// What a director with this folder runs.
pub(crate) fn program(folder: &Path) -> String {
    let installed = folder.join(NAME);
    if installed.exists() { installed.to_str().expect("a plain path").to_owned() } else { binary() }
}
