//! A station of one virtual router, and hands to work it with.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;
use tandem::model::{
    AnnouncementPolicy, ChecksumReading, Director, Family, KernelSettings, MetricsSettings, OnStop, Pair,
    Policy, Preempt, ProbeSettings, Transport, VirtualRouter, VrrpVersion,
};
use tandem::time::{Centiseconds, Instant};
use tandem::vrrp::packet::{Advertisement, Endpoints, Interval};
use tandem::vrrp::role::Role;
use tandem::vrrp::station::{Beginning, Datagram, Input, Keyring, Output, Station};
use tandem::vrrp::{RouterId, SessionId};

pub const OWN: &str = "192.0.2.11";
pub const PEER: &str = "192.0.2.12";
pub const VRID: u8 = 51;

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// A router of 100 ms with the addresses of one family, between `a` (which is us) and `b`.
pub fn router(family: Family, priority: u8) -> VirtualRouter {
    let addresses = match family {
        Family::Ipv4 => vec!["192.0.2.1/24", "192.0.2.2/24"],
        Family::Ipv6 => vec!["fe80::1:1/64", "2001:db8::1/64"],
    };
    VirtualRouter {
        name: "outside".into(),
        interface: "eth0".to_owned(),
        vrid: NonZeroU8::new(VRID).expect("not 0"),
        priorities: [("a".into(), priority), ("b".into(), 100)].into(),
        addresses: addresses.into_iter().map(|address| address.parse().expect("a network")).collect(),
        local_addresses: Vec::new(),
        version: VrrpVersion::V3,
        accept_versions: vec![VrrpVersion::V3],
        interval: Duration::from_millis(100),
        transport: Transport::Multicast,
        preempt: Preempt::After(Duration::ZERO),
        start_delay: Duration::ZERO,
        virtual_mac: false,
        announcements: AnnouncementPolicy::default(),
        track: Vec::new(),
        heartbeat: Vec::new(),
        checksum: ChecksumReading::Rfc9568,
        authentication: None,
        before_master: None,
    }
}

/// The station and everything that it said.
pub struct Bench {
    pub station: Station,
    pub session: SessionId,
    pub said: Vec<Output>,
}

impl Bench {
    /// Ready, and with a link at instant 0.
    pub fn new(router: VirtualRouter) -> Self {
        let family = router.families()[0];
        let mut bench = Self::without_link(router);
        let source = ip(if family == Family::Ipv4 { OWN } else { "fe80::11" });
        let session = bench.session;
        bench.give(Input::Link { at: at(0), session, source: Some(source) });
        bench.give(Input::Timeout { at: at(0) });
        bench
    }

    pub fn without_link(router: VirtualRouter) -> Self {
        let family = router.families()[0];
        let director = |last: u8| Director { ipv4: Some([192, 0, 2, last].into()), ipv6: None };
        let pair = Pair {
            directors: [("a".into(), director(11)), ("b".into(), director(12))].into(),
            own: Some("a".into()),
            routers: [(router.name.clone(), router)].into(),
            ..Pair::default()
        };
        let policy = Policy {
            api: None,
            checks: BTreeMap::new(),
            pools: Default::default(),
            virtual_addresses: Vec::new(),
            pair,
            probes: ProbeSettings::default(),
            kernel: KernelSettings::default(),
            metrics: MetricsSettings { listen: ([127, 0, 0, 1], 9650).into(), per_server: false },
            on_event: Vec::new(),
            on_stop: OnStop::Keep,
        };
        let keyring = Keyring::default();
        let beginning = Beginning { policy: &policy, keyring, epoch: 1, marks: BTreeMap::new(), now: at(0) };
        let session = SessionId { router: RouterId(0), family };
        let mut bench = Self { station: Station::new(beginning), session, said: Vec::new() };
        // Its tables are warm all the time.
        bench.give(Input::Warm { at: at(0), since: at(1_000_000_000) });
        bench
    }

    /// Hands it in, and takes what it says.
    pub fn give(&mut self, input: Input<'_>) {
        self.station.handle(input);
        for _ in 0..100 {
            match self.station.poll() {
                Output::Wait { .. } => return,
                output => self.said.push(output),
            }
        }
        panic!("it never waits: {:?}", self.said);
    }

    pub fn time(&mut self, millis: u64) {
        self.give(Input::Timeout { at: at(millis) });
    }

    /// Takes the role of Active: no other is there.
    pub fn becomes_active(mut self) -> Self {
        (1..=5).for_each(|step| self.time(step * 100));
        assert_eq!(self.role(), Role::Master);
        self.said.clear();
        self
    }

    /// From the peer, with TTL 255.
    pub fn hear(&mut self, millis: u64, bytes: &[u8]) {
        self.hear_with(millis, 255, bytes);
    }

    pub fn hear_with(&mut self, millis: u64, ttl: u8, bytes: &[u8]) {
        let (source, destination) = self.way();
        let datagram = Datagram { source, destination, ttl, bytes };
        self.give(Input::Datagram { at: at(millis), sessions: &[self.session], datagram });
    }

    /// From the peer to the group.
    pub fn way(&self) -> (IpAddr, IpAddr) {
        match self.session.family {
            Family::Ipv4 => (ip(PEER), ip("224.0.0.18")),
            Family::Ipv6 => (ip("fe80::12"), ip("ff02::12")),
        }
    }

    /// What the peer would send.
    pub fn advertisement(&self, priority: u8) -> Vec<u8> {
        let addresses = self.station.routers()[0].addresses_of(self.session.family).collect();
        let interval = Interval::Centiseconds(Centiseconds::new(10).expect("10"));
        let vrid = NonZeroU8::new(VRID).expect("not 0");
        let advertisement = Advertisement::new(vrid, priority, interval, addresses, None).expect("legal");
        let (source, destination) = self.way();
        let endpoints = Endpoints::new(source, destination).expect("one family");
        advertisement.encode(&endpoints, ChecksumReading::Rfc9568)
    }

    pub fn role(&self) -> Role {
        self.station.election().role(RouterId(0))
    }

    /// Messages sent since this was last asked.
    pub fn sent(&mut self) -> Vec<Vec<u8>> {
        let sent = self.said.drain(..).filter_map(|output| match output {
            Output::Send { bytes, .. } => Some(bytes),
            _ => None,
        });
        sent.collect()
    }

    pub fn received(&self) -> u64 {
        self.station.picture().routers[0].counts.received
    }

    /// How often this kind of error was counted.
    pub fn errors(&self, kind: &str) -> u64 {
        self.station.picture().routers[0].counts.errors.get(kind).copied().unwrap_or_default()
    }
}

/// Mends the checksum after bytes were changed: over the message alone, as for IPv4.
pub fn mend(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[6..8].fill(0);
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    let folded = !u16::try_from(sum).expect("folded");
    bytes[6..8].copy_from_slice(&folded.to_be_bytes());
    bytes
}
