//! How a director begins (shell): what can be wrong is made ready first, then the kernel is looked at and what is there adopted.
//! Until the loop runs, nothing has been changed.

use super::chronicle::{Book, Chronicler, PolicyNews, of_policy};
use super::clock::Clock;
use super::core::{Beginning, Core, Input};
use super::error::RunError;
use super::guard::{Guard, Turns};
use super::history::{Entry, History, tell};
use super::host_look::{AskHost, HostLook};
use super::kernel_thread::KernelThread;
use super::loading::{Candidate, PolicyText};
use super::override_file::{self, Orders, OverrideFile, Release};
use super::pair::{self, PairThreads, keyring};
use super::pair_restart::PairRestart;
use super::peers::Peers;
use super::permissions::lacking;
use super::ports::Ports;
use super::preparation::probers;
use super::publisher::Publisher;
use super::reload::Reloads;
use super::run::{FIRST_TIDY, Loop, Observe, Parts, Probers, compute};
use super::state_directory::StateDirectory;
use super::succession::pools::HandedPools;
use super::succession::predecessor::Succession;
use super::succession::successor::Predecessor;
use super::targets::MOST_AT_ONCE;
use super::watchdog::Watchdog;
use crate::control::{Control, Status, Visitors, Windows};
use crate::hook::{self, Hooks};
use crate::kernel::{Kernel, ReadOnly, complete};
use crate::model::{HostFacts, Policy};
use crate::probe::{FileWatch, Pool, Workers};
use crate::reconcile::Epoch;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// What another process has let go of is free within this.
const LET_GO: Duration = Duration::from_secs(2);

/// What a policy needs of this host beside ports, made ready before anything is changed.
struct Ready {
    probers: Probers,
    hooks: Vec<hook::Ready>,
    files: FileWatch,
    host: HostLook,
    facts: HostFacts,
}

impl Ready {
    async fn of(policy: &Policy, ask_host: AskHost) -> Result<Self, RunError> {
        let probers = probers(policy)?;
        // At the start the rest of the site is worth more than the one check.
        lacking(policy).iter().for_each(|lacking| tracing::error!("{lacking}"));
        let hooks = hook::prepare(&policy.on_event)?;
        let files = FileWatch::of(policy);
        let (host, facts) = HostLook::begun(ask_host, Arc::new(policy.clone())).await?;
        Ok(Self { probers, hooks, files, host, facts })
    }
}

impl Loop {
    /// Makes ready what can be wrong first, then looks at the kernel and adopts what is there. Where another process serves until
    /// now, each step of the way from it is asked for as late as it can be.
    pub(super) async fn begin<K: Kernel + 'static>(
        parts: Parts<K>,
        mut predecessor: Option<&mut Predecessor>,
    ) -> Result<Self, RunError> {
        let Parts { candidate, loader, history, hangups, kernel, mut state, ask_host, epoch, seed, .. } =
            parts;
        let (mut history, observe, socket) = (history, parts.observe, parts.socket);
        let Candidate { policy, text, .. } = candidate;
        let greeting = predecessor.as_ref().map(|predecessor| predecessor.greeting());
        let clock = greeting.map_or_else(Clock::start, |greeting| Clock::since_boot(greeting.clock_us));
        let Ready { probers, hooks, files, host, facts } = Ready::of(&policy, ask_host).await?;
        let observes = observe.is_some();
        let (handed, ports) = match predecessor.as_deref_mut() {
            Some(predecessor) => let_go(predecessor, &policy, &mut state, &socket).await?,
            None => (None, Ports::take(&policy, &socket, observes).await?),
        };
        let folder = state.path().to_owned();
        let generation = || match &handed {
            Some(handed) => handed.generation,
            None => generation(&mut history, &text),
        };
        let material = Material { policy, facts, handed: handed.as_ref(), observe, epoch, seed, clock };
        let (mut core, kernel, orders) = material.adopt(kernel, state, generation).await?;
        let generation = core.generation;
        let visitors = Visitors::start().map_err(RunError::Thread)?;
        let published = Publisher::serve(&core.policy, clock, ports.metrics, &visitors);
        let chronicler = chronicler(&core, clock, &folder);
        let hooks = Hooks::start(chronicler.book().clone(), published.tally(), hooks);
        let windows = Windows { book: chronicler.book().clone(), snapshot: published.snapshot() };
        let mut control = Control::serve(ports.socket, first_status(&core, clock), clock.started(), windows);
        control.renew_api(ports.api, published.view(clock), &visitors);
        control.publish_history(history.told(generation));
        let workers = compute(&probers).then(Workers::start).transpose().map_err(RunError::Thread)?;
        let (probes, reports) = Pool::new(MOST_AT_ONCE, workers);
        let reloads = Reloads::new(loader, history, text, hangups, clock.now());
        let turns = Turns::default();
        // Who only looks on tells nobody anything.
        let (pair, mut peers) = match observes {
            true => (None, Peers::default()),
            false => others(&mut core, clock, (&folder, turns.clone()), predecessor).await?,
        };
        chronicler.tell([of_policy(&PolicyNews::Started { version: env!("CARGO_PKG_VERSION") })]);
        peers.identify(reloads.in_force());
        let since_start = |release: &Release| release.since_start(clock.epoch());
        let releases = orders.releases.iter().map(since_start).collect();
        let overrides = OverrideFile::new(&folder, orders);
        peers.records().merge(overrides.words());
        let pair_restart = PairRestart::None;
        // From here on the loop comes round; until then another process may be waited for.
        let guard = Guard::start(turns, move || clock.now()).map_err(RunError::Thread)?;
        let succession = Succession::new(parts.successor, socket, handed.is_some());
        let now = tokio::time::Instant::now();
        #[rustfmt::skip]
        let mut running = Self {
            core, clock, kernel, probes, reports, probers, files, host, pair, pair_restart, peers, releases, reloads, overrides,
            state: folder,
            control, visitors, chronicler, hooks, published, succession,
            publish_at: now,
            tidy_at: now + FIRST_TIDY,
            watchdog: Watchdog::of_unit(),
            guard,
            stop_by: None,
            hand_over_asked: false,
            ready_told: false,
            stopped_pair: None,
        };
        if handed.is_none() {
            running.release_again();
        }
        Ok(running)
    }
}

/// Has another process let go of its pools, its lock and its ports, and takes them.
async fn let_go(
    predecessor: &mut Predecessor,
    policy: &Policy,
    state: &mut StateDirectory,
    socket: &Path,
) -> Result<(Option<HandedPools>, Ports), RunError> {
    let handed = predecessor.pools().await?;
    state.take()?;
    Ok((Some(handed), Ports::take_within(policy, socket, LET_GO).await?))
}

/// What a core is made of, beside the kernel and what is kept.
struct Material<'a> {
    policy: Policy,
    facts: HostFacts,
    handed: Option<&'a HandedPools>,
    observe: Option<Observe>,
    epoch: Epoch,
    seed: u64,
    clock: Clock,
}

impl Material<'_> {
    /// Looks at the kernel, and adopts what is there; with the thread that does it, and what operators ordered.
    async fn adopt<K: Kernel + 'static>(
        self,
        kernel: K,
        state: StateDirectory,
        generation: impl FnOnce() -> u64,
    ) -> Result<(Core, KernelThread, Orders), RunError> {
        let Self { policy, facts, handed, observe, epoch, seed, clock } = self;
        let owned = match &observe {
            Some(observe) => observe.found.clone(),
            None => state.load(&epoch, &mut |warning| tracing::warn!("{warning}")),
        };
        let orders = override_file::read(state.path(), &mut |warning| tracing::error!("{warning}"));
        let kernel = hands(kernel, observe.is_some());
        let mut kernel = KernelThread::start(kernel, state).map_err(RunError::Thread)?;
        let observed = complete(kernel.observe(Core::first_scope(&policy, &facts, &owned)).await?)?;
        let beginning = Beginning {
            policy,
            generation: generation(),
            host: facts,
            roles: handed.map(HandedPools::roles).unwrap_or_default(),
            observed,
            owned,
            overrides: orders.overrides.clone(),
            epoch: clock.epoch(),
            seed,
            now: clock.now(),
        };
        let core = match (handed, observe) {
            (Some(handed), _) => Core::succeed(beginning, handed),
            (None, Some(observe)) => Core::new(beginning).observing(observe.found),
            (None, None) => Core::new(beginning),
        };
        Ok((core, kernel, orders))
    }
}

/// The election and the channels to the other directors. Where another process serves until now, this one does from then on.
async fn others(
    core: &mut Core,
    clock: Clock,
    (folder, turns): (&Path, Turns),
    predecessor: Option<&mut Predecessor>,
) -> Result<(Option<PairThreads>, Peers), RunError> {
    let policy = Arc::clone(&core.policy);
    let keys = keyring(&policy.pair)?.peer;
    let pair = match predecessor {
        None => PairThreads::start(&policy, clock, folder, turns)?,
        Some(predecessor) => {
            let ready = pair::Ready::of(&policy, clock, folder)?;
            let epoch = ready.as_ref().map_or(0, pair::Ready::epoch);
            let handed = predecessor.pair(epoch).await?;
            let pair = ready.map(|ready| ready.start(&policy, turns, Some(handed))).transpose()?;
            if let Err(error) = predecessor.serving().await {
                pair.into_iter().for_each(PairThreads::hand_on);
                return Err(error.into());
            }
            if let Some(pair) = &pair {
                core.handle(Input::Roles { at: clock.now(), roles: pair.roles() });
            }
            tracing::info!("this process serves now, in another's place");
            pair
        }
    };
    Ok((pair, Peers::start(&policy, keys.as_ref(), clock)?))
}

fn chronicler(core: &Core, clock: Clock, folder: &Path) -> Chronicler {
    let book = Book::open(folder, &mut |warning| tracing::warn!("{warning}"));
    Chronicler::new(book, clock, core.director().map(|name| &**name))
}

fn first_status(core: &Core, clock: Clock) -> Status {
    let picture = core.seen_routers().unwrap_or_default();
    Status::of(core.director(), &core.snapshot(clock.now(), clock.epoch()), &picture)
}

/// The number of the policy that a director starts with; one that is new is kept.
fn generation(history: &mut History, text: &PolicyText) -> u64 {
    let same = |entry: &&Entry| entry.confirmed && entry.text == *text;
    let known = history.newest().filter(same);
    if let Some(known) = known {
        return known.generation;
    }
    let generation = history.next_generation();
    tell(history.add(generation, "start", true, text.clone()));
    generation
}

/// The kernel, tied where it is only looked at.
fn hands<K: Kernel + 'static>(kernel: K, observes: bool) -> Box<dyn Kernel> {
    if observes { Box::new(ReadOnly(kernel)) } else { Box::new(kernel) }
}
