//! The files of a policy on disk.

use crate::policy::Files;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, String> {
        let file = File::open(path).map_err(|error| words(&error))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err("it is a directory".to_owned());
        }
        let mut bytes = Vec::new();
        file.take(u64::try_from(limit).unwrap_or(u64::MAX))
            .read_to_end(&mut bytes)
            .map_err(|error| words(&error))?;
        Ok(bytes)
    }

    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        let pattern = pattern.to_str().ok_or_else(|| "the path is not UTF-8".to_owned())?;
        let paths = glob::glob(pattern).map_err(|error| error.msg.to_owned())?;
        let mut paths: Vec<PathBuf> = paths.filter_map(Result::ok).filter(|path| path.is_file()).collect();
        paths.sort();
        Ok(paths)
    }
}

/// The error in words, without its number.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}
