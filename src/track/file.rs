//! Whether a tracked file is good. It reads a few bytes, and blocks where the file system does.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A number stands within these.
const BYTES_READ: u64 = 32;

/// Whether the file can be read and does not begin with a negative number.
pub(super) fn is_good(path: &Path) -> bool {
    // Without waiting: a named pipe that nobody writes would hold the open for ever.
    let opened = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let mut start = Vec::new();
    opened.and_then(|file| file.take(BYTES_READ).read_to_end(&mut start)).is_ok() && !is_negative(&start)
}

/// Whether text begins with a number below zero; -0 is not, and neither is a dash before a word.
fn is_negative(start: &[u8]) -> bool {
    let Some(digits) = start.trim_ascii_start().strip_prefix(b"-") else { return false };
    let mut digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.any(|digit| *digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_below_zero_is_negative() {
        for text in ["-1", " \n-20\n", "-007 x", "-1e", "-10"] {
            assert!(is_negative(text.as_bytes()), "{text:?}");
        }
        for text in ["", "0", "5", "-", "-0", "-00\n", "- 1", "-x", "x -1", "--1"] {
            assert!(!is_negative(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn what_is_missing_or_no_file_is_bad() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state");
        assert!(!is_good(&path) && !is_good(folder.path()));
        std::fs::write(&path, "").expect("written");
        assert!(is_good(&path));
        std::fs::write(&path, "-3\n").expect("written");
        assert!(!is_good(&path));
    }
}
