use super::fixtures::{host, ip, mark, policy, pool, server, service, tcp};
use super::{Obstacle, Standing, obstacle, tables};
use crate::model::{
    DestinationKey, Encapsulation, Family, Forwarding, ForwardingMethod, HostFacts, OnFailure, Reach,
    SourceTranslation, Sysctl,
};

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
        let tables = tables(&policy, &host(&policy), |_, _| Standing::Up);
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
    let tables_removed = tables(&removed, &host(&removed), down);
    assert_eq!(tables_removed.services[&tcp(VIP, 80)].destinations.len(), 1);

    pool.on_failure = OnFailure::Quiesce;
    let rr = policy([pool.clone()]);
    assert!(tables(&rr, &host(&rr), down).entry_weights.is_empty(), "only mh looks at the weight at entry");
    pool.services = vec![service(tcp(VIP, 80), "mh")];
    let quiesced = policy([pool]);
    let tables_quiesced = tables(&quiesced, &host(&quiesced), down);
    let found = &tables_quiesced.services[&tcp(VIP, 80)].destinations[&key("192.168.101.110", 80)];
    assert_eq!(found.weight, 0);
    let entry = (tcp(VIP, 80), key("192.168.101.110", 80));
    assert_eq!(tables_quiesced.entry_weights.get(&entry), Some(&1), "it enters mh with its weight");
}

#[test]
fn a_mark_keeps_the_clients_port() {
    let mut pool = pool("web", VIP, &Forwarding::Nat);
    pool.services = vec![service(mark(7), "rr")];
    let policy = policy([pool]);
    let tables = tables(&policy, &host(&policy), |_, _| Standing::Up);
    assert!(tables.services[&mark(7)].destinations.contains_key(&key("192.168.101.110", 0)));
}

#[test]
fn full_nat_translates_each_family_with_its_own_addresses() {
    let translation = SourceTranslation::LocalAddresses(vec![ip("10.20.0.20"), ip("2001:db8::20")]);
    let forwarding = Forwarding::FullNat(translation);
    let mut six = pool("six", "2001:db8::100", &forwarding);
    six.servers = vec![server("2001:db8::110", &forwarding)];
    let policy = policy([pool("four", VIP, &forwarding), six]);
    let ruleset = tables(&policy, &host(&policy), |_, _| Standing::Up).ruleset;
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
        assert!(tables(&policy, &host(&policy), |_, _| Standing::Up).ruleset.is_empty());
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
    let ruleset = tables(&policy, &host(&policy), |_, _| Standing::Up).ruleset;
    assert_eq!(ruleset.marks.get(&tcp(VIP, 443)), Some(&9));
    assert!(ruleset.untracked.contains(&tcp(VIP, 80)));
    let reply = (crate::model::Protocol::Tcp, ip("192.168.101.110"), 443);
    assert!(ruleset.untracked_replies.contains(&reply));
}

#[test]
fn settings_follow_the_forwarding_method_and_the_device() {
    let value = |forwarding: Forwarding, path: &str| {
        let policy = policy([pool("web", VIP, &forwarding)]);
        let tables = tables(&policy, &host(&policy), |_, _| Standing::Up);
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
    let value = |policy: &crate::model::Policy| {
        let tables = tables(policy, &host(policy), |_, _| Standing::Up);
        tables.sysctls.get(&Sysctl::from_path("net/ipv4/vs/expire_nodest_conn")).cloned()
    };
    let mut said = policy([pool("web", VIP, &Forwarding::Nat)]);
    assert_eq!(value(&said).as_deref(), Some("1"));
    said.kernel.expire_nodest_conn = Some(false);
    assert_eq!(value(&said).as_deref(), Some("0"));
    assert_eq!(value(&policy([])), None, "no pool, nothing to set");
}

#[test]
fn a_direct_routing_server_behind_a_gateway_is_kept_out_until_it_is_on_the_link() {
    let policy = policy([pool("web", VIP, &Forwarding::DirectRouting)]);
    let behind = Reach::Gateway { interface: "eth0".into() };
    let host = HostFacts { reach: [(ip("192.168.101.110"), behind)].into() };
    let tables = tables(&policy, &host, |_, _| Standing::Up);
    let destinations = &tables.services[&tcp(VIP, 80)].destinations;
    assert_eq!(destinations.keys().copied().collect::<Vec<_>>(), [key("192.168.101.210", 80)]);
    let nat = server("192.168.101.110", &Forwarding::Nat);
    assert_eq!(obstacle(&nat, &host), None);
    let direct = server("192.168.101.110", &Forwarding::DirectRouting);
    assert_eq!(obstacle(&direct, &host), Some(Obstacle::BehindGateway));
}
