//! The pair begins anew within a running director (shell): where a policy changes its sessions. As at a stop, everything that is
//! held is handed over first; then the threads end, and others start, which adopt what nobody took.

use super::core::Input;
use super::error::RunError;
use super::pair::PairThreads;
use super::run::Loop;
use crate::advert::thread::Command;
use crate::control::ElectionAction;
use crate::model::Roles;
use tokio::task::JoinHandle;

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

    /// The threads of the policy in force.
    pub(super) fn start_pair(&mut self) -> Result<(), RunError> {
        self.pair_restart = PairRestart::None;
        if self.stop_by.is_none() {
            self.pair = PairThreads::start(&self.core.policy, self.clock, &self.state)?;
            self.release_again();
        }
        Ok(())
    }

    /// An operator's word outlives the election that heard it.
    pub(super) fn note_release(&mut self, action: ElectionAction) {
        match action {
            ElectionAction::Release { router, for_time } => {
                self.releases.insert(router, for_time.map(|time| self.clock.now() + time));
            }
            ElectionAction::Clear { router: None } => self.releases.clear(),
            ElectionAction::Clear { router } => drop(self.releases.remove(&router)),
        }
    }

    fn release_again(&mut self) {
        let now = self.clock.now();
        self.releases.retain(|_, until| until.is_none_or(|until| until > now));
        let Some(pair) = &self.pair else { return };
        for (router, until) in &self.releases {
            pair.commander().give(Command::Release { router: router.clone(), until: *until });
        }
    }
}
