//! Secrets and certificates that a check names: read from files, or from systemd's credentials, when the check is made ready.

use super::{PrepareError, failure};
use crate::model::Secret;
use crate::secret;

/// Bytes of a secret at most: a password, a token, the value of a header.
const LONGEST_SECRET: usize = 16 * 1024;
/// Bytes of a file of certificates at most: a bundle of every public authority is a quarter of that.
const LONGEST_PEM: usize = 1024 * 1024;

/// The secret, without one newline at its end.
pub(super) fn read(check: &str, place: &Secret) -> Result<Vec<u8>, PrepareError> {
    let content = secret::without_newline(bounded(check, place, LONGEST_SECRET)?);
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
    let path = secret::path_of(place).map_err(|none| unusable(check, place, &none.to_string()))?;
    let content = secret::read(&path, longest).map_err(|error| {
        let words = failure::without_number(&error.to_string());
        unusable(check, place, &format!("{words}; the director's user must be able to read it"))
    })?;
    content.ok_or_else(|| unusable(check, place, &format!("it is larger than {longest} bytes")))
}

fn unusable(check: &str, place: &Secret, why: &str) -> PrepareError {
    PrepareError::Secret { check: check.to_owned(), detail: format!("{}: {why}", place_words(place)) }
}
