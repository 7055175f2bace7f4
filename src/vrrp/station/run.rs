//! Beats as they go and come, and the number of this run, which they can change (see [`Stale`]).

use super::{Output, Station};
use crate::time::Instant;
use crate::vrrp::authentication::Stale;
use crate::vrrp::beat::BadBeat;
use crate::vrrp::election::{Beat, Input};
use crate::vrrp::event::Event;
use std::time::Duration;

/// That a director is refused is said for so long after its last message.
const STALE_FOR: Duration = Duration::from_secs(5);

impl Station {
    /// A beat of ours, with what this station has to add.
    pub(super) fn beat(&mut self, mut beat: Beat) -> Output {
        self.stale = self.stale.filter(|(_, since)| *since + STALE_FOR > self.now);
        beat.stale = self.stale.map(|(stale, _)| stale).filter(|_| self.beats.are_sealed());
        Output::Beat { bytes: self.beats.encode(&beat) }
    }

    pub(super) fn beat_received(&mut self, at: Instant, bytes: &[u8], apart: bool) {
        match self.beats.decode(bytes) {
            Ok(beat) if !self.pair.others().any(|(name, _)| *name == beat.director) => {
                self.bad_beat(BadBeat::UnknownDirector, at);
            }
            Ok(beat) => {
                let sealed = self.beats.are_sealed();
                if let Some(epoch) =
                    beat.stale.filter(|_| sealed).and_then(|stale| stale.next_run(self.epoch))
                {
                    self.renumber(epoch);
                }
                self.election.handle(Input::Beat { at, beat, apart, sealed });
            }
            Err(bad) => {
                let stale = self.beats.take_stale();
                self.note_stale(stale, at);
                self.bad_beat(bad, at);
            }
        }
    }

    fn bad_beat(&mut self, bad: BadBeat, at: Instant) {
        let event = self.account.bad_beat(bad.name(), at);
        self.outputs.extend(event.map(Output::Tell));
    }

    pub(super) fn note_stale(&mut self, stale: Option<Stale>, at: Instant) {
        self.stale = stale.map(|stale| (stale, at)).or(self.stale);
    }

    /// Goes on as a run of a higher number, which the others believe.
    fn renumber(&mut self, epoch: u64) {
        self.epoch = epoch;
        for channel in self.channels.values_mut() {
            channel.proof.set_epoch(epoch);
        }
        self.election.set_epoch(epoch);
        self.outputs.push_back(Output::Run { epoch });
        self.outputs.push_back(Output::Tell(Event::Renumbered { epoch }));
    }
}
