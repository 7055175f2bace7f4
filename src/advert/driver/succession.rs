//! Another process goes on with the station (shell): the thread falls silent at a good moment, and says what that one goes on with.
//! Silent it sends nothing and takes nothing in, but lives, until it is told that the other one serves, or that it must go on
//! itself.
//!
//! The good moment is just after an advertisement: the other process has a whole interval until the next is due. A Backup has
//! nothing to be late with.

use super::{AFTER_FAILED_WAIT, CHORES_EVERY, Driver};
use crate::advert::realtime::wait;
use crate::advert::thread::{Command, HandOnReply, Silence};
use crate::time::Instant;
use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::time::Duration;

/// What is under way in the election may take so long to come to its end.
const LONGEST_UNREST: Duration = Duration::from_secs(20);
/// Routers whose advertisements follow each other closely leave no good moment: after so many intervals any will do.
const PATIENCE_INTERVALS: u32 = 4;
/// Of an interval so many fourths are left at a good moment.
const GOOD_FOURTHS: u32 = 3;
/// A Backup waits for the other process so long.
const BACKUP_WAITS: Duration = Duration::from_secs(2);
/// And a Master at most, however long its interval is.
const MASTER_WAITS: Duration = Duration::from_secs(5);

/// Who goes on with the station.
#[derive(Debug)]
pub(super) enum Hand {
    Own,
    /// Another one shall.
    Asked {
        reply: HandOnReply,
        since: Instant,
    },
    /// It does, or is about to. What comes meanwhile is for the case that it cannot.
    Silent {
        later: VecDeque<Command>,
    },
}

impl Driver {
    /// Falls silent, where that is asked for and this is a good moment for it.
    pub(super) fn look_for_moment(&mut self, at: Instant) {
        let Hand::Asked { since, .. } = &self.hand else { return };
        let since = *since;
        let silence = match self.station.election().under_way() {
            None if !self.is_good_moment(at, since) => return,
            None => self.silence(at),
            Some(_) if at < since + LONGEST_UNREST => return,
            Some(under_way) => Err(under_way),
        };
        let before = std::mem::replace(&mut self.hand, Hand::Own);
        let Hand::Asked { reply, .. } = before else { return };
        let falls_silent = silence.is_ok();
        // Nobody waits for it any more where the other process has gone.
        if reply.send(silence.map_err(str::to_owned)).is_ok() && falls_silent {
            self.hand = Hand::Silent { later: VecDeque::new() };
        }
    }

    fn is_good_moment(&self, at: Instant, since: Instant) -> bool {
        let Some(next) = self.station.election().advertises_at() else { return true };
        let (interval, _) = self.margin;
        next.saturating_since(at) >= interval / 4 * GOOD_FOURTHS
            || since + interval * PATIENCE_INTERVALS <= at
    }

    fn silence(&self, at: Instant) -> Result<Silence, &'static str> {
        let station = self.station.hand_on()?;
        let (interval, _) = self.margin;
        // One advertisement may be missing, and a Backup waits for three.
        let start_by = match self.station.election().advertises_at() {
            Some(next) => (next + interval).min(at + MASTER_WAITS),
            None => at + BACKUP_WAITS,
        };
        Ok(Silence { start_by, station: Some(station) })
    }

    pub(super) fn is_silent(&self) -> bool {
        matches!(self.hand, Hand::Silent { .. })
    }

    /// Waits for a word, and gives a sign of life.
    pub(super) fn be_silent(&mut self) {
        let until = self.clock.now() + CHORES_EVERY;
        if wait(self.clock, &[self.commands.wake.as_fd()], Some(until)).is_err() {
            #[expect(
                clippy::disallowed_methods,
                reason = "the wait itself failed: this only keeps it from spinning"
            )]
            std::thread::sleep(AFTER_FAILED_WAIT);
        }
        let _ = self.commands.wake.read();
        while let Ok(command) = self.commands.queue.try_recv() {
            match (command, &mut self.hand) {
                (Command::TakeBack { epoch }, Hand::Silent { later }) => {
                    self.later.append(later);
                    self.hand = Hand::Own;
                    self.station.take_back(self.clock.now(), epoch);
                    return;
                }
                (Command::End, _) => {
                    self.stopped = true;
                    return;
                }
                (command, Hand::Silent { later }) => later.push_back(command),
                (command, Hand::Own | Hand::Asked { .. }) => self.later.push_back(command),
            }
        }
    }
}
