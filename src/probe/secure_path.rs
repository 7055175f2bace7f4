//! Whether root may run a program: nobody but root can put another one in its place.
//!
//! As OpenSSH looks at its keys and keepalived at its scripts: the file that all symbolic links lead to, and every folder
//! above it, belong to root and can be written by root alone. A sticky folder such as /tmp is fine: nobody can rename
//! root's file in it. Access control lists are not looked at: what they grant beyond the group shows in the group's bits.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const STICKY: u32 = 0o1000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// The file that a program's path leads to. Where `as_root`, one that others can change is refused.
///
/// # Errors
/// What is wrong with it and how to mend that, in words.
pub(super) fn program(path: &Path, as_root: bool) -> Result<PathBuf, String> {
    let cannot = |path: &Path, error: &io::Error| {
        format!("{}: {}", path.display(), super::failure::without_number(&error.to_string()))
    };
    let file = fs::canonicalize(path).map_err(|error| cannot(path, &error))?;
    for part in file.ancestors().filter(|_| as_root) {
        let found = fs::metadata(part).map_err(|error| cannot(part, &error))?;
        if let Some(fault) = fault(&found) {
            return Err(format!("{} is not run by root, because {} {fault}", path.display(), part.display()));
        }
    }
    if !fs::metadata(&file).map_err(|error| cannot(&file, &error))?.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    Ok(file)
}

fn fault(found: &Metadata) -> Option<String> {
    let (mode, name) = (found.mode(), if found.is_dir() { "folder" } else { "file" });
    if found.uid() != 0 {
        return Some(format!("belongs to the user {}: chown root that {name}", found.uid()));
    }
    if found.is_dir() && mode & STICKY != 0 {
        return None;
    }
    if mode & OTHERS_WRITE != 0 {
        return Some(format!("can be written by everybody: chmod o-w that {name}"));
    }
    (mode & GROUP_WRITES != 0 && found.gid() != 0)
        .then(|| format!("can be written by the group {}: chmod g-w that {name}", found.gid()))
}
