//! The pair, seen from the pools' loop (shell): starts the advert thread and the address thread, hands roles to the pools
//! and their fitness to the election, and does for the advert thread what that must not do itself.
//!
//! It decides nothing: [`crate::vrrp`] does.

mod before_master;
mod log;
mod memory;
mod passing;
mod restoring;
mod secrets;
mod starting;
mod until;

use super::chronicle::{self, Chronicler};
use super::core::Core;
use super::error::RunError;
use crate::advert::Paths;
use crate::advert::realtime;
use crate::advert::thread::{AdvertThread, Command, Commander, Notice, Published, Renewal};
use crate::floating::thread::{AddressThread, Handle, Surroundings};
use crate::floating::{self, Plan};
use crate::model::{Authentication, Hook, Policy, Roles, RouterName, Tables, Tracked};
use crate::time::Instant;
use crate::track::{self, Watches};
use crate::vrrp::RouterId;
use crate::vrrp::role::Role;
use crate::vrrp::station::{Beginning, Keyring, Station};
use memory::Memory;
use passing::Passing;
use restoring::Restoring;
pub(super) use secrets::{SecretError, keyring};
pub(super) use starting::Ready;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

/// How long addresses that nobody took over live on after a stop: long enough for a restart, and short for a director that is
/// started elsewhere meanwhile, which takes them too.
const LEFT_FOR: Duration = Duration::from_secs(10);
/// The address thread is given so long to do what it was told last.
const LONGEST_FINISH: Duration = Duration::from_secs(2);
/// Changes of things tracked that wait.
const REPORTS_WAITING: usize = 256;

/// Both threads and everything around them.
#[derive(Debug)]
pub(super) struct PairThreads {
    adverts: AdvertThread,
    /// `None` once it has been ended.
    addresses: Option<Handle>,
    /// The advert thread's last sign of life, in microseconds.
    alive: Arc<AtomicU64>,
    notices: mpsc::Receiver<Notice>,
    reports: mpsc::Receiver<(Tracked, bool)>,
    address_events: mpsc::Receiver<floating::Event>,
    reporter: mpsc::Sender<(Tracked, bool)>,
    /// Ends the watching when it is dropped.
    watches: Watches,
    memory: Memory,
    /// Whether marks are kept on disk; not while another process is about to go on.
    keeps_marks: bool,
    clock: realtime::Clock,
    names: Vec<RouterName>,
    master_of: BTreeSet<RouterName>,
    /// What was last seen of processes and files.
    watched: BTreeMap<Tracked, bool>,
    /// What the election was told of everything tracked.
    told: BTreeMap<Tracked, bool>,
    tracked: BTreeSet<Tracked>,
    /// The election waits for verdicts that are of what there is since then.
    warm_up: Option<Instant>,
    passing: Passing,
    restoring: Restoring,
}

/// What the loop has to do about a notice.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Duty {
    None,
    Roles(Roles),
    /// The pair has handed over what it held.
    Stopped,
}

/// What came of the pair.
#[derive(Debug)]
pub(super) enum News {
    Notice(Notice),
    Tracked(Tracked, bool),
    Address(floating::Event),
    /// The advert thread has ended without being asked.
    Ended,
}

impl PairThreads {
    /// Goes on under another policy with the same sessions; `false`: the election takes in no more, and nothing was done.
    pub(super) fn renew(&mut self, policy: &Policy, keyring: Keyring) -> bool {
        let (epoch, now) = (self.memory.epoch(), self.clock.now());
        let station = Station::new(Beginning { policy, keyring, epoch, marks: BTreeMap::new(), now });
        let paths = Arc::new(Paths::of(&policy.pair));
        if !self.adverts.commander().give(Command::Renew(Box::new(Renewal { station, paths }))) {
            return false;
        }
        self.addresses.iter().for_each(|addresses| addresses.renew(Plan::of(&policy.pair)));
        let tracked = crate::vrrp::tracking::tracked(policy);
        if tracked != self.tracked {
            self.watches = track::watch(&tracked, &self.reporter);
            self.watched.retain(|what, _| tracked.contains(what));
            self.tracked = tracked;
        }
        // A thing that another router tracks from now on is news to that one.
        self.told.clear();
        self.passing.renew(policy);
        self.restoring = Restoring::new(policy);
        true
    }

    /// The next news.
    pub(super) async fn next(&mut self) -> News {
        tokio::select! {
            notice = self.notices.recv() => notice.map_or(News::Ended, News::Notice),
            Some((what, good)) = self.reports.recv() => News::Tracked(what, good),
            Some(event) = self.address_events.recv() => News::Address(event),
        }
    }

    /// What it published last.
    pub(super) fn published(&self) -> Arc<Published> {
        self.adverts.published()
    }

    pub(super) fn commander(&self) -> &Commander {
        self.adverts.commander()
    }

    /// When each of the two threads last gave a sign of life.
    pub(super) fn pulses(&self) -> [(&'static str, Instant); 2] {
        let adverts = Instant::from_micros(self.alive.load(Ordering::Acquire));
        // One that was ended on purpose is not missed.
        let addresses = self.addresses.as_ref().map_or(adverts, |addresses| addresses.pulse()());
        [("adverts", adverts), ("addresses", addresses)]
    }

    /// Whether the address thread has ended without being asked.
    pub(super) fn has_lost_its_addresses(&self) -> bool {
        self.addresses.as_ref().is_some_and(Handle::has_ended)
    }

    /// Tells the election what has become of pools and checks, and that the tables are warm.
    pub(super) fn look_at_pools(&mut self, core: &Core, now: Instant) {
        for what in &self.tracked {
            let good = match what {
                Tracked::Pool(pool) => core.pool_verdict(pool),
                Tracked::Sight(pool) => core.sees_pool(pool),
                Tracked::Check(check) => core.check_verdict(check),
                Tracked::Process(_) | Tracked::File(_) => self.watched.get(what).copied(),
                Tracked::Interface(_) => None,
            };
            let Some(good) = good else { continue };
            if self.told.get(what) != Some(&good)
                && self.adverts.commander().give(Command::Tracked { what: what.clone(), good })
            {
                self.told.insert(what.clone(), good);
            }
        }
        let warm = self.warm_up.filter(|since| core.is_warm(*since, now));
        if warm.is_some_and(|since| self.adverts.commander().give(Command::Warm { since })) {
            self.warm_up = None;
        }
    }

    /// Does what a notice asks for; `tables` are what the kernel should hold.
    pub(super) fn take(
        &mut self,
        news: News,
        chronicler: &Chronicler,
        tables: impl FnOnce() -> Tables,
    ) -> Duty {
        let notice = match news {
            News::Notice(notice) => notice,
            News::Tracked(what, good) => {
                self.watched.insert(what, good);
                return Duty::None;
            }
            News::Address(event) => {
                log::address(&event);
                chronicler.tell([chronicle::of_address(&event)]);
                return Duty::None;
            }
            News::Ended => return Duty::Stopped,
        };
        match notice {
            Notice::Role { router, is_master, handed_over } => {
                let Some(name) = self.names.get(router.0) else { return Duty::None };
                if is_master {
                    self.master_of.insert(name.clone());
                    self.restoring.took_over(tables);
                } else {
                    self.master_of.remove(name);
                    self.restoring.handed_over();
                }
                let changing_hands = handed_over.then(|| name.clone()).into_iter().collect();
                return Duty::Roles(Roles { master_of: self.master_of.clone(), changing_hands });
            }
            Notice::Stopped { lengthen } => {
                if lengthen {
                    tracing::warn!(
                        "nobody took over: the floating addresses stay for {} s, for a restart",
                        LEFT_FOR.as_secs()
                    );
                    self.addresses.iter().for_each(|addresses| addresses.lengthen(LEFT_FOR));
                }
                return Duty::Stopped;
            }
            Notice::Tell(event) => {
                log::vrrp(&event);
                chronicler.tell([chronicle::of_vrrp(&event)]);
            }
            Notice::PassState { whole } => {
                self.passing.pass(whole, tables, self.adverts.commander().clone());
                // From the moment at which the other director holds the addresses, connections that it begins may come here,
                // until everybody believes it.
                let master_of = self.master_of.clone();
                return Duty::Roles(Roles { changing_hands: master_of.clone(), master_of });
            }
            Notice::WarmUp { since } => self.warm_up = Some(since),
            Notice::RunHook { unit, hooks } => self.run_hooks(unit, hooks),
            Notice::Marks(marks) if self.keeps_marks => self.memory.keep(marks),
            Notice::Marks(_) => {}
            Notice::Run { epoch } => self.memory.renumber(epoch),
            Notice::Trouble(message) => {
                tracing::warn!("{message}");
                chronicler.tell([chronicle::of_trouble(&message)]);
            }
        }
        Duty::None
    }

    /// Asks for the hand-over; `false`: the queue was full, ask again.
    pub(super) fn begin_stop(&self) -> bool {
        self.adverts.commander().give(Command::Stop)
    }

    /// Whether this process keeps what must be known after a restart; another may be about to.
    pub(super) const fn keep_marks(&mut self, keeps: bool) {
        self.keeps_marks = keeps;
    }

    /// The roles that this director has now.
    pub(super) fn roles(&self) -> Roles {
        Roles { master_of: self.master_of.clone(), changing_hands: BTreeSet::new() }
    }

    /// Another process serves: both threads end, and touch nothing any more.
    pub(super) fn hand_on(mut self) {
        self.adverts.commander().give(Command::End);
        self.addresses.take().into_iter().for_each(Handle::hand_on);
    }

    /// The roles as they were last published, where that is news: a notice may have been lost.
    pub(super) fn roles_missed(&mut self) -> Option<Roles> {
        let published = self.adverts.published();
        let masters = published.picture.routers.iter().filter(|router| router.role == Role::Master);
        let master_of: BTreeSet<RouterName> = masters.map(|router| router.name.clone()).collect();
        (published.notices_lost > 0 && master_of != self.master_of).then(|| {
            self.master_of.clone_from(&master_of);
            Roles { master_of, changing_hands: BTreeSet::new() }
        })
    }

    /// Lets the address thread do what it was told last, then ends it.
    pub(super) async fn finish(&mut self) {
        let Some(addresses) = self.addresses.take() else { return };
        let finished = spawn_blocking(move || addresses.finish(LONGEST_FINISH)).await;
        if !finished.unwrap_or_default() {
            tracing::error!(
                "the address thread is still inside the kernel; the addresses end with their lifetime"
            );
        }
    }

    /// Runs the hooks of a unit one after the other, each within its own time.
    fn run_hooks(&self, unit: usize, hooks: Vec<Hook>) {
        let commander = self.adverts.commander().clone();
        tokio::spawn(async move {
            for hook in hooks {
                before_master::run(&hook).await;
            }
            commander.give(Command::HookDone { unit });
        });
    }
}

/// Whether the others judge by the number of this run: beats carry it as well.
fn signs(policy: &Policy) -> bool {
    let hmac = |authentication: &Authentication| matches!(authentication, Authentication::Hmac { .. });
    let routers = policy.pair.routers.values();
    policy.pair.peer.key.is_some() || routers.filter_map(|router| router.authentication.as_ref()).any(hmac)
}

fn address_thread(
    policy: &Policy,
    (clock, adopted): (realtime::Clock, &BTreeSet<RouterId>),
    alive: &Arc<AtomicU64>,
    commander: &Commander,
    events: mpsc::Sender<floating::Event>,
) -> Result<Handle, RunError> {
    let to_adverts = commander.clone();
    let reports = move |report| to_adverts.give(Command::Keeper(report));
    let surroundings = Surroundings {
        clock: move || clock.now(),
        alive: Arc::clone(alive),
        priority: Some(realtime::ADDRESS_PRIORITY),
        reports,
        events: Box::new(move |event| drop(events.try_send(event))),
    };
    Ok(AddressThread::start(&Plan::of(&policy.pair), adopted, surroundings)?)
}
