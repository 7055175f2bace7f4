//! Secrets and certificates that a check names: read from files, or from systemd's credentials, when the check is made ready.

use super::{PrepareError, failure};
use crate::model::Secret;
use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// Bytes of a secret at most: a password, a token, the value of a header.
const LONGEST_SECRET: usize = 16 * 1024;
/// Bytes of a file of certificates at most: a bundle of every public authority is a quarter of that.
const LONGEST_PEM: usize = 1024 * 1024;

/// The secret, without one newline at its end.
pub(super) fn read(check: &str, place: &Secret) -> Result<Vec<u8>, PrepareError> {
    let mut content = bounded(check, place, LONGEST_SECRET)?;
    if content.last() == Some(&b'\n') {
        content.pop();
    }
    match content.is_empty() {
        true => Err(unusable(check, place, "it is empty")),
        false => Ok(content),
    }
}

/// Certificates or a key, in PEM.
pub(super) fn read_pem(check: &str, place: &Secret) -> Result<Vec<u8>, PrepareError> {
    bounded(check, place, LONGEST_PEM)
}

/// Where it is, for a message.
pub(super) fn place_words(place: &Secret) -> String {
    match place {
        Secret::File(path) => path.display().to_string(),
        Secret::Credential(name) => format!("the credential {name}"),
    }
}

fn bounded(check: &str, place: &Secret, longest: usize) -> Result<Vec<u8>, PrepareError> {
    let path = match place {
        Secret::File(path) => path.clone(),
        Secret::Credential(name) => {
            let folder = env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                let help = format!("systemd gave none; write LoadCredential={name}:PATH into the unit");
                unusable(check, place, &help)
            })?;
            PathBuf::from(folder).join(name)
        }
    };
    let unreadable = |error: io::Error| {
        let words = failure::without_number(&error.to_string());
        unusable(check, place, &format!("{words}; the director's user must be able to read it"))
    };
    let mut content = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(longest as u64 + 1).read_to_end(&mut content).map_err(unreadable)?;
    match content.len() <= longest {
        true => Ok(content),
        false => Err(unusable(check, place, &format!("it is larger than {longest} bytes"))),
    }
}

fn unusable(check: &str, place: &Secret, why: &str) -> PrepareError {
    PrepareError::Secret { check: check.to_owned(), detail: format!("{}: {why}", place_words(place)) }
}
