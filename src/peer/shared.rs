//! What the tasks of the channels know together, and what they tell (shell: locks, the clock, the log).

use super::comparison::{Alarm, Compared, Comparison, Ours};
use super::fault::Fault;
use super::happened::Happened;
use super::heard::Heard;
use super::message::{Hello, Message, Versions};
use super::records::Records;
use super::report::{Facts, Report, Summaries, summaries};
use super::settings::Settings;
use super::sightings::Sightings;
use super::view::{ChannelView, PeersView};
use crate::director::chronicle::Book;
use crate::model::DirectorName;
use crate::time::Instant;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Between two reports.
    pub(super) tick: Duration,
    /// Connecting and the handshake; and saying hello.
    pub(super) handshake: Duration,
    /// Between two whole messages of a peer; longer, and it is gone.
    pub(super) silence: Duration,
    /// Writing one message.
    pub(super) write: Duration,
    /// Between two tries, the first time.
    pub(super) again: Duration,
    /// The same at most.
    pub(super) again_at_most: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(1),
            handshake: Duration::from_secs(5),
            silence: Duration::from_secs(5),
            write: Duration::from_secs(5),
            again: Duration::from_millis(500),
            again_at_most: Duration::from_secs(15),
        }
    }
}

/// This director, as it is told.
#[derive(Debug, Default)]
pub(super) struct Own {
    pub(super) report: Option<Report>,
    pub(super) pools: Summaries,
    pub(super) book: Book,
}

/// What outlives the channels, and a reload.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub records: Arc<Records>,
    pub sightings: Arc<Sightings>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) versions: Versions,
    pub(super) pace: Pace,
    pub(super) own: ArcSwap<Own>,
    pub(super) known: Known,
    /// Of [`Instant::ZERO`].
    started: std::time::Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    peers: BTreeMap<DirectorName, Peer>,
    errors: BTreeMap<&'static str, u64>,
    links: u64,
}

#[derive(Debug)]
struct Peer {
    /// The connection in use.
    link: Option<u64>,
    since: Instant,
    fault: Fault,
    /// Kinds of faults that were told since it was up: two ways that fail differently must not fill the log in turn.
    told: BTreeSet<&'static str>,
    version: Option<String>,
    heard: Heard,
    happened: Arc<Happened>,
    comparison: Comparison,
    compared: Compared,
}

impl Shared {
    pub(super) fn new(settings: Settings, known: Known, started: std::time::Instant) -> Self {
        let since = Instant::ZERO + started.elapsed();
        let peer = |name: &DirectorName| {
            let peer = Peer {
                link: None,
                since,
                fault: Fault::NotCalled,
                told: BTreeSet::new(),
                version: None,
                heard: Heard::default(),
                happened: Arc::default(),
                comparison: Comparison::default(),
                compared: Compared::default(),
            };
            (name.clone(), peer)
        };
        let state = State {
            peers: settings.others.keys().map(peer).collect(),
            errors: Fault::KINDS.into_iter().map(|kind| (kind, 0)).collect(),
            links: 0,
        };
        Self {
            settings,
            versions: Versions::OURS,
            pace: Pace::default(),
            own: ArcSwap::default(),
            known,
            started,
            state: Mutex::new(state),
        }
    }

    pub(super) fn now(&self) -> Instant {
        Instant::ZERO + self.started.elapsed()
    }

    /// What this director says first.
    pub(super) fn hello(&self) -> Message {
        Message::Hello(Hello {
            versions: self.versions,
            director: self.settings.own.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// A connection stands; the one before, if there is one, is over.
    pub(super) fn joined(&self, name: &DirectorName, hello: &Hello) -> Option<u64> {
        let now = self.now();
        let mut state = self.lock();
        state.links += 1;
        let link = state.links;
        let peer = state.peers.get_mut(name)?;
        if peer.link.replace(link).is_none() {
            peer.since = now;
            peer.told.clear();
            tracing::info!(peer = &**name, version = hello.version, "the channel to {name} is up");
        }
        peer.version = Some(hello.version.clone());
        peer.heard = Heard::default();
        self.known.sightings.lost(name);
        Some(link)
    }

    /// Takes in what was said; `false`: another connection has come in this one's place.
    pub(super) fn said(&self, name: &DirectorName, link: u64, message: Message) -> bool {
        let now = self.now();
        let mut state = self.lock();
        let Some(peer) = state.peers.get_mut(name).filter(|peer| peer.link == Some(link)) else {
            return false;
        };
        match message {
            Message::Report(report) => peer.heard.report(*report, now),
            Message::Pools(pools) => peer.heard.pools(pools),
            Message::Sights { anew, sights } => self.known.sightings.heard(name, anew, sights),
            Message::Events { events } => Arc::make_mut(&mut peer.happened).take(name, events),
            // Records are no affair of one connection.
            Message::Records { .. } | Message::Hello(_) | Message::Unknown => {}
        }
        true
    }

    pub(super) fn is_current(&self, name: &DirectorName, link: u64) -> bool {
        self.lock().peers.get(name).is_some_and(|peer| peer.link == Some(link))
    }

    /// A connection that stood is over.
    pub(super) fn left(&self, name: &DirectorName, link: u64, fault: Fault) {
        let now = self.now();
        let mut state = self.lock();
        state.count(&fault);
        let Some(peer) = state.peers.get_mut(name).filter(|peer| peer.link == Some(link)) else { return };
        tracing::warn!(peer = &**name, "the channel to {name} is down: {fault}");
        (peer.link, peer.since, peer.fault) = (None, now, fault);
        peer.compared = Compared::default();
        self.known.sightings.lost(name);
    }

    /// A connection did not come about. Each reason is told once, until there is a channel.
    pub(super) fn failed(&self, name: &DirectorName, fault: Fault) {
        let mut state = self.lock();
        state.count(&fault);
        let Some(peer) = state.peers.get_mut(name).filter(|peer| peer.link.is_none()) else { return };
        if fault.kind().is_some_and(|kind| peer.told.insert(kind)) {
            tracing::warn!(peer = &**name, "no channel to {name}: {fault}");
        }
        peer.fault = fault;
    }

    /// Somebody who is no director. Told the first time.
    pub(super) fn stranger(&self, from: std::net::IpAddr) {
        if self.lock().count(&Fault::Stranger) == 1 {
            tracing::warn!("{} was refused, at the channel between the directors: {from}", Fault::Stranger);
        }
    }

    /// Takes over what the event loop has told, compares, and tells what differs.
    pub(super) fn look(&self, facts: Option<&Facts>) -> PeersView {
        if let Some(facts) = facts {
            let pools = summaries(facts, &self.own.load().pools);
            let book = facts.book.clone();
            self.own.store(Arc::new(Own { report: Some(Report::of(facts)), pools, book }));
        }
        let (own, now) = (self.own.load(), self.now());
        let ours = Ours { report: own.report.as_ref(), pools: &own.pools };
        let mut state = self.lock();
        let mut alarms = Vec::new();
        for (name, peer) in &mut state.peers {
            let heard = Some(&peer.heard).filter(|_| peer.link.is_some());
            peer.compared = peer.comparison.look(now, ours, heard, &mut alarms);
            alarms.drain(..).for_each(|alarm| tell(name, &alarm));
        }
        let channels = state.peers.iter().map(|(name, peer)| peer.view(name)).collect();
        PeersView { channels, errors: state.errors.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many there have been of this kind.
    fn count(&mut self, fault: &Fault) -> u64 {
        let Some(kind) = fault.kind() else { return 0 };
        let count = self.errors.entry(kind).or_default();
        *count += 1;
        *count
    }
}

impl Peer {
    fn view(&self, name: &DirectorName) -> ChannelView {
        let compared = self.compared.clone();
        ChannelView {
            name: name.clone(),
            up: self.link.is_some(),
            since: self.since,
            fault: self.link.is_none().then(|| self.fault.to_string()),
            last_heard: self.heard.at,
            version: self.version.clone(),
            report: self.heard.report.clone(),
            happened: Arc::clone(&self.happened),
            policy_match: compared.policy_match,
            table_match: compared.table_match,
            differing: compared.differing,
            mh_differs: compared.mh_differs,
            down_there: compared.down_there,
            down_here: compared.down_here,
        }
    }
}

fn tell(name: &DirectorName, alarm: &Alarm) {
    match alarm {
        Alarm::Policies(true) => tracing::error!(
            peer = &**name,
            "{name} runs another policy: after a failover clients would be served by that one; reload both directors with one file"
        ),
        Alarm::Policies(false) => tracing::info!(peer = &**name, "{name} runs the same policy"),
        Alarm::Tables { pools, mh: true } => tracing::error!(
            peer = &**name,
            "the `mh` tables are not the same on {name}: a failover would break connections of {pools}"
        ),
        Alarm::Tables { pools, mh: false } => tracing::error!(
            peer = &**name,
            "the IPVS tables are not the same on {name}: after a failover other servers would serve {pools}"
        ),
        Alarm::TablesMatch => tracing::info!(peer = &**name, "the IPVS tables are the same on {name}"),
    }
}

/// What the event loop hands over, swapped whole.
pub(super) type FactsCell = Arc<ArcSwapOption<Facts>>;
