mod exchange;
mod survival;

use super::fixtures::{host, in_a_pair, ip, mark, policy, pool, router, server, service, tables_on, tcp};
use super::{Obstacle, Situation, Standing, lasting_settings, obstacle, tables};
use crate::model::{
    Condition, ConnectionSync, DestinationKey, Director, Encapsulation, Family, Forwarding, ForwardingMethod,
    HostFacts, KernelRelease, OnFailure, Persistence, Policy, Protocol, Reach, Roles, ServiceKey,
    SourceTranslation, SyncDaemon, SyncDaemonRole, SyncGroup, SyncRole, Sysctl, Tables, TargetKey, Tracking,
};
use crate::rotation::Placement;

const VIP: &str = "192.168.101.100";

fn key(address: &str, port: u16) -> DestinationKey {
    DestinationKey { address: ip(address), port }
}

#[test]
fn every_server_that_is_up_is_a_destination_with_its_weight_and_method() {
    for (forwarding, method) in [
        (Forwarding::Nat, ForwardingMethod::Masquerade),
        (Forwarding::DirectRouting, ForwardingMethod::DirectRoute),
        (Forwarding::Tunnelling(Encapsulation::IpIp), ForwardingMethod::Tunnel(Encapsulation::IpIp)),
        (Forwarding::FullNat(SourceTranslation::Masquerade), ForwardingMethod::Masquerade),
    ] {
        let policy = policy([pool("web", VIP, &forwarding)]);
        let tables = tables_on(&policy, &host(&policy), |_, _| Standing::Up);
        let service = &tables.services[&tcp(VIP, 80)];
        let keys: Vec<_> = service.destinations.keys().copied().collect();
        assert_eq!(keys, [key("192.168.101.110", 80), key("192.168.101.210", 80)]);
        assert!(service.destinations.values().all(|found| found.method == method && found.weight == 1));
    }
}

#[test]
fn a_server_that_is_down_leaves_the_table_or_stays_with_weight_zero() {
    let mut pool = pool("web", VIP, &Forwarding::DirectRouting);
    let down = |_: &_, server: &crate::model::RealServer| match server.address == ip("192.168.101.110") {
        true => Standing::Down,
        false => Standing::Up,
    };
    let removed = policy([pool.clone()]);
    let tables_removed = tables_on(&removed, &host(&removed), down);
    assert_eq!(tables_removed.services[&tcp(VIP, 80)].destinations.len(), 1);

    pool.on_failure = OnFailure::Quiesce;
    let rr = policy([pool.clone()]);
    assert!(
        tables_on(&rr, &host(&rr), down).entry_weights.is_empty(),
        "only mh looks at the weight at entry"
    );
    pool.services = vec![service(tcp(VIP, 80), "mh")];
    let quiesced = policy([pool]);
    let tables_quiesced = tables_on(&quiesced, &host(&quiesced), down);
    let found = &tables_quiesced.services[&tcp(VIP, 80)].destinations[&key("192.168.101.110", 80)];
    assert_eq!(found.weight, 0);
    let entry = (tcp(VIP, 80), key("192.168.101.110", 80));
    assert_eq!(tables_quiesced.entry_weights.get(&entry), Some(&1), "it enters mh with its weight");

    let mut without = quiesced;
    without.pools.values_mut().for_each(|pool| pool.servers[0].weight = 0);
    assert!(
        tables_on(&without, &host(&without), down).entry_weights.is_empty(),
        "a weight of 0 owns no slot either way"
    );
}

#[test]
fn a_mark_keeps_the_clients_port() {
    let mut pool = pool("web", VIP, &Forwarding::Nat);
    pool.services = vec![service(mark(7), "rr")];
    let policy = policy([pool]);
    let tables = tables_on(&policy, &host(&policy), |_, _| Standing::Up);
    assert!(tables.services[&mark(7)].destinations.contains_key(&key("192.168.101.110", 0)));
}

#[test]
fn full_nat_translates_each_family_with_its_own_addresses() {
    let translation = SourceTranslation::LocalAddresses(vec![ip("10.20.0.20"), ip("2001:db8::20")]);
    let forwarding = Forwarding::FullNat(translation);
    let mut six = pool("six", "2001:db8::100", &forwarding);
    six.servers = vec![server("2001:db8::110", &forwarding)];
    let policy = policy([pool("four", VIP, &forwarding), six]);
    let ruleset = tables_on(&policy, &host(&policy), |_, _| Standing::Up).ruleset;
    let four = (Family::Ipv4, SourceTranslation::LocalAddresses(vec![ip("10.20.0.20")]));
    let six = (Family::Ipv6, SourceTranslation::LocalAddresses(vec![ip("2001:db8::20")]));
    assert!(ruleset.source_translations[&four].contains(&tcp(VIP, 80)));
    assert!(ruleset.source_translations[&six].contains(&tcp("2001:db8::100", 80)));
}

#[test]
fn only_the_pools_that_need_it_have_rules() {
    for forwarding in
        [Forwarding::Nat, Forwarding::DirectRouting, Forwarding::Tunnelling(Encapsulation::IpIp)]
    {
        let policy = policy([pool("web", VIP, &forwarding)]);
        assert!(tables_on(&policy, &host(&policy), |_, _| Standing::Up).ruleset.is_empty());
    }
}

#[test]
fn joined_ports_are_marked_and_untracked_nat_bypasses_tracking_both_ways() {
    let mut pool = pool("web", VIP, &Forwarding::Nat);
    let mut joined = service(mark(9), "rr");
    joined.joined = vec![tcp(VIP, 80), tcp(VIP, 443)];
    pool.services = vec![joined];
    pool.untracked = true;
    let policy = policy([pool]);
    let ruleset = tables_on(&policy, &host(&policy), |_, _| Standing::Up).ruleset;
    assert_eq!(ruleset.marks.get(&tcp(VIP, 443)), Some(&9));
    assert!(ruleset.untracked.contains(&tcp(VIP, 80)));
    let reply = (Protocol::Tcp, ip("192.168.101.110"), 443);
    assert!(ruleset.untracked_replies.contains(&reply));
}

#[test]
fn settings_follow_the_forwarding_method_and_the_device() {
    let value = |forwarding: Forwarding, path: &str| {
        let policy = policy([pool("web", VIP, &forwarding)]);
        let tables = tables_on(&policy, &host(&policy), |_, _| Standing::Up);
        tables.sysctls.get(&Sysctl::from_path(path)).cloned()
    };
    let full_nat = || Forwarding::FullNat(SourceTranslation::Masquerade);
    assert_eq!(value(Forwarding::Nat, "net/ipv4/ip_forward").as_deref(), Some("1"));
    assert_eq!(value(Forwarding::DirectRouting, "net/ipv4/ip_forward"), None);
    assert_eq!(value(full_nat(), "net/ipv4/vs/conntrack").as_deref(), Some("1"));
    assert_eq!(value(Forwarding::Nat, "net/ipv4/vs/conntrack"), None);
    let redirects = "net/ipv4/conf/eth0/send_redirects";
    assert_eq!(value(Forwarding::DirectRouting, redirects).as_deref(), Some("0"));
}

#[test]
fn connections_of_a_server_that_left_end_unless_the_policy_says_otherwise() {
    let value = |policy: &Policy| {
        let tables = tables_on(policy, &host(policy), |_, _| Standing::Up);
        tables.sysctls.get(&Sysctl::from_path("net/ipv4/vs/expire_nodest_conn")).cloned()
    };
    let mut said = policy([pool("web", VIP, &Forwarding::Nat)]);
    assert_eq!(value(&said).as_deref(), Some("1"));
    said.kernel.expire_nodest_conn = false;
    assert_eq!(value(&said).as_deref(), Some("0"));
    assert_eq!(value(&policy([])), None, "no pool, nothing to set");
}

#[test]
fn a_port_that_is_used_again_stays_where_tracking_would_hold_it_up_and_the_kernel_lets_it_go_on() {
    let mode = |forwarding: &Forwarding, kernel| {
        let policy =
            policy([pool("web", VIP, forwarding), pool("other", "192.168.101.101", &Forwarding::Nat)]);
        let host = HostFacts { kernel, ..host(&policy) };
        let tables = tables_on(&policy, &host, |_, _| Standing::Up);
        tables.sysctls.get(&Sysctl::from_path("net/ipv4/vs/conn_reuse_mode")).cloned()
    };
    let full_nat = Forwarding::FullNat(SourceTranslation::Masquerade);
    let kernels = [Some(KernelRelease(5, 15)), Some(KernelRelease(5, 16)), None];
    let of = |forwarding| kernels.map(|kernel| mode(forwarding, kernel).expect("it is set"));
    assert_eq!(of(&full_nat), ["1", "0", "0"]);
    assert_eq!(of(&Forwarding::Nat), ["1", "1", "1"], "nothing is tracked");
}

#[test]
fn what_the_kernel_remembers_of_clients_is_set_as_the_pools_and_the_policy_want() {
    let value = |policy: &Policy, name: &str| {
        let tables = tables_on(policy, &host(policy), |_, _| Standing::Up);
        tables.sysctls.get(&Sysctl::from_path(format!("net/ipv4/vs/{name}"))).cloned()
    };
    let mut said = policy([pool("web", VIP, &Forwarding::Nat)]);
    assert_eq!(value(&said, "conn_reuse_mode").as_deref(), Some("1"));
    assert_eq!(value(&said, "expire_quiescent_template"), None, "nobody persists");
    said.kernel.conn_reuse_mode = Some(0);
    let web = said.pools.get_mut("web").expect("the pool");
    web.services[0].config.persistence = Some(Persistence { timeout_s: 60, prefix: 32 });
    assert_eq!(value(&said, "conn_reuse_mode").as_deref(), Some("0"));
    assert_eq!(value(&said, "expire_quiescent_template").as_deref(), Some("0"));
    said.kernel.expire_quiescent_template = true;
    assert_eq!(value(&said, "expire_quiescent_template").as_deref(), Some("1"));
}

#[test]
fn a_direct_routing_server_behind_a_gateway_is_kept_out_until_it_is_on_the_link() {
    let policy = policy([pool("web", VIP, &Forwarding::DirectRouting)]);
    let behind = Reach::Gateway { interface: "eth0".into() };
    let host = HostFacts { reach: [(ip("192.168.101.110"), behind)].into(), ..HostFacts::default() };
    let tables = tables_on(&policy, &host, |_, _| Standing::Up);
    let destinations = &tables.services[&tcp(VIP, 80)].destinations;
    assert_eq!(destinations.keys().copied().collect::<Vec<_>>(), [key("192.168.101.210", 80)]);
    let nat = server("192.168.101.110", &Forwarding::Nat);
    assert_eq!(obstacle(&nat, &host), None);
    let direct = server("192.168.101.110", &Forwarding::DirectRouting);
    assert_eq!(obstacle(&direct, &host), Some(Obstacle::BehindGateway));
}

/// Follows the router `outside`, beside the two directors .200 and .201.
fn with_sync(mut policy: Policy, role: SyncRole) -> Policy {
    let director = |host: u8| Director { ipv4: Some([192, 168, 101, host].into()), ipv6: None };
    policy.pair.directors = [("lb-a".into(), director(200)), ("lb-b".into(), director(201))].into();
    let sync_id = 61.try_into().expect("not zero");
    policy.pair.connection_sync = Some(ConnectionSync { interface: "eth1".into(), sync_id, role });
    policy
}

fn follow() -> SyncRole {
    SyncRole::FollowRouter("outside".into())
}

fn as_master(policy: &Policy) -> Tables {
    let roles = Roles { master_of: ["outside".into(), "inside".into()].into(), ..Roles::default() };
    tables(policy, Situation { host: &host(policy), roles: &roles }, |pool| {
        Placement::by_verdict(pool, |_| true)
    })
}

fn as_backup(policy: &Policy) -> Tables {
    tables_on(policy, &host(policy), |_, _| Standing::Up)
}

fn daemon_roles(tables: &Tables) -> Vec<SyncDaemonRole> {
    tables.sync_daemons.iter().map(|daemon| daemon.role).collect()
}

#[test]
fn the_synchronisation_daemon_follows_the_role() {
    use SyncDaemonRole::{Backup, Master};
    let pools = || policy([pool("web", VIP, &Forwarding::Nat)]);
    let mut followed = with_sync(pools(), follow());
    assert_eq!(daemon_roles(&as_backup(&followed)), [Backup]);
    assert_eq!(daemon_roles(&as_master(&followed)), [Master]);
    let both = with_sync(pools(), SyncRole::Both);
    assert_eq!(daemon_roles(&as_backup(&both)), [Master, Backup]);
    assert_eq!(daemon_roles(&as_backup(&pools())), []);
    let daemon = SyncDaemon { role: Backup, interface: "eth1".into(), sync_id: 61 };
    assert!(as_backup(&followed).sync_daemons.contains(&daemon));

    let routers = vec!["outside".into(), "inside".into()];
    let group = SyncGroup { name: "site".into(), routers, both_unfit: Default::default() };
    followed = with_sync(pools(), SyncRole::FollowGroup("site".into()));
    assert_eq!(daemon_roles(&as_master(&followed)), [Backup], "a group that is not there");
    followed.pair.groups = [("site".into(), group.clone())].into();
    assert_eq!(daemon_roles(&as_master(&followed)), [Master]);
    let more = SyncGroup { routers: vec!["outside".into(), "third".into()], ..group };
    followed.pair.groups = [("site".into(), more)].into();
    assert_eq!(daemon_roles(&as_master(&followed)), [Backup], "Master of every router, or Backup");
}

#[test]
fn settings_of_synchronisation_come_with_it_only() {
    let value = |tables: &Tables, name: &str| {
        tables.sysctls.get(&Sysctl::from_path(format!("net/ipv4/vs/{name}"))).cloned()
    };
    let plain = policy([pool("web", VIP, &Forwarding::DirectRouting)]);
    assert_eq!(value(&as_backup(&plain), "sync_threshold"), None);
    let mut synchronised = with_sync(plain, follow());
    let backup = as_backup(&synchronised);
    assert_eq!(value(&backup, "sync_threshold").as_deref(), Some("0 0"));
    assert_eq!(value(&backup, "sync_refresh_period").as_deref(), Some("10"));
    assert_eq!(value(&backup, "backup_only").as_deref(), Some("0"));
    assert_eq!(value(&backup, "sloppy_tcp"), None, "round robin would choose anew");
    for pool in synchronised.pools.values_mut() {
        pool.services[0].config.scheduler.0 = "mh".to_owned();
    }
    assert_eq!(value(&as_backup(&synchronised), "sloppy_tcp").as_deref(), Some("1"));
    assert_eq!(value(&as_backup(&synchronised), "sloppy_sctp"), None);
    synchronised.pair.connection_sync = None;
    assert_eq!(
        value(&as_backup(&synchronised), "sloppy_tcp").as_deref(),
        Some("1"),
        "it needs no synchronisation"
    );
    assert_eq!(value(&as_backup(&synchronised), "sync_threshold"), None);
    synchronised.pair.directors.clear();
    assert_eq!(value(&as_backup(&synchronised), "sloppy_tcp"), None, "nothing comes here in a failover");
    let mut nat = with_sync(policy([pool("web", VIP, &Forwarding::Nat)]), follow());
    for pool in nat.pools.values_mut() {
        pool.services[0].config.scheduler.0 = "mh".to_owned();
    }
    assert_eq!(value(&as_backup(&nat), "sloppy_tcp"), None, "a NAT connection needs its entry");
}

#[test]
fn a_pool_behind_a_mark_is_taken_for_tcp_and_no_other_protocol_begins_in_the_middle() {
    let sloppy = |key: ServiceKey, name: &str| {
        let mut pool = pool("web", VIP, &Forwarding::DirectRouting);
        pool.services = vec![service(key, "mh")];
        let tables = as_backup(&with_sync(policy([pool]), follow()));
        tables.sysctls.get(&Sysctl::from_path(format!("net/ipv4/vs/{name}"))).cloned()
    };
    assert_eq!(sloppy(mark(7), "sloppy_tcp").as_deref(), Some("1"), "the likely protocol of an unknown mark");
    assert_eq!(sloppy(mark(7), "sloppy_sctp"), None);
    let of = |protocol| ServiceKey::Address { protocol, address: ip(VIP), port: 53 };
    assert_eq!(sloppy(of(Protocol::Sctp), "sloppy_sctp").as_deref(), Some("1"));
    for (protocol, other) in [(Protocol::Udp, "sloppy_tcp"), (Protocol::Sctp, "sloppy_tcp")] {
        assert_eq!(sloppy(of(protocol), other), None, "{protocol:?} is not TCP");
    }
}

#[test]
fn timeouts_of_the_policy_are_those_of_the_table() {
    let mut policy = policy([pool("web", VIP, &Forwarding::Nat)]);
    policy.kernel.timeouts.tcp_s = Some(900);
    assert_eq!(as_backup(&policy).timeouts, policy.kernel.timeouts);
}

#[test]
fn tracking_that_was_away_for_a_while_takes_what_it_did_not_see() {
    let value = |tables: &Tables| {
        tables.sysctls.get(&Sysctl::from_path("net/netfilter/nf_conntrack_tcp_be_liberal")).cloned()
    };
    let full_nat = policy([pool("web", VIP, &Forwarding::FullNat(SourceTranslation::Masquerade))]);
    assert_eq!(value(&as_backup(&full_nat)), None, "nothing goes on elsewhere without synchronisation");
    let full_nat = with_sync(full_nat, follow());
    assert_eq!(value(&as_backup(&full_nat)).as_deref(), Some("1"));
    assert_eq!(value(&as_master(&full_nat)).as_deref(), Some("1"));
    let nat = with_sync(policy([pool("web", VIP, &Forwarding::Nat)]), follow());
    assert_eq!(value(&as_master(&nat)), None, "IPVS takes its packets out of the tracking");
}

#[test]
fn a_backup_that_is_a_real_server_too_does_not_balance() {
    let value = |tables: &Tables| tables.sysctls[&Sysctl::from_path("net/ipv4/vs/backup_only")].clone();
    let mut pool = pool("web", VIP, &Forwarding::DirectRouting);
    pool.servers = vec![server("192.168.101.200", &Forwarding::DirectRouting)];
    let followed = with_sync(policy([pool.clone()]), follow());
    assert_eq!(value(&as_backup(&followed)), "1");
    assert_eq!(value(&as_master(&followed)), "0");
    let both = with_sync(policy([pool]), SyncRole::Both);
    assert_eq!(value(&as_backup(&both)), "0", "there each balances for its own routers");
}

#[test]
fn a_setting_that_changes_with_the_role_does_not_last() {
    let mut pool = pool("web", VIP, &Forwarding::DirectRouting);
    pool.servers = vec![server("192.168.101.200", &Forwarding::DirectRouting)];
    let value = |policy: &Policy, name: &str| {
        let settings = lasting_settings(policy, &host(policy));
        settings.get(&Sysctl::from_path(format!("net/ipv4/vs/{name}"))).cloned()
    };
    let mut followed = with_sync(policy([pool.clone()]), follow());
    followed.pair.routers = [("outside".into(), router("outside", 61))].into();
    assert_eq!(value(&followed, "backup_only"), None, "1 as Backup, 0 as Master");
    assert_eq!(value(&followed, "sync_version").as_deref(), Some("1"));
    let both = with_sync(policy([pool]), SyncRole::Both);
    assert_eq!(value(&both, "backup_only").as_deref(), Some("0"));
}

#[test]
fn local_addresses_and_ports_are_repeatable_where_connections_are_synchronised() {
    let forwarding = Forwarding::FullNat(SourceTranslation::LocalAddresses(vec![ip("10.20.0.20")]));
    let alone = policy([pool("api", VIP, &forwarding)]);
    assert!(!as_backup(&alone).ruleset.repeatable_sources);
    assert!(as_backup(&with_sync(alone, follow())).ruleset.repeatable_sources);
}

#[test]
fn answers_that_belong_to_another_director_s_connections_are_held_back_until_it_has_passed_them() {
    let local = SourceTranslation::LocalAddresses(vec![ip("10.20.0.20")]);
    let mut translated = pool("api", "192.168.101.101", &Forwarding::FullNat(local));
    translated.servers.truncate(1);
    let masked = pool("own", "192.168.101.102", &Forwarding::FullNat(SourceTranslation::Masquerade));
    let direct = pool("dr", "192.168.101.103", &Forwarding::DirectRouting);
    let mut policy = policy([pool("web", VIP, &Forwarding::Nat), translated, masked, direct]);
    in_a_pair(&mut policy, VIP);
    let of = |policy: &Policy, roles: Roles| {
        tables(policy, Situation { host: &host(policy), roles: &roles }, |_| Placement::default()).ruleset
    };
    let settled = Roles { master_of: ["outside".into()].into(), ..Roles::default() };
    let changing_hands = Roles { changing_hands: settled.master_of.clone(), ..settled.clone() };
    assert!(
        of(&policy, Roles::default()).withheld_replies.is_empty(),
        "nothing is passed on without synchronisation"
    );

    let policy = with_sync(policy, follow());
    let answers = ["192.168.101.110", "192.168.101.210"].map(|server| (Protocol::Tcp, ip(server), 80));
    for (roles, withheld) in [(Roles::default(), &answers[..]), (changing_hands, &answers), (settled, &[])] {
        let ruleset = of(&policy, roles.clone());
        assert_eq!(ruleset.withheld_replies, withheld.iter().copied().collect(), "{roles:?}");
        assert_eq!(ruleset.awaited_replies, [answers[0]].into(), "full-NAT's, whatever the role");
        assert_eq!(ruleset.awaited_at, [ip("10.20.0.20")].into());
    }
}

#[test]
fn a_probe_through_the_real_path_has_a_service_that_leads_to_one_server_whatever_its_verdict() {
    let mut pool = pool("web", VIP, &Forwarding::DirectRouting);
    for (number, server) in (1..).zip(&mut pool.servers) {
        let target =
            TargetKey { check: "alive".into(), address: (ip(VIP), 80).into(), real_path: Some(number) };
        server.check = Some(Condition::Check(target.into()));
    }
    let mut policy = policy([pool]);
    let tables = tables_on(&policy, &host(&policy), |_, _| Standing::Down);
    for (number, address) in (1..).zip(["192.168.101.110", "192.168.101.210"]) {
        let service = &tables.services[&mark(number)];
        let keys: Vec<_> = service.destinations.keys().copied().collect();
        assert_eq!(keys, [key(address, 0)]);
        let found = service.destinations[&key(address, 0)];
        assert_eq!((found.method, found.weight), (ForwardingMethod::DirectRoute, 1));
    }
    let accept_local = Sysctl::from_path("net/ipv4/conf/eth0/accept_local");
    assert_eq!(tables.sysctls.get(&accept_local).map(String::as_str), Some("1"));

    let own = policy.pools["web"].servers[0].check.clone().map(std::sync::Arc::new);
    let web = policy.pools.get_mut("web").expect("the pool");
    web.servers[1].check = Some(Condition::Track(Tracking {
        pool: "web".into(),
        server: "one".into(),
        named: true,
        decided_by: own,
    }));
    let tables = tables_on(&policy, &host(&policy), |_, _| Standing::Up);
    let keys: Vec<_> = tables.services[&mark(1)].destinations.keys().copied().collect();
    assert_eq!(keys, [key("192.168.101.110", 0)], "a tracker does not take over whom it leads to");
}
