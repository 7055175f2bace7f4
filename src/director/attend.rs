//! What the loop does about the pair and about those who ask (shell): the other half of [`super::run`].

use super::error::RunError;
use super::ordering::Given;
use super::pair::{Duty, News, PairThreads};
use super::reload::Reply;
use super::run::Loop;
use crate::advert::thread::{Command, Published};
use crate::control::{self, Action, ElectionAction, OverrideAction, RefusalCode, Refused, Request, Status};
use crate::director::core::Input;
use crate::model::{CheckName, Override};
use std::sync::Arc;

/// The next news of the pair; never without one.
pub(super) async fn pair_news(pair: &mut Option<PairThreads>) -> News {
    match pair {
        Some(pair) => pair.next().await,
        None => std::future::pending().await,
    }
}

impl Loop {
    /// Something came of the pair.
    pub(super) fn pair_news(&mut self, news: News) -> Result<(), RunError> {
        let Some(pair) = &mut self.pair else { return Ok(()) };
        if matches!(news, News::Ended) && self.stop_by.is_none() && !self.pair_restart.is_asked() {
            return Err(RunError::AdvertThreadEnded);
        }
        match pair.take(news, &self.chronicler, || self.core.tables()) {
            Duty::None => {}
            Duty::Roles(roles) => {
                let at = self.clock.now();
                if self.core.roles != roles {
                    self.publish_soon();
                }
                self.core.handle(Input::Roles { at, roles });
            }
            Duty::Stopped if self.pair_restart.is_asked() && self.stop_by.is_none() => self.end_pair(),
            Duty::Stopped => {
                self.stopped_pair = self.pair.take();
                self.stop_pools();
            }
        }
        Ok(())
    }

    /// Asks the pair to hand over what it holds; without one the pools stop at once.
    pub(super) fn hand_over_addresses(&mut self) {
        match &self.pair {
            // The table is what the addresses lead to: it goes after they have been handed over.
            Some(pair) => self.hand_over_asked = pair.begin_stop(),
            None => {
                self.hand_over_asked = true;
                self.stop_pools();
            }
        }
    }

    pub(super) fn stop_pools(&mut self) {
        let at = self.clock.now();
        self.core.handle(Input::Stop { at });
    }

    /// What the pools have become is what the election's fitness follows.
    pub(super) fn tell_pair(&mut self) {
        let now = self.clock.now();
        self.pair.iter_mut().for_each(|pair| pair.look_at_pools(&self.core, now));
    }

    /// Puts the director's view where its readers find it, and asks again for what may have got lost.
    ///
    /// # Errors
    /// When a thread of the director has ended or hangs.
    pub(super) fn publish(&mut self) -> Result<(), RunError> {
        self.core.handle(Input::Calendar { at: self.clock.now(), epoch: self.clock.epoch() });
        self.look_after_threads()?;
        let missed = self.pair.as_mut().and_then(PairThreads::roles_missed);
        if let Some(roles) = missed {
            let at = self.clock.now();
            self.core.handle(Input::Roles { at, roles });
        }
        if self.stop_by.is_some() && !self.hand_over_asked {
            self.hand_over_addresses();
        }
        self.ask_pair_again();
        if self.succession.sights_until.is_some_and(|until| until <= tokio::time::Instant::now()) {
            self.sights_arrived();
        }
        self.compare_files();
        self.published.silences.clone_from(self.watchdog.silences());
        let pair = self.pair.as_ref().map(PairThreads::published);
        let picture = pair.as_ref().map(|pair| pair.picture.clone());
        let picture = picture.or_else(|| self.core.seen_routers()).unwrap_or_default();
        let (peers, counts) = (self.peers.view(), self.reloads.counts());
        if let Some(snapshot) = self.published.publish(&self.core, pair, peers, counts, self.clock) {
            self.peers.tell(&self.core, &snapshot, self.chronicler.book(), self.clock);
            let policy = Arc::clone(&self.core.policy);
            self.control.publish_when_asked(move || {
                let own = policy.pair.own.as_ref();
                Status::of(own, &snapshot, &picture).with_addresses(&policy.pair)
            });
        }
        Ok(())
    }

    fn look_after_threads(&mut self) -> Result<(), RunError> {
        let now = self.clock.now();
        if self.pair.as_ref().is_some_and(PairThreads::has_lost_its_addresses) {
            return Err(RunError::AddressThreadEnded);
        }
        let of_pair = self.pair.iter().flat_map(PairThreads::pulses);
        // While it has nothing to do it is not missed.
        let kernel = ("kernel", self.core.kernel_busy_since().unwrap_or(now));
        let pulses: Vec<_> = of_pair.chain([kernel]).collect();
        self.watchdog.feed(now, &pulses)
    }

    /// Another director sees something else, or is no longer heard.
    pub(super) fn sights_arrived(&mut self) {
        let at = self.clock.now();
        let others = self.peers.sightings().others();
        let is_awaited = |until: &mut tokio::time::Instant| *until > tokio::time::Instant::now();
        if others.is_empty() && self.succession.sights_until.as_mut().is_some_and(is_awaited) {
            // What the process before has heard holds until the channel is up.
            return;
        }
        self.succession.sights_until = None;
        self.core.handle(Input::Sights { at, others });
    }

    /// Files that checks look at have changed.
    pub(super) fn changed(&mut self, checks: Vec<CheckName>) {
        let at = self.clock.now();
        self.core.handle(Input::Changed { at, checks });
    }

    /// Somebody asks for an action.
    pub(super) fn requested(&mut self, request: Request) {
        let Request { action, by, answer, .. } = request;
        if self.core.rests {
            // It would be forgotten with this process.
            let message = "another process is just taking over; nothing was done; ask again";
            let _ = answer.send(Err(Refused::new(RefusalCode::Unavailable, message)));
            return;
        }
        let action = match action {
            Action::Takeover => return self.takeover_asked(answer),
            Action::Policy(action) => return self.policy_asked(action, answer),
            Action::Override(action) => return self.override_asked(&action, &by, answer),
            Action::Election(action) => action,
        };
        let published = self.pair.as_ref().map(PairThreads::published);
        let decided = self.decide(&action, published.as_deref());
        if decided.is_ok() {
            self.note_release(action);
        }
        // Who asked may have gone away; what was asked is done all the same.
        let _ = answer.send(decided);
    }

    /// Somebody orders something, or takes it back. It is answered when it is on the disk.
    fn override_asked(&mut self, action: &OverrideAction, by: &str, answer: Reply) {
        let given = Given { by, unix_ms: self.unix_ms() };
        let decided = match action {
            OverrideAction::Set(wanted) => self.core.with_override(wanted, given),
            OverrideAction::Clear(selection) => self.core.without_overrides(selection),
        };
        let is_new = |all: &[Override]| !self.core.overrides.all().eq(all);
        let (all, said) = match decided {
            Ok((all, said)) if is_new(&all) => (all, said),
            decided => {
                let _ = answer.send(decided.map(|(_, said)| said));
                return;
            }
        };
        self.overrides.waiting.push((answer, said));
        let at = self.clock.now();
        self.core.handle(Input::Overrides { at, all });
        self.publish_soon();
    }

    fn decide(
        &self,
        action: &ElectionAction,
        published: Option<&Published>,
    ) -> Result<control::Answer, Refused> {
        let nothing = Published::default();
        let answer = control::judge(action, &published.unwrap_or(&nothing).picture)?;
        let command = match action {
            ElectionAction::Release { router, for_time } => Command::Release {
                router: router.clone(),
                until: for_time.map(|time| self.clock.now() + time),
            },
            ElectionAction::Clear { router } => Command::Clear { router: router.clone() },
        };
        let given = self.pair.as_ref().is_some_and(|pair| pair.commander().give(command));
        if given { Ok(answer) } else { Err(Refused::busy()) }
    }
}
