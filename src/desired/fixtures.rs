//! Small policies for the tests of the pure modules.

use super::{Situation, Standing, obstacle};
use crate::model::{
    AnnouncementPolicy, Check, ChecksumReading, Condition, Director, Family, Forwarding, HostFacts, Initial,
    KernelSettings, MetricsSettings, OnFailure, OnStop, Policy, Pool, PoolRules, Preempt, ProbeSettings,
    ProbeSpec, Protocol, Reach, RealServer, Roles, SchedulerName, ServiceConfig, ServiceFlags, ServiceKey,
    Tables, TargetKey, Thresholds, Transport, VirtualRouter, VirtualService, VrrpVersion,
};
use crate::rotation::Placement;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn tcp(address: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, address: ip(address), port }
}

pub(crate) fn service(key: ServiceKey, scheduler: &str) -> VirtualService {
    let config = ServiceConfig {
        scheduler: SchedulerName(scheduler.to_owned()),
        flags: ServiceFlags::default(),
        persistence: None,
        persistence_engine: None,
    };
    VirtualService { key, config, joined: Vec::new() }
}

pub(crate) fn server(address: &str, forwarding: &Forwarding) -> RealServer {
    RealServer {
        name: format!("{address}:80").into(),
        address: ip(address),
        port: None,
        weight: 1,
        thresholds: Thresholds::default(),
        forwarding: forwarding.clone(),
        check: Some(Condition::Check(Arc::new(TargetKey {
            check: "alive".into(),
            address: SocketAddr::new(ip(address), 80),
            real_path: None,
        }))),
        backup: false,
        weight_source: None,
    }
}

/// The classic: one VIP, two real servers, `rr`.
pub(crate) fn pool(name: &str, vip: &str, forwarding: &Forwarding) -> Pool {
    Pool {
        name: name.into(),
        services: vec![service(tcp(vip, 80), "rr")],
        servers: vec![server("192.168.101.110", forwarding), server("192.168.101.210", forwarding)],
        on_failure: OnFailure::Remove,
        initial: Initial::Down,
        sorry_servers: Vec::new(),
        rules: PoolRules::default(),
        untracked: false,
        labels: Default::default(),
    }
}

pub(crate) fn check() -> Check {
    Check {
        name: "alive".into(),
        probe: ProbeSpec::Tcp,
        interval: Duration::from_secs(1),
        interval_down: Duration::from_secs(1),
        interval_changing: Duration::from_secs(1),
        jitter_percent: 0,
        timeout: Duration::from_millis(500),
        rise: 2,
        fall: 3,
        fail_at_once: Default::default(),
        port: None,
        address: None,
        source: None,
        interface: None,
        mark: None,
        through: Default::default(),
    }
}

pub(crate) fn policy(pools: impl IntoIterator<Item = Pool>) -> Policy {
    Policy {
        checks: [("alive".into(), check())].into(),
        pools: pools.into_iter().map(|pool| (pool.name.clone(), pool)).collect(),
        virtual_addresses: Vec::new(),
        pair: crate::model::Pair::default(),
        probes: ProbeSettings::default(),
        kernel: KernelSettings::default(),
        metrics: MetricsSettings { listen: SocketAddr::from(([127, 0, 0, 1], 9752)), per_server: true },
        on_event: Vec::new(),
        api: None,
        on_stop: OnStop::Keep,
    }
}

/// Every RIP of the policy on the link of `eth0`.
pub(crate) fn host(policy: &Policy) -> HostFacts {
    let servers = policy.pools.values().flat_map(|pool| &pool.servers);
    let on_link = |server: &RealServer| (server.address, Reach::OnLink { interface: "eth0".into() });
    HostFacts { reach: servers.map(on_link).collect(), ..HostFacts::default() }
}

pub(crate) fn mark(mark: u32) -> ServiceKey {
    ServiceKey::FirewallMark { family: Family::Ipv4, mark }
}

/// The tables of a director on this host that is nobody's Master.
pub(crate) fn tables_on(
    policy: &Policy,
    host: &HostFacts,
    standing: impl Fn(&Pool, &RealServer) -> Standing,
) -> Tables {
    let up = |pool: &Pool, server: &RealServer| {
        standing(pool, server) == Standing::Up && obstacle(server, host).is_none()
    };
    super::tables(policy, Situation { host, roles: &Roles::default() }, |pool| {
        Placement::by_verdict(pool, |server| up(pool, server))
    })
}

/// Two directors, and a router that holds this VIP on the one that is its Master.
pub(crate) fn in_a_pair(policy: &mut Policy, vip: &str) {
    let director = |host: u8| Director { ipv4: Some([192, 168, 101, host].into()), ipv6: None };
    policy.pair.directors = [("lb-a".into(), director(200)), ("lb-b".into(), director(201))].into();
    let addresses = vec![IpNet::new(ip(vip), 24).expect("a prefix")];
    let priorities = [("lb-a".into(), 200), ("lb-b".into(), 190)].into();
    let router = VirtualRouter { addresses, priorities, preempt: Preempt::Never, ..router("outside", 1) };
    policy.pair.routers = [("outside".into(), router)].into();
}

/// A router of version 3 at 100 ms with every default, on `eth0`, without priorities and addresses.
pub(crate) fn router(name: &str, vrid: u8) -> VirtualRouter {
    VirtualRouter {
        name: name.into(),
        interface: "eth0".to_owned(),
        vrid: NonZeroU8::new(vrid).expect("not 0"),
        priorities: BTreeMap::new(),
        addresses: Vec::new(),
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
