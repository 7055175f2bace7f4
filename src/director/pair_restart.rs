//! The pair begins anew within a running director (shell): where a policy changes its sessions. As at a stop, everything that is
//! held is handed over first; then the threads end, and others start, which adopt what nobody took.

use super::core::Input;
use super::override_file::Release;
use super::pair::PairThreads;
use super::run::Loop;
use crate::advert::thread::Command;
use crate::control::ElectionAction;
use crate::model::{Roles, RouterName};
use crate::time::Instant;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Threads that cannot be started are tried again so much later.
const START_AGAIN: Duration = Duration::from_secs(1);

/// How far it is.
#[derive(Debug)]
pub(super) enum PairRestart {
    None,
    /// The election was asked to hand over; `false`: it has still to be.
    Asked(bool),
    /// The threads end.
    Ending(JoinHandle<()>),
}

impl PairRestart {
    /// Resolves when the threads have ended.
    pub(super) async fn ended(&mut self) {
        match self {
            Self::Ending(end) => drop(end.await),
            Self::None | Self::Asked(_) => std::future::pending().await,
        }
    }

    pub(super) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Whether the pair ends to begin anew.
    pub(super) const fn is_asked(&self) -> bool {
        matches!(self, Self::Asked(_))
    }
}

impl Loop {
    pub(super) fn restart_pair(&mut self) {
        match (&self.pair, &self.pair_restart) {
            // It will begin with the newest policy.
            (_, PairRestart::Ending(_)) => {}
            (Some(pair), _) => self.pair_restart = PairRestart::Asked(pair.begin_stop()),
            (None, _) => self.pair_restart = PairRestart::Ending(tokio::spawn(async {})),
        }
    }

    /// Asks again where the queue was full.
    pub(super) fn ask_pair_again(&mut self) {
        if matches!(self.pair_restart, PairRestart::Asked(false)) {
            self.restart_pair();
        }
    }

    /// The pair has handed over: its threads end, and this director is nobody's Master.
    pub(super) fn end_pair(&mut self) {
        let pair = self.pair.take();
        let end = async move {
            if let Some(mut pair) = pair {
                pair.finish().await;
            }
        };
        self.pair_restart = PairRestart::Ending(tokio::spawn(end));
        let at = self.clock.now();
        self.core.handle(Input::Roles { at, roles: Roles::default() });
    }

    /// The threads of the policy in force. What a start needs was there when the policy was made ready; where it is gone since,
    /// this is tried again: the other director has the addresses meanwhile.
    pub(super) fn start_pair(&mut self) {
        self.pair_restart = PairRestart::None;
        if self.stop_by.is_some() || self.core.is_observing() {
            return;
        }
        match PairThreads::start(&self.core.policy, self.clock, &self.state, self.guard.turns()) {
            Ok(pair) => {
                self.pair = pair;
                self.release_again();
            }
            Err(error) => {
                tracing::error!("the election cannot begin anew: {error}; trying again");
                self.pair_restart = PairRestart::Ending(tokio::spawn(tokio::time::sleep(START_AGAIN)));
            }
        }
    }

    /// An operator's word outlives the election that heard it.
    pub(super) fn note_release(&mut self, action: ElectionAction) {
        let pair = &self.core.policy.pair;
        let together = |router: &RouterName, other: &RouterName| pair.move_together(router, other);
        match action {
            ElectionAction::Release { router, for_time } => {
                let until = for_time.map(|time| self.clock.now() + time);
                let named = pair
                    .routers
                    .keys()
                    .filter(|name| router.as_ref().is_none_or(|router| together(router, name)));
                self.releases.extend(named.map(|name| (name.clone(), until)));
            }
            ElectionAction::Clear { router: None } => self.releases.clear(),
            ElectionAction::Clear { router: Some(router) } => {
                self.releases.retain(|name, _| !together(&router, name));
            }
        }
        self.keep_releases();
    }

    /// It outlives the director, too.
    fn keep_releases(&mut self) {
        let epoch = self.clock.epoch();
        let kept = self.releases.iter().map(|(router, until)| Release::to_keep(router, *until, epoch));
        self.overrides.keep_releases(kept.collect());
    }

    pub(super) fn release_again(&mut self) {
        let now = self.clock.now();
        let pair = &self.core.policy.pair;
        let lasts = |until: &Option<Instant>| until.is_none_or(|until| until > now);
        self.releases.retain(|name, until| lasts(until) && pair.routers.contains_key(name));
        let Some(pair) = &self.pair else { return };
        for (router, until) in &self.releases {
            pair.commander().give(Command::Release { router: Some(router.clone()), until: *until });
        }
    }
}
