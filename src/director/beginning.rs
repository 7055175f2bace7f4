//! How a director begins (shell): what can be wrong is made ready first, then the kernel is looked at and what is there adopted.
//! Until the loop runs, nothing has been changed.

use super::chronicle::{Book, Chronicler, PolicyNews, of_policy};
use super::clock::Clock;
use super::core::{Beginning, Core};
use super::error::RunError;
use super::guard::{Guard, Turns};
use super::history::{Entry, History, tell};
use super::host_look::{AskHost, HostLook};
use super::kernel_thread::KernelThread;
use super::loading::{Candidate, PolicyText};
use super::override_file::{self, OverrideFile, Release};
use super::pair::{PairThreads, keyring};
use super::pair_restart::PairRestart;
use super::peers::Peers;
use super::permissions::lacking;
use super::preparation::probers;
use super::publisher::Publisher;
use super::reload::Reloads;
use super::run::{FIRST_TIDY, Loop, Parts, Probers, compute};
use super::targets::MOST_AT_ONCE;
use super::watchdog::Watchdog;
use crate::control::{Api, Control, Socket, Status, Windows};
use crate::hook::{self, Hooks};
use crate::kernel::{Kernel, ReadOnly, complete};
use crate::model::{HostFacts, Policy, Roles};
use crate::probe::{FileWatch, Pool, Workers};
use std::path::Path;

/// What a policy needs of this host, taken and read before anything is changed.
struct Ready {
    socket: Option<Socket>,
    probers: Probers,
    hooks: Vec<hook::Ready>,
    files: FileWatch,
    clock: Clock,
    published: Publisher,
    api: Option<Api>,
    host: HostLook,
    facts: HostFacts,
}

impl Ready {
    async fn of(policy: &Policy, socket: &Path, ask_host: AskHost, observes: bool) -> Result<Self, RunError> {
        let socket = Socket::chosen(socket)?;
        let probers = probers(policy)?;
        // At the start the rest of the site is worth more than the one check.
        lacking(policy).iter().for_each(|lacking| tracing::error!("{lacking}"));
        let hooks = hook::prepare(&policy.on_event)?;
        let files = FileWatch::of(policy);
        let clock = Clock::start();
        let published = Publisher::serve(policy, clock, observes).await?;
        let api = Api::prepare(policy.api.as_ref(), None).await?;
        let (host, facts) = HostLook::begun(ask_host, policy).await?;
        Ok(Self { socket, probers, hooks, files, clock, published, api, host, facts })
    }
}

impl Loop {
    /// Makes ready what can be wrong first, then looks at the kernel and adopts what is there.
    pub(super) async fn begin<K: Kernel + 'static>(parts: Parts<K>) -> Result<Self, RunError> {
        let Parts { candidate, loader, history, hangups, kernel, state, ask_host, epoch, seed, .. } = parts;
        let (mut history, observe) = (history, parts.observe);
        let Candidate { policy, text, .. } = candidate;
        let Ready { socket, probers, hooks, files, clock, published, api, host, facts } =
            Ready::of(&policy, &parts.socket, ask_host, observe.is_some()).await?;
        let owned = match &observe {
            Some(observe) => observe.found.clone(),
            None => state.load(&epoch, &mut |warning| tracing::warn!("{warning}")),
        };
        let folder = state.path().to_owned();
        let mut kernel =
            KernelThread::start(hands(kernel, observe.is_some()), state).map_err(RunError::Thread)?;
        let observed = complete(kernel.observe(Core::first_scope(&policy, &facts, &owned)).await?)?;
        let generation = generation(&mut history, &text);
        let orders = override_file::read(&folder, &mut |warning| tracing::error!("{warning}"));
        let mut core = Core::new(Beginning {
            policy,
            generation,
            host: facts,
            roles: Roles::default(),
            observed,
            owned,
            overrides: orders.overrides.clone(),
            epoch: clock.epoch(),
            seed,
            now: clock.now(),
        });
        let guard = Guard::start(Turns::default(), move || clock.now()).map_err(RunError::Thread)?;
        let (pair, mut peers) = match observe {
            Some(observe) => {
                core = core.observing(observe.found);
                // Who only looks on tells nobody anything.
                (None, Peers::default())
            }
            None => others(&core.policy, clock, &folder, guard.turns())?,
        };
        let chronicler = chronicler(&core, clock, &folder);
        let hooks = Hooks::start(chronicler.book().clone(), published.tally(), hooks);
        let windows = Windows { book: chronicler.book().clone(), snapshot: published.snapshot() };
        let mut control = Control::serve(socket, first_status(&core, clock), clock.started(), windows);
        control.renew_api(api, published.view(clock));
        control.publish_history(history.told(generation));
        let reloads = Reloads::new(loader, history, text, hangups, clock.now());
        peers.identify(reloads.in_force());
        let since_start = |release: &Release| release.since_start(clock.epoch());
        let releases = orders.releases.iter().map(since_start).collect();
        let overrides = OverrideFile::new(&folder, orders);
        peers.records().merge(overrides.words());
        let workers = compute(&probers).then(Workers::start).transpose().map_err(RunError::Thread)?;
        let (probes, reports) = Pool::new(MOST_AT_ONCE, workers);
        let pair_restart = PairRestart::None;
        #[rustfmt::skip]
        let mut running = Self {
            core, clock, kernel, probes, reports, probers, files, host, pair, pair_restart, peers, releases, reloads, overrides,
            state: folder,
            control, chronicler, hooks, published,
            publish_at: clock.started(),
            tidy_at: clock.started() + FIRST_TIDY,
            watchdog: Watchdog::of_unit(),
            guard,
            stop_by: None,
            hand_over_asked: false,
            ready_told: false,
            stopped_pair: None,
        };
        running.release_again();
        Ok(running)
    }
}

/// The election and the channels to the other directors.
fn others(
    policy: &Policy,
    clock: Clock,
    folder: &Path,
    turns: Turns,
) -> Result<(Option<PairThreads>, Peers), RunError> {
    let pair = PairThreads::start(policy, clock, folder, turns)?;
    Ok((pair, Peers::start(policy, keyring(&policy.pair)?.peer.as_ref(), clock)?))
}

fn chronicler(core: &Core, clock: Clock, folder: &Path) -> Chronicler {
    let book = Book::open(folder, &mut |warning| tracing::warn!("{warning}"));
    let chronicler = Chronicler::new(book, clock, core.director().map(|name| &**name));
    chronicler.tell([of_policy(&PolicyNews::Started { version: env!("CARGO_PKG_VERSION") })]);
    chronicler
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
