//! What a seed means: the sketch of a world, and what will go wrong in it when.

use crate::faults::{self, Act};
use crate::policy::policy;
use crate::random::Random;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use tandem::model::{
    BothUnfit, ChecksumReading, Family, Policy, Preempt, Tracked, VirtualRouter, VrrpVersion,
};

/// A floating address: of which router, and its place in [`crate::host::Host::kernel`].
#[derive(Clone, Debug)]
pub struct Place {
    pub index: usize,
    pub router: usize,
    pub address: IpAddr,
}

/// A world before it begins.
#[derive(Debug)]
pub struct Drawn {
    pub sketch: Sketch,
    /// As director 0 reads it.
    pub policy: Policy,
    /// The link of each router.
    pub link_of: Vec<usize>,
    pub links: usize,
    pub places: Vec<Place>,
    pub acts: Vec<(u64, Act)>,
    pub kinds: Vec<&'static str>,
    /// When the last act is over, µs.
    pub over_at: u64,
    pub length: u64,
    /// From then on nothing happens but that a pool dies for all, µs.
    pub pools_only_from: Option<u64>,
}

impl std::ops::Deref for Drawn {
    type Target = Sketch;

    fn deref(&self) -> &Sketch {
        &self.sketch
    }
}

pub fn name(host: usize) -> std::sync::Arc<str> {
    ["lb-a", "lb-b", "lb-c"][host].into()
}

/// The address that a director sends from on a link.
pub fn address(host: usize, link: usize, family: Family, reversed: bool) -> IpAddr {
    let (host8, link8) = (u8::try_from(host).expect("small"), u8::try_from(link).expect("small"));
    match family {
        Family::Ipv4 => Ipv4Addr::new(10, 0, link8, 10 + host8).into(),
        Family::Ipv6 => {
            let last = if reversed { 99 - host8 } else { 10 + host8 };
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, u16::from(link8), u16::from(last)).into()
        }
    }
}

pub fn tracked() -> [Tracked; 3] {
    [Tracked::Check("upstream".into()), Tracked::Pool("web".into()), Tracked::Interface("eth9".into())]
}

/// Which routers there are, of which families, and whether they move together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    One,
    BothFamilies,
    Group,
    GroupBothFamilies,
    Apart,
}

impl Shape {
    pub fn links(self) -> usize {
        match self {
            Self::One | Self::BothFamilies => 1,
            Self::Group | Self::GroupBothFamilies | Self::Apart => 2,
        }
    }
}

/// What a world is made from, but for what goes wrong in it.
#[derive(Clone, Debug)]
pub struct Sketch {
    pub hosts: usize,
    pub version: VrrpVersion,
    pub interval: Duration,
    pub shape: Shape,
    pub unicast: bool,
    pub hmac: bool,
    pub heartbeat: bool,
    pub priorities: Vec<u8>,
    pub preempt: Preempt,
    pub start_delay: Duration,
    /// What is tracked (a place in [`tracked`]), and what it does to the priority.
    pub track: Vec<(usize, Option<i16>)>,
    pub checksum: ChecksumReading,
    pub both_unfit: BothUnfit,
    pub synchronised: bool,
    pub reversed_ipv6: bool,
    /// From the start of a director until its tables are applied, µs.
    pub ready_after: Vec<u64>,
    /// How long passing the state takes, µs; `None`: it never answers.
    pub state_takes: Vec<Option<u64>>,
}

/// One world in so many is of the last director.
const LAST_ONES: u64 = 40;

pub fn draw(seed: u64) -> Drawn {
    let mut random = Random::new(seed);
    let mut sketch = sketch(&mut random);
    let (acts, kinds, pools_only) = faults::draw(
        &mut random,
        seed % LAST_ONES == LAST_ONES - 1,
        sketch.hosts,
        sketch.shape.links(),
        sketch.interval,
    );
    sketch.reversed_ipv6 = random.chance(500);
    let mut drawn = Drawn::new(sketch, acts, kinds);
    if pools_only {
        let from = drawn.quiet_after();
        drawn.acts.iter_mut().for_each(|(at, _)| *at += from);
        drawn.over_at += from;
        drawn.pools_only_from = Some(from + 2_000_000);
    }
    drawn.length = drawn.long_enough().max(60_000_000);
    drawn
}

fn sketch(random: &mut Random) -> Sketch {
    let hosts = if random.chance(250) { 3 } else { 2 };
    let version = if random.chance(120) { VrrpVersion::V2 } else { VrrpVersion::V3 };
    let interval_ms = match version {
        VrrpVersion::V2 => random.pick(&[1_000, 1_000, 1_000, 2_000]),
        VrrpVersion::V3 => match random.below(100) {
            0..2 => 10,
            2..6 => 30,
            6..80 => 100,
            80..92 => 300,
            _ => 1_000,
        },
    };
    let shape = match (version, random.below(100)) {
        (VrrpVersion::V3, 0..15) => Shape::BothFamilies,
        (VrrpVersion::V3, 15..25) => Shape::GroupBothFamilies,
        (_, 25..50) => Shape::Group,
        (_, 50..60) => Shape::Apart,
        (_, _) => Shape::One,
    };
    // In the order of this list: a seed means the same as long as the order of the draws is kept.
    Sketch {
        hosts,
        version,
        interval: Duration::from_millis(interval_ms),
        shape,
        unicast: matches!(shape, Shape::One) && random.chance(400),
        hmac: random.chance(200),
        heartbeat: random.chance(500),
        priorities: priorities(random, hosts),
        preempt: preempt(random),
        start_delay: if random.chance(150) {
            Duration::from_millis(random.between(500, 3_000))
        } else {
            Duration::ZERO
        },
        track: trackers(random),
        checksum: random.pick(&[ChecksumReading::Rfc9568, ChecksumReading::Rfc5798]),
        both_unfit: match shape {
            Shape::Group | Shape::GroupBothFamilies => {
                random.pick(&[BothUnfit::KeepBest, BothUnfit::KeepBest, BothUnfit::Release])
            }
            Shape::One | Shape::BothFamilies | Shape::Apart => BothUnfit::KeepBest,
        },
        synchronised: random.chance(500),
        reversed_ipv6: false,
        ready_after: (0..hosts).map(|_| ready(random)).collect(),
        state_takes: (0..hosts).map(|_| state(random)).collect(),
    }
}

fn preempt(random: &mut Random) -> Preempt {
    match random.below(100) {
        0..60 => Preempt::After(Duration::ZERO),
        60..80 => Preempt::Never,
        _ => Preempt::After(Duration::from_millis(random.between(500, 5_000))),
    }
}

fn ready(random: &mut Random) -> u64 {
    match random.chance(200) {
        true => random.between(1_000_000, 8_000_000),
        false => random.between(20_000, 400_000),
    }
}

fn state(random: &mut Random) -> Option<u64> {
    match random.chance(150) {
        true => None,
        false => Some(random.between(2_000, 1_500_000)),
    }
}

fn places(policy: &Policy) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for (router, planned) in policy.pair.routers.values().enumerate() {
        for address in &planned.addresses {
            places.push(Place { index: places.len(), router, address: address.addr() });
        }
    }
    places
}

impl Drawn {
    /// A world in which this happens; as long as it takes until it is quiet again.
    pub fn new(sketch: Sketch, acts: Vec<(u64, Act)>, kinds: Vec<&'static str>) -> Self {
        let policy = policy(&sketch);
        let links = sketch.shape.links();
        let mut drawn = Self {
            places: places(&policy),
            policy,
            link_of: (0..links).collect(),
            links,
            over_at: acts.iter().map(|(at, act)| at + act.lasts()).max().unwrap_or_default(),
            acts,
            kinds,
            length: 0,
            pools_only_from: None,
            sketch,
        };
        drawn.length = drawn.long_enough();
        drawn
    }

    pub fn long_enough(&self) -> u64 {
        self.over_at + self.quiet_after() + 5_000_000
    }

    /// The policy as one director reads it.
    pub fn policy_of(&self, host: usize) -> Policy {
        let mut policy = self.policy.clone();
        policy.pair.own = Some(name(host));
        policy
    }

    fn router(&self) -> &VirtualRouter {
        self.policy.pair.routers.values().next().expect("a router")
    }

    /// The longest master-down interval that a director can have, that of priority 1, µs.
    pub fn longest_down(&self) -> u64 {
        let pace = tandem::vrrp::timing::Pace { version: self.version, interval: self.interval };
        micros(pace.down_interval(1))
    }

    /// Master-down interval, what may postpone it, and what waits at the start, µs: by then one is Master.
    pub fn converged_after(&self) -> u64 {
        let postponed = if self.heartbeat { micros(self.interval * 10) } else { 0 };
        micros(self.router().start_delay) + 3_000_000 + self.longest_down() + postponed + 300_000
    }

    /// By then the last preempting return is over: ready, preempt delay, state, a whole down interval, µs.
    pub fn quiet_after(&self) -> u64 {
        let delay = match self.router().preempt {
            Preempt::Never => 0,
            Preempt::After(delay) => micros(delay),
        };
        self.converged_after() + 8_000_000 + delay + 10_000_000 + 2 * self.longest_down() + 3_000_000
    }
}

pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).expect("short")
}

fn priorities(random: &mut Random, hosts: usize) -> Vec<u8> {
    let values: [u8; 3] = match random.below(100) {
        0..18 => [100, 100, 100],
        18..28 => [255, 150, 100],
        28..35 => [254, 11, 10],
        35..60 => [100, 150, 50],
        _ => [200, 150, 100],
    };
    values[..hosts].to_vec()
}

fn trackers(random: &mut Random) -> Vec<(usize, Option<i16>)> {
    let mut track = Vec::new();
    for what in 0..tracked().len() {
        if random.chance(500) {
            track.push((what, (random.below(3) == 0).then_some(-60)));
        }
    }
    track
}
