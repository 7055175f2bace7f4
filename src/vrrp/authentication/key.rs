//! Keys and the ring of them. A key is kept as the state of its HMAC, never as its bytes, and is never printed.

use hmac::{Hmac, KeyInit, Mac as _};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::fmt;

pub(super) type Hasher = Hmac<Sha256>;

/// Bytes of a key: fewer can be guessed; more than a block of SHA-256 add nothing (RFC 2104, section 3).
pub const SHORTEST_KEY: usize = 16;
pub const LONGEST_KEY: usize = 64;

/// A key and its number on the wire.
#[derive(Clone)]
pub struct Key {
    id: u8,
    hasher: Hasher,
}

impl Key {
    /// `id` 0..=255; `secret` 16..=64 bytes of any content.
    ///
    /// # Errors
    /// The length is out of range.
    pub fn new(id: u8, secret: &[u8]) -> Result<Self, KeyError> {
        let length = secret.len();
        if !(SHORTEST_KEY..=LONGEST_KEY).contains(&length) {
            return Err(KeyError::Length { id, length });
        }
        let hasher = Hasher::new_from_slice(secret).map_err(|_| KeyError::Length { id, length })?;
        Ok(Self { id, hasher })
    }

    #[must_use]
    pub const fn id(&self) -> u8 {
        self.id
    }

    /// Another key, for another use: HMAC-SHA256 of the use's name. It says nothing of this one.
    #[must_use]
    pub fn derive(&self, name_of_use: &[u8]) -> [u8; 32] {
        let mut hasher = self.hasher();
        hasher.update(name_of_use);
        hasher.finalize().into_bytes().into()
    }

    /// An HMAC that has read its key and nothing else.
    pub(super) fn hasher(&self) -> Hasher {
        self.hasher.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The keys in use, at least one: the first signs, all are accepted. To rotate without a gap, every director first gets the
/// new key behind the old one, then before it, then alone.
#[derive(Clone, Debug)]
pub struct Keys {
    first: Key,
    others: Vec<Key>,
}

impl Keys {
    /// # Errors
    /// No key, or two of one id.
    pub fn new(keys: Vec<Key>) -> Result<Self, KeyError> {
        let mut ids = BTreeSet::new();
        if let Some(twice) = keys.iter().find(|key| !ids.insert(key.id)) {
            return Err(KeyError::DuplicateId { id: twice.id });
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or(KeyError::NoKey)?;
        Ok(Self { first, others: keys.collect() })
    }

    /// The one that signs.
    #[must_use]
    pub const fn first(&self) -> &Key {
        &self.first
    }

    #[must_use]
    pub fn get(&self, id: u8) -> Option<&Key> {
        std::iter::once(&self.first).chain(&self.others).find(|key| key.id == id)
    }
}

/// What is wrong with keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error(
        "key {id} has {length} bytes: give it {SHORTEST_KEY} to {LONGEST_KEY}, for example 32 random ones"
    )]
    Length { id: u8, length: usize },
    #[error("two keys have the id {id}: a receiver could not tell them apart, number them differently")]
    DuplicateId { id: u8 },
    #[error("authentication without a key: give at least one")]
    NoKey,
}
