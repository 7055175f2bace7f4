//! Secrets and certificates that a check names: read from files, or from systemd's credentials, when the check is made ready.

use super::{PrepareError, failure};
use crate::model::Secret;
use crate::secret;

/// Bytes of a secret at most: a password, a token, the value of a header.
const LONGEST_SECRET: usize = 16 * 1024;
/// Bytes of a file of certificates at most: a bundle of every public authority is a quarter of that.
const LONGEST_PEM: usize = 1024 * 1024;

/// What is read for a check: whose, what it is for (the words of a message), and where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) check: &'a str,
    pub(super) what: &'static str,
    pub(super) place: &'a Secret,
}

impl Wanted<'_> {
    /// The secret, without one newline at its end.
    pub(super) fn read(self) -> Result<Vec<u8>, PrepareError> {
        let content = secret::without_newline(self.bounded(LONGEST_SECRET)?);
        match content.is_empty() {
            true => Err(self.unusable("it is empty")),
            false => Ok(content),
        }
    }

    /// Certificates or a key, in PEM.
    pub(super) fn read_pem(self) -> Result<Vec<u8>, PrepareError> {
        self.bounded(LONGEST_PEM)
    }

    fn bounded(self, longest: usize) -> Result<Vec<u8>, PrepareError> {
        let path = secret::path_of(self.place).map_err(|none| self.unusable(&none.to_string()))?;
        let content = secret::read(&path, longest).map_err(|error| {
            let words = failure::without_number(&error.to_string());
            self.unusable(&format!("{words}; the director's user must be able to read it"))
        })?;
        content.ok_or_else(|| self.unusable(&format!("it is larger than {longest} bytes")))
    }

    /// An error about the file's content.
    pub(super) fn unusable(self, why: &str) -> PrepareError {
        let detail = format!("{}: {why}", place_words(self.place));
        PrepareError::Secret { check: self.check.to_owned(), what: self.what, detail }
    }
}

/// Where it is, for a message.
fn place_words(place: &Secret) -> String {
    match place {
        Secret::File(path) => path.display().to_string(),
        Secret::Credential(name) => format!("the credential {name}"),
    }
}
