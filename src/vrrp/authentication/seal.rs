//! The trailer itself, for any datagram: [`seal`] makes one, [`open`] reads one. Which datagram it is stands in the context,
//! whose first part names the use; parts are hashed with their length before them, so that none can run into the next.
//!
//! Whether a mark is new is not judged here: [`super::Marks`] does.

use super::key::{Hasher, Key, Keys};
use super::{Mark, Refusal};
use hmac::Mac;

/// Bytes of a trailer.
pub const TRAILER_LENGTH: usize = STAMP + HMAC;

const MAGIC: [u8; 4] = *b"TNDM";
const FORMAT: u8 = 1;
/// The fields before the HMAC, which it covers.
const STAMP: usize = 24;
const HMAC: usize = 32;

/// What a trailer whose HMAC fits says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    pub key_id: u8,
    pub mark: Mark,
}

/// The trailer of a message. The caller never uses a mark twice under one key and context.
#[must_use]
pub fn seal(key: &Key, context: &[&[u8]], message: &[u8], mark: Mark) -> [u8; TRAILER_LENGTH] {
    let stamp = stamp(key.id(), mark);
    let code = hashed(key, context, message, &stamp).finalize().into_bytes();
    let mut trailer = [0; TRAILER_LENGTH];
    trailer[..STAMP].copy_from_slice(&stamp);
    trailer[STAMP..].copy_from_slice(&code);
    trailer
}

/// Reads a trailer and compares its HMAC, in constant time.
///
/// # Errors
/// [`Refusal::BadTrailer`], [`Refusal::UnknownKey`] or [`Refusal::BadMac`].
pub fn open(keys: &Keys, context: &[&[u8]], message: &[u8], trailer: &[u8]) -> Result<Opened, Refusal> {
    let trailer: &[u8; TRAILER_LENGTH] = trailer.try_into().map_err(|_| Refusal::BadTrailer)?;
    let (stamp, code) = trailer.split_at(STAMP);
    let [m0, m1, m2, m3, FORMAT, key_id, _, _, numbers @ ..] = stamp else { return Err(Refusal::BadTrailer) };
    if [*m0, *m1, *m2, *m3] != MAGIC {
        return Err(Refusal::BadTrailer);
    }
    let ([epoch, counter], []) = numbers.as_chunks::<8>() else { return Err(Refusal::BadTrailer) };
    let key = keys.get(*key_id).ok_or(Refusal::UnknownKey)?;
    hashed(key, context, message, stamp).verify_slice(code).map_err(|_| Refusal::BadMac)?;
    let mark = Mark { epoch: u64::from_be_bytes(*epoch), counter: u64::from_be_bytes(*counter) };
    Ok(Opened { key_id: *key_id, mark })
}

fn stamp(key_id: u8, mark: Mark) -> [u8; STAMP] {
    let mut stamp = [0; STAMP];
    stamp[..4].copy_from_slice(&MAGIC);
    stamp[4] = FORMAT;
    stamp[5] = key_id;
    stamp[8..16].copy_from_slice(&mark.epoch.to_be_bytes());
    stamp[16..].copy_from_slice(&mark.counter.to_be_bytes());
    stamp
}

fn hashed(key: &Key, context: &[&[u8]], message: &[u8], stamp: &[u8]) -> Hasher {
    let mut hasher = key.hasher();
    for part in context.iter().chain(&[message, stamp]) {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hasher
}
