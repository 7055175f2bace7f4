//! A policy is taken over by a running director (shell): asked for, made ready off the loop, taken over whole or refused whole,
//! confirmed or rolled back. What is in force goes on until the very moment in which another is.

use super::chronicle::{PolicyNews, of_policy};
use super::core::Input;
use super::difference::{Difference, Guard};
use super::history::{History, tell};
use super::loading::{PolicyLoader, PolicyText};
use super::preparation::{Beside, Origin, Prepared, prepare};
use super::run::Loop;
use super::snapshot::ReloadCounts;
use crate::control::{Answer, PolicyAction, RefusalCode, Refused};
use crate::model::{PairChange, Policy, PoolName};
use crate::panics;
use crate::policy::duration_words;
use crate::time::Instant;
use crate::vrrp::station::Keyring;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

/// A rollback that could not be done is tried again so much later.
const ROLL_BACK_AGAIN: Duration = Duration::from_secs(5);
/// How often the files are compared with what is in force.
const COMPARE_EVERY: Duration = Duration::from_secs(10);

pub(super) type Reply = oneshot::Sender<Result<Answer, Refused>>;

/// What came of a policy that was made ready, or of looking at its files.
#[derive(Debug)]
pub(super) enum Arrival {
    Prepared(Box<Result<Prepared, String>>),
    Compared { differs: bool },
}

/// Why a policy is taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Asked {
        confirm: Option<Duration>,
        force: bool,
    },
    /// SIGHUP: nobody waits for an answer.
    Signal,
    RolledBack(Because),
}

/// Why one is gone back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Because {
    Asked,
    NotConfirmed,
    QuorumLost,
}

impl Why {
    const fn words(self) -> &'static str {
        match self {
            Self::Asked { .. } => "reload",
            Self::Signal => "reload by SIGHUP",
            Self::RolledBack(Because::Asked) => "rollback",
            Self::RolledBack(Because::NotConfirmed) => "rollback: it was not confirmed in time",
            Self::RolledBack(Because::QuorumLost) => "rollback: a pool lost its quorum",
        }
    }

    /// What is told when it is done.
    const fn news(self, message: &str) -> PolicyNews<'_> {
        let by = self.words();
        match self {
            Self::Asked { .. } => PolicyNews::Taken { by, reason: "asked", message },
            Self::Signal => PolicyNews::Taken { by, reason: "signal", message },
            Self::RolledBack(Because::Asked) => PolicyNews::RolledBack { by, reason: "asked", message },
            Self::RolledBack(Because::NotConfirmed) => {
                PolicyNews::RolledBack { by, reason: "not_confirmed", message }
            }
            Self::RolledBack(Because::QuorumLost) => {
                PolicyNews::RolledBack { by, reason: "quorum_lost", message }
            }
        }
    }
}

/// One that is being made ready.
#[derive(Debug)]
struct UnderWay {
    why: Why,
    answer: Option<Reply>,
}

/// One that is in force and not confirmed.
#[derive(Debug)]
struct Pending {
    until: Instant,
    /// Pools that it changed and that had their quorum.
    watched: BTreeSet<PoolName>,
    /// After a rollback that could not be done it is tried again, not before this.
    not_before: Instant,
}

/// Everything about policies that come and go.
#[derive(Debug)]
pub(super) struct Reloads {
    loader: Arc<dyn PolicyLoader>,
    history: History,
    /// The text of the policy in force.
    text: Arc<PolicyText>,
    pub(super) hangups: mpsc::Receiver<()>,
    sender: mpsc::Sender<Arrival>,
    pub(super) arrivals: mpsc::Receiver<Arrival>,
    under_way: Option<UnderWay>,
    pending: Option<Pending>,
    pub(super) counts: ReloadCounts,
    compare_at: Instant,
}

impl Reloads {
    pub(super) fn new(
        loader: Arc<dyn PolicyLoader>,
        history: History,
        text: PolicyText,
        hangups: mpsc::Receiver<()>,
        now: Instant,
    ) -> Self {
        let (sender, arrivals) = mpsc::channel(4);
        let counts = ReloadCounts { taken_at: Some(now), ..ReloadCounts::default() };
        Self {
            loader,
            history: history.written_beside(),
            text: Arc::new(text),
            hangups,
            sender,
            arrivals,
            under_way: None,
            pending: None,
            counts,
            compare_at: now,
        }
    }

    /// The text of the policy in force, and who reads it.
    pub(super) fn in_force(&self) -> (Arc<dyn PolicyLoader>, Arc<PolicyText>) {
        (Arc::clone(&self.loader), Arc::clone(&self.text))
    }

    /// When the policy in force is gone back from, unless it is confirmed.
    pub(super) fn pending_until(&self) -> Option<Instant> {
        let pending = self.pending.as_ref().filter(|_| self.under_way.is_none());
        pending.map(|pending| pending.until.max(pending.not_before))
    }

    /// What became of the policies so far.
    pub(super) const fn counts(&self) -> ReloadCounts {
        ReloadCounts { unconfirmed: self.pending.is_some(), ..self.counts }
    }

    /// Whether a policy is being made ready.
    pub(super) const fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }
}

impl Loop {
    /// Somebody asks for something about the policy.
    pub(super) fn policy_asked(&mut self, action: PolicyAction, answer: Reply) {
        let answered = match action {
            PolicyAction::Reload { confirm, force } => {
                return self.make_ready(Why::Asked { confirm, force }, Some(answer));
            }
            PolicyAction::Rollback => return self.make_ready(Why::RolledBack(Because::Asked), Some(answer)),
            PolicyAction::Confirm => self.confirm(),
        };
        let _ = answer.send(answered);
    }

    /// SIGHUP.
    pub(super) fn hung_up(&mut self) {
        self.make_ready(Why::Signal, None);
    }

    fn make_ready(&mut self, why: Why, answer: Option<Reply>) {
        match self.origin(why) {
            Ok(origin) => {
                if self.ready_told {
                    sd_notify::notify(&[sd_notify::NotifyState::Reloading]).ok();
                }
                self.reloads.under_way = Some(UnderWay { why, answer });
                let beside = Beside {
                    loader: Arc::clone(&self.reloads.loader),
                    policy: Arc::clone(&self.core.policy),
                    probers: self.probers.clone(),
                    ask_host: self.host.ask(),
                };
                let sender = self.reloads.sender.clone();
                tokio::spawn(async move {
                    let prepared = Box::new(panics::as_failure(prepare(origin, beside)).await);
                    // Nobody listens any more when the director stops.
                    sender.send(Arrival::Prepared(prepared)).await.ok();
                });
            }
            Err(refused) => self.refuse(why, answer, refused),
        }
    }

    fn origin(&self, why: Why) -> Result<Origin, Refused> {
        if self.stop_by.is_some() {
            return Err(Refused::new(RefusalCode::Unavailable, "the director stops; nothing was done"));
        }
        if self.succession.is_under_way() {
            let message = "another process is taking over; ask that one";
            return Err(Refused::new(RefusalCode::Unavailable, message));
        }
        if self.reloads.under_way.is_some() {
            let message = "another policy is just being taken over; ask again when it is through";
            return Err(Refused::new(RefusalCode::Unavailable, message));
        }
        let Why::RolledBack(_) = why else {
            return match &self.reloads.pending {
                None => Ok(Origin::Files),
                Some(_) => Err(Refused::new(
                    RefusalCode::Guard,
                    format!(
                        "policy {} waits to be confirmed: `tandem confirm` keeps it, `tandem rollback` goes back; then ask again",
                        self.core.generation
                    ),
                )),
            };
        };
        let before = self.reloads.history.before(self.core.generation);
        before.map(|entry| Origin::Kept(entry.text.clone())).ok_or_else(|| {
            Refused::new(
                RefusalCode::Guard,
                "there is no policy to go back to; `tandem history` shows those that are kept",
            )
        })
    }

    fn refuse(&self, why: Why, answer: Option<Reply>, refused: Refused) {
        tracing::error!("{} was refused, and the policy in force stays: {refused}", why.words());
        let (reason, message) = (refused.code.name(), refused.message.as_str());
        self.tell_policy(&PolicyNews::Refused { by: why.words(), reason, message });
        if let Some(answer) = answer {
            let _ = answer.send(Err(refused));
        }
    }

    /// Something that was done off the loop is through.
    pub(super) fn arrived(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Compared { differs } => self.compared(differs),
            Arrival::Prepared(prepared) => {
                let Some(UnderWay { why, answer }) = self.reloads.under_way.take() else { return };
                let taken = prepared
                    .map_err(|message| Refused::new(RefusalCode::Invalid, message))
                    .and_then(|prepared| self.take_over(why, prepared));
                if self.ready_told {
                    sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
                }
                match taken {
                    Ok(told) => {
                        tracing::info!(
                            generation = self.core.generation,
                            "{}: {}",
                            why.words(),
                            told.message
                        );
                        told.notes.iter().for_each(|note| tracing::info!("{note}"));
                        self.tell_policy(&why.news(&told.message));
                        answer.into_iter().for_each(|answer| drop(answer.send(Ok(told.clone()))));
                    }
                    Err(refused) => {
                        self.reloads.counts.refused += 1;
                        self.reloads.counts.last_failed = true;
                        let again = self.clock.now() + ROLL_BACK_AGAIN;
                        self.reloads.pending.iter_mut().for_each(|pending| pending.not_before = again);
                        self.refuse(why, answer, refused);
                    }
                }
            }
        }
    }

    fn take_over(&mut self, why: Why, prepared: Prepared) -> Result<Answer, Refused> {
        if self.stop_by.is_some() {
            return Err(Refused::new(RefusalCode::Unavailable, "the director stops; nothing was done"));
        }
        let difference = self.core.difference(&prepared.policy);
        self.guard(why, &prepared.policy, &difference)?;
        let Prepared { policy, text, warnings, probers, facts, keyring, hooks, listener, api } = prepared;
        let at_risk = difference.connections_at_risk(&self.core.policy, &policy, self.core.observed());
        let watched = self.watched(&policy, &difference);
        let peer_keys = keyring.peer.clone();
        self.take_pair(difference.pair, &policy, keyring)?;
        let at = self.clock.now();
        self.core.handle(Input::Policy { at, policy: Arc::clone(&policy), facts });
        self.take_probers(&policy, probers);
        self.host.renew(Arc::clone(&policy));
        self.hooks.renew(hooks);
        self.published.renew(&policy, listener, self.clock, &self.visitors);
        self.control.renew_api(api, self.published.view(self.clock), &self.visitors);
        self.note_taken(why, text, watched);
        self.peers.renew(&policy, peer_keys.as_ref(), self.clock);
        self.peers.identify(self.reloads.in_force());
        self.publish_soon();
        let mut notes = difference.lines();
        if at_risk > 0 {
            notes.push(format!("{at_risk} connections went to real servers that left the table"));
        }
        notes.extend(warnings);
        Ok(Answer::of_policy(self.core.generation, self.taken_words(why), notes))
    }

    fn guard(&self, why: Why, policy: &Policy, difference: &Difference) -> Result<(), Refused> {
        let forced = matches!(why, Why::Asked { force: true, .. } | Why::RolledBack(_));
        let guards = if forced { Vec::new() } else { self.core.guards(policy, difference) };
        if guards.is_empty() {
            return Ok(());
        }
        let reasons: Vec<String> = guards.iter().map(Guard::to_string).collect();
        let message = format!(
            "{}; nothing was changed; `tandem reload --force` does it all the same",
            reasons.join("; ")
        );
        Err(Refused::new(RefusalCode::Guard, message))
    }

    /// Pools that `policy` changes and that have their quorum now.
    fn watched(&self, policy: &Policy, difference: &Difference) -> BTreeSet<PoolName> {
        let changed = difference.touched(policy).map(|pool| pool.name.clone());
        changed.filter(|name| self.core.pool_verdict(name) == Some(true)).collect()
    }

    fn note_taken(&mut self, why: Why, text: PolicyText, watched: BTreeSet<PoolName>) {
        let now = self.clock.now();
        let confirm = match why {
            Why::Asked { confirm, .. } => confirm,
            Why::Signal | Why::RolledBack(_) => None,
        };
        self.reloads.pending = confirm.map(|time| Pending { until: now + time, watched, not_before: now });
        let (generation, confirmed) = (self.core.generation, confirm.is_none());
        self.reloads.text = Arc::new(text.clone());
        tell(self.reloads.history.add(generation, why.words(), confirmed, text));
        self.publish_history();
        let counts = &mut self.reloads.counts;
        match why {
            Why::RolledBack(_) => counts.rolled_back += 1,
            Why::Asked { .. } | Why::Signal => counts.taken += 1,
        }
        counts.last_failed = matches!(why, Why::RolledBack(Because::NotConfirmed | Because::QuorumLost));
        counts.taken_at = Some(now);
        self.reloads.compare_at = now;
    }

    fn taken_words(&self, why: Why) -> String {
        let generation = self.core.generation;
        match why {
            Why::Asked { confirm: Some(time), .. } => format!(
                "policy {generation} is in force; it is rolled back in {} unless `tandem confirm` keeps it, and at once when a pool that it changed loses its quorum",
                duration_words(time)
            ),
            Why::Asked { confirm: None, .. } | Why::Signal => format!("policy {generation} is in force"),
            Why::RolledBack(_) => format!("policy {generation} is in force: it is the one before"),
        }
    }

    fn confirm(&mut self) -> Result<Answer, Refused> {
        if self.reloads.pending.take().is_none() {
            return Err(Refused::new(RefusalCode::Guard, "no policy waits to be confirmed"));
        }
        let generation = self.core.generation;
        tell(self.reloads.history.confirm(generation));
        self.tell_policy(&PolicyNews::Confirmed { generation });
        self.publish_history();
        Ok(Answer::of_policy(generation, format!("policy {generation} is kept"), Vec::new()))
    }

    /// Goes back where a policy was not confirmed in time, or takes a pool's quorum.
    pub(super) fn look_at_pending(&mut self) {
        let Some(pending) = &self.reloads.pending else { return };
        let now = self.clock.now();
        if self.reloads.is_under_way() || self.stop_by.is_some() || now < pending.not_before {
            return;
        }
        let lost = pending.watched.iter().any(|pool| self.core.pool_verdict(pool) == Some(false));
        let because = match (lost, pending.until <= now) {
            (true, _) => Because::QuorumLost,
            (false, true) => Because::NotConfirmed,
            (false, false) => return,
        };
        self.make_ready(Why::RolledBack(because), None);
    }

    /// Looks now and then whether the files say something else than what is in force.
    pub(super) fn compare_files(&mut self) {
        let now = self.clock.now();
        if self.reloads.compare_at > now {
            return;
        }
        self.reloads.compare_at = now + COMPARE_EVERY;
        let (loader, text) = (Arc::clone(&self.reloads.loader), Arc::clone(&self.reloads.text));
        let sender = self.reloads.sender.clone();
        spawn_blocking(move || {
            let differs = loader.differs(&text);
            sender.blocking_send(Arrival::Compared { differs }).ok();
        });
    }

    fn compared(&mut self, differs: bool) {
        if differs && !self.reloads.counts.file_differs {
            self.tell_policy(&PolicyNews::FilesDiffer);
            tracing::warn!(
                "the policy's files are not what is in force: `tandem plan` shows what they would change, `tandem reload` takes them over"
            );
        }
        self.reloads.counts.file_differs = differs;
    }

    fn tell_policy(&self, news: &PolicyNews<'_>) {
        self.chronicler.tell([of_policy(news)]);
    }

    /// Tells those who ask for the history.
    fn publish_history(&self) {
        self.control.publish_history(self.reloads.history.told(self.core.generation));
    }

    fn take_pair(&mut self, change: PairChange, policy: &Policy, keyring: Keyring) -> Result<(), Refused> {
        if !self.pair_restart.is_none() {
            // The threads that hand over belong to an earlier policy; those that follow begin with this one.
            return Ok(());
        }
        match (change, &mut self.pair) {
            // Trackers wait as long as the pools' checks let them.
            (PairChange::None | PairChange::GoesOn, Some(pair)) => {
                pair.renew(policy, keyring).then_some(()).ok_or_else(Refused::busy)
            }
            (PairChange::BeginsAnew, _) => {
                self.restart_pair();
                Ok(())
            }
            (PairChange::None | PairChange::GoesOn, None) => Ok(()),
        }
    }
}
