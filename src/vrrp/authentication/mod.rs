//! Authentication of advertisements: a trailer of HMAC-SHA256 behind the VRRP message, replay protection, and version 2's
//! simple password. Pure: keys, epochs and remembered marks come in as values.
//!
//! Big endian, [`TRAILER_LENGTH`] bytes behind the message, which neither its checksum nor its count of addresses covers:
//! RFC 9568, section 7.1, asks for a complete message, not for an exact length, so that a receiver without authentication may
//! skip it. Tandem does; keepalived 2.2.7 does not (`vrrp packet too long`), so signing is for pairs of Tandem.
//!
//! | bytes | field |
//! |---|---|
//! | 4 | magic `TNDM` |
//! | 1 | format version, 1 |
//! | 1 | id of the key |
//! | 2 | reserved, 0; ignored on receipt |
//! | 8 | epoch: higher in each run of the sender |
//! | 8 | counter: higher in each message of a run |
//! | 32 | HMAC-SHA256 over the context, the message and the fields above |
//!
//! The context (a name of the use, the virtual router, the family, the source address) does not travel: both ends know it, and
//! a message of one session proves nothing in another. Freshness is the pair (epoch, counter) alone: no clock is
//! compared, so a step of a clock changes nothing, and a receiver that keeps its marks over a restart accepts nothing twice.
//!
//! Not here: where keys come from, keeping epoch and marks on disk, and the choice to authenticate at all: without
//! authentication there is no [`Verifier`], and a trailer is ignored.

mod key;
mod password;
mod refusal;
mod replay;
mod seal;
mod session;
mod signer;
mod stale;
#[cfg(test)]
mod tests;
mod verifier;

pub use key::{Key, KeyError, Keys, LONGEST_KEY, SHORTEST_KEY};
pub use password::{Password, PasswordError};
pub use refusal::Refusal;
pub use replay::{Mark, Marks};
pub use seal::{Opened, TRAILER_LENGTH, open, seal};
pub use session::{Sender, Session};
pub use signer::{Signer, signs};
pub use stale::Stale;
pub use verifier::{Authenticity, SOURCES_PER_SESSION, Verifier};
