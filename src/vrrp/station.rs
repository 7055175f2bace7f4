//! A director's VRRP as one machine: bytes in, bytes out. It reads and judges what comes (RFC 9568, section 7.1), lets
//! [`super::election`] decide, and writes what goes (section 7.2). What the daemon's advert thread drives, and the simulator.
//!
//! Deliberately no sockets and no addresses of the kernel: it is told which paths there are and what they are called.

mod account;
mod build;
mod receive;
mod renewal;
mod run;
mod succession;
#[cfg(test)]
mod tests;

use super::SessionId;
use super::authentication::{Keys, Mark, Password, Sender, Signer, Stale, Verifier};
use super::beat::Beats;
use super::election::{self, Election, Part};
use super::event::Event;
use super::machine::OWNER;
use super::packet::{Advertisement, Endpoints};
use super::picture::Picture;
use super::timing::Pace;
use super::{RouterId, authentication};
use crate::floating::{Order, Report};
use crate::model::{ChecksumReading, Hook, Pair, RouterName, Tracked, Transport, VirtualRouter};
use crate::time::Instant;
use account::Account;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// Secrets of a policy, read by the shell.
#[derive(Debug, Default)]
pub struct Keyring {
    pub routers: BTreeMap<RouterName, RouterKeys>,
    pub peer: Option<Keys>,
}

/// Secrets of one router.
#[derive(Clone, Debug)]
pub enum RouterKeys {
    Hmac(Keys),
    Password(Password),
}

/// What a station starts from.
#[derive(Debug)]
pub struct Beginning<'a> {
    pub policy: &'a crate::model::Policy,
    pub keyring: Keyring,
    /// Higher in each run of this director.
    pub epoch: u64,
    /// What [`Station::marks`] gave in an earlier run.
    pub marks: BTreeMap<Sender, Mark>,
    pub now: Instant,
}

/// A VRRP datagram as it was received.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub source: IpAddr,
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// What stood behind the IP header.
    pub bytes: &'a [u8],
}

/// What happened. Instants never go back.
#[derive(Debug)]
pub enum Input<'a> {
    /// `sessions`: those whose path it came on.
    Datagram {
        at: Instant,
        sessions: &'a [SessionId],
        datagram: Datagram<'a>,
    },
    /// `apart`: on a path that the routers' own links are not.
    Beat {
        at: Instant,
        bytes: &'a [u8],
        apart: bool,
    },
    Link {
        at: Instant,
        session: SessionId,
        source: Option<IpAddr>,
    },
    Tracked {
        at: Instant,
        what: Tracked,
        good: bool,
    },
    Warm {
        at: Instant,
        since: Instant,
    },
    Keeper {
        at: Instant,
        report: Report,
    },
    StatePassed {
        at: Instant,
    },
    HookDone {
        at: Instant,
        unit: usize,
    },
    /// Whether a part of this director gives no sign of life.
    Stands {
        at: Instant,
        part: Part,
        still: bool,
    },
    /// The machine was suspended for so long, which its clock does not show.
    Slept {
        at: Instant,
        slept: Duration,
    },
    Release {
        at: Instant,
        router: Option<RouterName>,
        until: Option<Instant>,
    },
    Clear {
        at: Instant,
        router: Option<RouterName>,
    },
    Stop {
        at: Instant,
    },
    Timeout {
        at: Instant,
    },
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send this VRRP message on a session's path.
    Send {
        session: SessionId,
        destination: IpAddr,
        bytes: Vec<u8>,
    },
    /// Send this to the other directors, on every path of beats.
    Beat {
        bytes: Vec<u8>,
    },
    Order(Order),
    PassState {
        whole: bool,
    },
    WarmUp {
        since: Instant,
    },
    RunHook {
        unit: usize,
    },
    /// A role changed: the pools want to know.
    Role {
        router: RouterId,
        is_master: bool,
        /// Whether another director hands the addresses over.
        handed_over: bool,
    },
    Tell(Event),
    /// `lengthen`: addresses are left that nobody took.
    Stopped {
        lengthen: bool,
    },
    /// This run has another number now, to be kept over a restart.
    Run {
        epoch: u64,
    },
    Wait {
        deadline: Option<Instant>,
    },
}

/// One session's wire.
#[derive(Debug)]
struct Channel {
    identity: authentication::Session,
    source: Option<IpAddr>,
    /// Where its advertisements go.
    destinations: Destinations,
    /// The advertisement, but for its priority.
    advertisement: Option<Advertisement>,
    /// The reading of the checksum in which we send: the peer's own, once one was heard.
    reading: ChecksumReading,
    proof: Proof,
}

#[derive(Clone, Debug)]
enum Destinations {
    Multicast,
    Unicast(Vec<IpAddr>),
}

/// How a session's messages prove where they come from.
#[derive(Debug)]
enum Proof {
    None,
    Hmac(Box<Hmac>),
    Password(Password),
}

impl Proof {
    fn set_epoch(&mut self, epoch: u64) {
        match self {
            Self::Hmac(hmac) => hmac.signer.set_epoch(epoch),
            Self::None | Self::Password(_) => {}
        }
    }

    /// The last message that was refused for its run.
    fn take_stale(&mut self, session: &authentication::Session) -> Option<Stale> {
        match self {
            Self::Hmac(hmac) => hmac.verifier.take_stale(session),
            Self::None | Self::Password(_) => None,
        }
    }
}

/// HMAC-SHA256 over each message.
#[derive(Debug)]
struct Hmac {
    signer: Signer,
    /// Whether the mode sends with a trailer.
    signs: bool,
    verifier: Verifier,
}

/// The station.
#[derive(Debug)]
pub struct Station {
    pair: Pair,
    routers: Vec<VirtualRouter>,
    election: Election,
    channels: BTreeMap<SessionId, Channel>,
    beats: Beats,
    account: Account,
    outputs: VecDeque<Output>,
    now: Instant,
    /// The number of this run.
    epoch: u64,
    /// The last director that was refused for the number of its run, and when.
    stale: Option<(Stale, Instant)>,
}

impl Station {
    /// Takes in what happened; call [`Station::poll`] afterwards until it says [`Output::Wait`]. What was received together
    /// is best handed over together: a queue of another's advertisements tells that this machine stood still.
    pub fn handle(&mut self, input: Input<'_>) {
        let input = match input {
            Input::Datagram { at, sessions, datagram } => {
                self.now = at;
                return self.received(at, sessions, datagram);
            }
            Input::Beat { at, bytes, apart } => {
                self.now = at;
                return self.beat_received(at, bytes, apart);
            }
            Input::Link { at, session, source } => {
                self.channels.get_mut(&session).into_iter().for_each(|channel| channel.source = source);
                election::Input::Link { at, session, source }
            }
            Input::Keeper { at, report } => {
                let event = self.account.keeper(&report, at);
                self.outputs.extend(event.map(Output::Tell));
                election::Input::Keeper { at, report }
            }
            Input::Tracked { at, what, good } => election::Input::Tracked { at, what, good },
            Input::Warm { at, since } => election::Input::Warm { at, since },
            Input::StatePassed { at } => election::Input::StatePassed { at },
            Input::HookDone { at, unit } => election::Input::HookDone { at, unit },
            Input::Stands { at, part, still } => election::Input::Stands { at, part, still },
            Input::Slept { at, slept } => election::Input::Slept { at, slept },
            Input::Release { at, router, until } => election::Input::Release { at, router, until },
            Input::Clear { at, router } => election::Input::Clear { at, router },
            Input::Stop { at } => election::Input::Stop { at },
            Input::Timeout { at } => election::Input::Timeout { at },
        };
        self.now = self.now.max(input.at());
        self.election.handle(input);
    }

    /// What to do next.
    pub fn poll(&mut self) -> Output {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            match self.election.poll() {
                election::Output::Wait { deadline } => {
                    self.outputs
                        .extend(self.account.changes(&self.election, self.now).into_iter().map(Output::Tell));
                    if self.outputs.is_empty() {
                        return Output::Wait { deadline };
                    }
                }
                election::Output::Advertise { session, priority } => self.advertise(session, priority),
                election::Output::Beat(beat) => return self.beat(beat),
                election::Output::Order(order) => {
                    self.account.order(&order);
                    return Output::Order(order);
                }
                election::Output::PassState { whole } => return Output::PassState { whole },
                election::Output::WarmUp { since } => return Output::WarmUp { since },
                election::Output::RunHook { unit } => return Output::RunHook { unit },
                election::Output::Stopped { lengthen } => return Output::Stopped { lengthen },
                election::Output::Role { router, role, cause } => {
                    let events = self.account.role(router, role, &cause, self.now);
                    self.outputs.extend(events.map(Output::Tell));
                    let is_master = role == super::role::Role::Master;
                    return Output::Role {
                        router,
                        is_master,
                        handed_over: is_master && cause.is_hand_over(),
                    };
                }
                election::Output::Contested { session, by } => self.contested(session, by),
            }
        }
    }

    /// The routers, by their ids.
    #[must_use]
    pub fn routers(&self) -> &[VirtualRouter] {
        &self.routers
    }

    #[must_use]
    pub fn pair(&self) -> &Pair {
        &self.pair
    }

    #[must_use]
    pub fn election(&self) -> &Election {
        &self.election
    }

    /// What is to be run before a unit becomes Master, in the order of its routers.
    #[must_use]
    pub fn hooks(&self, unit: usize) -> Vec<Hook> {
        let routers = self.election.routers_of_unit(unit);
        let hooks =
            routers.into_iter().filter_map(|router| self.routers.get(router.0)?.before_master.clone());
        hooks.collect()
    }

    /// Interval and skew time of the router that allows the least lateness.
    #[must_use]
    pub fn margin(&self) -> (Duration, Duration) {
        let margin = |router: &VirtualRouter| {
            let pace = Pace { version: router.version, interval: router.interval };
            let others = router.priorities.iter().filter(|(name, _)| Some(*name) != self.pair.own.as_ref());
            let highest = others.map(|(_, priority)| *priority).max().unwrap_or(OWNER - 1);
            (router.interval, pace.skew_time(highest))
        };
        self.routers.iter().map(margin).min_by_key(|(interval, skew)| *interval + *skew).unwrap_or_default()
    }

    /// Everything for metrics and status.
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.account.picture(&self.election, self.now)
    }

    /// What is to be remembered over a restart, against replays.
    #[must_use]
    pub fn marks(&self) -> BTreeMap<Sender, Mark> {
        let of = |channel: &Channel| match &channel.proof {
            Proof::Hmac(hmac) => hmac.verifier.marks(),
            Proof::None | Proof::Password(_) => BTreeMap::new(),
        };
        self.channels.values().flat_map(of).collect()
    }

    /// Writes an advertisement for each destination (section 7.2).
    fn advertise(&mut self, session: SessionId, priority: u8) {
        let Some(channel) = self.channels.get_mut(&session) else { return };
        let (Some(source), Some(advertisement)) = (channel.source, &mut channel.advertisement) else {
            return;
        };
        advertisement.set_priority(priority);
        let destinations = match &channel.destinations {
            Destinations::Multicast => vec![Endpoints::multicast(source)],
            Destinations::Unicast(others) => {
                others.iter().filter_map(|other| Endpoints::new(source, *other)).collect()
            }
        };
        for endpoints in destinations {
            let mut bytes = advertisement.encode(&endpoints, channel.reading);
            if let Proof::Hmac(hmac) = &mut channel.proof
                && hmac.signs
            {
                hmac.signer.append(&channel.identity, source, &mut bytes);
            }
            self.outputs.push_back(Output::Send { session, destination: endpoints.destination(), bytes });
        }
        self.account.sent(session.router, priority);
    }

    fn contested(&mut self, session: SessionId, by: super::machine::Heard) {
        if !by.is_resignation() {
            let events = self.account.contested(session.router, by, self.now);
            self.outputs.extend(events.map(Output::Tell));
        }
        let policy = self.routers.get(session.router.0).map(|router| router.announcements);
        if let Some(repeat) = policy.map(|policy| policy.lower_priority_repeat).filter(|repeat| *repeat > 0) {
            // The neighbours may believe any address of the routers that move together.
            let routers = self.election.together(session.router);
            self.outputs
                .extend(routers.into_iter().map(|router| Output::Order(Order::Announce { router, repeat })));
        }
    }
}

/// Where a router's advertisements go, in one family.
fn destinations(pair: &Pair, router: &VirtualRouter, family: crate::model::Family) -> Destinations {
    match router.transport {
        Transport::Multicast => Destinations::Multicast,
        Transport::Unicast => Destinations::Unicast(
            pair.others().filter_map(|(_, director)| director.address(family)).collect(),
        ),
    }
}
