//! Reads the secrets that a policy names (shell): from files, or from systemd's credentials. They go into HMAC states at once;
//! nothing here prints one.

use crate::model::{Authentication, Pair, Secret};
use crate::secret;
use crate::vrrp::authentication::{Key, KeyError, Keys, LONGEST_KEY, Password, PasswordError};
use crate::vrrp::station::{Keyring, RouterKeys};
use std::io;
use std::path::PathBuf;

/// A file that is longer is no secret of ours; one byte for the newline of an editor.
const LONGEST_FILE: usize = LONGEST_KEY + 1;
/// The peer key's number on the wire.
const PEER_KEY_ID: u8 = 1;

/// Why a secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the secret {path}: {source}; the director's user must be able to read it")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the secret {path} is longer than {LONGEST_KEY} bytes, which no key of ours is")]
    TooLong { path: PathBuf },
    #[error("the credential {name}: {words}")]
    NoCredential { name: String, words: String },
    #[error("{path}: {source}")]
    Key { path: PathBuf, source: KeyError },
    #[error("{path}: {source}")]
    Password { path: PathBuf, source: PasswordError },
    #[error("{path}: a password of version 2 is text")]
    NotText { path: PathBuf },
}

/// All secrets of a pair.
///
/// # Errors
/// The first that cannot be used.
pub(in crate::director) fn keyring(pair: &Pair) -> Result<Keyring, SecretError> {
    let mut keyring = Keyring::default();
    for router in pair.routers.values() {
        let keys = match &router.authentication {
            None => continue,
            Some(Authentication::Hmac { keys, .. }) => {
                let first = keys.first().map(|key| &key.secret);
                let read =
                    keys.iter().map(|key| self::key(key.id, &key.secret)).collect::<Result<Vec<_>, _>>()?;
                let path = first.map(path_of).transpose()?.unwrap_or_default();
                RouterKeys::Hmac(Keys::new(read).map_err(|source| SecretError::Key { path, source })?)
            }
            Some(Authentication::V2Password(secret)) => RouterKeys::Password(password(secret)?),
        };
        keyring.routers.insert(router.name.clone(), keys);
    }
    if let Some(secret) = &pair.peer.key {
        let path = path_of(secret)?;
        let keys = Keys::new(vec![key(PEER_KEY_ID, secret)?]);
        keyring.peer = Some(keys.map_err(|source| SecretError::Key { path, source })?);
    }
    Ok(keyring)
}

fn key(id: u8, secret: &Secret) -> Result<Key, SecretError> {
    let (path, content) = (path_of(secret)?, read(secret)?);
    Key::new(id, &content).map_err(|source| SecretError::Key { path, source })
}

fn password(secret: &Secret) -> Result<Password, SecretError> {
    let (path, content) = (path_of(secret)?, read(secret)?);
    let text = String::from_utf8(content).map_err(|_| SecretError::NotText { path: path.clone() })?;
    Password::from_text(&text).map_err(|source| SecretError::Password { path, source })
}

fn path_of(place: &Secret) -> Result<PathBuf, SecretError> {
    secret::path_of(place)
        .map_err(|none| SecretError::NoCredential { words: none.to_string(), name: none.name })
}

/// The bytes, without one newline at their end.
fn read(place: &Secret) -> Result<Vec<u8>, SecretError> {
    let path = path_of(place)?;
    let content = secret::read(&path, LONGEST_FILE);
    let content = content.map_err(|source| SecretError::Unreadable { path: path.clone(), source })?;
    let content = content.map(secret::without_newline).filter(|content| content.len() <= LONGEST_KEY);
    content.ok_or(SecretError::TooLong { path })
}
