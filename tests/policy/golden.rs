//! Texts that are compared with a file beside what makes them.

use std::fs;
use std::path::Path;

/// Compares with the text in a file, or writes it. Returns what differs.
pub(crate) fn compare(text: &str, expected: &Path) -> Option<String> {
    if std::env::var_os("TANDEM_REWRITE_EXPECTED").is_some() {
        fs::write(expected, text).expect("the expected text can be written");
    }
    let wanted = fs::read_to_string(expected).unwrap_or_default();
    (text != wanted).then(|| format!("{}: expected\n{wanted}but got\n{text}", expected.display()))
}
