//! Version 2's simple password (RFC 2338, sections 5.3.6 and 5.3.10): eight bytes that everybody on the network can read. It
//! keeps apart what is configured apart, as beside keepalived during a migration, and protects against nobody.

use super::Refusal;
use std::fmt;
use std::hint::black_box;

/// Bytes of the authentication data.
const LENGTH: usize = 8;

/// Eight bytes, shorter passwords padded with zeros as keepalived does. Compared in constant time; never printed.
#[derive(Clone)]
pub struct Password([u8; LENGTH]);

impl Password {
    /// From the policy's text: 1..=8 bytes. (keepalived cuts a longer one off after 8, and says so only in its log.)
    ///
    /// # Errors
    /// It has no byte or more than eight.
    pub fn from_text(text: &str) -> Result<Self, PasswordError> {
        let mut bytes = [0; LENGTH];
        match text.len() {
            0 => return Err(PasswordError::Empty),
            1..=LENGTH => bytes[..text.len()].copy_from_slice(text.as_bytes()),
            length => return Err(PasswordError::TooLong { length }),
        }
        Ok(Self(bytes))
    }

    /// As they stand in a message.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub const fn bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// Judges the password of a message of version 2 by the configured one. One that is not expected is refused as well
    /// (RFC 2338, section 7.1: the type must be the configured one), since such a sender would not accept ours either.
    ///
    /// # Errors
    /// [`Refusal::Missing`] or [`Refusal::WrongPassword`].
    pub fn check(expected: Option<&Self>, received: Option<&Self>) -> Result<(), Refusal> {
        match (expected, received) {
            (None, None) => Ok(()),
            (Some(expected), Some(received)) if expected == received => Ok(()),
            (Some(_), None) => Err(Refusal::Missing),
            (Some(_) | None, Some(_)) => Err(Refusal::WrongPassword),
        }
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        // Every byte is looked at, and the compiler is kept from leaving early.
        let differing =
            self.0.iter().zip(&other.0).fold(0, |seen, (own, other)| black_box(seen | (own ^ other)));
        differing == 0
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(..)")
    }
}

/// What is wrong with a password of version 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password of version 2 is empty: give it 1 to 8 bytes")]
    Empty,
    #[error(
        "the password of version 2 has {length} bytes, and room for 8: shorten it, at every director alike"
    )]
    TooLong { length: usize },
}
