//! The loop of the advert thread (shell): waits for sockets, commands and the deadline, hands all that came to the station
//! together, and does what it says. It never makes an rtnetlink request: those are errands.

mod renewal;
mod sending;
mod signs;
mod succession;

use super::errands::{Done, Errand, Errands};
use super::frame::Framing;
use super::lateness::Lateness;
use super::links::{Link, LinkEvent, LinkListener};
use super::path::{PathId, Paths, Protocol};
use super::realtime::{Clock, Suspension, wait};
use super::thread::{Command, Commands, Notice, Parts, Published};
use super::transport::Transport;
use super::{DATAGRAM_BYTES_MAX, Datagram};
use crate::floating::Order;
use crate::model::Tracked;
use crate::time::Instant;
use crate::vrrp::SessionId;
use crate::vrrp::station::{self, Input, Output, Station};
use arc_swap::ArcSwap;
use signs::Signs;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use succession::Hand;
use tokio::sync::mpsc;

/// The thread gives a sign of life, publishes and looks after its sockets at least so often.
const CHORES_EVERY: Duration = Duration::from_millis(250);
/// The sources of all paths are looked up anew so often: a Backup sends nothing by which it would notice that its address is
/// gone, or that a better one has come. A listener for addresses would wake this thread for each renewal of a floating one.
const SOURCES_EVERY: Duration = Duration::from_secs(2);
/// What is to be kept against replays is told so often.
const MARKS_EVERY: Duration = Duration::from_secs(1);
/// Datagrams that are handed over together; more are taken after the timers were looked at.
const DATAGRAMS_AT_ONCE: usize = 256;
/// The same of changes of links, beyond which only what was read already is taken; and of commands.
const LINKS_AT_ONCE: usize = 256;
const COMMANDS_AT_ONCE: usize = 1024;
/// Without a wait that works the loop goes on at this pace.
const AFTER_FAILED_WAIT: Duration = Duration::from_millis(5);

/// The thread's own descriptors and outlets.
pub(super) struct Ports {
    pub(super) transport: Transport,
    pub(super) links: LinkListener,
    pub(super) errands: Errands,
    pub(super) notices: mpsc::Sender<Notice>,
    pub(super) published: Arc<ArcSwap<Published>>,
}

pub(super) struct Driver {
    station: Station,
    paths: Arc<Paths>,
    framing: Framing,
    clock: Clock,
    commands: Commands,
    order: Box<dyn FnMut(Order) + Send>,
    alive: Arc<AtomicU64>,
    signs: Signs,
    ports: Ports,
    /// The sessions of each path.
    sessions: BTreeMap<PathId, Vec<SessionId>>,
    /// Whether each path of beats is apart from the routers' own links.
    beats: BTreeMap<PathId, bool>,
    links: BTreeMap<String, Link>,
    tracked_interfaces: BTreeSet<String>,
    lateness: Lateness,
    /// Interval and skew time of the fastest router: the margin.
    margin: (Duration, Duration),
    chores_at: Instant,
    marks_at: Instant,
    notices_lost: u64,
    /// The last errno of sending on each path: each is told once.
    send_errors: BTreeMap<PathId, i32>,
    buffer: Vec<u8>,
    /// Paths whose source is being looked up, and that are being opened: once at a time is enough.
    sources_asked: BTreeSet<PathId>,
    opens_asked: BTreeSet<PathId>,
    sources_at: Instant,
    /// Errands that found no room.
    refused: Vec<Errand>,
    suspension: Suspension,
    /// Whether another process goes on with the station.
    hand: Hand,
    /// Commands that came while one was about to.
    later: VecDeque<Command>,
    stopped: bool,
}

impl Driver {
    pub(super) fn new(parts: Parts, ports: Ports) -> Self {
        let Parts { station, paths, clock, commands, order, alive, keeper_pulse, pools_turns, .. } = parts;
        let mut sessions: BTreeMap<PathId, Vec<SessionId>> = BTreeMap::new();
        for (session, path) in &paths.sessions {
            sessions.entry(*path).or_default().push(*session);
        }
        let beat = |beat: &super::BeatPath| {
            let apart = beat.interface.is_some();
            beat.paths.iter().map(|path| (*path, apart)).collect::<Vec<_>>()
        };
        Self {
            framing: Framing::new(paths.virtual_macs.clone()),
            sessions,
            beats: paths.beats.iter().flat_map(beat).collect(),
            links: BTreeMap::new(),
            tracked_interfaces: renewal::tracked_interfaces(&station),
            lateness: Lateness::default(),
            margin: station.margin(),
            chores_at: Instant::ZERO,
            marks_at: Instant::ZERO,
            notices_lost: 0,
            send_errors: BTreeMap::new(),
            buffer: vec![0; DATAGRAM_BYTES_MAX],
            sources_asked: BTreeSet::new(),
            opens_asked: BTreeSet::new(),
            sources_at: Instant::ZERO,
            refused: Vec::new(),
            suspension: Suspension::watch(),
            hand: Hand::Own,
            later: VecDeque::new(),
            stopped: false,
            station,
            paths,
            clock,
            commands,
            order,
            alive,
            signs: Signs::new(keeper_pulse, pools_turns),
            ports,
        }
    }

    pub(super) fn run(mut self) {
        self.order_errand(Errand::Links);
        while !self.stopped {
            let at = self.clock.now();
            let deadline = self.settle();
            self.alive.store(at.as_micros(), Ordering::Release);
            self.look_for_moment(at);
            if self.is_silent() {
                self.be_silent();
                continue;
            }
            self.chores(at);
            self.wait(deadline);
            let at = self.clock.now();
            self.note_lateness(at, deadline);
            self.note_suspension(at);
            // A list of links is older than any event that is read after it.
            self.take_errands(at);
            self.take_links(at);
            self.take_commands(at);
            self.take_datagrams(at);
            self.station.handle(Input::Timeout { at });
        }
        self.publish();
    }

    fn wait(&self, deadline: Option<Instant>) {
        let until = deadline.map_or(self.chores_at, |deadline| deadline.min(self.chores_at));
        let descriptors = [
            self.commands.wake.as_fd(),
            self.ports.transport.as_fd(),
            self.ports.links.as_fd(),
            self.ports.errands.as_fd(),
        ];
        if wait(self.clock, &descriptors, Some(until)).is_err() {
            #[expect(
                clippy::disallowed_methods,
                reason = "the wait itself failed: this only keeps the loop from spinning"
            )]
            std::thread::sleep(AFTER_FAILED_WAIT);
        }
    }

    fn note_lateness(&mut self, at: Instant, deadline: Option<Instant>) {
        let Some(deadline) = deadline.filter(|deadline| *deadline <= at) else { return };
        let late = at.saturating_since(deadline);
        let (interval, skew) = self.margin;
        if self.lateness.record(at, late, interval, skew) {
            self.notice(Notice::Trouble(format!(
                "the advert thread woke up {late:?} late, which is more than half of what it may be: this host is too busy \
                 (or, as a virtual machine, stands still) for an interval of {interval:?}"
            )));
        }
    }

    /// Before anything that came meanwhile: a Master that slept is none any more.
    fn note_suspension(&mut self, at: Instant) {
        let Some(slept) = self.suspension.since_last() else { return };
        self.station.handle(Input::Slept { at, slept });
        self.notice(Notice::Trouble(format!(
            "this machine was suspended for {slept:?}: another director has taken over meanwhile, and is followed; keep \
             directors from being suspended"
        )));
    }

    /// Does what the station asks for until it waits; until when.
    fn settle(&mut self) -> Option<Instant> {
        loop {
            match self.station.poll() {
                Output::Send { session, destination, bytes } => self.send(session, destination, &bytes),
                Output::Beat { bytes } => self.send_beat(&bytes),
                Output::Order(order) => (self.order)(order),
                Output::PassState { whole } => self.notice(Notice::PassState { whole }),
                Output::WarmUp { since } => self.notice(Notice::WarmUp { since }),
                Output::RunHook { unit } => {
                    let hooks = self.station.hooks(unit);
                    self.notice(Notice::RunHook { unit, hooks });
                }
                Output::Role { router, is_master, handed_over } => {
                    self.notice(Notice::Role { router, is_master, handed_over });
                    self.chores_at = Instant::ZERO;
                }
                Output::Tell(event) => self.notice(Notice::Tell(event)),
                Output::Run { epoch } => self.notice(Notice::Run { epoch }),
                Output::Stopped { lengthen } => {
                    self.stopped = true;
                    self.notice(Notice::Stopped { lengthen });
                }
                Output::Wait { deadline } => return deadline,
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        if self.ports.notices.try_send(notice).is_err() {
            self.notices_lost += 1;
        }
    }

    /// Orders an errand; one that is refused is ordered again by the chores.
    fn order_errand(&mut self, errand: Errand) {
        let asked_already = match &errand {
            Errand::Source(path) => !self.sources_asked.insert(*path),
            Errand::Open(path) => !self.opens_asked.insert(*path),
            Errand::Links => self.refused.iter().any(|refused| matches!(refused, Errand::Links)),
            Errand::Close(_) => false,
        };
        if asked_already {
            return;
        }
        match self.ports.errands.order(errand) {
            Ok(()) => {}
            // The chores find out by themselves that these are missing.
            Err(Errand::Source(path)) => drop(self.sources_asked.remove(&path)),
            Err(Errand::Open(path)) => drop(self.opens_asked.remove(&path)),
            Err(refused @ (Errand::Links | Errand::Close(_))) => self.refused.push(refused),
        }
    }

    fn take_commands(&mut self, at: Instant) {
        let _ = self.commands.wake.read();
        for turn in 0.. {
            if turn == COMMANDS_AT_ONCE {
                // Whoever gives without end waits for the timers, too.
                let _ = self.commands.wake.write(1);
                return;
            }
            let command = self.later.pop_front().or_else(|| self.commands.queue.try_recv().ok());
            let Some(command) = command else { return };
            self.station.handle(match command {
                Command::Renew(renewal) => {
                    self.renew(at, *renewal);
                    continue;
                }
                Command::HandOn { reply } => {
                    self.hand = Hand::Asked { reply, since: at };
                    continue;
                }
                // It was not silent, or is not any more.
                Command::TakeBack { .. } | Command::End => continue,
                Command::Tracked { what, good } => Input::Tracked { at, what, good },
                Command::Warm { since } => Input::Warm { at, since },
                Command::Keeper(report) => {
                    self.framing.note(&report);
                    Input::Keeper { at, report }
                }
                Command::StatePassed => Input::StatePassed { at },
                Command::HookDone { unit } => Input::HookDone { at, unit },
                Command::Release { router, until } => Input::Release { at, router, until },
                Command::Clear { router } => Input::Clear { at, router },
                Command::Stop => Input::Stop { at },
            });
        }
    }

    /// Everything that waits is handed over before the station is polled again.
    fn take_datagrams(&mut self, at: Instant) {
        for _ in 0..DATAGRAMS_AT_ONCE {
            let Some(datagram) = self.ports.transport.receive(&mut self.buffer) else { return };
            let Datagram { path, source, destination, ttl, message } = datagram;
            let bytes = self.buffer.get(message).unwrap_or_default();
            match self.paths.get(path).map(|path| path.protocol) {
                Some(Protocol::Advertisement) => {
                    let sessions = self.sessions.get(&path).map_or(&[][..], Vec::as_slice);
                    let datagram = station::Datagram { source, destination, ttl, bytes };
                    self.station.handle(Input::Datagram { at, sessions, datagram });
                }
                Some(Protocol::Beat { .. }) => {
                    let apart = self.beats.get(&path).copied().unwrap_or_default();
                    self.station.handle(Input::Beat { at, bytes, apart });
                }
                None => {}
            }
        }
    }

    fn take_links(&mut self, at: Instant) {
        let mut taken = 0;
        while taken < LINKS_AT_ONCE || self.ports.links.has_pending() {
            let Some(event) = self.ports.links.receive() else { return };
            match event {
                LinkEvent::Is(link) => self.link_is(at, link),
                LinkEvent::Gone { name, .. } => self.link_gone(at, &name),
                LinkEvent::Overrun => self.order_errand(Errand::Links),
            }
            taken += 1;
        }
    }

    fn take_errands(&mut self, at: Instant) {
        while let Some(done) = self.ports.errands.take() {
            match done {
                Done::Opened(path, Ok(socket)) => {
                    self.opens_asked.remove(&path);
                    if let Some(old) = self.ports.transport.install(path, socket) {
                        self.order_errand(Errand::Close(old));
                    }
                    self.tell_link(at, path);
                }
                // The chores try again; what it is was told when the thread started, or when the link went.
                Done::Opened(path, Err(_)) => drop(self.opens_asked.remove(&path)),
                Done::Links(Err(_)) => self.refused.push(Errand::Links),
                Done::Source(path, source) => {
                    self.sources_asked.remove(&path);
                    // What the kernel did not tell leaves what is known as it is; the chores ask again.
                    if let Ok(source) = source {
                        self.ports.transport.set_source(path, source);
                        self.tell_link(at, path);
                    }
                }
                Done::Links(Ok(links)) => {
                    let there: BTreeSet<String> = links.iter().map(|link| link.name.clone()).collect();
                    let known = self.links.keys().chain(&self.tracked_interfaces);
                    let gone: Vec<String> = known.filter(|name| !there.contains(*name)).cloned().collect();
                    links.into_iter().for_each(|link| self.link_is(at, link));
                    gone.iter().for_each(|name| self.link_gone(at, name));
                }
            }
        }
    }

    fn link_is(&mut self, at: Instant, link: Link) {
        let renamed = self.links.values().find(|known| known.index == link.index && known.name != link.name);
        if let Some(old) = renamed.map(|known| known.name.clone()) {
            self.link_gone(at, &old);
        }
        let known = self.links.get(&link.name);
        if known == Some(&link) {
            return;
        }
        let made_anew = known.is_some_and(|known| known.index != link.index);
        let (name, good) = (link.name.clone(), link.good);
        self.links.insert(name.clone(), link);
        self.tell_tracked(at, &name, good);
        let paths: Vec<PathId> = self.paths_of(&name).collect();
        for path in paths {
            if made_anew {
                // One that is being opened may be that of the interface that is gone.
                self.opens_asked.remove(&path);
            }
            let open = self.ports.transport.is_open(path) && !made_anew;
            self.order_errand(if open { Errand::Source(path) } else { Errand::Open(path) });
            self.tell_link(at, path);
        }
    }

    fn link_gone(&mut self, at: Instant, name: &str) {
        self.links.remove(name);
        self.tell_tracked(at, name, false);
        let paths: Vec<PathId> = self.paths_of(name).collect();
        for path in paths {
            if self.paths.get(path).is_some_and(|path| path.interface().is_some())
                && let Some(socket) = self.ports.transport.retire(path)
            {
                self.order_errand(Errand::Close(socket));
            }
            self.tell_link(at, path);
        }
    }

    fn tell_tracked(&mut self, at: Instant, name: &str, good: bool) {
        if self.tracked_interfaces.contains(name) {
            self.station.handle(Input::Tracked { at, what: Tracked::Interface(name.to_owned()), good });
        }
    }

    /// Paths that are bound to an interface, and those of unicast sessions whose router lives on it.
    fn paths_of(&self, name: &str) -> impl Iterator<Item = PathId> + use<> {
        let of_routers =
            self.paths.sessions.iter().filter(|(session, _)| self.interface_of(**session) == Some(name));
        let own = self.paths.on_interface(name);
        own.chain(of_routers.map(|(_, path)| *path)).collect::<BTreeSet<_>>().into_iter()
    }

    fn interface_of(&self, session: SessionId) -> Option<&str> {
        self.station.routers().get(session.router.0).map(|router| router.interface.as_str())
    }

    /// Tells each session of a path where its advertisements come from, if they can go at all.
    fn tell_link(&mut self, at: Instant, path: PathId) {
        let source = self.ports.transport.source_of(path);
        for session in self.sessions.get(&path).cloned().unwrap_or_default() {
            let link = self.interface_of(session).and_then(|name| self.links.get(name));
            let source = source.filter(|_| link.is_some_and(|link| link.good));
            self.station.handle(Input::Link { at, session, source });
        }
    }

    /// What is done a few times a second, so that nothing is forgotten for good.
    fn chores(&mut self, at: Instant) {
        if at < self.chores_at {
            return;
        }
        self.chores_at = at + CHORES_EVERY;
        self.look_for_signs(at);
        for errand in std::mem::take(&mut self.refused) {
            self.order_errand(errand);
        }
        let look_again = at >= self.sources_at;
        if look_again {
            self.sources_at = at + SOURCES_EVERY;
        }
        for path in self.paths.ids().collect::<Vec<_>>() {
            if !self.ports.transport.is_open(path) {
                self.order_errand(Errand::Open(path));
            } else if look_again || self.ports.transport.source_of(path).is_none() {
                self.order_errand(Errand::Source(path));
            }
        }
        self.publish();
        if at >= self.marks_at {
            self.marks_at = at + MARKS_EVERY;
            let marks = self.station.marks();
            if !marks.is_empty() {
                self.notice(Notice::Marks(marks));
            }
        }
    }

    fn publish(&self) {
        self.ports.published.store(Arc::new(Published {
            picture: self.station.picture(),
            lateness: self.lateness.clone(),
            dropped: self.ports.transport.dropped(),
            notices_lost: self.notices_lost,
        }));
    }
}
