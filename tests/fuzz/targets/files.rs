//! The files of an input: parts of one text, so that a fixture is an input as it is and a fuzzer can write includes too.

use std::path::{Path, PathBuf};
use tandem::policy::Files;

/// What stands between two files of an input.
const BETWEEN: &[u8] = b"\n#--- next file\n";

/// The parts: the first is the file that is read, and the others are what it may include, `part1`, `part2` and so on.
#[derive(Debug)]
pub struct Parts<'a> {
    first: &'static str,
    parts: Vec<&'a [u8]>,
}

impl<'a> Parts<'a> {
    /// `first` is the name of the first file.
    pub fn of(first: &'static str, mut bytes: &'a [u8]) -> Self {
        let mut parts = Vec::new();
        while let Some(at) = bytes.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
            parts.push(&bytes[..at]);
            bytes = &bytes[at + BETWEEN.len()..];
        }
        parts.push(bytes);
        Self { first, parts }
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    fn names(&self) -> impl Iterator<Item = PathBuf> {
        let others = (1..self.parts.len()).map(|number| format!("part{number}").into());
        std::iter::once(self.first.into()).chain(others)
    }
}

impl Files for Parts<'_> {
    fn read(&self, path: &Path, limit: usize) -> Result<Vec<u8>, String> {
        let place = self.names().position(|name| path == name).ok_or("no such file")?;
        Ok(self.parts[place][..self.parts[place].len().min(limit)].to_vec())
    }

    /// Only the pattern of all parts, and names.
    fn glob(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        let matches = |name: &PathBuf| pattern == name || pattern == Path::new("part*");
        Ok(self.names().skip(1).filter(matches).collect())
    }
}
