//! The tokens of the API: kept as keyed hashes, compared in constant time, never printed.

use super::access::Shown;
use crate::model::ApiScope;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;

/// Bytes of a token: fewer can be guessed; more are no token of ours.
pub(super) const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=256;
/// What the hash is for: a token's hash is no other hash of the same bytes.
const PURPOSE: &[u8] = b"tandem api token";

/// Why the bytes of a file are no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error(
        "it has {0} bytes, and a token has {least} to {most}; `openssl rand -hex 32` makes one",
        least = TOKEN_BYTES.start(),
        most = TOKEN_BYTES.end()
    )]
    Length(usize),
    #[error("it holds blanks or characters that a header cannot carry; `openssl rand -hex 32` makes one")]
    Characters,
}

/// One token.
#[derive(Clone)]
struct Token {
    name: Arc<str>,
    scope: ApiScope,
    hash: Vec<u8>,
}

/// All tokens of the policy.
#[derive(Clone, Default)]
pub(super) struct Tokens(Vec<Token>);

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|token| (&token.name, token.scope))).finish()
    }
}

impl Tokens {
    /// One more.
    ///
    /// # Errors
    /// When the bytes are no token.
    pub(super) fn add(&mut self, name: &str, scope: ApiScope, bytes: &[u8]) -> Result<(), TokenError> {
        if !TOKEN_BYTES.contains(&bytes.len()) {
            return Err(TokenError::Length(bytes.len()));
        }
        if !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(TokenError::Characters);
        }
        let hash = hashed(bytes).finalize().into_bytes().to_vec();
        self.0.push(Token { name: name.into(), scope, hash });
        Ok(())
    }

    /// What an `Authorization` header shows, and whose it is. Every token is compared, whichever it is.
    pub(super) fn shown(&self, authorization: Option<&[u8]>) -> (Shown, Option<Arc<str>>) {
        let Some(authorization) = authorization else { return (Shown::Nothing, None) };
        let Some(bytes) = bearer(authorization) else { return (Shown::Unknown, None) };
        let hasher = hashed(bytes);
        let mut found = None;
        for token in &self.0 {
            if hasher.clone().verify_slice(&token.hash).is_ok() {
                found = Some(token);
            }
        }
        match found {
            Some(token) => (Shown::Known(token.scope), Some(Arc::clone(&token.name))),
            None => (Shown::Unknown, None),
        }
    }
}

/// The token of `Bearer TOKEN` (RFC 6750, section 2.1); the scheme's case does not matter.
fn bearer(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(b"Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && TOKEN_BYTES.contains(&token.len())).then_some(token)
}

fn hashed(bytes: &[u8]) -> Hmac<Sha256> {
    // A key of any length is taken: the error is of a kind that has no value here.
    let mut hasher =
        Hmac::<Sha256>::new_from_slice(PURPOSE).unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
    hasher.update(bytes);
    hasher
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPS: &[u8] = b"0123456789abcdef-ops";
    const GRAFANA: &[u8] = b"0123456789abcdef-grafana";

    fn tokens() -> Tokens {
        let mut tokens = Tokens::default();
        tokens.add("grafana", ApiScope::Read, GRAFANA).expect("a token");
        tokens.add("ops", ApiScope::Act, OPS).expect("a token");
        tokens
    }

    #[test]
    fn a_token_is_known_by_its_bytes_and_says_whose_it_is() {
        let shown = |header: &str| tokens().shown(Some(header.as_bytes()));
        assert_eq!(shown("Bearer 0123456789abcdef-ops"), (Shown::Known(ApiScope::Act), Some("ops".into())));
        assert_eq!(
            shown("bearer  0123456789abcdef-grafana"),
            (Shown::Known(ApiScope::Read), Some("grafana".into()))
        );
        for wrong in [
            "",
            "Bearer ",
            "Bearer 0123456789abcdef-op",
            "Bearer 0123456789abcdef-opsx",
            "Bearer 0123456789ABCDEF-ops",
            "Basic 0123456789abcdef-ops",
            "0123456789abcdef-ops",
        ] {
            assert_eq!(shown(wrong), (Shown::Unknown, None), "{wrong}");
        }
        assert_eq!(tokens().shown(None), (Shown::Nothing, None));
        assert_eq!(Tokens::default().shown(Some(b"Bearer 0123456789abcdef-ops")).0, Shown::Unknown);
    }

    #[test]
    fn what_can_be_guessed_or_not_be_sent_is_no_token() {
        let add = |bytes: &[u8]| Tokens::default().add("x", ApiScope::Read, bytes);
        assert_eq!(add(b"short"), Err(TokenError::Length(5)));
        assert_eq!(add(&[b'x'; 257]), Err(TokenError::Length(257)));
        assert_eq!(add(b"0123456789abcdef 0"), Err(TokenError::Characters));
        assert_eq!(add("0123456789abcdefü".as_bytes()), Err(TokenError::Characters));
    }

    #[test]
    fn nothing_of_a_token_is_printed() {
        let printed = format!("{:?}", tokens());
        assert_eq!(printed, r#"[("grafana", Read), ("ops", Act)]"#);
    }
}
