//! The world: an event queue, the network, and directors that run the production station.

use crate::draw::{self, Drawn, address, micros};
use crate::faults::Still;
use crate::host::{Host, Item, Standstill};
use crate::judge::Judge;
use crate::network::Network;
use crate::random::Random;
use crate::tally::Tally;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use tandem::floating::keeper::{Input as KeeperInput, Operation};
use tandem::time::Instant;
use tandem::vrrp::authentication::{Key, Keys};
use tandem::vrrp::event::Event as Told;
use tandem::vrrp::role::{Cause, Role};
use tandem::vrrp::station::{Beginning, Datagram, Input, Keyring, Output, RouterKeys, Station};
use tandem::vrrp::{RouterId, SessionId};

/// Addresses that a stopped director leaves stay so long.
const LENGTHENED: Duration = Duration::from_secs(30);
/// A station that says more at one instant runs in a circle.
const MOST_OUTPUTS: usize = 2_000;
/// Datagrams that wait in a socket, at most.
const SOCKET: usize = 400;

/// What happens at an instant.
#[derive(Debug)]
pub enum Event {
    Item {
        host: usize,
        run: u32,
        item: Item,
    },
    /// A datagram or beat, for whatever process is there.
    Packet {
        host: usize,
        item: Item,
    },
    Wake {
        host: usize,
    },
    Serve {
        host: usize,
    },
    KeeperWake {
        host: usize,
    },
    Operated {
        host: usize,
        run: u32,
        operations: Vec<Operation>,
    },
    Expiry {
        host: usize,
    },
    Seen {
        host: usize,
        link: usize,
        address: IpAddr,
        from: [u8; 6],
    },
    Act(usize),
    Resume {
        host: usize,
    },
    Start {
        host: usize,
    },
}

struct Entry {
    at: u64,
    sequence: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// Everything of one seed.
pub struct World<'a> {
    pub drawn: &'a Drawn,
    pub now: u64,
    pub random: Random,
    pub hosts: Vec<Host>,
    pub network: Network,
    pub tally: Tally,
    pub judge: Judge,
    pub verbose: bool,
    pub transcript: Vec<String>,
    /// What an operator would see of it.
    pub story: Vec<String>,
    queue: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

impl<'a> World<'a> {
    pub fn new(drawn: &'a Drawn, random: Random, verbose: bool) -> Self {
        let mut world = Self {
            drawn,
            now: 0,
            random,
            hosts: (0..drawn.hosts).map(|_| Host::new(drawn)).collect(),
            network: Network::new(drawn),
            tally: Tally::default(),
            judge: Judge::new(drawn),
            verbose,
            transcript: Vec::new(),
            story: Vec::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
        };
        for kind in &drawn.kinds {
            world.tally.fault(kind);
        }
        for host in 0..drawn.hosts {
            let at = world.random.below(1_500_000);
            world.at(at, Event::Start { host });
        }
        for (index, (at, _)) in drawn.acts.iter().enumerate() {
            world.at(*at, Event::Act(index));
        }
        world
    }

    /// Runs to the end, or to the first broken invariant.
    pub fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse(entry)) = self.queue.pop() {
            if entry.at > self.drawn.length {
                self.best_is_master();
                if let Some(broken) = self.judge.broken.take() {
                    self.say(|| format!("BROKEN: {broken}"));
                    return Err(broken);
                }
                break;
            }
            self.now = entry.at;
            self.tally.events += 1;
            self.happen(entry.event);
            self.judge();
            if let Some(broken) = self.judge.broken.take() {
                self.say(|| format!("BROKEN: {broken}"));
                return Err(broken);
            }
        }
        self.tally.simulated_s += self.drawn.length / 1_000_000;
        Ok(())
    }

    pub fn at(&mut self, at: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse(Entry { at, sequence: self.sequence, event }));
    }

    pub fn say(&mut self, line: impl FnOnce() -> String) {
        if self.verbose {
            let (seconds, rest) = (self.now / 1_000_000, self.now % 1_000_000);
            self.transcript.push(format!("{seconds:>3}.{rest:06} {}", line()));
        }
    }

    /// A line of the story, to the millisecond.
    pub fn narrate(&mut self, line: impl FnOnce() -> String) {
        if self.verbose {
            let (seconds, rest) = (self.now / 1_000_000, self.now % 1_000_000 / 1_000);
            self.story.push(format!("{seconds:>3}.{rest:03} {}", line()));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Item { host, run, item } => {
                if self.hosts[host].run == run {
                    self.receive(host, item);
                }
            }
            Event::Packet { host, item } => self.receive(host, item),
            Event::Wake { host } => {
                let this = &mut self.hosts[host];
                if this.wake_at == Some(self.now) {
                    this.wake_at = None;
                    if this.is_running() {
                        let items = std::mem::take(&mut this.inbox);
                        self.serve(host, items);
                    }
                }
            }
            Event::Serve { host } => {
                let this = &mut self.hosts[host];
                if this.is_running() && !this.inbox.is_empty() {
                    let items = std::mem::take(&mut this.inbox);
                    self.serve(host, items);
                }
            }
            Event::KeeperWake { host } => {
                if self.hosts[host].keeper_wake_at == Some(self.now) {
                    self.hosts[host].keeper_wake_at = None;
                    self.keeper_turn(host);
                }
            }
            Event::Operated { host, run, operations } => self.operated(host, run, &operations),
            Event::Expiry { host } => self.expire(host),
            Event::Seen { host, link, address, from } => self.seen(host, link, address, from),
            Event::Act(index) => {
                let act = self.drawn.acts[index].1.clone();
                self.act(&act);
            }
            Event::Resume { host } => self.resume(host),
            Event::Start { host } => self.start(host),
        }
    }

    /// For the director's own process, a moment later; in the order in which it was said, as from a channel.
    pub fn give(&mut self, host: usize, item: Item) {
        let (run, hop) = (self.hosts[host].run, self.random.between(5, 60));
        let at = (self.now + hop).max(self.hosts[host].given_at);
        self.hosts[host].given_at = at;
        self.at(at, Event::Item { host, run, item });
    }

    fn receive(&mut self, host: usize, item: Item) {
        let this = &mut self.hosts[host];
        if this.station.is_none() {
            return;
        }
        let lost = matches!(this.still, Some(Standstill { how: Still::Machine { queued: false }, .. }))
            && matches!(item, Item::Datagram { .. } | Item::Beat { .. });
        match this.still {
            Some(_) if lost || this.inbox.len() >= SOCKET => {}
            Some(_) => this.inbox.push(item),
            // The thread wakes up a little later, and takes all that has come by then.
            None if matches!(item, Item::Datagram { .. }) => {
                this.inbox.push(item);
                if this.inbox.len() == 1 {
                    let hop = self.random.between(5, 120);
                    self.at(self.now + hop, Event::Serve { host });
                }
            }
            None => {
                let mut items = std::mem::take(&mut this.inbox);
                items.push(item);
                self.serve(host, items);
            }
        }
    }

    /// One turn of the advert thread: what has come, the time, and everything that follows.
    pub fn serve(&mut self, host: usize, items: Vec<Item>) {
        let at = self.hosts[host].clock(self.now);
        let Some(mut station) = self.hosts[host].station.take() else { return };
        for item in items {
            self.hand_in(host, &mut station, at, item);
        }
        if self.hosts[host].deadline.is_some_and(|deadline| deadline <= at) {
            station.handle(Input::Timeout { at });
        }
        let mut count = 0;
        let stopped = loop {
            match station.poll() {
                Output::Wait { deadline } => {
                    self.hosts[host].deadline = deadline;
                    break None;
                }
                Output::Stopped { lengthen } => break Some(lengthen),
                output => self.obey(host, output),
            }
            count += 1;
            if count > MOST_OUTPUTS {
                self.judge.broken = Some(format!("director {host} does not come to rest"));
                break None;
            }
        };
        self.hosts[host].station = Some(station);
        match stopped {
            Some(lengthen) => self.has_stopped(host, lengthen),
            None => self.wake_later(host, at),
        }
    }

    fn wake_later(&mut self, host: usize, at: Instant) {
        let Some(deadline) = self.hosts[host].deadline else { return };
        let wait = micros(deadline.saturating_since(at));
        if wait == 0 {
            self.judge.idle_turns += 1;
            if self.judge.idle_turns > 50 {
                self.judge.broken =
                    Some(format!("director {host} wants to be called at once, again and again"));
            }
        } else {
            self.judge.idle_turns = 0;
        }
        let wake = self.now + wait;
        if self.hosts[host].wake_at.is_none_or(|known| known <= self.now || known > wake + 200) {
            let late = self.random.below(150);
            self.hosts[host].wake_at = Some(wake + late);
            self.at(wake + late, Event::Wake { host });
        }
    }

    fn hand_in(&mut self, host: usize, station: &mut Station, at: Instant, item: Item) {
        match item {
            Item::Datagram { session, source, destination, bytes } => {
                if bytes[2] != 0 {
                    let link = self.drawn.link_of[session.router.0];
                    self.hosts[host].heard_at[link] = self.now;
                }
                let datagram = Datagram { source, destination, ttl: 255, bytes: &bytes };
                station.handle(Input::Datagram { at, sessions: &[session], datagram });
            }
            Item::Beat { bytes, apart } => station.handle(Input::Beat { at, bytes: &bytes, apart }),
            Item::Link { link } => self.tell_link(host, station, at, link),
            Item::Tracked { what } => {
                let good = self.hosts[host].good[what];
                station.handle(Input::Tracked { at, what: draw::tracked()[what].clone(), good });
            }
            Item::Warm { since } => {
                if self.hosts[host].cold_since == Some(since) {
                    (self.hosts[host].cold_since, self.hosts[host].warm_at) = (None, self.now);
                }
                station.handle(Input::Warm { at, since });
            }
            Item::Report(report) => station.handle(Input::Keeper { at, report }),
            Item::StatePassed => {
                self.judge.state_passed_at = self.now;
                station.handle(Input::StatePassed { at });
            }
            Item::HookDone { unit } => station.handle(Input::HookDone { at, unit }),
            Item::Release { until } => {
                let until = until.map(|lasts| at + Duration::from_micros(lasts));
                station.handle(Input::Release { at, router: None, until });
            }
            Item::Clear => station.handle(Input::Clear { at, router: None }),
            Item::Stop => station.handle(Input::Stop { at }),
        }
    }

    fn tell_link(&self, host: usize, station: &mut Station, at: Instant, link: usize) {
        for router in (0..self.drawn.link_of.len()).filter(|router| self.drawn.link_of[*router] == link) {
            for family in station.routers()[router].families() {
                let session = SessionId { router: RouterId(router), family };
                let up = self.hosts[host].links_up[link];
                let source = up.then(|| address(host, link, family, self.drawn.reversed_ipv6));
                station.handle(Input::Link { at, session, source });
            }
        }
    }

    fn obey(&mut self, host: usize, output: Output) {
        match output {
            Output::Send { session, destination, bytes } => {
                self.send(host, session, destination, bytes.into())
            }
            Output::Beat { bytes } => {
                let bytes: Rc<[u8]> = bytes.into();
                let beat = |to, apart| {
                    let item = Item::Beat { bytes: Rc::clone(&bytes), apart };
                    Event::Packet { host: to, item }
                };
                self.cast(host, 0, |to| beat(to, false));
                if self.drawn.heartbeat {
                    self.cast_on_path(host, |to| beat(to, true));
                }
            }
            Output::Order(order) => {
                self.judge.moved(self.now, || format!("director {host}: {order:?}"));
                self.say(|| format!("{host}: {order:?}"));
                self.order(host, order);
            }
            Output::WarmUp { since } => {
                self.hosts[host].cold_since = Some(since);
                self.warm_up(host, since);
            }
            Output::PassState { .. } => {
                if let Some(takes) = self.drawn.state_takes[host] {
                    let run = self.hosts[host].run;
                    self.at(self.now + takes, Event::Item { host, run, item: Item::StatePassed });
                }
            }
            Output::Tell(told) => self.told(host, told),
            Output::Run { epoch } => self.hosts[host].epoch = epoch,
            Output::RunHook { unit } => {
                if let Some(takes) = self.drawn.state_takes[host] {
                    let run = self.hosts[host].run;
                    self.at(self.now + takes / 4, Event::Item { host, run, item: Item::HookDone { unit } });
                }
            }
            Output::Role { .. } | Output::Stopped { .. } | Output::Wait { .. } => {}
        }
    }

    fn told(&mut self, host: usize, told: Told) {
        self.say(|| format!("{host}: {told:?}"));
        if let Told::Role { router, role, cause } = told {
            self.narrate(|| format!("{}: {router} is {}: {cause}", draw::name(host), role.name()));
            self.judge.moved(self.now, || format!("director {host} became {role:?} ({cause})"));
            let clock = self.hosts[host].clock(self.now);
            let this = &mut self.hosts[host];
            let index = this.names.iter().position(|known| *known == router).expect("a router");
            let was_master = this.roles[index] == Role::Master;
            let from = std::mem::replace(&mut this.roles[index], role);
            self.tally.transition((from.name(), role.name(), cause.name()));
            if role == Role::Master && cause == Cause::Silence {
                self.takes_over_from_silence(host, index);
            }
            self.preempts_warm(host, index, &cause);
            self.followed_soon(host, index, was_master, &cause);
            let this = &mut self.hosts[host];
            if was_master || role == Role::Master {
                this.since[index] = clock;
                this.may_hold_for[index] = self.judge.may_hold_after(&cause);
            }
            if was_master && role != Role::Master && self.judge.covered[index] {
                self.tally.fault("(planned hand-over, every instant watched)");
            }
            let stalled = cause == Cause::Stalled;
            if stalled {
                self.tally.fault("noticed standstill");
            }
        }
    }

    fn send(&mut self, host: usize, session: SessionId, destination: IpAddr, bytes: Rc<[u8]>) {
        let link = self.drawn.link_of[session.router.0];
        let reversed = self.drawn.reversed_ipv6;
        let source = address(host, link, session.family, reversed);
        if bytes[2] != 0 {
            self.judge.advertised_at[host] = self.now;
        }
        let told = self.hosts[host].told_priority.insert(session, bytes[2]);
        if told != Some(bytes[2]) {
            self.say(|| {
                format!("{host}: advertises {} {:?} priority {}", session.router.0, session.family, bytes[2])
            });
        }
        let of = |to: usize| address(to, link, session.family, reversed);
        let hosts = self.drawn.hosts;
        let only = (0..hosts).find(|to| of(*to) == destination);
        self.cast_to(host, link, only, |to| {
            let item = Item::Datagram { session, source, destination, bytes: Rc::clone(&bytes) };
            Event::Packet { host: to, item }
        });
    }

    /// Sends on a link to all others.
    pub fn cast(&mut self, from: usize, link: usize, event: impl Fn(usize) -> Event) {
        self.cast_to(from, link, None, event);
    }

    fn cast_to(&mut self, from: usize, link: usize, only: Option<usize>, event: impl Fn(usize) -> Event) {
        if !self.hosts[from].links_up[link] {
            return;
        }
        for to in (0..self.hosts.len()).filter(|to| *to != from && only.is_none_or(|only| only == *to)) {
            if self.hosts[to].links_up[link] {
                for delay in self.network.carry(&mut self.random, link, from, to).into_iter().flatten() {
                    self.at(self.now + delay, event(to));
                }
            }
        }
    }

    fn cast_on_path(&mut self, from: usize, event: impl Fn(usize) -> Event) {
        for to in (0..self.hosts.len()).filter(|to| *to != from) {
            if self.hosts[from].path_up && self.hosts[to].path_up {
                let delay = self.random.between(60, 500);
                self.at(self.now + delay, event(to));
            }
        }
    }

    pub fn start(&mut self, host: usize) {
        let this = &mut self.hosts[host];
        if this.station.is_some() || this.is_paused() {
            this.start_again |= this.stopping;
            return;
        }
        if this.ending {
            this.start_again = true;
            return;
        }
        let this = &mut self.hosts[host];
        this.run += 1;
        (this.still, this.stopping, this.start_again) = (None, false, false);
        (this.running_since, this.began_at) = (self.now, self.now);
        self.say(|| format!("{host}: starts"));
        self.begin_keeper(host);
        self.begin(host);
    }

    /// Its pools know their servers a while later: each time the same while, but none after a reload, which keeps verdicts.
    fn warm_up(&mut self, host: usize, since: Instant) {
        let this = &self.hosts[host];
        let reloaded = this.reloaded_at == Some(since);
        let after = if reloaded { self.random.between(1_000, 50_000) } else { self.drawn.ready_after[host] };
        let run = this.run;
        self.at(self.now + after, Event::Item { host, run, item: Item::Warm { since } });
    }

    /// A new station, of a new process or after a reload.
    pub fn begin(&mut self, host: usize) {
        let (at, now) = (self.hosts[host].clock(self.now), self.now);
        let adopting = self.judge.may_adopt_for;
        let this = &mut self.hosts[host];
        this.epoch += 1;
        let policy = self.drawn.policy_of(host);
        let key = || Keys::new(vec![Key::new(1, &[7; 32]).expect("a key")]).expect("keys");
        let mut keyring = Keyring::default();
        if self.drawn.hmac {
            let names = this.names.iter().cloned();
            keyring.routers = names.map(|name| (name, RouterKeys::Hmac(key()))).collect();
        }
        // Without a key a heartbeat only postpones.
        keyring.peer = (self.drawn.hmac || self.drawn.heartbeat).then(key);
        let marks = std::mem::take(&mut this.marks);
        let beginning = Beginning { policy: &policy, keyring, epoch: this.epoch, marks, now: at };
        let mut station = Station::new(beginning);
        for (index, role) in this.roles.iter_mut().enumerate() {
            *role = Role::Initialize;
            this.since[index] = at;
            this.may_hold_for[index] = adopting.max(this.may_hold_for[index]);
        }
        this.inbox.clear();
        (this.running_since, this.cold_since) = (now, Some(at));
        this.deadline = Some(at);
        for link in 0..self.drawn.links {
            self.tell_link(host, &mut station, at, link);
        }
        for what in 0..3 {
            let good = self.hosts[host].good[what];
            station.handle(Input::Tracked { at, what: draw::tracked()[what].clone(), good });
        }
        self.hosts[host].station = Some(station);
        self.serve(host, Vec::new());
    }

    /// Its process has ended of its own will.
    fn has_stopped(&mut self, host: usize, lengthen: bool) {
        self.say(|| format!("{host}: has stopped, lengthen {lengthen}"));
        if lengthen {
            let at = self.hosts[host].clock(self.now);
            let stays = micros(LENGTHENED) + 2_000_000;
            self.hosts[host].may_hold_for.iter_mut().for_each(|may| *may = stays);
            self.tell_keeper(host, KeeperInput::Lengthen { at, lifetime: LENGTHENED });
        }
        self.hosts[host].marks = self.hosts[host].station.as_ref().map(Station::marks).unwrap_or_default();
        self.end_station(host);
        // The process ends when its keeper has done what it shall.
        self.hosts[host].ending = true;
        self.keeper_turn(host);
    }

    pub fn end_process(&mut self, host: usize) {
        self.end_station(host);
        let this = &mut self.hosts[host];
        (this.keeper, this.ending) = (None, false);
        let start_again = std::mem::take(&mut this.start_again);
        this.keeper_run += 1;
        this.keeper_inbox.clear();
        this.still = this.still.filter(|still| matches!(still.how, Still::Machine { .. }));
        if start_again {
            self.at(self.now + 1_000, Event::Start { host });
        }
    }

    fn end_station(&mut self, host: usize) {
        let clock = self.hosts[host].clock(self.now);
        let usual = self.judge.may_hold_usually;
        let this = &mut self.hosts[host];
        this.station = None;
        (this.deadline, this.wake_at) = (None, None);
        this.inbox.clear();
        this.run += 1;
        for router in 0..this.roles.len() {
            this.since[router] = clock;
            this.may_hold_for[router] = this.may_hold_for[router].max(usual);
            this.roles[router] = Role::Initialize;
        }
    }

    fn resume(&mut self, host: usize) {
        let Some(still) = self.hosts[host].still else { return };
        let now = self.now;
        let clock = self.hosts[host].clock(now);
        let was_master: Vec<bool> =
            (0..self.drawn.link_of.len()).map(|r| self.hosts[host].is_master(r)).collect();
        let this = &mut self.hosts[host];
        this.still = None;
        if matches!(still.how, Still::Machine { .. }) {
            this.behind = now - clock.as_micros();
        }
        this.running_since = now;
        this.wake_at = None;
        self.say(|| format!("{host}: resumes"));
        let items = std::mem::take(&mut self.hosts[host].inbox);
        let silent = match still.how {
            Still::Thread | Still::Process => Duration::from_micros(now - still.since),
            Still::Machine { .. } => Duration::ZERO,
        };
        self.resume_keeper(host, silent);
        self.serve(host, items);
        self.after_standstill(host, still, &was_master);
    }
}
