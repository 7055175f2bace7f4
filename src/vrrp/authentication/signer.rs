//! Signs what is sent: one for all sessions that share keys. It counts; the epoch it is given tells its runs apart.

use super::{Keys, Mark, Session, TRAILER_LENGTH, seal};
use crate::model::AuthenticationMode;
use std::net::IpAddr;

/// Whether a mode sends with a trailer.
#[must_use]
pub const fn signs(mode: AuthenticationMode) -> bool {
    match mode {
        AuthenticationMode::Receive => false,
        AuthenticationMode::Permissive | AuthenticationMode::Enforce => true,
    }
}

/// Makes trailers.
#[derive(Clone, Debug)]
pub struct Signer {
    keys: Keys,
    epoch: u64,
    /// Messages signed in this run.
    counter: u64,
}

impl Signer {
    /// `epoch` is higher in each run of this director than in all before, or its peers refuse what it says: the shell keeps
    /// it on disk. No clock is needed after that.
    #[must_use]
    pub const fn new(keys: Keys, epoch: u64) -> Self {
        Self { keys, epoch, counter: 0 }
    }

    /// Other keys from now on, as after a reload. The counter goes on: a new signer of the same epoch would repeat marks.
    pub fn set_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// A higher number of this run from now on.
    pub fn set_epoch(&mut self, epoch: u64) {
        if epoch > self.epoch {
            (self.epoch, self.counter) = (epoch, 0);
        }
    }

    /// The trailer of a message that this address sends.
    pub fn sign(&mut self, session: &Session, source: IpAddr, message: &[u8]) -> [u8; TRAILER_LENGTH] {
        self.counter = self.counter.saturating_add(1);
        let mark = Mark { epoch: self.epoch, counter: self.counter };
        session.context(source, |context| seal(self.keys.first(), context, message, mark))
    }

    /// Puts the trailer behind the message.
    pub fn append(&mut self, session: &Session, source: IpAddr, message: &mut Vec<u8>) {
        let trailer = self.sign(session, source, message);
        message.extend(trailer);
    }
}
