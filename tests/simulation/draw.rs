//! What a seed means: the policy of a world, and what will go wrong in it when.

use crate::faults::{self, Act};
use crate::random::Random;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::time::Duration;
use tandem::model::{
    AnnouncementPolicy, Authentication, AuthenticationKey, AuthenticationMode, BothUnfit, Check,
    ChecksumReading, ConnectionSync, Director, Family, Forwarding, GroupName, Initial, KernelSettings,
    MetricsSettings, OnFailure, OnStop, Pair, Policy, Pool, Preempt, ProbeSpec, RealServer, RouterName,
    Secret, SyncGroup, SyncRole, TargetKey, Thresholds, Tracked, Tracker, Transport, VirtualRouter,
    VrrpVersion,
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
    pub hosts: usize,
    /// As director 0 reads it.
    pub policy: Policy,
    /// The link of each router.
    pub link_of: Vec<usize>,
    pub links: usize,
    pub places: Vec<Place>,
    pub interval: Duration,
    pub version: VrrpVersion,
    pub heartbeat: bool,
    pub hmac: bool,
    pub reversed_ipv6: bool,
    /// From the start of a director until its tables are applied, µs.
    pub ready_after: Vec<u64>,
    /// How long passing the state takes, µs; `None`: it never answers.
    pub state_takes: Vec<Option<u64>>,
    pub acts: Vec<(u64, Act)>,
    pub kinds: Vec<&'static str>,
    /// When the last act is over, µs.
    pub over_at: u64,
    pub length: u64,
    /// From then on nothing happens but that a pool dies for all, µs.
    pub pools_only_from: Option<u64>,
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    One,
    BothFamilies,
    Group,
    GroupBothFamilies,
    Apart,
}

pub fn draw(seed: u64) -> Drawn {
    let mut random = Random::new(seed);
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
    let interval = Duration::from_millis(interval_ms);
    let shape = match (version, random.below(100)) {
        (VrrpVersion::V3, 0..15) => Shape::BothFamilies,
        (VrrpVersion::V3, 15..25) => Shape::GroupBothFamilies,
        (_, 25..50) => Shape::Group,
        (_, 50..60) => Shape::Apart,
        (_, _) => Shape::One,
    };
    let unicast = matches!(shape, Shape::One) && random.chance(400);
    let hmac = random.chance(200);
    let heartbeat = random.chance(500);
    let policy = policy(&mut random, hosts, version, interval, shape, unicast, hmac, heartbeat);
    let links = match shape {
        Shape::One | Shape::BothFamilies => 1,
        Shape::Group | Shape::GroupBothFamilies | Shape::Apart => 2,
    };
    let ready = |random: &mut Random| match random.chance(200) {
        true => random.between(1_000_000, 8_000_000),
        false => random.between(20_000, 400_000),
    };
    let state = |random: &mut Random| match random.chance(150) {
        true => None,
        false => Some(random.between(2_000, 1_500_000)),
    };
    let ready_after = (0..hosts).map(|_| ready(&mut random)).collect();
    let state_takes = (0..hosts).map(|_| state(&mut random)).collect();
    let (acts, kinds, pools_only) = faults::draw(&mut random, hosts, links, interval);
    let over_at = acts.iter().map(|(at, act)| at + act.lasts()).max().unwrap_or_default();
    let places = places(&policy);
    let mut drawn = Drawn {
        hosts,
        policy,
        places,
        link_of: (0..links).collect(),
        links,
        interval,
        version,
        heartbeat,
        hmac,
        reversed_ipv6: random.chance(500),
        ready_after,
        state_takes,
        acts,
        kinds,
        over_at,
        length: 0,
        pools_only_from: None,
    };
    if pools_only {
        let from = drawn.quiet_after();
        drawn.acts.iter_mut().for_each(|(at, _)| *at += from);
        drawn.over_at += from;
        drawn.pools_only_from = Some(from + 2_000_000);
    }
    drawn.length = (drawn.over_at + drawn.quiet_after() + 5_000_000).max(60_000_000);
    drawn
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

#[expect(clippy::too_many_arguments, reason = "what a policy is drawn from")]
fn policy(
    random: &mut Random,
    hosts: usize,
    version: VrrpVersion,
    interval: Duration,
    shape: Shape,
    unicast: bool,
    hmac: bool,
    heartbeat: bool,
) -> Policy {
    let priorities = priorities(random, hosts);
    let preempt = match random.below(100) {
        0..60 => Preempt::After(Duration::ZERO),
        60..80 => Preempt::Never,
        _ => Preempt::After(Duration::from_millis(random.between(500, 5_000))),
    };
    let start_delay =
        if random.chance(150) { Duration::from_millis(random.between(500, 3_000)) } else { Duration::ZERO };
    let track = trackers(random);
    let mut router = VirtualRouter {
        name: "outside".into(),
        interface: "eth0".to_owned(),
        vrid: NonZeroU8::new(51).expect("not 0"),
        priorities,
        addresses: addresses(0, shape),
        local_addresses: Vec::new(),
        version,
        accept_versions: vec![version],
        interval,
        transport: if unicast { Transport::Unicast } else { Transport::Multicast },
        preempt,
        start_delay,
        virtual_mac: false,
        announcements: AnnouncementPolicy::default(),
        track,
        heartbeat: if heartbeat { vec!["eth7".to_owned()] } else { Vec::new() },
        checksum: random.pick(&[ChecksumReading::Rfc9568, ChecksumReading::Rfc5798]),
        before_master: None,
        authentication: hmac.then(authentication),
    };
    let mut routers = BTreeMap::new();
    let mut groups = BTreeMap::new();
    if matches!(shape, Shape::Group | Shape::GroupBothFamilies | Shape::Apart) {
        let mut inside = router.clone();
        (inside.name, inside.interface) = ("zinside".into(), "eth1".to_owned());
        inside.addresses = addresses(1, shape);
        inside.vrid = NonZeroU8::new(52).expect("not 0");
        if shape == Shape::Apart {
            let mut turned: Vec<u8> = inside.priorities.values().copied().collect();
            turned.reverse();
            inside.priorities = (0..hosts).map(name).zip(turned).collect();
        } else {
            let names = vec!["outside".into(), "zinside".into()];
            let both_unfit = random.pick(&[BothUnfit::KeepBest, BothUnfit::KeepBest, BothUnfit::Release]);
            groups.insert("site".into(), SyncGroup { name: "site".into(), routers: names, both_unfit });
        }
        routers.insert(inside.name.clone(), inside);
    }
    router.heartbeat.truncate(1);
    routers.insert(router.name.clone(), router);
    let synchronised = random.chance(500);
    assemble(hosts, routers, groups, synchronised)
}

fn assemble(
    hosts: usize,
    routers: BTreeMap<RouterName, VirtualRouter>,
    groups: BTreeMap<GroupName, SyncGroup>,
    synchronised: bool,
) -> Policy {
    let director = |host: usize| Director {
        ipv4: Some(Ipv4Addr::new(10, 0, 0, 10 + u8::try_from(host).expect("small"))),
        ipv6: None,
    };
    let sync = ConnectionSync {
        interface: "eth1".to_owned(),
        sync_id: NonZeroU8::new(61).expect("not 0"),
        role: SyncRole::FollowRouter("outside".into()),
    };
    Policy {
        checks: [("alive".into(), check())].into(),
        pools: [("web".into(), pool())].into(),
        virtual_addresses: Vec::new(),
        pair: Pair {
            directors: (0..hosts).map(|host| (name(host), director(host))).collect(),
            own: None,
            routers,
            groups,
            connection_sync: synchronised.then_some(sync),
            peer: tandem::model::PeerSettings::default(),
        },
        kernel: KernelSettings::default(),
        metrics: MetricsSettings { listen: ([127, 0, 0, 1], 9650).into(), per_server: false },
        on_stop: OnStop::Keep,
    }
}

fn priorities(random: &mut Random, hosts: usize) -> BTreeMap<std::sync::Arc<str>, u8> {
    let values: [u8; 3] = match random.below(100) {
        0..18 => [100, 100, 100],
        18..28 => [255, 150, 100],
        28..35 => [254, 11, 10],
        35..60 => [100, 150, 50],
        _ => [200, 150, 100],
    };
    (0..hosts).map(|host| (name(host), values[host])).collect()
}

fn trackers(random: &mut Random) -> Vec<Tracker> {
    let mut track = Vec::new();
    for what in tracked() {
        if random.chance(500) {
            let priority_change = match random.below(3) {
                0 => Some(-60),
                _ => None,
            };
            let name = match &what {
                Tracked::Check(name) | Tracked::Pool(name) => name.clone(),
                Tracked::Interface(name) | Tracked::Process(name) => name.as_str().into(),
                Tracked::File(path) => path.display().to_string().into(),
            };
            track.push(Tracker { name, what, priority_change });
        }
    }
    track
}

fn addresses(link: u8, shape: Shape) -> Vec<IpNet> {
    let ipv4: IpNet = format!("10.0.{link}.100/24").parse().expect("a network");
    let ipv6: IpNet = format!("fe80::{link}:100/64").parse().expect("a network");
    match shape {
        Shape::BothFamilies | Shape::GroupBothFamilies => vec![ipv4, ipv6],
        Shape::One | Shape::Group | Shape::Apart => vec![ipv4],
    }
}

fn authentication() -> Authentication {
    let key = AuthenticationKey { id: 1, secret: Secret::Credential("vrrp".to_owned()) };
    Authentication::Hmac { mode: AuthenticationMode::Enforce, keys: vec![key] }
}

/// Fails after 900 ms at most, so the hold-down of a pool is 1.1 s.
fn check() -> Check {
    Check {
        address: None,
        port: None,
        name: "alive".into(),
        probe: ProbeSpec::Tcp,
        interval: Duration::from_millis(200),
        timeout: Duration::from_millis(100),
        rise: 2,
        fall: 3,
        source: None,
        interface: None,
        mark: None,
    }
}

fn pool() -> Pool {
    let address = IpAddr::from([10, 0, 1, 200]);
    let server = RealServer {
        name: "web1".into(),
        address,
        port: Some(80),
        weight: 1,
        thresholds: Thresholds::default(),
        forwarding: Forwarding::Nat,
        check: Some(TargetKey { check: "alive".into(), address: (address, 80).into() }),
    };
    Pool {
        name: "web".into(),
        services: Vec::new(),
        servers: vec![server],
        on_failure: OnFailure::Remove,
        initial: Initial::Down,
        untracked: false,
        labels: BTreeMap::new(),
    }
}
