//! What a station adds to its election: proofs of origin, counts, and what is worth a line in the log.

mod account;
mod between;
mod keeper;
mod proof;
mod renewal;
mod site;
mod succession;

use super::*;
use crate::desired::fixtures;
use crate::model::{Director, Family, Policy, VrrpVersion};
use crate::vrrp::election::Beat;
use crate::vrrp::packet::Interval;
use crate::vrrp::picture::RouterPicture;
use crate::vrrp::role::{Cause, Role};
use crate::vrrp::transfer::Said;

const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 11));
const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 12));
const GROUP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(224, 0, 0, 18));

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn session(router: usize) -> SessionId {
    SessionId { router: RouterId(router), family: Family::Ipv4 }
}

/// A router of 100 ms with one address, in which `a` (which is us) has priority 150 and `b` 100.
fn router(name: &str, vrid: u8) -> VirtualRouter {
    VirtualRouter {
        priorities: [("a".into(), 150), ("b".into(), 100)].into(),
        addresses: vec![format!("192.0.2.{vrid}/24").parse().expect("a network")],
        ..fixtures::router(name, vrid)
    }
}

fn policy(routers: impl IntoIterator<Item = VirtualRouter>) -> Policy {
    let director = |last: u8| Director { ipv4: Some([192, 0, 2, last].into()), ipv6: None };
    let pair = Pair {
        directors: [("a".into(), director(11)), ("b".into(), director(12))].into(),
        own: Some("a".into()),
        routers: routers.into_iter().map(|router| (router.name.clone(), router)).collect(),
        ..Pair::default()
    };
    Policy { pair, ..fixtures::policy([]) }
}

/// A station and what it said since it was last asked.
struct Story {
    station: Station,
    now: u64,
    said: Vec<Output>,
}

impl Story {
    /// Ready, and with every link at 0.
    fn of(policy: &Policy, keyring: Keyring, marks: BTreeMap<Sender, Mark>) -> Self {
        let beginning = Beginning { policy, keyring, epoch: 1, marks, now: at(0) };
        let mut story = Self { station: Station::new(beginning), now: 0, said: Vec::new() };
        story.give(Input::Warm { at: at(0), since: at(0) });
        (0..story.station.routers().len()).for_each(|router| story.link(0, router, true));
        story.give(Input::Timeout { at: at(0) });
        story.said.clear();
        story
    }

    fn new(router: VirtualRouter) -> Self {
        Self::of(&policy([router]), Keyring::default(), BTreeMap::new())
    }

    /// Master of everything since it is 500.
    fn master_of(policy: &Policy) -> Self {
        let mut story = Self::of(policy, Keyring::default(), BTreeMap::new());
        story.until(500);
        assert_eq!(story.role(), Role::Master);
        story.said.clear();
        story
    }

    fn master() -> Self {
        Self::master_of(&policy([router("outside", 51)]))
    }

    fn give(&mut self, input: Input<'_>) {
        self.station.handle(input);
        for _ in 0..100 {
            match self.station.poll() {
                Output::Wait { .. } => return,
                output => self.said.push(output),
            }
        }
        panic!("it never waits: {:?}", self.said);
    }

    /// In steps that no timer is late by.
    fn until(&mut self, millis: u64) {
        while self.now < millis {
            self.now = (self.now + 50).min(millis);
            self.give(Input::Timeout { at: at(self.now) });
        }
    }

    fn link(&mut self, millis: u64, router: usize, up: bool) {
        let source = up.then_some(OWN);
        self.give(Input::Link { at: at(millis), session: session(router), source });
    }

    fn hear(&mut self, millis: u64, bytes: &[u8]) {
        let sessions: Vec<SessionId> = (0..self.station.routers().len()).map(session).collect();
        self.until(millis);
        let datagram = Datagram { source: PEER, destination: GROUP, ttl: 255, bytes };
        self.give(Input::Datagram { at: at(millis), sessions: &sessions, datagram });
    }

    fn beat(&mut self, millis: u64, sequence: u64, keys: Option<Keys>) {
        let (director, interval) = ("b".into(), Duration::from_millis(100));
        let beat = Beat {
            director,
            epoch: 1,
            sequence,
            interval,
            said: Said::default(),
            units: Vec::new(),
            stale: None,
        };
        let bytes = Beats::new(keys).encode(&beat);
        self.until(millis);
        self.give(Input::Beat { at: at(millis), bytes: &bytes, apart: false });
    }

    fn keeper(&mut self, millis: u64, report: Report) {
        self.until(millis);
        self.give(Input::Keeper { at: at(millis), report });
    }

    fn role(&self) -> Role {
        self.station.election().role(RouterId(0))
    }

    fn picture(&self) -> RouterPicture {
        self.station.picture().routers.remove(0)
    }

    fn errors(&self) -> Vec<(&'static str, u64)> {
        self.picture().counts.errors.into_iter().collect()
    }

    /// The lines of the log since this was last asked.
    fn told(&mut self) -> Vec<Event> {
        let told = self.said.drain(..).filter_map(|output| match output {
            Output::Tell(event) => Some(event),
            _ => None,
        });
        told.collect()
    }

    /// What was sent since this was last asked.
    fn sent(&mut self) -> Vec<Vec<u8>> {
        let sent = self.said.drain(..).filter_map(|output| match output {
            Output::Send { bytes, .. } => Some(bytes),
            _ => None,
        });
        sent.collect()
    }
}

/// What `b` says for this router, in this version at this interval.
fn said_by_peer(
    router: &VirtualRouter,
    priority: u8,
    (version, interval): (VrrpVersion, Duration),
    password: Option<Password>,
) -> Vec<u8> {
    let interval = Interval::exactly(version, interval).expect("an interval");
    let addresses = router.addresses_of(Family::Ipv4).collect();
    let advertisement =
        Advertisement::new(router.vrid, priority, interval, addresses, password).expect("legal");
    advertisement.encode(&Endpoints::multicast(PEER), ChecksumReading::Rfc9568)
}

/// The usual: version 3 at 100 ms, without a password.
fn advertisement(router: &VirtualRouter, priority: u8) -> Vec<u8> {
    said_by_peer(router, priority, (VrrpVersion::V3, Duration::from_millis(100)), None)
}
