//! The policy of a world, from its sketch.

use crate::draw::{Shape, Sketch, name, tracked};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;
use tandem::model::{
    AnnouncementPolicy, Authentication, AuthenticationKey, AuthenticationMode, Check, Condition,
    ConnectionSync, Director, Forwarding, GroupName, Initial, KernelSettings, MetricsSettings, OnFailure,
    OnStop, Pair, Policy, Pool, PoolRules, ProbeSettings, ProbeSpec, RealServer, RouterName, Secret,
    SyncGroup, SyncRole, TargetKey, Thresholds, Tracker, Transport, VirtualRouter,
};

pub fn policy(sketch: &Sketch) -> Policy {
    let shape = sketch.shape;
    let directors = || (0..sketch.hosts).map(name);
    let router = router(sketch);
    let mut routers = BTreeMap::new();
    let mut groups = BTreeMap::new();
    if shape.links() == 2 {
        let mut inside = router.clone();
        (inside.name, inside.interface) = ("zinside".into(), "eth1".to_owned());
        inside.addresses = addresses(1, shape);
        inside.vrid = NonZeroU8::new(52).expect("not 0");
        if shape == Shape::Apart {
            inside.priorities = directors().zip(sketch.priorities.iter().rev().copied()).collect();
        } else {
            let names = vec!["outside".into(), "zinside".into()];
            let both_unfit = sketch.both_unfit;
            groups.insert("site".into(), SyncGroup { name: "site".into(), routers: names, both_unfit });
        }
        routers.insert(inside.name.clone(), inside);
    }
    routers.insert(router.name.clone(), router);
    assemble(sketch.hosts, routers, groups, sketch.synchronised)
}

fn router(sketch: &Sketch) -> VirtualRouter {
    VirtualRouter {
        name: "outside".into(),
        interface: "eth0".to_owned(),
        vrid: NonZeroU8::new(51).expect("not 0"),
        priorities: (0..sketch.hosts).map(name).zip(sketch.priorities.iter().copied()).collect(),
        addresses: addresses(0, sketch.shape),
        local_addresses: Vec::new(),
        version: sketch.version,
        accept_versions: vec![sketch.version],
        interval: sketch.interval,
        transport: if sketch.unicast { Transport::Unicast } else { Transport::Multicast },
        preempt: sketch.preempt,
        start_delay: sketch.start_delay,
        virtual_mac: false,
        announcements: AnnouncementPolicy::default(),
        track: sketch.track.iter().map(|(what, change)| tracker(*what, *change)).collect(),
        heartbeat: if sketch.heartbeat { vec!["eth7".to_owned()] } else { Vec::new() },
        checksum: sketch.checksum,
        before_master: None,
        authentication: sketch.hmac.then(authentication),
    }
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
        probes: ProbeSettings::default(),
        kernel: KernelSettings::default(),
        metrics: MetricsSettings { listen: ([127, 0, 0, 1], 9650).into(), per_server: false },
        on_event: Vec::new(),
        api: None,
        on_stop: OnStop::Keep,
    }
}

fn tracker(what: usize, priority_change: Option<i16>) -> Tracker {
    let what = tracked()[what].clone();
    Tracker { name: what.to_string().into(), what, priority_change }
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
        interval_down: Duration::from_millis(200),
        interval_changing: Duration::from_millis(200),
        jitter_percent: 0,
        timeout: Duration::from_millis(100),
        rise: 2,
        fall: 3,
        fail_at_once: Default::default(),
        source: None,
        interface: None,
        mark: None,
        through: Default::default(),
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
        check: Some(Condition::Check(Arc::new(TargetKey {
            check: "alive".into(),
            address: (address, 80).into(),
            real_path: None,
        }))),
        backup: false,
        weight_source: None,
    };
    Pool {
        name: "web".into(),
        services: Vec::new(),
        servers: vec![server],
        on_failure: OnFailure::Remove,
        initial: Initial::Down,
        sorry_servers: Vec::new(),
        rules: PoolRules::default(),
        untracked: false,
        labels: BTreeMap::new(),
    }
}
