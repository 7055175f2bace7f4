//! How the threads of a pair start (shell): first everything that can take time or be wrong, then, where each millisecond counts
//! since another process has just fallen silent, the two threads alone.

use super::memory::Memory;
use super::passing::Passing;
use super::restoring::Restoring;
use super::{PairThreads, REPORTS_WAITING, address_thread, keyring, signs};
use crate::advert::Paths;
use crate::advert::realtime;
use crate::advert::thread::{AdvertThread, Commander, Commands, Parts, Sockets};
use crate::director::clock::Clock;
use crate::director::error::RunError;
use crate::director::guard::Turns;
use crate::director::succession::dialogue::HandedPair;
use crate::director::succession::successor::TakeoverError;
use crate::model::{Policy, RouterName};
use crate::track;
use crate::vrrp::authentication::{Mark, Sender};
use crate::vrrp::role::Role;
use crate::vrrp::station::{Beginning, Keyring, Station};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::mpsc;

/// Everything but the threads.
pub(in crate::director) struct Ready {
    keyring: Keyring,
    memory: Memory,
    epoch: u64,
    marks: BTreeMap<Sender, Mark>,
    clock: realtime::Clock,
    commander: Commander,
    commands: Commands,
    paths: Arc<Paths>,
    sockets: Sockets,
}

impl PairThreads {
    /// Starts the threads of a policy with virtual routers; `None` without.
    pub(in crate::director) fn start(
        policy: &Policy,
        clock: Clock,
        state: &Path,
        turns: Turns,
    ) -> Result<Option<Self>, RunError> {
        let ready = Ready::of(policy, clock, state)?;
        ready.map(|ready| ready.start(policy, turns, None)).transpose()
    }
}

impl Ready {
    /// What the election of a policy needs; `None` without virtual routers. This run has its number from now on.
    pub(in crate::director) fn of(
        policy: &Policy,
        clock: Clock,
        state: &Path,
    ) -> Result<Option<Self>, RunError> {
        if policy.pair.routers.is_empty() {
            return Ok(None);
        }
        let keyring = keyring(&policy.pair)?;
        let (memory, epoch, marks) = Memory::open(state, signs(policy)).map_err(RunError::Memory)?;
        if let Err(warning) = realtime::lock_memory() {
            tracing::warn!("{warning}");
        }
        let clock = realtime::Clock::since(clock.started().into_std());
        let (commander, commands) = Commander::new().map_err(RunError::Thread)?;
        let paths = Arc::new(Paths::of(&policy.pair));
        let sockets = Sockets::open(&paths)?;
        Ok(Some(Self { keyring, memory, epoch, marks, clock, commander, commands, paths, sockets }))
    }

    /// The number of this run.
    pub(in crate::director) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Starts the threads; `handed` is what another process has handed on.
    ///
    /// # Errors
    /// When the host gives no thread, or it is too late to go on for the other process.
    pub(in crate::director) fn start(
        self,
        policy: &Policy,
        turns: Turns,
        handed: Option<HandedPair>,
    ) -> Result<PairThreads, RunError> {
        let Self { keyring, memory, epoch, marks, clock, commander, commands, paths, sockets } = self;
        let mut station = Station::new(Beginning { policy, keyring, epoch, marks, now: clock.now() });
        let start_by = handed.as_ref().map(|handed| handed.start_by);
        if let Some(known) = handed.and_then(|handed| handed.station) {
            station.go_on(clock.now(), &known);
        }
        let (adopted, master_of) = (station.held_routers(), masters(&station));
        let alive = Arc::new(AtomicU64::new(clock.now().as_micros()));
        let (events, address_events) = mpsc::channel(REPORTS_WAITING);
        let addresses = address_thread(policy, (clock, &adopted), &alive, &commander, events)?;
        let parts = Parts {
            station,
            paths,
            clock,
            commander,
            commands,
            order: Box::new(addresses.orderer()),
            alive: Arc::clone(&alive),
            keeper_pulse: Box::new(addresses.pulse()),
            pools_turns: Box::new(move || turns.count()),
        };
        // From here on this process advertises: not where the other one may do so again.
        if start_by.is_some_and(|start_by| start_by <= clock.now()) {
            return Err(TakeoverError::TooLate.into());
        }
        let (adverts, notices) = AdvertThread::start(parts, sockets)?;
        let tracked = crate::vrrp::tracking::tracked(policy);
        let restoring = Restoring::new(policy);
        if master_of.is_empty() {
            restoring.started();
        }
        let (reporter, reports) = mpsc::channel(REPORTS_WAITING);
        Ok(PairThreads {
            adverts,
            addresses: Some(addresses),
            alive,
            notices,
            reports,
            address_events,
            watches: track::watch(&tracked, &reporter),
            reporter,
            memory,
            keeps_marks: true,
            clock,
            names: policy.pair.routers.keys().cloned().collect(),
            master_of,
            watched: BTreeMap::new(),
            told: BTreeMap::new(),
            tracked,
            warm_up: None,
            passing: Passing::new(policy),
            restoring,
        })
    }
}

fn masters(station: &Station) -> BTreeSet<RouterName> {
    let is_master = |router: &crate::vrrp::RouterId| station.election().role(*router) == Role::Master;
    let name = |router: crate::vrrp::RouterId| Some(station.routers().get(router.0)?.name.clone());
    station.election().routers().into_iter().filter(is_master).filter_map(name).collect()
}
