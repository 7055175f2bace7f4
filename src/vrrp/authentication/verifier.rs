//! Believes or refuses what is received: one for all sessions that share keys and mode.

use super::{Keys, Mark, Marks, Refusal, Sender, Session, Stale, open};
use crate::model::AuthenticationMode;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Source addresses that are remembered in one session, at most: each director has one, and some that it had before.
pub const SOURCES_PER_SESSION: usize = 16;

/// What is known of an accepted message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authenticity {
    /// From a holder of this key, and new.
    Signed { key_id: u8 },
    /// Nothing is known; the mode accepts that.
    Unsigned,
}

/// Verifies trailers, and remembers what was accepted. Sessions are the policy's, so their number is bounded.
#[derive(Clone, Debug)]
pub struct Verifier {
    keys: Keys,
    mode: AuthenticationMode,
    sessions: BTreeMap<Session, Marks<IpAddr>>,
}

impl Verifier {
    /// `remembered` is what [`Self::marks`] gave in an earlier run: without it, that run's messages could be replayed.
    #[must_use]
    pub fn new(keys: Keys, mode: AuthenticationMode, remembered: BTreeMap<Sender, Mark>) -> Self {
        let mut verifier = Self { keys, mode, sessions: BTreeMap::new() };
        for (Sender { session, source }, mark) in remembered {
            verifier.marks_of(&session).remember(source, mark);
        }
        verifier
    }

    /// The keys that it believes.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Other keys and another mode from now on, as after a reload; what was accepted stays known.
    pub fn set_policy(&mut self, keys: Keys, mode: AuthenticationMode) {
        self.keys = keys;
        self.mode = mode;
    }

    /// Judges a message from `source` by the bytes behind it (empty: none came). A trailer that is there must fit in every
    /// mode.
    ///
    /// # Errors
    /// Why it is not to be believed. Nothing is remembered of it then.
    pub fn verify(
        &mut self,
        session: &Session,
        source: IpAddr,
        message: &[u8],
        trailer: &[u8],
    ) -> Result<Authenticity, Refusal> {
        if trailer.is_empty() {
            return match self.mode {
                AuthenticationMode::Receive | AuthenticationMode::Permissive => Ok(Authenticity::Unsigned),
                AuthenticationMode::Enforce => Err(Refusal::Missing),
            };
        }
        let opened = session.context(source, |context| open(&self.keys, context, message, trailer))?;
        self.marks_of(session).accept(source, opened.mark)?;
        Ok(Authenticity::Signed { key_id: opened.key_id })
    }

    /// Nothing that is older is believed of this sender: another process has heard it.
    pub fn remember(&mut self, session: &Session, source: IpAddr, mark: Mark) {
        self.marks_of(session).remember(source, mark);
    }

    /// The newest mark of every sender, to keep over a restart.
    #[must_use]
    pub fn marks(&self) -> BTreeMap<Sender, Mark> {
        let sender =
            |session: &Session, source: &IpAddr| Sender { session: session.clone(), source: *source };
        let of_session = |(session, marks): (&Session, &Marks<IpAddr>)| -> Vec<(Sender, Mark)> {
            marks.iter().map(|(source, mark)| (sender(session, source), mark)).collect()
        };
        self.sessions.iter().flat_map(of_session).collect()
    }

    /// The last message of a session that was refused for its run since this was asked.
    pub fn take_stale(&mut self, session: &Session) -> Option<Stale> {
        self.sessions.get_mut(session)?.take_stale()
    }

    fn marks_of(&mut self, session: &Session) -> &mut Marks<IpAddr> {
        self.sessions.entry(session.clone()).or_insert_with(|| Marks::new(SOURCES_PER_SESSION))
    }
}
