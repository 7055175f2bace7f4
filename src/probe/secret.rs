//! Reads a secret that a check names: from its file, or from systemd's credentials.

use super::{PrepareError, failure};
use crate::model::{CheckName, Secret};
use std::env;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Bytes of a password, and one for the newline of an editor.
const LONGEST: u64 = 1024 + 1;

/// The secret, without one newline at its end.
pub(super) fn read(check: &CheckName, place: &Secret) -> Result<Vec<u8>, PrepareError> {
    let wrong = |detail: String| PrepareError::Secret { check: check.to_string(), detail };
    let path = match place {
        Secret::File(path) => path.clone(),
        Secret::Credential(name) => {
            let folder = env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                wrong(format!(
                    "the credential {name}: systemd gave none; write LoadCredential={name}:PATH into the unit"
                ))
            })?;
            PathBuf::from(folder).join(name)
        }
    };
    let unreadable = |error: &std::io::Error| {
        let words = failure::without_number(&error.to_string());
        wrong(format!("{}: {words}; the director's user must be able to read it", path.display()))
    };
    let mut content = Vec::new();
    let file = File::open(&path).map_err(|error| unreadable(&error))?;
    file.take(LONGEST + 1).read_to_end(&mut content).map_err(|error| unreadable(&error))?;
    if content.last() == Some(&b'\n') {
        content.pop();
    }
    match content.len() {
        0 => Err(wrong(format!("{} is empty", path.display()))),
        length if u64::try_from(length).is_ok_and(|length| length < LONGEST) => Ok(content),
        _ => Err(wrong(format!("{} is longer than any password", path.display()))),
    }
}
