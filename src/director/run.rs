//! The event loop of the pools (shell): feeds the core and does what it says. It decides nothing.
//!
//! Four sources wake it: answers of the kernel thread, reports of probes, time, and the request to stop. What comes in
//! together is handed to the core together, before the core is asked what to do.

use super::attend;
use super::chronicle::{Chronicler, PolicyNews, of_policy, of_pools};
use super::clock::Clock;
use super::core::{Core, Input, Output};
use super::error::RunError;
use super::guard::Guard;
use super::history::History;
use super::host_look::{AskHost, HostLook};
use super::kernel_thread::{Answer, Job, KernelThread};
use super::loading::{Candidate, PolicyLoader};
use super::log;
use super::override_file::OverrideFile;
use super::pair::PairThreads;
use super::pair_restart::PairRestart;
use super::peers::Peers;
use super::publisher::{PUBLISH_EVERY, Publisher};
use super::reload::Reloads;
use super::state_directory::StateDirectory;
use super::succession::predecessor::Succession;
use super::succession::successor::Predecessor;
use super::targets::TargetId;
use super::watchdog::Watchdog;
use crate::control::{Control, Visitors};
use crate::health::ProbeId;
use crate::hook::Hooks;
use crate::kernel::sys::give_memory_back;
use crate::kernel::{Kernel, KernelError};
use crate::model::{CheckName, Failure, HostFacts, Outcome, Policy, RouterName};
use crate::probe::{FileWatch, Pool, Probe as _, Prober, Report, Reports, StartRequest, Workers};
use crate::reconcile::{Epoch, Ownership};
use crate::time::Instant;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::coop::consume_budget;
use tokio::time::sleep_until;

/// The loop wakes at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// A stop that has to take things back ends after this, done or not.
const LONGEST_STOP: Duration = Duration::from_secs(10);
/// The last record is written within this, or not at all.
const LONGEST_FINISH: Duration = Duration::from_secs(2);
/// Hooks are given so long to tell that the director stops.
const LONGEST_HOOKS: Duration = Duration::from_secs(3);
/// The start takes memory that is not needed again: it is given back this long after it, when all has been probed once.
pub(super) const FIRST_TIDY: Duration = Duration::from_secs(10);
/// Later there are bursts: a rack that falls silent, a host that stood still.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// What a director runs with.
#[derive(Debug)]
pub struct Parts<K> {
    pub candidate: Candidate,
    pub loader: Arc<dyn PolicyLoader>,
    pub history: History,
    /// Each asks for a reload.
    pub hangups: mpsc::Receiver<()>,
    pub kernel: K,
    pub state: StateDirectory,
    /// How this host reaches addresses.
    pub ask_host: AskHost,
    /// This boot and this network namespace.
    pub epoch: Epoch,
    /// Spreads the probes.
    pub seed: u64,
    /// Where operators ask; `none`: nowhere.
    pub socket: PathBuf,
    /// Whether it only probes, decides and tells.
    pub observe: Option<Observe>,
    /// The process that serves until this one does.
    pub predecessor: Option<Predecessor>,
    /// Program and arguments of a process that takes over from this one; empty: unknown.
    pub successor: Vec<OsString>,
}

/// Of a director that changes nothing.
#[derive(Debug)]
pub struct Observe {
    /// What is a running director's by its record, which is only read.
    pub found: Ownership,
}

pub(super) type ProbeKey = (TargetId, ProbeId);
/// By check, and by the mark of a real path.
pub(super) type Probers = BTreeMap<(CheckName, Option<u32>), Arc<Prober>>;

pub(super) struct Loop {
    pub(super) core: Core,
    pub(super) clock: Clock,
    pub(super) kernel: KernelThread,
    pub(super) probes: Pool<ProbeKey>,
    pub(super) reports: Reports<ProbeKey>,
    pub(super) probers: Probers,
    pub(super) files: FileWatch,
    pub(super) host: HostLook,
    pub(super) pair: Option<PairThreads>,
    pub(super) pair_restart: PairRestart,
    pub(super) peers: Peers,
    /// Releases in force, and when they end.
    pub(super) releases: BTreeMap<RouterName, Option<Instant>>,
    pub(super) reloads: Reloads,
    pub(super) succession: Succession,
    pub(super) overrides: OverrideFile,
    /// Of the pair.
    pub(super) state: PathBuf,
    pub(super) control: Control,
    pub(super) visitors: Visitors,
    pub(super) chronicler: Chronicler,
    pub(super) hooks: Hooks,
    pub(super) published: Publisher,
    pub(super) publish_at: tokio::time::Instant,
    pub(super) tidy_at: tokio::time::Instant,
    pub(super) watchdog: Watchdog,
    pub(super) guard: Guard,
    pub(super) stop_by: Option<tokio::time::Instant>,
    /// Whether the pair knows that the director stops.
    pub(super) hand_over_asked: bool,
    pub(super) ready_told: bool,
    /// The pair after it has handed over: its address thread has still work to do.
    pub(super) stopped_pair: Option<PairThreads>,
}

/// Runs a director until `stop` resolves.
///
/// # Errors
/// When it cannot begin (nothing was changed then), or its kernel thread is gone.
pub async fn run<K: Kernel + 'static>(
    parts: Parts<K>,
    stop: impl Future<Output = ()>,
) -> Result<(), RunError> {
    let mut running = begin(parts).await?;
    let mut stop = std::pin::pin!(stop);
    let mut timer = std::pin::pin!(sleep_until(running.clock.started()));
    while let Some(deadline) = running.drain()? {
        // A director that misses one of its threads counts as one that stands still itself.
        if !running.watchdog.misses_one() {
            running.guard.turn();
        }
        let deadline = running.reports.sleep_until(deadline, tokio::time::Instant::now());
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        tokio::select! {
            () = &mut stop, if running.stop_by.is_none() => running.stop(),
            answer = running.kernel.answers.recv() => {
                running.answered(answer.ok_or(RunError::KernelThreadEnded)?);
            }
            // While one report after the other comes, what else runs on this thread has its turn.
            () = running.reports.arrived() => consume_budget().await,
            Some(facts) = running.host.results.recv() => running.looked(facts),
            news = attend::pair_news(&mut running.pair) => running.pair_news(news)?,
            checks = running.files.changed() => running.changed(checks),
            Some(()) = running.reloads.hangups.recv(), if !running.reloads.is_under_way() => running.hung_up(),
            Some(arrival) = running.reloads.arrivals.recv() => running.arrived(arrival),
            () = running.pair_restart.ended() => running.start_pair(),
            () = running.peers.records().arrived() => running.records_arrived(),
            () = running.peers.sightings().arrived() => running.sights_arrived(),
            Some(request) = running.control.requests.recv() => running.requested(request),
            Some(candidate) = running.control.successors.recv() => running.successor_came(candidate),
            event = running.succession.next() => running.succession_event(event),
            () = &mut timer => running.time_passed()?,
        }
        running.take_reports();
    }
    if running.succession.is_handed_on() {
        running.leave().await;
        return Ok(());
    }
    if let Some(pair) = running.pair.as_mut().or(running.stopped_pair.as_mut()) {
        pair.finish().await;
    }
    running.kernel.finish(LONGEST_FINISH).await;
    running.hooks.finish(LONGEST_HOOKS).await;
    Ok(())
}

/// One that cannot go on in another's place says so, and that one does.
async fn begin<K: Kernel + 'static>(mut parts: Parts<K>) -> Result<Loop, RunError> {
    let mut predecessor = parts.predecessor.take();
    match Loop::begin(parts, predecessor.as_mut()).await {
        Ok(running) => Ok(running),
        Err(error) => {
            if let Some(predecessor) = predecessor {
                predecessor.failed(&error.to_string()).await;
            }
            Err(error)
        }
    }
}

impl Loop {
    /// Does what the core asks for until it waits; until when. `None`: the director has stopped.
    fn drain(&mut self) -> Result<Option<tokio::time::Instant>, RunError> {
        if self.succession.is_handed_on() {
            return Ok(None);
        }
        loop {
            match self.core.poll() {
                Output::StartProbe { target, probe, due, .. } => self.start_probe(target, probe, due),
                Output::Kernel(work) => self.send(Job::Work(work))?,
                Output::Record(record) => self.send(Job::Record(record))?,
                Output::Overrides(all) => self.keep_overrides(all),
                Output::Sights(sights) => self.peers.sightings().tell(sights),
                Output::Tell(event) => {
                    log::tell(&event);
                    self.chronicler.tell(of_pools(&event, &self.core.policy));
                }
                Output::Stopped => return Ok(None),
                Output::Wait { deadline } => {
                    self.tell_ready();
                    self.tell_pair();
                    self.look_at_pending();
                    self.look_at_rest()?;
                    return Ok(self.until(deadline));
                }
            }
        }
    }

    /// When to wake; `None` when a stop has taken too long.
    fn until(&self, deadline: Option<Instant>) -> Option<tokio::time::Instant> {
        let deadline = deadline.map(|deadline| self.clock.when(deadline));
        let pending = self.reloads.pending_until().map(|until| self.clock.when(until));
        let deadline = deadline.into_iter().chain(pending).chain([self.host.due, self.publish_at]).min();
        match self.stop_by {
            Some(stop_by) if stop_by <= tokio::time::Instant::now() => {
                tracing::error!("the stop took too long; leaving with the table as it is");
                None
            }
            Some(stop_by) => Some(deadline.map_or(stop_by, |deadline| deadline.min(stop_by))),
            None => Some(deadline.unwrap_or_else(|| tokio::time::Instant::now() + LONGEST_SLEEP)),
        }
    }

    /// The queue has room for everything that may be under way, so a full one is a thread that no longer serves.
    pub(super) fn send(&self, job: Job) -> Result<(), RunError> {
        self.kernel.jobs.try_send(job).map_err(|_| RunError::KernelThreadEnded)
    }

    fn start_probe(&mut self, id: TargetId, probe: ProbeId, due: Instant) {
        let Some(target) = self.core.target(id) else { return };
        if self.core.is_observing() && target.real_path.is_some() {
            return self.cannot_probe(id, probe);
        }
        if let Some(prober) = self.probers.get(&(target.check.clone(), target.real_path)) {
            let (prober, due) = (Arc::clone(prober), self.clock.when(due));
            self.probes.start(StartRequest { id: (id, probe), prober, target: target.address, due });
        }
    }

    /// The way to the server through its own forwarding is made by changes that an observing director does not make.
    fn cannot_probe(&mut self, target: TargetId, probe: ProbeId) {
        let reason = "`through: real_path` needs changes of the kernel, and this director only observes";
        let outcome = Outcome::new(Duration::ZERO, Err(Failure::Local(reason.to_owned())));
        let at = self.clock.now();
        self.core.handle(Input::ProbeFinished { at, target, probe, outcome, lateness: Duration::ZERO });
    }

    /// One timer wakes for everything that waits for time.
    fn time_passed(&mut self) -> Result<(), RunError> {
        let now = tokio::time::Instant::now();
        if self.host.due <= now {
            self.host.begin();
        }
        if self.publish_at <= now {
            self.publish()?;
            self.publish_at = now + PUBLISH_EVERY;
        }
        if self.tidy_at <= now {
            give_memory_back();
            self.tidy_at = now + TIDY_EVERY;
        }
        // At rest nothing is due.
        if !self.core.rests {
            let at = self.clock.at(now);
            self.core.handle(Input::Timeout { at });
        }
        Ok(())
    }

    /// Who asks next sees what has just been decided.
    pub(super) fn publish_soon(&mut self) {
        self.published.make_due(self.clock.now());
        self.publish_at = tokio::time::Instant::now();
    }

    /// The probers of another policy; targets that stay keep their open connections where the prober stays.
    pub(super) fn take_probers(&mut self, policy: &Policy, probers: Probers) {
        if !self.probes.has_workers() && compute(&probers) {
            match Workers::start() {
                Ok(workers) => self.probes.employ(workers),
                Err(error) => tracing::warn!(
                    "no threads for probes with TLS or programs: {error}; they run on the loop's"
                ),
            }
        }
        self.probers = probers;
        self.files = FileWatch::of(policy);
    }

    fn answered(&mut self, answer: Answer) {
        let at = self.clock.now();
        match answer {
            Answer::Observed(result) => self.core.handle(Input::Observed { at, result: *result }),
            Answer::Applied { results, took } => self.core.handle(Input::Applied { at, took, results }),
            Answer::LetGo => self.lock_is_free(),
        }
    }

    /// What probes have found, whatever woke the loop.
    fn take_reports(&mut self) {
        for Report { id: (target, probe), lateness, outcome, .. } in self.reports.take() {
            let at = self.clock.now();
            self.core.handle(Input::ProbeFinished { at, target, probe, outcome, lateness });
        }
    }

    fn looked(&mut self, facts: Result<HostFacts, KernelError>) {
        let at = self.clock.now();
        match facts {
            Ok(facts) => self.core.handle(Input::Host { at, facts }),
            Err(error) => tracing::warn!("cannot look up routes: {error}"),
        }
        self.host.looked(self.core.has_obstacles());
    }

    fn stop(&mut self) {
        tracing::info!("stopping");
        self.end_succession();
        self.chronicler.tell([of_policy(&PolicyNews::Stopping)]);
        sd_notify::notify(&[sd_notify::NotifyState::Stopping]).ok();
        self.stop_by = Some(tokio::time::Instant::now() + LONGEST_STOP);
        self.hand_over_addresses();
    }

    /// systemd is told once the first pass is through. It does not wait for verdicts: a pool that is down at boot must not
    /// keep the director from starting.
    fn tell_ready(&mut self) {
        if !self.ready_told && self.core.is_applied() {
            self.ready_told = true;
            match self.core.is_observing() {
                true => tracing::info!("observing: the live tables are compared, and nothing is changed"),
                false => tracing::info!("running: the tables are applied"),
            }
            self.chronicler.tell([of_policy(&PolicyNews::Ready)]);
            sd_notify::notify(&[sd_notify::NotifyState::Ready]).ok();
        }
    }
}

/// Whether any of them does more than wait for the network.
pub(super) fn compute(probers: &Probers) -> bool {
    probers.values().any(|prober| prober.computes())
}
