//! A station goes on in another process: what it hands on ([`HandedStation`]), and how a fresh one goes on with that. The peers
//! see one director that never went: no advertisement is missing, and none of the new run is older than what they have heard.

use super::{Channel, Output, Proof, Station};
use crate::time::Instant;
use crate::vrrp::RouterId;
use crate::vrrp::authentication::{Mark, Sender};
use crate::vrrp::handed::{HandedMark, HandedPeer, HandedSession, HandedStation};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Station {
    /// What another process goes on with.
    ///
    /// # Errors
    /// What is under way, in words: it is over within seconds.
    pub fn hand_on(&self) -> Result<HandedStation, &'static str> {
        match self.election.under_way() {
            Some(under_way) => return Err(under_way),
            None if !self.outputs.is_empty() => return Err("something is still to be said"),
            None => {}
        }
        let mut handed = self.election.hand_on();
        handed.routers = self.account.hand_on();
        let sealed = self.beats.are_sealed();
        handed.peers.iter_mut().for_each(|peer| peer.sealed = sealed);
        for session in &mut handed.sessions {
            if let Some(channel) = self.channel_of(session) {
                channel.hand_on(session);
            }
        }
        Ok(handed)
    }

    /// A station that has done nothing yet goes on where another was.
    pub fn go_on(&mut self, at: Instant, handed: &HandedStation) {
        self.now = self.now.max(at);
        for session in &handed.sessions {
            let channel = self.channels.values_mut().find(|channel| channel.is_of(session));
            channel.into_iter().for_each(|channel| channel.go_on(session));
        }
        let sealed = |peer: &&HandedPeer| peer.sealed && self.beats.are_sealed();
        let marks: Vec<_> = handed.peers.iter().filter(sealed).filter_map(mark_of).collect();
        for (name, mark) in marks {
            self.beats.remember(name, mark);
        }
        self.election.go_on(self.now, handed);
        self.account.go_on(&handed.routers, &self.election, self.now);
    }

    /// Goes on itself after the other process could not: as a run of this number at least, higher than the other's, whatever
    /// that one may have said.
    pub fn take_back(&mut self, at: Instant, epoch: u64) {
        self.now = self.now.max(at);
        if epoch > self.epoch {
            self.epoch = epoch;
            self.channels.values_mut().for_each(|channel| channel.proof.set_epoch(epoch));
            self.election.set_epoch(epoch);
            self.outputs.push_back(Output::Run { epoch });
        }
    }

    /// The routers whose addresses are held here.
    #[must_use]
    pub fn held_routers(&self) -> BTreeSet<RouterId> {
        self.election.held_routers()
    }

    fn channel_of(&self, session: &HandedSession) -> Option<&Channel> {
        self.channels.values().find(|channel| channel.is_of(session))
    }
}

fn mark_of(peer: &HandedPeer) -> Option<(Arc<str>, Mark)> {
    let (epoch, counter) = peer.last?;
    Some((peer.name.as_str().into(), Mark { epoch, counter }))
}

impl Channel {
    fn is_of(&self, session: &HandedSession) -> bool {
        *self.identity.router == *session.router && self.identity.family == session.family
    }

    fn hand_on(&self, session: &mut HandedSession) {
        session.pseudo_header = self.reading == crate::model::ChecksumReading::Rfc5798;
        if let Proof::Hmac(hmac) = &self.proof {
            let mark = |(sender, mark): (Sender, Mark)| HandedMark {
                source: sender.source,
                epoch: mark.epoch,
                counter: mark.counter,
            };
            session.marks = hmac.verifier.marks().into_iter().map(mark).collect();
        }
    }

    fn go_on(&mut self, session: &HandedSession) {
        (self.source, self.reading) = (session.source, session.reading());
        if let Proof::Hmac(hmac) = &mut self.proof {
            for HandedMark { source, epoch, counter } in session.marks.iter().copied() {
                hmac.verifier.remember(&self.identity, source, Mark { epoch, counter });
            }
        }
    }
}
