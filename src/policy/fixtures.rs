//! A policy in memory, for the tests of those who read one.

use super::Files;
use std::path::{Path, PathBuf};

/// The one file that there is, whatever it is called.
pub(crate) struct OneFile(pub(crate) String);

impl Files for OneFile {
    fn read(&self, _: &Path, _: usize) -> Result<Vec<u8>, String> {
        Ok(self.0.clone().into_bytes())
    }

    fn glob(&self, _: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
}
