//! The election of one director under any inputs at any times: packets of others, good and bad, beats, links, trackers, the
//! keeper's reports, the operator's orders. It always comes to rest, and speaks and holds addresses only as Master.

use super::bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;
use std::time::Duration;
use tandem::floating::{Order, Report, Wish};
use tandem::model::{
    Authentication, ChecksumReading, Family, Policy, Tracked, Transport, VirtualRouter, VrrpVersion,
};
use tandem::policy::{View, load};
use tandem::time::Instant;
use tandem::vrrp::authentication::{Key, Keys, Password, Session, Signer};
use tandem::vrrp::beat::Beats;
use tandem::vrrp::election::{Beat, Part};
use tandem::vrrp::fitness::Reach;
use tandem::vrrp::packet::{Advertisement, Endpoints, Interval};
use tandem::vrrp::role::Role;
use tandem::vrrp::station::{Beginning, Datagram, Input, Keyring, Output, RouterKeys, Station};
use tandem::vrrp::transfer::Said;
use tandem::vrrp::{RouterId, SessionId};

/// Inputs of one run.
const MOST_STEPS: usize = 400;
/// Outputs between two waits: an advertisement, an order, a role and an event of each of a few routers.
const MOST_OUTPUTS: usize = 1_000;
/// How often it may be woken in vain for the same moment.
const MOST_VAIN: usize = 50;
const POLICIES: [&str; 3] = [
    include_str!("../../../conf/pair.yaml"),
    include_str!("../../policy/good/pair.yaml"),
    include_str!("policies/proofs.yaml"),
];
/// How time goes on, µs.
const STEPS: [u64; 8] = [0, 1, 1_000, 10_000, 100_000, 350_000, 1_000_000, 40_000_000];

pub fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let policy = &policies()[usize::from(bytes.byte()) % POLICIES.len()];
    let mut world = World::new(policy, bytes.bool());
    for _ in 0..MOST_STEPS {
        if bytes.is_empty() || world.stopped {
            return;
        }
        world.step(&mut bytes);
    }
}

fn policies() -> &'static [Policy] {
    static LOADED: OnceLock<Vec<Policy>> = OnceLock::new();
    LOADED.get_or_init(|| {
        let policy = |text: &&str| {
            let files = super::files::Parts::of("policy.yaml", text.as_bytes());
            let loaded = load("policy.yaml".as_ref(), &files, View::First);
            loaded.policy.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
        };
        POLICIES.iter().map(policy).collect()
    })
}

fn keys() -> Keys {
    Keys::new(vec![Key::new(1, &[7; 32]).expect("a key")]).expect("keys")
}

fn keyring(policy: &Policy, sealed: bool) -> Keyring {
    let secret = |router: &VirtualRouter| match router.authentication.as_ref()? {
        Authentication::Hmac { .. } => Some(RouterKeys::Hmac(keys())),
        Authentication::V2Password(_) => Some(RouterKeys::Password(password())),
    };
    let routers = policy.pair.routers.values();
    let routers = routers.filter_map(|router| Some((router.name.clone(), secret(router)?))).collect();
    Keyring { routers, peer: sealed.then(keys) }
}

fn password() -> Password {
    Password::from_text("secret").expect("a password")
}

struct World<'a> {
    policy: &'a Policy,
    station: Station,
    sessions: Vec<SessionId>,
    now: u64,
    deadline: Option<Instant>,
    masters: BTreeSet<RouterId>,
    /// What the other director signs and seals with.
    signer: Signer,
    beats: Beats,
    sequence: u64,
    /// The last beat of our own, which names our units.
    own_beat: Option<Beat>,
    stopped: bool,
}

impl<'a> World<'a> {
    fn new(policy: &'a Policy, sealed: bool) -> Self {
        let now = Instant::ZERO;
        let keyring = keyring(policy, sealed);
        let station = Station::new(Beginning { policy, keyring, epoch: 5, marks: BTreeMap::new(), now });
        let routers = station.routers().iter().enumerate();
        let sessions = routers.flat_map(|(index, router)| {
            router.families().into_iter().map(move |family| SessionId { router: RouterId(index), family })
        });
        Self {
            policy,
            sessions: sessions.collect(),
            station,
            now: 0,
            deadline: None,
            masters: BTreeSet::new(),
            signer: Signer::new(keys(), 5),
            beats: Beats::new(sealed.then(keys)),
            sequence: 0,
            own_beat: None,
            stopped: false,
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let choice = bytes.byte();
        self.now += bytes.pick(&STEPS);
        let at = Instant::from_micros(self.now);
        let session = bytes.pick(&self.sessions);
        match choice % 16 {
            0 | 1 => self.until_deadline(),
            2 => self.give(Input::Timeout { at }),
            3 => {
                let up = !bytes.byte().is_multiple_of(4);
                self.give(Input::Link { at, session, source: up.then(|| self.own(session.family)) });
            }
            4 | 5 => self.advertised(bytes, at, session),
            6 => self.received(at, session, bytes),
            7 | 8 => self.beat(bytes, at),
            9 => {
                let (beat, apart) = (bytes.counted(), bytes.bool());
                self.give(Input::Beat { at, bytes: beat, apart });
            }
            10 => self.tracked(bytes, at),
            11 => self.kept(bytes, at, session.router),
            12 => self.asked(bytes, at, session.router),
            13 => self.give(Input::Warm {
                at,
                since: Instant::from_micros(self.now / u64::from(bytes.byte() | 1)),
            }),
            14 => self.give(Input::HookDone { at, unit: usize::from(bytes.byte() % 4) }),
            _ => self.give(Input::StatePassed { at }),
        }
    }

    /// Wakes it as the shell does.
    fn until_deadline(&mut self) {
        let Some(deadline) = self.deadline else { return };
        self.now = self.now.max(deadline.as_micros());
        let at = Instant::from_micros(self.now);
        for _ in 0..MOST_VAIN {
            self.give(Input::Timeout { at });
            if self.stopped || self.deadline.is_none_or(|next| next > at) {
                return;
            }
        }
        panic!("woken at {at} it wants to be woken at {:?}, again and again", self.deadline);
    }

    fn give(&mut self, input: Input<'_>) {
        self.station.handle(input);
        // Who is Master, and who was it for a moment.
        let (mut were, mut spoke) = (self.masters.clone(), BTreeSet::new());
        for _ in 0..MOST_OUTPUTS {
            match self.station.poll() {
                Output::Wait { deadline } => {
                    self.deadline = deadline;
                    assert!(
                        spoke.is_subset(&were),
                        "{spoke:?} spoke or held, and of them were Master {were:?}"
                    );
                    return;
                }
                Output::Send { session, bytes, .. } => {
                    assert!(!bytes.is_empty());
                    spoke.insert(session.router);
                }
                Output::Order(Order::Wish { router, wish: Wish::Hold }) => drop(spoke.insert(router)),
                Output::Role { router, is_master: true, .. } => {
                    were.insert(router);
                    self.masters.insert(router);
                }
                Output::Role { router, is_master: false, .. } => drop(self.masters.remove(&router)),
                Output::Beat { bytes } => {
                    self.own_beat = Some(self.beats.decode(&bytes).expect("our own beat can be read"));
                }
                Output::Stopped { .. } => self.stopped = true,
                _ => {}
            }
        }
        panic!("it never waits");
    }

    fn own(&self, family: Family) -> IpAddr {
        self.policy.pair.own_address(family).unwrap_or_else(|| address(family, 11))
    }

    fn other(&self, family: Family) -> Option<IpAddr> {
        self.policy.pair.others().find_map(|(_, director)| director.address(family))
    }

    /// An advertisement of another, well made.
    fn advertised(&mut self, bytes: &mut Bytes<'_>, at: Instant, session: SessionId) {
        let router = &self.station.routers()[session.router.0];
        let choice = bytes.byte();
        let other = if choice & 1 == 0 { self.other(session.family) } else { None };
        let source = other.unwrap_or_else(|| address(session.family, bytes.byte()));
        let version = if choice & 2 == 0 { router.version } else { VrrpVersion::V3 };
        let interval =
            if choice & 4 == 0 { router.interval } else { Duration::from_secs(bytes.byte().into()) };
        let Some(interval) = Interval::exactly(version, interval) else { return };
        let mut addresses: Vec<IpAddr> = router.addresses_of(session.family).collect();
        if choice & 8 != 0 {
            addresses.push(address(session.family, bytes.byte()));
        }
        let password = (version == VrrpVersion::V2 && choice & 16 == 0).then(password);
        let Ok(heard) = Advertisement::new(router.vrid, bytes.byte(), interval, addresses, password) else {
            return;
        };
        let endpoints = match router.transport {
            Transport::Multicast => Endpoints::multicast(source),
            Transport::Unicast => Endpoints::new(source, self.own(session.family)).expect("one family"),
        };
        let mut message = heard.encode(&endpoints, ChecksumReading::Rfc9568);
        let identity = Session { router: router.name.clone(), family: session.family };
        if choice & 32 == 0 && matches!(router.authentication, Some(Authentication::Hmac { .. })) {
            self.signer.append(&identity, source, &mut message);
        }
        let datagram = Datagram { source, destination: endpoints.destination(), ttl: 255, bytes: &message };
        self.give(Input::Datagram { at, sessions: &self.sessions.clone(), datagram });
    }

    /// Any bytes at all.
    fn received(&mut self, at: Instant, session: SessionId, bytes: &mut Bytes<'_>) {
        let source = address(session.family, 12);
        let destination = Endpoints::multicast(source).destination();
        let (ttl, message) = (bytes.byte() | 0xfe, bytes.counted());
        let datagram = Datagram { source, destination, ttl, bytes: message };
        self.give(Input::Datagram { at, sessions: &[session], datagram });
    }

    /// A beat of the other director that speaks of our own units.
    fn beat(&mut self, bytes: &mut Bytes<'_>, at: Instant) {
        let Some(mut beat) = self.own_beat.clone() else { return };
        let other = self.policy.pair.others().next().map(|(name, _)| name.clone());
        beat.director = other.unwrap_or_else(|| "nobody".into());
        self.sequence += u64::from(bytes.byte() % 4);
        (beat.epoch, beat.sequence) = (u64::from(bytes.byte() % 8), self.sequence);
        beat.interval = Duration::from_millis(bytes.u16().into());
        beat.said = Said { wants: bytes.byte().into(), passed: bytes.byte().into() };
        for unit in &mut beat.units {
            unit.role = bytes.pick(&Role::ALL);
            unit.is_fit = bytes.bool();
            unit.reach = bytes.pick(&[Reach::Untracked, Reach::Reached, Reach::Lost]);
            unit.priority = bytes.byte();
        }
        let message = self.beats.encode(&beat);
        self.give(Input::Beat { at, bytes: &message, apart: bytes.bool() });
    }

    fn tracked(&mut self, bytes: &mut Bytes<'_>, at: Instant) {
        let routers = self.station.routers().iter();
        let all: Vec<Tracked> =
            routers.flat_map(|router| router.track.iter().map(|tracker| tracker.what.clone())).collect();
        if !all.is_empty() {
            let what = all[usize::from(bytes.byte()) % all.len()].clone();
            self.give(Input::Tracked { at, what, good: bytes.bool() });
        }
    }

    fn kept(&mut self, bytes: &mut Bytes<'_>, at: Instant, router: RouterId) {
        let report = match bytes.byte() % 4 {
            0 => Report::Released { router },
            1 => Report::Conflict {
                router,
                address: address(Family::Ipv4, 100),
                hardware_address: bytes.array(),
            },
            _ => Report::Held { router, held: bytes.byte().into(), wanted: bytes.byte().into() },
        };
        self.give(Input::Keeper { at, report });
    }

    fn asked(&mut self, bytes: &mut Bytes<'_>, at: Instant, router: RouterId) {
        let name = self.station.routers()[router.0].name.clone();
        let choice = bytes.byte();
        let router = (choice & 0x80 == 0).then_some(name);
        match choice % 8 {
            0 => self.give(Input::Stop { at }),
            1 | 2 => self.give(Input::Release { at, router, until: None }),
            3 => {
                let until = at + Duration::from_millis(bytes.u16().into());
                self.give(Input::Release { at, router, until: Some(until) });
            }
            4 | 5 => self.give(Input::Clear { at, router }),
            6 => self.give(Input::Slept { at, slept: Duration::from_millis(bytes.u32().into()) }),
            _ => {
                let part = if bytes.bool() { Part::Addresses } else { Part::Pools };
                self.give(Input::Stands { at, part, still: bytes.bool() });
            }
        }
    }
}

fn address(family: Family, last: u8) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::new(192, 168, 101, last).into(),
        Family::Ipv6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last.into()).into(),
    }
}
